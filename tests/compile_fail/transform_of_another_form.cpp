// says: transform\(\) wants void \(std::span<float> features\)
#include <minitrain/data/transform.hpp>

minitrain::Dataset doubled(const minitrain::Dataset& data) {
#ifdef WRONG
  return minitrain::transform(data, [](std::vector<float>& features) { features[0] *= 2; });
#else
  return minitrain::transform(data, [](std::span<float> features) { features[0] *= 2; });
#endif
}

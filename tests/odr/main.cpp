// The other half of part.cpp: the parts, whichever compiler made them, train to the same bits. With GPU_PART, those of
// the GPU too, or one sentence on stderr when there is none.
#include <minitrain/core/tensor.hpp>
#include <minitrain/cpu.hpp>
#include <minitrain/data/synthetic.hpp>

#include <cstdio>
#include <cstring>

namespace mt = minitrain;

#define X(part) mt::Tensor<float> part(const mt::Dataset&);
PARTS
#undef X
#ifdef GPU_PART
mt::Tensor<float> GPU_PART(const mt::Dataset&);
#endif

static bool same_bits(const mt::Tensor<float>& a, const mt::Tensor<float>& b) {
  return !a.empty() && a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

int main() {
  mt::Tensor<float> (*const parts[])(const mt::Dataset&) = {
#define X(part) &part,
      PARTS
#undef X
  };
  const mt::Dataset data = mt::synthetic_classification({.samples = 67, .features = 5, .classes = 3, .seed = 1});
  const mt::Tensor<float> first = parts[0](data);
  for (const auto& part : parts) {
    if (!same_bits(part(data), first)) {
      std::puts("the parts differ");
      return 1;
    }
  }
#ifdef GPU_PART
  try {
    if (!same_bits(GPU_PART(data), first)) {
      std::puts("the GPU's part differs");
      return 1;
    }
  } catch (const mt::DeviceError& error) {  // thrown by nvcc's object, or the stub's, and caught here
    std::fprintf(stderr, "error: %s\n", error.what());
    return 5;
  }
#endif
}

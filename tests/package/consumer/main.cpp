// Uses the library as its users find it.
#ifdef WITH_ZLIB
#include <minitrain/data/idx_gz.hpp>
#endif
#include <minitrain/trainer.hpp>

#include <cstdio>
#include <string_view>

namespace mt = minitrain;

int main() {
  const mt::Dataset data = mt::synthetic_regression({.samples = 33, .features = 4, .seed = 1});
  const mt::Sequential model{mt::Dense{4, 1}};
  mt::Trainer trainer{mt::Cpu{}, model, mt::MeanSquaredError{}, mt::SGD{.learning_rate = 0.01f}, {.batch_size = 8}};
  trainer.fit(data);
  std::printf("minitrain %s, expected %s\n", MINITRAIN_VERSION, EXPECTED);
  return std::string_view(MINITRAIN_VERSION) == EXPECTED ? 0 : 1;
}

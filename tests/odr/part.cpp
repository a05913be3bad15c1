// One object of a program made by several compilers: trains a little, and hands a type of the library across.
#include <minitrain/trainer.hpp>

namespace mt = minitrain;

mt::Tensor<float> PART() {
  const mt::Dataset data = mt::synthetic_classification({.samples = 67, .features = 5, .classes = 3, .seed = 1});
  const mt::Sequential model{mt::Dense{5, 17}, mt::ReLU{}, mt::Dense{17, 3}};
  mt::Trainer trainer{mt::Cpu{},
                      model,
                      mt::SoftmaxCrossEntropy{},
                      mt::Adam{.learning_rate = 1e-2f},
                      {.epochs = 2, .batch_size = 16, .micro_batch_size = 5, .seed = 3}};
  trainer.fit(data);
  return trainer.parameters();
}

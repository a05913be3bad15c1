#pragma once
// The run that every object of a program made by several compilers does: a little training, on one device or another.
#include <minitrain/trainer.hpp>

namespace odr {

template <class Device>
minitrain::Tensor<float> trained(const Device& device, const minitrain::Dataset& data) {
  namespace mt = minitrain;
  const mt::Sequential model{mt::Dense{5, 17}, mt::ReLU{}, mt::Dense{17, 3}};
  mt::Trainer trainer{device,
                      model,
                      mt::SoftmaxCrossEntropy{},
                      mt::Adam{.learning_rate = 1e-2f},
                      {.epochs = 2, .batch_size = 16, .micro_batch_size = 5, .seed = 3}};
  trainer.fit(data);
  return trainer.parameters();
}

}  // namespace odr

// A run on a GPU ends with the bits of the run on the CPU, however the batch is cut into micro-batches.

#include <minitrain/cuda.hpp>

#include "train/random_runs.hpp"

namespace mt = minitrain;

namespace {

using test::Configuration;
using test::Draw;

template <class Device, class Model, class Loss, class Optimizer>
mt::Tensor<float> train(const Device& device, const Configuration& c, std::size_t micro_batch_size,
                        const mt::Dataset& data, const Model& model, const Loss& loss, const Optimizer& optimizer) {
  mt::Trainer trainer{device,
                      model,
                      loss,
                      optimizer,
                      {.epochs = 2,
                       .batch_size = c.batch_size,
                       .micro_batch_size = micro_batch_size,
                       .shuffle = c.shuffle,
                       .seed = c.seed,
                       .clip_norm = c.clip_norm}};
  trainer.fit(data);
  return trainer.parameters();
}

/// The same by hand, one sample at a time.
template <class Model, class Loss, class Optimizer>
mt::Tensor<float> train_by_hand(const Configuration& c, const mt::Dataset& data, const Model& model, const Loss& loss,
                                const Optimizer& optimizer) {
  mt::Trainer trainer{
      mt::Cuda{0}, model, loss, optimizer, {.batch_size = c.batch_size, .seed = c.seed, .clip_norm = c.clip_norm}};
  mt::DataLoader<float, mt::Cuda> loader(data, {.batch_size = 1, .shuffle = c.shuffle, .seed = c.seed},
                                         trainer.device());
  for (std::size_t epoch = 0; epoch < 2; ++epoch) {
    for (const auto& sample : loader.epoch(epoch)) {
      trainer.accumulate(sample);
      if (trainer.accumulated() == c.batch_size) trainer.update();
    }
    trainer.update();
  }
  return trainer.parameters();
}

struct CompareDevices {
  template <class... Run>
  void operator()(Draw& draw, const Configuration& c, const Run&... run) const {
    const auto expected = train(mt::Cpu{}, c, 0, run...);
    CHECK(test::same_bits(expected, train(mt::Cuda{0}, c, 0, run...)));
    const std::size_t micro = 1 + draw.below(c.batch_size);
    CAPTURE(micro);
    CHECK(test::same_bits(expected, train(mt::Cuda{0}, c, micro, run...)));
    if (draw.below(4) == 0) CHECK(test::same_bits(expected, train_by_hand(c, run...)));
  }
};

}  // namespace

TEST_CASE("a run on the GPU has the bits of the run on the CPU", "[exactness]") {
  if (mt::cpu::best_isa() == mt::Isa::baseline) {
    SUCCEED("this processor has no fused multiply-add: its own runs have other bits");
    return;
  }
  for (std::uint64_t seed = 1001; seed <= 1040; ++seed) test::random_run(seed, CompareDevices{});
}

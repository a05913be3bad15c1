// The split never shows: one hash of the parameters for every micro-batch size, thread count, instruction set and loop.

#include "train/random_runs.hpp"

namespace mt = minitrain;

namespace {

using test::Configuration;
using test::Draw;
using test::same_bits;

struct Split {
  std::size_t micro_batch_size, threads;
  mt::Isa isa;
  bool by_hand = false;
};

mt::Cpu device_of(const Split& split) {
  return mt::Cpu{{.threads = split.threads, .isa = split.isa, .work_per_thread = 1}};
}

template <class Trainer, class Device>
void train_by_hand(Trainer& trainer, const mt::Dataset& data, const Configuration& c, const Device& device) {
  mt::DataLoader<float, mt::Cpu> loader(data, {.batch_size = 1, .shuffle = c.shuffle, .seed = c.seed}, device);
  for (std::size_t epoch = 0; epoch < 2; ++epoch) {
    for (const auto& sample : loader.epoch(epoch)) {
      trainer.accumulate(sample);
      if (trainer.accumulated() == c.batch_size) trainer.update();
    }
    trainer.update();
  }
}

template <class Model, class Loss, class Optimizer>
mt::Tensor<float> train(const Configuration& c, const Split& split, const mt::Dataset& data, const Model& model,
                        const Loss& loss, const Optimizer& optimizer) {
  const mt::Cpu device = device_of(split);
  mt::Trainer trainer{device,
                      model,
                      loss,
                      optimizer,
                      {.epochs = 2,
                       .batch_size = c.batch_size,
                       .micro_batch_size = split.micro_batch_size,
                       .shuffle = c.shuffle,
                       .seed = c.seed,
                       .clip_norm = c.clip_norm}};
  if (split.by_hand) {
    train_by_hand(trainer, data, c, device);
  } else {
    trainer.fit(data);
  }
  return trainer.parameters();
}

template <class Model, class Loss, class Optimizer>
void check_splits(Draw& draw, const Configuration& c, const mt::Dataset& data, const Model& model, const Loss& loss,
                  const Optimizer& optimizer) {
  const mt::Isa best = mt::cpu::best_isa();
  const Split whole{c.batch_size, 1, best};
  const auto expected = train(c, whole, data, model, loss, optimizer);
  bool finite = true;
  for (const float value : expected) finite = finite && std::isfinite(value);
  CHECK(finite);
  std::vector<Split> splits{{1, 2, best}, {0, 3, best}, {1 + draw.below(c.batch_size), 1 + draw.below(4), best}};
  splits.push_back({1 + draw.below(c.batch_size), 2, best, true});
  if (best == mt::Isa::avx512) splits.push_back({1 + draw.below(c.batch_size), 1 + draw.below(2), mt::Isa::avx2});
  for (const Split& split : splits) {
    CAPTURE(split.micro_batch_size, split.threads, static_cast<int>(split.isa), split.by_hand);
    CHECK(same_bits(expected, train(c, split, data, model, loss, optimizer)));
  }
}

}  // namespace

TEST_CASE("the split never shows: random configurations", "[exactness]") {
  for (std::uint64_t seed = 1; seed <= 240; ++seed) {
    test::random_run(seed, [](Draw& draw, const auto&... run) { check_splits(draw, run...); });
  }
}

TEST_CASE("the split never shows: a network with large layers on real thread counts", "[exactness]") {
  const Configuration c{.features = 257, .outputs = 10, .samples = 300, .batch_size = 128, .seed = 3, .shuffle = true};
  const auto data = mt::synthetic_classification({.samples = 300, .features = 257, .classes = 10, .seed = 3});
  const mt::Sequential model{mt::Dense{257, 400}, mt::ReLU{}, mt::Dense{400, 129}, mt::ReLU{}, mt::Dense{129, 10}};
  Draw draw(7);
  check_splits(draw, c, data, model, mt::SoftmaxCrossEntropy{}, mt::Adam{});
}

TEST_CASE("another seed, batch size or order is another run", "[exactness]") {
  const auto data = mt::synthetic_classification({.samples = 100, .features = 5, .classes = 3, .seed = 1});
  const mt::Sequential model{mt::Dense{5, 8}, mt::ReLU{}, mt::Dense{8, 3}};
  const Configuration base{.features = 5, .outputs = 3, .samples = 100, .batch_size = 32, .seed = 1, .shuffle = true};
  const Split split{32, 1, mt::Isa::best};
  const auto run = [&](const Configuration& c) {
    return train(c, split, data, model, mt::SoftmaxCrossEntropy{}, mt::SGD{.learning_rate = 0.1});
  };
  const auto expected = run(base);
  CHECK(same_bits(expected, run(base)));
  auto other = base;
  other.seed = 2;
  CHECK_FALSE(same_bits(expected, run(other)));
  other = base;
  other.batch_size = 31;
  CHECK_FALSE(same_bits(expected, run(other)));
  other = base;
  other.shuffle = false;
  CHECK_FALSE(same_bits(expected, run(other)));
}

#pragma once
// Training runs drawn at random: layers, sizes with odd numbers and ones, losses, optimizers, batches. For tests that
// compare the bits of a run done in two ways.

#include <minitrain/trainer.hpp>

#include <cstring>

#include "support/catch.hpp"

namespace test {

namespace mt = minitrain;

/// Every draw of a configuration, so that a failure can be named by one number.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed, mt::RandomPurpose::test) {}
  std::size_t below(std::size_t n) { return random_.word(next_++) % n; }
  template <class V>
  auto of(const V& values) {
    return values[below(std::size(values))];
  }

 private:
  mt::Random random_;
  std::uint64_t next_ = 0;
};

inline constexpr double clip_norms[] = {0, 0, 0.05, 0.5, 1e9};
inline constexpr std::size_t odd_widths[] = {1, 2, 3, 7, 15, 16, 17, 31, 33, 64, 70};

struct Configuration {
  std::size_t features, outputs, samples, batch_size;
  std::uint64_t seed;
  bool shuffle;
  double clip_norm = 0;
};

inline bool same_bits(const mt::Tensor<float>& a, const mt::Tensor<float>& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

template <class Check, class Model, class Loss>
void with_optimizer(const Check& check, Draw& draw, const Configuration& c, const mt::Dataset& data, const Model& model,
                    const Loss& loss) {
  switch (draw.below(5)) {
    case 0:
      return check(draw, c, data, model, loss, mt::SGD{.learning_rate = 0.02});
    case 1:
      return check(draw, c, data, model, loss, mt::SGD{.learning_rate = 0.01, .momentum = 0.9, .weight_decay = 1e-3});
    case 2:
      return check(draw, c, data, model, loss, mt::SGD{.learning_rate = 0.01, .momentum = 0.8, .nesterov = true});
    case 3:
      return check(draw, c, data, model, loss, mt::Adam{.learning_rate = 0.003});
    default:
      return check(draw, c, data, model, loss, mt::AdamW{.learning_rate = 0.003});
  }
}

inline mt::Dataset regression_data(Draw& draw, const Configuration& c) {
  const bool binary = draw.below(2) == 0;
  mt::Tensor<float> features(mt::Shape{c.samples, c.features}), targets(mt::Shape{c.samples, c.outputs});
  const mt::Random random(c.seed, mt::RandomPurpose::test, 1);
  std::uint64_t i = 0;
  for (float& value : features) value = static_cast<float>(2 * random.uniform(i++) - 1);
  for (float& value : targets) {
    value = static_cast<float>(binary ? random.word(i++) % 2 : random.uniform(i++));
  }
  return mt::Dataset::regression(std::move(features), std::move(targets));
}

template <class Check, class Model>
void with_loss(const Check& check, Draw& draw, const Configuration& c, const Model& model) {
  if (c.outputs > 1 && draw.below(2) == 0) {
    const auto data = mt::synthetic_classification(
        {.samples = c.samples, .features = c.features, .classes = c.outputs, .seed = c.seed});
    mt::SoftmaxCrossEntropy loss{.label_smoothing = draw.below(2) == 0 ? 0.0 : 0.1};
    if (draw.below(3) == 0) {
      for (std::size_t k = 0; k < c.outputs; ++k) loss.class_weights.push_back(0.5 + 0.25 * static_cast<double>(k % 5));
    }
    return with_optimizer(check, draw, c, data, model, loss);
  }
  const auto data = regression_data(draw, c);
  switch (draw.below(3)) {
    case 0:
      return with_optimizer(check, draw, c, data, model, mt::MeanSquaredError{});
    case 1:
      return with_optimizer(check, draw, c, data, model, mt::Huber{.delta = 0.3});
    default:
      return with_optimizer(check, draw, c, data, model, mt::BinaryCrossEntropy{});
  }
}

/// Calls check(draw, configuration, data, model, loss, optimizer) with what `seed` stands for.
template <class Check>
void random_run(std::uint64_t seed, const Check& check) {
  CAPTURE(seed);
  Draw draw(seed);
  const std::size_t hidden = draw.of(odd_widths), hidden2 = draw.of(odd_widths);
  Configuration c{.features = draw.of(odd_widths),
                  .outputs = 1 + draw.below(12),
                  .samples = 2 + draw.below(90),
                  .batch_size = 1 + draw.below(48),
                  .seed = seed,
                  .shuffle = draw.below(4) != 0,
                  .clip_norm = Draw(seed + 1'000'000).of(clip_norms)};
  const mt::Dense in{c.features, hidden}, out{hidden, c.outputs};
  switch (draw.below(9)) {
    case 0:
      return with_loss(check, draw, c, mt::Sequential{mt::Dense{c.features, c.outputs}});
    case 1:
      return with_loss(check, draw, c, mt::Sequential{in, mt::ReLU{}, out});
    case 2:
      return with_loss(check, draw, c, mt::Sequential{in, mt::Tanh{}, mt::Dense{hidden, c.outputs, false}});
    case 3:
      return with_loss(check, draw, c, mt::Sequential{in, mt::LeakyReLU{0.1}, mt::Dropout{0.3}, out});
    case 4:
      return with_loss(check, draw, c, mt::Sequential{in, mt::GELU{}, mt::LayerNorm{hidden}, out});
    case 5:
      return with_loss(check, draw, c, mt::Sequential{mt::LayerNorm{c.features}, in, mt::SiLU{}, out});
    case 6:
      return with_loss(check, draw, c, mt::Sequential{in, mt::Sigmoid{}, out, mt::Softmax{}});
    case 7:
      return with_loss(check, draw, c,
                       mt::Mlp{.widths = {c.features, hidden, hidden2, c.outputs}, .init = mt::Init::he_normal});
    default:
      return with_loss(check, draw, c,
                       mt::Sequential{mt::Dropout{0.1}, in, mt::Softmax{}, mt::Dense{hidden, hidden2}, mt::Tanh{},
                                      mt::Dense{hidden2, c.outputs}});
  }
}

}  // namespace test

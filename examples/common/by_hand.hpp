#pragma once
// ByHand: gradient accumulation in several ways, right ones and wrong ones, over the operations of the library.

#include <minitrain/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace examples {

// How the gradient of a window is put together from its micro-batches of n_1, n_2, ..., n_K samples; s_k is the sum of
// the gradients of the samples of the k-th.
enum class Way { sums, partial_sums, mean_of_means, reset_inside, full_window };
inline const std::vector<std::string> way_names{
    "sums and counts",         // (s_1 + ... + s_K) / (n_1 + ... + n_K), added up sample after sample: the library's
    "partial sums",            // the same, but each s_k by itself before it is added: right, in other bits
    "mean of means",           // (s_1/n_1 + ... + s_K/n_K) / K: wrong where the n_k differ
    "reset inside",            // s_K / n_K / K: the gradient is zeroed before each micro-batch
    "scaled as a full window"  // (s_1 + ... + s_K) / (n·K of a full window): wrong for the last one, which has fewer
};

// Trains one network step by step, in one of these ways.
template <class Optimizer>
class ByHand {
 public:
  ByHand(const minitrain::Mlp& model, const Optimizer& optimizer, std::uint64_t seed, std::size_t rows)
      : network_(device_, model, seed), optimizer_(optimizer), gradient_(network_.gradients().shape()) {
    network_.reserve(device_, rows);
    for (std::size_t i = 0; i < optimizer.moments(); ++i) moments_.emplace_back(gradient_.shape());
    for (minitrain::Tensor<float>& moment : moments_) moment_views_.push_back(moment.view());
  }

  // One optimizer step on the batch, cut into micro-batches. `full` samples are in a full window.
  void step(Way way, const minitrain::Batch<>& batch, std::size_t micro_batch, std::size_t full) {
    const auto scope = device_.arithmetic_scope();
    const double micro_batches = std::ceil(static_cast<double>(batch.size()) / static_cast<double>(micro_batch));
    for (std::size_t at = 0; at < batch.size(); at += micro_batch) {
      const std::size_t n = std::min(micro_batch, batch.size() - at);
      add_gradient(batch, at, n, way != Way::sums || at == 0);
      if (way == Way::sums) continue;
      const bool anew = at == 0 || way == Way::reset_inside;
      const auto scale = way == Way::mean_of_means || way == Way::reset_inside ? 1 / static_cast<float>(n) : 1.0f;
      for (std::size_t i = 0; i < gradient_.size(); ++i) {
        gradient_[i] = (anew ? 0 : gradient_[i]) + scale * network_.gradients()[i];
      }
    }
    const bool of_means = way == Way::mean_of_means || way == Way::reset_inside;
    const double divisor =
        of_means ? micro_batches : static_cast<double>(way == Way::full_window ? full : batch.size());
    optimizer_.update(device_, minitrain::UpdateStep<float>{
                                   .parameters = network_.parameters().view(),
                                   .gradient_sums = (way == Way::sums ? network_.gradients() : gradient_).view(),
                                   .moments = moment_views_,
                                   .gradient_scale = 1 / divisor,
                                   .learning_rate = optimizer_.learning_rate,
                                   .step = ++steps_});
  }

  minitrain::Tensor<float> parameters() const { return minitrain::flat_parameters(device_, network_); }

  // Mean loss over the data.
  double loss(const minitrain::Dataset& data) {
    const auto scope = device_.arithmetic_scope();
    minitrain::DataLoader<> loader(data, {.batch_size = network_.capacity()}, device_);
    std::fill(totals_.begin(), totals_.end(), 0.0);
    for (const minitrain::Batch<>& batch : loader.epoch(0)) forward(batch, 0, batch.size(), {});
    return totals_[0] / totals_[1];
  }

 private:
  // Outputs and loss of n samples.
  void forward(const minitrain::Batch<>& batch, std::size_t at, std::size_t n, const minitrain::Pass& pass) {
    const std::size_t stages = network_.stages();
    const minitrain::View<float> y = network_.forward(device_, batch.features.rows(at, n), pass, stages);
    minitrain::LossArguments<float> loss{.y = y,
                                         .targets = {},
                                         .labels = {batch.labels.data() + at, minitrain::Shape{n}},
                                         .dy = {},
                                         .class_weights = {},
                                         .totals = totals_.view()};
    if (pass.training) loss.dy = network_.output_gradient(stages);
    minitrain::SoftmaxCrossEntropy{}(device_, loss);
  }
  // Adds the gradient of n samples to the network's gradient sums, or begins them with it.
  void add_gradient(const minitrain::Batch<>& batch, std::size_t at, std::size_t n, bool first) {
    const minitrain::Pass pass{.step = steps_, .first_row = at, .training = true};
    forward(batch, at, n, pass);
    network_.backward(device_, pass, network_.stages(), first);
  }

  minitrain::Cpu device_{{.threads = 1}};
  minitrain::Network<float, minitrain::Cpu> network_;
  Optimizer optimizer_;
  minitrain::Tensor<float> gradient_;
  std::vector<minitrain::Tensor<float>> moments_;
  std::vector<minitrain::View<float>> moment_views_;
  minitrain::Tensor<double> totals_{minitrain::Shape{3}};
  std::size_t steps_ = 0;
};

// "4 x 32", "100 + 28"
inline std::string split_name(std::size_t batch, std::size_t micro_batch) {
  const std::size_t full = batch / micro_batch, rest = batch % micro_batch;
  const std::string many =
      full == 1 && rest != 0 ? std::to_string(micro_batch) : std::to_string(full) + " x " + std::to_string(micro_batch);
  return rest == 0 ? many : many + " + " + std::to_string(rest);
}

struct Distance {
  double relative_l2 = 0, largest = 0;
  std::size_t different = 0;  // parameters
};
inline Distance distance(const minitrain::Tensor<float>& a, const minitrain::Tensor<float>& b) {
  Distance result;
  double square = 0, all = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    square += d * d;
    all += static_cast<double>(b[i]) * static_cast<double>(b[i]);
    result.largest = std::max(result.largest, std::abs(d));
    if (std::memcmp(&a[i], &b[i], sizeof a[i]) != 0) ++result.different;
  }
  result.relative_l2 = std::sqrt(square / all);
  return result;
}

// A way, and how batches are cut for it. An epoch of `samples` ends with a window that is not
// full where they are no multiple of the batch.
struct Scenario {
  Way way;
  std::size_t batch, micro_batch, samples;
  bool wrong;

  std::string name() const {
    const std::string split = split_name(batch, micro_batch);
    const std::size_t rest = samples % batch;
    return way_names[static_cast<std::size_t>(way)] + ", " + split +
           (rest == 0 ? "" : ", every " + std::to_string(samples / batch + 1) + "th " + split_name(rest, micro_batch));
  }
};
}  // namespace examples

#pragma once
// The training steps that are measured, here and side by side with other libraries.
//
//   S1:N:B   10-64-1, ReLU, Adam, mean squared error, N samples
//   S3:B     10-1, SGD, mean squared error, 100,000 samples
//   S4:B     784-128-10, ReLU, Adam, softmax cross-entropy, 10,000 samples
//   S5:B     100-16-2, ReLU, Adam, softmax cross-entropy, 100,000 samples
//   S6:B     1024-4096-4096-1024, ReLU, SGD, mean squared error, 2,048 samples, or B where that is more

#include <minitrain/trainer.hpp>

#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>

namespace peers {

struct Workload {
  std::string name;  // S1, S3, ...
  std::size_t samples = 0, batch = 0;
  std::vector<std::size_t> widths;
  bool classes = false, adam = false;
};

/// "S1:10000:32". Throws std::invalid_argument.
inline Workload parse_workload(std::string_view text) {
  const auto unknown = [&] {
    return std::invalid_argument("workload '" + std::string(text) + "': wanted S1:N:B, S3:B, S4:B, S5:B or S6:B");
  };
  std::vector<std::size_t> numbers;
  for (std::string_view rest = text.substr(std::min<std::size_t>(2, text.size())); !rest.empty();) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), value);
    if (rest[0] != ':' || error != std::errc{} || value == 0) throw unknown();
    numbers.push_back(value);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  }
  const std::string name(text.substr(0, 2));
  if (numbers.size() != (name == "S1" ? 2 : 1)) throw unknown();
  const std::size_t batch = numbers.back();
  if (name == "S1") return {name, numbers[0], batch, {10, 64, 1}, false, true};
  if (name == "S3") return {name, 100'000, batch, {10, 1}, false, false};
  if (name == "S4") return {name, 10'000, batch, {784, 128, 10}, true, true};
  if (name == "S5") return {name, 100'000, batch, {100, 16, 2}, true, true};
  if (name == "S6") return {name, std::max<std::size_t>(2'048, batch), batch, {1024, 4096, 4096, 1024}, false, false};
  throw unknown();
}

/// Uniform random features, and answers that have nothing to do with them. As many rows as make whole batches, for the
/// other libraries leave out the last short one.
inline minitrain::Dataset make_data(const Workload& w) {
  minitrain::DatasetParts parts{.samples = w.samples - w.samples % w.batch};
  std::uint64_t state = 1;
  const auto next = [&] { return (state = state * 6364136223846793005u + 1442695040888963407u) >> 40; };
  const auto uniform = [&] { return static_cast<float>(next()) * 0x1p-24f; };
  parts.features.resize(parts.samples * w.widths.front());
  for (float& x : parts.features) x = uniform();
  if (w.classes) {
    parts.classes = w.widths.back();
    parts.labels.resize(parts.samples);
    for (std::int32_t& label : parts.labels) label = static_cast<std::int32_t>(next() % parts.classes);
  } else {
    parts.targets.resize(parts.samples * w.widths.back());
    for (float& y : parts.targets) y = uniform();
  }
  return minitrain::Dataset(std::move(parts));
}

/// Epochs enough for any measurement: it ends the run itself.
template <class Device>
minitrain::Trainer<float, Device> make_trainer(const Workload& w, const Device& device,
                                               const minitrain::TrainerOptions& options) {
  using namespace minitrain;
  const Mlp model{.widths = w.widths};
  if (w.classes) return {device, model, SoftmaxCrossEntropy{}, Adam{.learning_rate = 1e-3f}, options};
  if (w.adam) return {device, model, MeanSquaredError{}, Adam{.learning_rate = 1e-3f}, options};
  return {device, model, MeanSquaredError{}, SGD{.learning_rate = 0.01f}, options};
}
template <class Device>
minitrain::Trainer<float, Device> make_trainer(const Workload& w, const Device& device) {
  return make_trainer(w, device, {.epochs = 100'000, .batch_size = w.batch, .seed = 1});
}

}  // namespace peers

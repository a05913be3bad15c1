#pragma once
// probe(): how long a step takes, found out with a few steps on rows made for it, and how long a sample takes to read.

#include <minitrain/core/random.hpp>
#include <minitrain/train/trainer.hpp>

#include <array>
#include <chrono>

namespace minitrain::inline MINITRAIN_ABI {

/// What a probe has measured.
struct Probe {
  std::size_t batch_size = 0;  // of the steps it made; fewer than asked for where one alone would take too long
  std::size_t steps = 0;
  double step_seconds = 0;    // the fastest epoch's mean
  double copy_bandwidth = 0;  // bytes a second to the device; 0: they need not go there
  double sample_seconds = 0;  // of one thread to read a sample, and transform it; 0: it is in memory, or was not there
};

namespace detail {

/// Rows of that shape, of no meaning, that any loss takes.
inline Dataset probe_data(const DataSize& size, std::size_t samples, std::pair<double, double> target_range) {
  DatasetParts parts{.samples = samples, .classes = size.shape.classes};
  const Random random(0, RandomPurpose::synthetic);
  const std::size_t features = samples * size.shape.feature_columns;
  if (size.feature_bytes == 1) {
    parts.bytes.resize(features);
    parts.scale = 1.0f / 255;
    for (std::size_t i = 0; i < features; ++i) parts.bytes[i] = static_cast<std::uint8_t>(random.word(i) % 256);
  } else {
    parts.features.resize(features);
    for (std::size_t i = 0; i < features; ++i) parts.features[i] = static_cast<float>(random.word(i)) * 0x1p-32f;
  }
  if (size.shape.classes != 0) {
    parts.labels.resize(samples);
    for (std::size_t i = 0; i < samples; ++i) parts.labels[i] = static_cast<std::int32_t>(i % size.shape.classes);
  } else {
    const auto target = static_cast<float>(std::clamp(0.5, target_range.first, target_range.second));
    parts.targets.assign(samples * size.shape.target_columns, target);
  }
  return Dataset(std::move(parts));
}

/// Bytes a second from host memory to the device's.
template <class Device>
double copy_bandwidth([[maybe_unused]] const Device& device) {
  if constexpr (std::is_same_v<Device, Cpu>) {
    return 0;
  } else {
    std::size_t bytes = std::size_t{1} << 22;
    if constexpr (requires { free_bytes(device); }) bytes = std::min(bytes, free_bytes(device) / 4);
    const std::vector<float> host(bytes / sizeof(float));
    if (host.empty()) return 0;
    Tensor<float, Device> to(device, Shape{host.size()});
    copy_from_host(device, host.data(), to.view());
    const auto start = std::chrono::steady_clock::now();
    copy_from_host(device, host.data(), to.view());
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    return seconds.count() > 0 ? static_cast<double>(host.size() * sizeof(float)) / seconds.count() : 0;
  }
}

/// Seconds of one thread to read a sample of data that is not in memory: from the beginning of the first epoch on, one,
/// then two, then four, up to 512 or 8 MiB at once, until `seconds` have passed or all are read. The first one, for
/// which files are opened and tables made, counts only where there is no other.
template <class Device>
double reading_seconds(const Dataset& data, const TrainerOptions& options, const Device& device, double seconds) {
  if (data.empty() || data.in_memory()) return 0;
  const SampleOrder order(data, options.shuffle, options.seed, options.loading);
  constexpr std::uint64_t most_bytes = 8 << 20;
  std::array<std::uint64_t, 512> samples;
  const auto most = static_cast<std::size_t>(
      std::clamp<std::uint64_t>(most_bytes / std::max<std::uint64_t>(data.sample_bytes(), 1), 1, samples.size()));
  const HostSlot<Device> slot(device, data.shape(), most);
  const Reading reading{.seed = options.seed};
  double spent = 0, first = 0;
  std::uint64_t done = 0;
  for (std::size_t count = 1; done < data.size() && spent < seconds; count = std::min(2 * count, most)) {
    const auto part =
        std::span(samples).first(static_cast<std::size_t>(std::min<std::uint64_t>(count, data.size() - done)));
    order.fill(device, 0, done, part);
    const auto start = std::chrono::steady_clock::now();
    data.read(reading, part, slot.at(0));
    spent += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (done == 0) first = spent;
    done += part.size();
  }
  return done == 1 ? first : (spent - first) / static_cast<double>(done - 1);
}

}  // namespace detail

/// Trains a trainer of its own for about `seconds`, at a learning rate of 0, on samples of that shape, and gives all
/// memory back, but for what operations keep as working memory of the device. Takes longer where a step of one sample
/// does. Throws as a trainer and its fit() do, and DataError (empty_data) for no samples.
template <class T = float, Model M, LossSpec Loss, OptimizerSpec Optimizer, class Device>
Probe probe(const DataSize& data, const M& model, const Loss& loss, const Optimizer& optimizer,
            const TrainerOptions& options, const Device& device, double seconds = 0.05) {
  constexpr double flops_of_step = 2e8, flops_of_epoch = 1e9, bytes_of_epoch = 4e6;
  constexpr double most_steps = 64, most_epochs = 1000;
  constexpr std::size_t least_epochs = 3;  // something else may run in one of them
  if (data.empty()) throw DataError(ErrorCode::empty_data, "probe: a data set of no samples: say how many there are");
  options.check();
  const double flops = 3 * std::max(describe(model).forward_flops(), 1.0);  // forward, by the weights, by the input
  const double row = static_cast<double>(std::max<std::uint64_t>(data.row_bytes(), 1));
  const double most = static_cast<double>(std::min<std::uint64_t>(options.batch_size, data.samples));
  const double batch = std::floor(std::clamp(std::min(flops_of_step / flops, bytes_of_epoch / row), 1.0, most));
  const double fitting = std::min(flops_of_epoch / flops, bytes_of_epoch / row) / batch;
  const double steps = std::floor(std::clamp(fitting, 1.0, most_steps));

  TrainerOptions how = options;
  how.epochs = static_cast<std::size_t>(most_epochs);
  how.batch_size = static_cast<std::size_t>(batch);
  how.profile = false;
  Optimizer still = optimizer;
  if constexpr (requires { still.learning_rate = 0; }) still.learning_rate = 0;
  Trainer<T, Device> trainer{device, model, loss, still, how};
  const ObjectiveOf<Loss, T, Device> objective(device, loss, describe(model).output_columns());
  const Dataset rows = detail::probe_data(data, static_cast<std::size_t>(steps * batch), objective.target_range());
  Probe result{.batch_size = how.batch_size, .copy_bandwidth = detail::copy_bandwidth(device)};
  double spent = 0;
  trainer.fit(rows, {.on_epoch = [&](const EpochRecord& epoch) {
                spent += epoch.seconds;
                if (epoch.epoch == 0) return;  // what grows, grows in the first one
                const double step = epoch.seconds / steps;
                result.step_seconds = result.steps == 0 ? step : std::min(result.step_seconds, step);
                result.steps += epoch.steps;
                if (spent >= seconds && epoch.epoch >= least_epochs) trainer.request_stop();
              }});
  return result;
}

/// With the time that samples take to be read, from reading a few of them for about as long: what comes from a disk is
/// in it as far as these do. Throws what reading them throws, too.
template <class T = float, Model M, LossSpec Loss, OptimizerSpec Optimizer, class Device>
Probe probe(const Dataset& data, const M& model, const Loss& loss, const Optimizer& optimizer,
            const TrainerOptions& options, const Device& device, double seconds = 0.05) {
  Probe result = probe<T>(size_of(data), model, loss, optimizer, options, device, seconds);
  result.sample_seconds = detail::reading_seconds(data, options, device, seconds);
  return result;
}

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// Trainer: trains a model on a device. Include <minitrain/trainer.hpp>.

#include <minitrain/nn/loss.hpp>
#include <minitrain/train/callbacks.hpp>
#include <minitrain/train/checks.hpp>
#include <minitrain/train/explain.hpp>
#include <minitrain/train/make_accumulator.hpp>
#include <minitrain/train/options.hpp>
#include <minitrain/train/profiler.hpp>
#include <minitrain/train/scope.hpp>
#include <minitrain/train/state_file.hpp>
#include <minitrain/train/whole_data.hpp>

#include <chrono>

namespace minitrain::inline MINITRAIN_ABI {

/// Trainer trainer{Cpu{}, model, loss, optimizer, {.epochs = 5, .batch_size = 32}};
///
/// A run is a function of (data, model, seed, batch_size): how a batch is cut into micro-batches and on how many
/// threads never changes one bit of the parameters (in fp32; docs/numerics.md has the other modes of a GPU). A trainer
/// moved from may be assigned to or destroyed, nothing else. T is the scalar: float unless asked otherwise,
/// Trainer<double, Cpu>{...}.
template <class T = float, class Device = Cpu>
class Trainer {
  static_assert(computes<T, Device>(), "this device has no operations for this scalar: on Cuda, train in float");

 public:
  /// Throws ShapeError when layers, or model and loss, do not fit; OptionError for an option outside its range;
  /// DeviceError (out_of_memory) with the bytes planned and the largest micro-batch that fits.
  template <Model M, LossSpec Loss, OptimizerSpec Optimizer>
  Trainer(const Device& device, const M& model, const Loss& loss, const Optimizer& optimizer,
          const TrainerOptions& options = {})
      : device_(device),
        options_((options.check(), options)),
        core_(make_accumulator<T>(device_, model, loss, optimizer, options)) {
    core_.watch(profiler_.get());
  }

  /// Trains for options().epochs epochs. Throws DataError or ShapeError, before anything has changed, when the data
  /// does not fit the model; NumericError when the loss stops being finite, with the parameters as before that step,
  /// and, after an epoch, when a parameter is not finite. What throws in the middle of an epoch leaves the steps before
  /// it done and the epoch unfinished: the next fit() goes on with it, as the first of its epochs.
  History fit(const Dataset& training, const Callbacks& callbacks = {}) { return run(training, nullptr, callbacks); }
  /// The same, and evaluates on `validation` after every epoch.
  History fit(const Dataset& training, const Dataset& validation, const Callbacks& callbacks = {}) {
    return run(training, &validation, callbacks);
  }
  /// From a callback: makes the running fit() return after this step or epoch. The next fit(), of this trainer or of
  /// one that load()s what save() wrote, goes on with the unfinished epoch where it stopped, to the sample; it is the
  /// first of the epochs of that fit().
  void request_stop() noexcept { stop_requested_ = true; }
  /// Counts an unfinished epoch as done: the rest of its samples is not seen.
  void end_epoch() {
    refuse_in_callback("end_epoch");
    if (progress_.in_epoch()) progress_.end_epoch();
  }

  /// Mean loss and accuracy over the data set.
  Evaluation evaluate(const Dataset& data) {
    check_data_set(data);
    DataLoader<T, Device> loader = loader_of(data);
    return evaluate_all(device_, core_, loader);
  }

  /// The model's output for every sample: [samples, outputs].
  Tensor<T> predict(const Dataset& data) {
    check_columns(data.feature_columns(), core_.network().input_columns());
    DataLoader<T, Device> loader = loader_of(data);
    return predict_all(device_, core_, loader);
  }
  /// The same for rows of features [n, columns] in the device's memory, or [columns] for one row:
  ///   trainer.predict(View<const float>(values.data(), Shape{rows, columns}))
  Tensor<T> predict(View<const T, Device> features) {
    if (features.shape() == Shape{core_.network().input_columns()}) {
      features = {features.data(), Shape{1, core_.network().input_columns()}};
    }
    check_columns(features.columns(), core_.network().input_columns());
    const auto scope = device_.arithmetic_scope();
    Tensor<T> outputs(Shape{features.rows(), core_.network().output_columns()});
    core_.predict(device_, features, outputs.data());
    return outputs;
  }

  /// Adds the gradient sum of these samples; any number of them, in as many calls as you like.
  void accumulate(const Batch<T, Device>& batch) {
    refuse_in_callback("accumulate");
    check_batch(device_, batch, core_.network().description(), core_.objective().uses_labels(),
                core_.objective().target_range());
    const auto scope = device_.arithmetic_scope();
    all_or_nothing([&] { core_.accumulate(device_, batch); });
  }
  /// Samples accumulated since the last update.
  std::size_t accumulated() const noexcept { return core_.accumulated(); }
  /// One optimizer step on the mean over all accumulated samples; does nothing when there are none. Returns the mean
  /// loss. Throws NumericError when the loss, or a gradient to be clipped, is not finite, with the parameters unchanged
  /// and what had accumulated dropped.
  Evaluation update() {
    refuse_in_callback("update");
    const auto scope = device_.arithmetic_scope();
    return mean(core_, core_.update(device_));
  }
  /// Optimizer steps done over the trainer's life.
  std::size_t steps() const noexcept { return core_.steps(); }
  /// Epochs done over the trainer's life.
  std::size_t epochs() const noexcept { return progress_.epochs; }
  /// Samples done of an epoch that is not finished; 0 between epochs.
  std::size_t position() const noexcept { return progress_.done.samples; }
  const TrainerOptions& options() const noexcept { return options_; }
  /// The device it trains on. What is given to accumulate() and predict() is made with it, or with a copy of it.
  const Device& device() const noexcept { return device_; }

  /// A copy of all parameters in the order of the layers, [parameter count]; Dense weights as [in, out].
  Tensor<T> parameters() const { return flat_parameters(device_, core_.network()); }

  /// Parameters in a safetensors file, named and shaped as PyTorch's nn.Sequential state dict has them. The file
  /// appears whole or not at all. Throws DataError, and NumericError when a parameter is not finite.
  void save_weights(const std::string& path) const { write_weights(device_, core_, path); }
  /// Throws DataError when the file is not what it should be or does not fit the model; the trainer is unchanged then.
  /// Only the parameters change: the optimizer's moments and the counts of steps and epochs stay.
  void load_weights(const std::string& path) {
    refuse_in_callback("load_weights");
    read_weights(device_, core_, path);
  }
  /// save_weights() and what a trainer of the same model, optimizer and options needs to go on as if it had never
  /// stopped: the optimizer's moments, steps and epochs done, and where in an epoch it is. From a callback or outside
  /// of fit(), after any step; throws OptionError while samples are accumulated.
  void save(const std::string& path) const { write_state(device_, core_, progress_, options_.seed, path); }
  /// Throws DataError when the file is not a state of this model, optimizer and seed; the trainer is unchanged then.
  /// The file does not hold the options, the learning rate or the loss: a run goes on as it began only with the same
  /// ones. Nor does it hold the loss scale of Math::fp16, which begins anew.
  void load(const std::string& path) {
    refuse_in_callback("load");
    progress_ = read_state(device_, core_, options_.seed, path);
  }

  /// What runs, in words: model, loss, optimizer, device, memory, the micro-batch and why.
  std::string explain() const { return explain_run(device_, core_, options_); }
  /// The same, and how batches of this data set will come about: the order and why, who reads, into how much memory.
  std::string explain(const Dataset& data) const { return explain() + training_loader(data).explain(); }
  /// Where bytes and seconds of the last fit() went. Throws OptionError unless options().profile.
  const Profile& profile() const { return profile_of(profiler_); }

 private:
  using Core = Accumulator<T, Device>;
  using Clock = std::chrono::steady_clock;

  /// A loader of the trainer's own; when the device's memory is too small for the data set, the plan says by how much.
  DataLoader<T, Device> loader_of(const Dataset& data, const DataLoaderOptions& options) const {
    return with_memory_plan(device_, memory_plan(device_, core_, data, options_, options.shuffle),
                            [&] { return DataLoader<T, Device>(data, options, device_); });
  }
  DataLoader<T, Device> training_loader(const Dataset& data) const {
    return loader_of(data, {.batch_size = options_.batch_size,
                            .shuffle = options_.shuffle,
                            .seed = options_.seed,
                            .micro_batch_size = core_.network().capacity(),
                            .loading = options_.loading});
  }
  /// Of a data set that is looked at from front to back.
  DataLoader<T, Device> loader_of(const Dataset& data) const {
    return loader_of(data, {.batch_size = core_.network().capacity(), .loading = options_.loading});
  }

  /// Drops what has accumulated when something throws, so that no half of a sum stays behind.
  template <class F>
  void all_or_nothing(F&& f) {
    try {
      f();
    } catch (...) {
      try {
        core_.drop(device_);
      } catch (...) {  // a device that fails now has said why already
      }
      throw;
    }
  }

  /// Samples at positions [at, end) of the current epoch, in micro-batches.
  void accumulate_checked(DataLoader<T, Device>& loader, std::size_t at, std::size_t end) {
    all_or_nothing([&] {
      for (std::size_t count; at < end; at += count) {
        count = std::min(core_.network().capacity(), end - at);
        const Batch<T, Device>& batch = next_batch(profiler_.get(), loader, device_, progress_.epochs, at, count);
        check_read_targets(device_, core_.objective(), loader, batch);
        core_.accumulate(device_, batch);
      }
    });
  }

  void check_data_set(const Dataset& data) const {
    check_data(data, core_.network().description(), core_.objective().uses_labels(), core_.objective().target_range());
  }

  void refuse_in_callback(const char* what) const {
    if (running_) {
      throw OptionError({what, ": called from a callback of fit(), which is training this model: call it after"});
    }
  }

  History run(const Dataset& training, const Dataset* validation, const Callbacks& callbacks) {
    refuse_in_callback("fit");
    check_data_set(training);
    if (validation != nullptr) check_data_set(*validation);
    if (core_.accumulated() > 0) {
      throw OptionError(
          {"fit: ", core_.accumulated(), " samples are accumulated and not yet used: call update() first"});
    }
    const std::size_t rows = core_.network().capacity();
    const MemoryPlan plan = memory_plan(device_, core_, training, options_, options_.shuffle);
    DataLoader<T, Device> loader =
        profiled_loading(profiler_.get(), device_, options_, rows, [&] { return training_loader(training); });
    std::unique_ptr<DataLoader<T, Device>> validation_loader;
    if (validation != nullptr) validation_loader.reset(new DataLoader<T, Device>(loader_of(*validation)));
    check_continues(progress_, loader.samples_per_epoch(), loader.order());
    progress_.samples = loader.samples_per_epoch();
    progress_.order = loader.order();
    progress_.restored = false;
    loader.end_with(progress_.epochs + options_.epochs - 1);
    core_.forget_recordings(device_);
    History history;
    history.epochs.reserve(std::min<std::size_t>(options_.epochs, 1024));
    stop_requested_ = false;
    const TrueInScope running(running_);
    for (std::size_t e = 0; e < options_.epochs && !stop_requested_; ++e) {
      EpochRecord record = profiled_epoch(profiler_.get(), device_, loader, progress_, [&] {
        return with_memory_plan(device_, plan, [&] { return train_epoch(loader, callbacks); });
      });
      if (record.finished && validation_loader) record.validation = evaluate_all(device_, core_, *validation_loader);
      history.epochs.push_back(record);
      if (record.finished && callbacks.on_epoch) callbacks.on_epoch(record);
    }
    return history;
  }

  /// The rest of the current epoch, or as much of it as until a stop.
  EpochRecord train_epoch(DataLoader<T, Device>& loader, const Callbacks& callbacks) {
    const auto scope = device_.arithmetic_scope();
    const Clock::time_point start = Clock::now();
    const std::size_t samples = loader.samples_per_epoch(), first = progress_.done.samples;
    const std::size_t steps_before = core_.steps() - progress_.steps;
    EpochRecord record{.epoch = progress_.epochs};
    Totals& totals = progress_.done;
    const bool queue = !callbacks.on_step && core_.can_queue();
    loader.begin_epoch(device_, progress_.epochs);
    const OnException settle([&] {  // so that no queued step stays in doubt
      const OnExit count([&] { progress_.steps = core_.steps() - steps_before; });
      core_.settle(device_, totals);
    });
    for (std::size_t at = first, end; at < samples && !stop_requested_; at = end) {
      end = std::min(samples, at + options_.batch_size);
      if (queue) {
        core_.queue_step(device_, at, end - at, loader.is_resident(), totals,
                         [&] { accumulate_checked(loader, at, end); });
        continue;
      }
      accumulate_checked(loader, at, end);
      const std::size_t steps = core_.steps();
      const Totals step = core_.update(device_);
      totals.add(step);
      progress_.steps = core_.steps() - steps_before;
      if (core_.steps() == steps || !callbacks.on_step) continue;  // a batch that weighs nothing makes no step
      callbacks.on_step({.step = core_.steps(),
                         .epoch = progress_.epochs,
                         .samples = end,
                         .of_samples = samples,
                         .loss = step.loss / step.weight});
    }
    if (queue) core_.settle(device_, totals);
    progress_.steps = record.steps = core_.steps() - steps_before;
    if (!all_finite(device_, View<const T, Device>(core_.network().parameters().view()))) {
      throw NumericError({"fit: after step ", core_.steps(),
                          " not all parameters are finite: begin again with a lower learning rate"});
    }
    record.training = mean(core_, totals);
    record.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const auto seen = static_cast<double>(totals.samples - first);
    record.samples_per_second = record.seconds > 0 ? seen / record.seconds : 0;
    record.finished = totals.samples == samples;
    if (record.finished) progress_.end_epoch();
    return record;
  }

  Device device_;
  TrainerOptions options_;
  std::unique_ptr<Profiler> profiler_ = make_profiler(options_.profile);
  Core core_;
  RunProgress progress_;
  bool stop_requested_ = false;
  bool running_ = false;  // inside fit()
};

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// Trainer: trains a model on a device. Include <minitrain/trainer.hpp>.

#include <minitrain/nn/loss.hpp>
#include <minitrain/train/explain.hpp>
#include <minitrain/train/fit.hpp>
#include <minitrain/train/run_fields.hpp>
#include <minitrain/train/state_file.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// What resume() found.
struct Resumed {
  std::string path{};                  // empty: no checkpoint
  std::size_t steps = 0;               // optimizer steps done
  std::vector<std::string> skipped{};  // newer checkpoints that are damaged: a sentence for each

  explicit operator bool() const noexcept { return !path.empty(); }
};

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
    if (progress_.window) core_.drop(device_);
    if (progress_.in_epoch()) progress_.end_epoch();
  }

  /// Mean loss and accuracy over the data set.
  Evaluation evaluate(const Dataset& data) {
    check_data_set(data);
    DataLoader<T, Device> loader = whole_loader(device_, core_, options_, data);
    return evaluate_all(device_, core_, loader);
  }

  /// Shows the model's outputs for the data set to metrics (train/metrics.hpp), which add up what they see:
  ///   Confusion confusion(10);
  ///   trainer.measure(test, confusion);
  template <Metric... Metrics>
  void measure(const Dataset& data, Metrics&... metrics) {
    check_data_set(data);
    DataLoader<T, Device> loader = whole_loader(device_, core_, options_, data);
    measure_all(device_, core_, loader, metrics...);
  }

  /// The model's output for every sample: [samples, outputs].
  Tensor<T> predict(const Dataset& data) {
    check_columns(data.feature_columns(), core_.network().input_columns());
    DataLoader<T, Device> loader = whole_loader(device_, core_, options_, data);
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
    predict_rows(device_, core_, View<const T, Device>(features), outputs.data());
    return outputs;
  }

  /// Adds the gradient sum of these samples; any number of them, in as many calls as you like.
  void accumulate(const Batch<T, Device>& batch) {
    refuse_in_callback("accumulate");
    refuse_in_window("accumulate");
    refuse_averaged("accumulate");
    check_batch(device_, batch, core_.network().description(), core_.objective().uses_labels(),
                core_.objective().target_range());
    const auto scope = device_.arithmetic_scope();
    all_or_nothing(device_, core_, [&] { core_.accumulate(device_, batch); });
  }
  /// Samples accumulated since the last update.
  std::size_t accumulated() const noexcept { return core_.accumulated(); }
  /// One optimizer step on the mean over all accumulated samples; does nothing when there are none. Returns the mean
  /// loss. Throws NumericError when the loss, or a gradient to be clipped, is not finite, with the parameters unchanged
  /// and what had accumulated dropped.
  Evaluation update() {
    refuse_in_callback("update");
    refuse_in_window("update");
    refuse_averaged("update");
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
    refuse_averaged("load_weights");
    read_weights(device_, core_, path);
    progress_.window = false;
  }
  /// save_weights() and all that a trainer of the same model, optimizer and options needs to go on as if it had never
  /// stopped: moments, counts, where in an epoch and a batch it is, schedules, history. From a callback or outside of
  /// fit(), after any step, or with samples accumulated.
  void save(const std::string& path) const {
    refuse_averaged("save");
    write_state(device_, core_, progress_, path, run_fields(device_, core_, options_), best_);
  }
  /// Throws DataError when the file is damaged or not a state of this run: with every difference in model, optimizer,
  /// seed, batch size and other options, but for those that `options` allows. The trainer is unchanged then.
  void load(const std::string& path, const LoadOptions& options = {}) {
    refuse_in_callback("load");
    take_state(SafetensorsFile(path), path, options);
  }
  /// Loads the newest checkpoint of options().checkpoint.directory that is whole, where there is one: the next fit()
  /// goes on with the one that was stopped, to its end, and gives back the history of all of it.
  Resumed resume(const LoadOptions& options = {}) {
    refuse_in_callback("resume");
    if (!options_.checkpoint.on()) {
      throw OptionError("resume: TrainerOptions::checkpoint names no directory: give one, or load() a file");
    }
    const NewestCheckpoint newest = CheckpointDirectory(options_.checkpoint).newest();
    if (newest) {
      take_state(*newest.file, newest.path, options);
      progress_.goes_on = true;
      progress_.saved_steps = core_.steps();
    }
    return {newest.path, core_.steps(), newest.skipped};
  }

  /// Exchanges the parameters with the averaged ones that EMA keeps: evaluate(), predict() and save_weights() use these
  /// then, and the next call exchanges them back. Until then nothing trains and no state is saved or loaded. Throws
  /// OptionError for an optimizer that keeps none.
  void swap_averaged() {
    refuse_in_callback("swap_averaged");
    const std::optional<std::size_t> moment = core_.rule().averaged_moment();
    if (!moment) {
      throw OptionError({"swap_averaged: ", core_.rule().name(), " keeps no averaged parameters: wrap it in EMA"});
    }
    std::vector<T> own, averaged;
    copy_slab(device_, core_.network().parameters(), own);
    copy_slab(device_, core_.moments()[*moment], averaged);
    copy_from_host(device_, averaged.data(), core_.network().parameters().view());
    copy_from_host(device_, own.data(), core_.moments()[*moment].view());
    averaged_ = !averaged_;
  }

  /// What runs, in words: model, loss, optimizer, device, memory, the micro-batch and why.
  std::string explain() const { return explain_run(device_, core_, options_); }
  /// The same, and how batches of this data set will come about: the order and why, who reads, into how much memory.
  std::string explain(const Dataset& data) const {
    return explain() + training_loader(device_, core_, options_, data, options_.batch_size).explain();
  }
  /// Where bytes and seconds of the last fit() went. Throws OptionError unless options().profile.
  const Profile& profile() const { return profile_of(profiler_); }
  /// The noise scale of the gradient as of the last steps. Nothing is known unless options().noise_scale_every.
  NoiseScale noise_scale() const noexcept { return progress_.noise.estimate(); }

 private:
  using Core = Accumulator<T, Device>;

  void check_data_set(const Dataset& data) const {
    check_data(data, core_.network().description(), core_.objective().uses_labels(), core_.objective().target_range());
  }

  void take_state(const SafetensorsFile& file, const std::string& path, const LoadOptions& options) {
    refuse_averaged("load");
    Snapshot snapshot = read_snapshot(core_, run_fields(device_, core_, options_), file, path, options);
    restore_snapshot(device_, core_, snapshot, &best_);
    progress_ = std::move(snapshot.state().progress);
    progress_.other_data = allows(options, "data");
  }

  /// An interrupt inside a batch left samples that fit() goes on with.
  void refuse_in_window(const char* what) const {
    if (progress_.window) {
      throw OptionError({what, ": ", core_.accumulated(),
                         " samples of a batch that was interrupted are accumulated: "
                         "call fit(), which goes on with it, or end_epoch()"});
    }
  }
  void refuse_averaged(const char* what) const {
    if (averaged_) {
      throw OptionError(
          {what, ": the parameters have changed places with the averaged ones: call swap_averaged() first"});
    }
  }
  void refuse_in_callback(const char* what) const {
    if (running_) {
      throw OptionError({what, ": called from a callback of fit(), which is training this model: call it after"});
    }
  }

  History run(const Dataset& training, const Dataset* validation, const Callbacks& callbacks) {
    refuse_in_callback("fit");
    refuse_averaged("fit");
    check_data_set(training);
    if (validation != nullptr) check_data_set(*validation);
    if (core_.accumulated() > 0 && !progress_.window) {
      throw OptionError(
          {"fit: ", core_.accumulated(), " samples are accumulated and not yet used: call update() first"});
    }
    stop_requested_ = false;
    Fit<T, Device> fit({device_, options_, core_, progress_, best_, profiler_.get(), stop_requested_}, training,
                       validation, callbacks);
    const TrueInScope running(running_);
    return fit.run();
  }

  Device device_;
  TrainerOptions options_;
  std::unique_ptr<Profiler> profiler_ = make_profiler(options_.profile);
  Core core_;
  RunProgress progress_;
  std::vector<T> best_;
  bool stop_requested_ = false;
  bool running_ = false;   // inside fit()
  bool averaged_ = false;  // parameters and averaged ones have changed places
};

}  // namespace minitrain::inline MINITRAIN_ABI

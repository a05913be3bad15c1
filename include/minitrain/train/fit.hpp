#pragma once
// Fit: one call of Trainer::fit(), from its first batch to its last.

#include <minitrain/data/fingerprint.hpp>
#include <minitrain/train/audience.hpp>
#include <minitrain/train/checkpointing.hpp>
#include <minitrain/train/checks.hpp>
#include <minitrain/train/diagnosis.hpp>
#include <minitrain/train/loaders.hpp>
#include <minitrain/train/profiler.hpp>
#include <minitrain/train/scope.hpp>
#include <minitrain/train/verdict.hpp>
#include <minitrain/train/whole_data.hpp>

#include <chrono>

namespace minitrain::inline MINITRAIN_ABI {

/// What a fit() works on; all of it belongs to the trainer.
template <class T, class Device>
struct FitParts {
  const Device& device;
  const TrainerOptions& options;
  Accumulator<T, Device>& core;
  RunProgress& progress;
  std::vector<T>& best;  // parameters of the best epoch, for early stopping, and their average; empty: none
  Profiler* profiler;
  const bool& stop_requested;
};

/// The rest of the current epoch, as many as were asked for after it, and between two of them what looks at whole
/// epochs: validation, plateaus, early stopping.
template <class T, class Device>
class Fit : private FitParts<T, Device> {
 public:
  Fit(const FitParts<T, Device>& parts, const Dataset& training, const Dataset* validation, const Callbacks& callbacks)
      : FitParts<T, Device>(parts),
        training_(training),
        validation_(validation),
        audience_(callbacks),
        verdict_(device, options, core, progress, best, audience_),
        plan_(memory_plan(device, core, training, options, options.shuffle)) {
    verdict_.check(validation != nullptr);
    batch_size_ = options.batch_of(progress.epochs);
    loader_.reset(new Loader(profiled_loading(profiler, device, options, core.network().capacity(), [&] {
      return training_loader(device, core, options, training_, batch_size_);
    })));
    if (validation != nullptr) validation_loader_.reset(new Loader(whole_loader(device, core, options, *validation)));
    data_ = fingerprint(training);
    check_continues(progress, loader_->samples_per_epoch(), loader_->order(), data_, validation != nullptr);
    check_epochs(progress, options.epochs);
    checkpoints_.emplace(device, options, core, progress, best, audience_);
  }

  History run() {
    if (options.handle_signals) interrupt_.emplace({SIGINT, SIGTERM});
    return telling_failure([&] { return whole_run(); }, [&](const char* words) { end_failed(words); });
  }

 private:
  using Parts = FitParts<T, Device>;
  using Loader = DataLoader<T, Device>;
  using Clock = std::chrono::steady_clock;
  using Parts::device, Parts::options, Parts::core, Parts::progress, Parts::best, Parts::profiler,
      Parts::stop_requested;

  void end_failed(const char* words) {
    History history{.epochs = progress.history, .status = RunStatus::failed};
    history.failure = words;  // nvcc does not take it in the braces
    audience_.end(history);
  }
  History whole_run() {
    const RunProgress before = progress;
    const bool anew = !progress.goes_on, same_data = progress.data == data_ && progress.validates == validates();
    History history;
    try {
      begin();
      audience_.begin(info());
    } catch (...) {
      progress = before;  // nothing has begun
      throw;
    }
    if (anew) verdict_.begin_anew(same_data);
    history.status = all_epochs();
    checkpoints_->at_end();
    if (history.status == RunStatus::early_stopped) verdict_.restore_best();
    if (interrupted()) history.status = RunStatus::interrupted;  // perhaps after the last epoch
    history.epochs = progress.history;
    audience_.end(history);
    return history;
  }

  void begin() {
    progress.samples = loader_->samples_per_epoch();
    progress.order = loader_->order();
    progress.restored = false;
    if (!progress.goes_on) {
      progress.first = progress.epochs;
      progress.history.clear();
    }
    progress.data = data_;
    progress.validates = validates();
    if (!progress.history.empty() && !progress.history.back().finished) progress.history.pop_back();  // it goes on
    progress.goes_on = false;
    last_epoch_ = progress.first + options.epochs;
    loader_->end_with(std::max(last_epoch_, std::size_t{1}) - 1);
    core.forget_recordings(device);
    core.judge().rules().rate.plateau = progress.plateau.factor;
    rate_ = core.rules().rate.at(std::max(core.steps(), std::size_t{1}) - 1);
    progress.history.reserve(std::min<std::size_t>(options.epochs, 1024));
  }

  RunInfo info() const {
    return {.model = to_string(core.network().description(), sizeof(T)),
            .loss = core.objective().name(),
            .optimizer = core.rule().name(),
            .device = describe_device(device),
            .parameters = core.network().description().parameter_count(),
            .first_epoch = progress.epochs,
            .epochs = last_epoch_ - std::min(last_epoch_, progress.epochs),
            .steps = core.steps(),
            .samples = progress.samples,
            .position = progress.done.samples,
            .steps_in_epoch = progress.steps,
            .batch_size = batch_size_,
            .micro_batch_size = core.network().capacity(),
            .seed = options.seed,
            .learning_rate = core.rules().rate.base,
            .has_validation = validates(),
            .options = run_fields(device, core, options)};
  }

  RunStatus all_epochs() {
    while (progress.epochs < last_epoch_) {
      if (verdict_.gave_up()) return RunStatus::early_stopped;
      if (stopped()) return why_stopped();
      grow_batch();
      EpochRecord record = profiled_epoch(profiler, device, *loader_, progress, [&] {
        return with_memory_plan(device, plan_, [&] { return train_epoch(); });
      });
      if (record.left_out > 0) {
        audience_.message(Severity::warning, joined({"epoch ", record.epoch, ": ", record.left_out,
                                                     " samples were left out, in steps that were not finite"}));
      }
      if (!record.finished) {
        progress.history.push_back(record);
        return why_stopped();
      }
      if (validation_loader_) record.validation = evaluate_all(device, core, *validation_loader_);
      verdict_.judge(record);
      progress.end_epoch();
      progress.history.push_back(record);
      checkpoints_->after_epoch();
      audience_.epoch(record);
    }
    return verdict_.gave_up() ? RunStatus::early_stopped : RunStatus::finished;
  }

  bool validates() const noexcept { return validation_ != nullptr; }
  bool interrupted() const noexcept { return interrupt_ && interrupt_->requested(); }
  bool stopped() const noexcept { return stop_requested || interrupted(); }
  RunStatus why_stopped() const noexcept { return interrupted() ? RunStatus::interrupted : RunStatus::stopped; }

  /// For an epoch with larger batches, a loader that reads ahead in them.
  void grow_batch() {
    const std::size_t size = options.batch_of(progress.epochs);
    if (size == batch_size_) return;
    batch_size_ = size;
    core.forget_recordings(device);
    loader_.reset();
    loader_.reset(new Loader(training_loader(device, core, options, training_, size)));
    loader_->end_with(last_epoch_ - 1);
    if (profiler != nullptr) profiler->expect(device, *loader_, size, core.network().capacity());
  }

  /// The rest of the current epoch, or as much of it as until a stop.
  EpochRecord train_epoch() {
    const auto scope = device.arithmetic_scope();
    const Clock::time_point start = Clock::now();
    const std::size_t first = progress.done.samples, steps_before = core.steps() - progress.steps;
    const Totals& totals = progress.done;
    const auto count_steps = [&] { progress.steps = core.steps() - steps_before; };
    EpochRecord record{.epoch = progress.epochs, .batch_size = batch_size_};
    loader_->begin_epoch(device, progress.epochs);
    {
      const OnException settle([&] {  // so that no queued step stays in doubt
        const OnExit count(count_steps);
        core.settle(device, progress.done);
      });
      steps_of_epoch(count_steps);
    }
    count_steps();
    record.steps = progress.steps;
    if (!all_finite(device, View<const T, Device>(core.network().parameters().view()))) {
      throw NumericError(
          {"fit: after step ", core.steps(), " not all parameters are finite: begin again with a lower learning rate"});
    }
    record.training = mean(core, totals);
    record.left_out = totals.left_out;
    record.learning_rate = rate_;
    record.noise_scale = progress.noise.estimate().value;
    record.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const auto seen = static_cast<double>(totals.samples - first);
    record.samples_per_second = record.seconds > 0 ? seen / record.seconds : 0;
    record.finished = totals.samples == progress.samples;
    return record;
  }

  template <class CountSteps>
  void steps_of_epoch(const CountSteps& count_steps) {
    Totals& totals = progress.done;
    const bool may_queue = !audience_.hears_steps() && core.can_queue();
    for (std::size_t at = totals.samples, end; at < progress.samples && !stopped(); at = end) {
      // What had accumulated when the run stopped inside a batch was not measured.
      const std::size_t before = progress.window ? core.accumulated() : 0;
      end = std::min(progress.samples, at + std::max(batch_size_, before));
      const bool noisy = options.noise_scale_every != 0 && before == 0 && core.steps() % options.noise_scale_every == 0;
      if (options.noise_scale_every != 0) core.watch_noise(device, noisy);
      rate_ = core.learning_rate();
      if (may_queue && !noisy && before == 0) {
        const std::size_t steps = core.steps();
        diagnosed([&] {
          core.queue_step(device, at, end - at, loader_->is_resident(), totals, [&] { accumulate(at, end, false); });
        });
        if (core.steps() != steps && checkpoints_->due_after_step()) {
          settle();
          count_steps();
          checkpoints_->submit();
        }
        continue;
      }
      if (may_queue) settle();
      progress.window = false;
      accumulate(at + before, end);
      if (core.accumulated() < end - at) {  // interrupted inside the batch
        progress.window = core.accumulated() > 0;
        break;
      }
      const std::size_t steps = core.steps();
      const Totals step = diagnosed([&] { return core.update(device); });
      totals.add(step);
      count_steps();
      if (noisy) progress.noise.add(core.take_noise(device));
      if (core.steps() == steps) continue;  // a batch that weighs nothing makes no step
      if (checkpoints_->due_after_step()) checkpoints_->submit();
      if (!audience_.hears_steps()) continue;
      audience_.step({.step = core.steps(),
                      .epoch = progress.epochs,
                      .samples = end,
                      .of_samples = progress.samples,
                      .loss = step.loss / step.weight,
                      .batch_size = end - at,
                      .learning_rate = rate_,
                      .gradient_norm = std::sqrt(core.judge().last_squares()) / step.weight});
    }
    settle();
    if (options.noise_scale_every != 0) core.watch_noise(device, false);
  }
  void settle() {
    diagnosed([&] { core.settle(device, progress.done); });
  }

  /// f(), whose NumericError says which samples and which layer.
  template <class F>
  decltype(auto) diagnosed(F&& f) {
    try {
      return f();
    } catch (const NumericError& error) {
      const std::size_t at = progress.done.samples, end = std::min(progress.samples, at + batch_size_);
      throw NumericError(std::string(error.what()) +
                         diagnose_non_finite(device, core, *loader_, progress.epochs, at, end));
    }
  }

  /// Samples at positions [at, end) of the current epoch, in micro-batches, or as many of these as until an interrupt.
  void accumulate(std::size_t at, std::size_t end, bool may_stop = true) {
    all_or_nothing(device, core, [&] {
      for (std::size_t count; at < end && !(may_stop && interrupted()); at += count) {
        count = std::min(core.network().capacity(), end - at);
        const Batch<T, Device>& batch = next_batch(profiler, *loader_, device, progress.epochs, at, count);
        check_read_targets(device, core.objective(), *loader_, batch);
        core.accumulate(device, batch);
      }
    });
  }

  const Dataset& training_;
  const Dataset* validation_;
  Audience audience_;
  Verdict<T, Device> verdict_;
  std::optional<Checkpointing<T, Device>> checkpoints_;
  std::optional<InterruptGuard> interrupt_;
  MemoryPlan plan_;
  std::unique_ptr<Loader> loader_, validation_loader_;
  std::size_t batch_size_ = 0, last_epoch_ = 0;
  double rate_ = 0;   // of the last step
  std::string data_;  // fingerprint
};

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// Accumulator: the step of training. Micro-batches go in, gradient sums grow, one update comes out.

#include <minitrain/core/gradient_norm.hpp>
#include <minitrain/data/batch.hpp>
#include <minitrain/train/noise_probe.hpp>
#include <minitrain/train/optimizer_state.hpp>
#include <minitrain/train/parts.hpp>
#include <minitrain/train/phase_clock.hpp>
#include <minitrain/train/queued_steps.hpp>
#include <minitrain/train/step_judge.hpp>
#include <minitrain/train/totals.hpp>
#include <minitrain/train/training_stages.hpp>

#include <span>

namespace minitrain::inline MINITRAIN_ABI {

/// A network, a loss, an optimizer and what has accumulated. Sums and counts: gradients are added as sums over samples
/// in sample order, and update() divides once, by the samples (or their weights) actually seen; so short batches, short
/// micro-batches and manual loops are exact with no special case, and the split never shows.
template <class T, class Device>
class Accumulator {
 public:
  Accumulator(const Device& device, Network<T, Device> network, std::unique_ptr<Objective<T, Device>> objective,
              std::unique_ptr<UpdateRule<T, Device>> rule, std::uint64_t seed, std::size_t rows, const StepRules& rules)
      : network_(std::move(network)),
        objective_(std::move(objective)),
        rule_(std::move(rule)),
        state_(device, network_, *rule_),
        totals_(device, Shape{4}),
        evaluation_totals_(device, Shape{3}),
        training_stages_(training_stages<T, Device>(network_, *objective_)),
        seed_(seed),
        judge_(rules) {
    network_.reserve(device, rows);
    update_.parameters = network_.parameters().view();
    update_.gradient_sums = network_.gradients().view();
    update_.moments = state_.views();
    update_.tensors = state_.tensors();
    training_arguments_.class_weights = evaluation_arguments_.class_weights = objective_->class_weights();
    training_arguments_.totals = {totals_.data(), Shape{3}};
    evaluation_arguments_.totals = evaluation_totals_.view();
    if constexpr (QueuesSteps<Device>) {
      scales_loss_ = Device::StepQueue::scales_loss(device);
      if (scales_loss_ && !rule_->takes_queued_scale()) {
        throw OptionError({"Trainer: ", describe_device(device), ", scales the loss, and optimizer ", rule_->name(),
                           " does not take part: give it takes_queued_scale, or use another mode"});
      }
      if (scales_loss_) queue_.emplace(device);
    }
  }

  Network<T, Device>& network() noexcept { return network_; }
  const Network<T, Device>& network() const noexcept { return network_; }
  const Objective<T, Device>& objective() const noexcept { return *objective_; }
  const UpdateRule<T, Device>& rule() const noexcept { return *rule_; }
  std::span<Tensor<T, Device>> moments() noexcept { return state_.moments(); }
  std::span<const Tensor<T, Device>> moments() const noexcept { return state_.moments(); }
  OptimizerState<T, Device>& optimizer_state() noexcept { return state_; }
  const OptimizerState<T, Device>& optimizer_state() const noexcept { return state_; }

  /// Samples added since the last update.
  std::size_t accumulated() const noexcept { return accumulated_; }
  /// Optimizer steps done.
  std::size_t steps() const noexcept { return steps_; }
  std::uint64_t seed() const noexcept { return seed_; }
  void set_steps(std::size_t steps) noexcept { steps_ = steps; }
  /// What has accumulated beside the gradient sums, and in fp16 the loss scale. Queued steps must be settled.
  Window window(const Device& device) const {
    Window window{.samples = accumulated_};
    copy_to_host(device, totals_.view(), window.sums.data());
    if constexpr (QueuesSteps<Device>) {
      if (scales_loss_) window.loss_scale = queue_->loss_scale_state(device);
    }
    return window;
  }
  /// Goes on with that; the gradient sums are in network().gradients().
  void set_window(const Device& device, const Window& window) {
    copy_from_host(device, window.sums.data(), totals_.view());
    accumulated_ = window.samples;
    if constexpr (QueuesSteps<Device>) {
      if (scales_loss_ && window.loss_scale[0] > 0) queue_->set_loss_scale_state(device, window.loss_scale);
    }
  }
  /// Marks the phases of steps from now on; null: does not. A watched step is never queued.
  void watch(PhaseClock* clock) noexcept { clock_ = clock; }

  /// Adds the gradient sum of the samples, at most network().capacity() rows at a time.
  void accumulate(const Device& device, const Batch<T, Device>& batch) {
    for_each_part(batch, network_.capacity(), [&](const Batch<T, Device>& part) {
      const Pass pass{seed_, steps_, accumulated_, true};
      forward_and_loss(device, part, pass, training_arguments_);
      noise_.backward(device, network_, pass, training_stages_, accumulated_ == 0);
      mark(clock_, device, Phase::backward);
      accumulated_ += part.size();
      noise_.after_part(device, network_, accumulated_);
    });
  }

  /// One optimizer step on the mean over all accumulated samples, clipped; nothing when there are none. When the loss
  /// is not finite, or the gradient, where it is measured: NumericError, with the parameters unchanged and what had
  /// accumulated dropped, unless the rules say otherwise.
  Totals update(const Device& device) {
    if (accumulated_ == 0) return {};
    if (scales_loss_) return queue_update(device);
    finish_gradient(device);
    judge_.give_news();
    mark(clock_, device, Phase::update);
    const Sums sums = take(device, totals_);
    mark(clock_, device, Phase::copy);
    const Totals totals = judged(device, sums, std::exchange(accumulated_, 0));
    if (!(totals.weight > 0)) return totals;  // samples that count for nothing: there is no mean to step on
    update_.gradient_scale = clipped_gradient_scale(totals.weight, sums[3], rules().clip_norm);
    update_.queued_scale = {};
    update_.learning_rate = learning_rate();
    update_.step = ++steps_;
    rule_->run(device, update_);
    mark(clock_, device, Phase::update);
    return totals;
  }

  /// Whether steps can be queued on the device, so that the host does not wait for each.
  bool can_queue() const noexcept { return QueuesSteps<Device> && rule_->takes_queued_scale() && clock_ == nullptr; }

  /// The rate of the next step.
  double learning_rate() const { return rules().rate.at(steps_); }
  StepJudge& judge() noexcept { return judge_; }
  const StepJudge& judge() const noexcept { return judge_; }
  const StepRules& rules() const noexcept { return judge_.rules(); }
  /// Before the first sample of a batch: whether its update() is to find out about the noise of the gradient.
  void watch_noise(const Device& device, bool on) {
    double loss_scale = 1;
    if constexpr (QueuesSteps<Device>) loss_scale = on && scales_loss_ ? queue_->loss_scale(device) : 1;
    noise_.watch(device, on, loss_scale);
  }
  NoiseSample take_noise(const Device& device) { return noise_.take(device); }

  /// accumulate(), which is to call the function above for `samples` samples from `position` of an epoch on, and
  /// update(), but only queued: a device may have recorded the launches of an earlier step, and replay them instead.
  /// The queue is emptied into `settled` when it is full.
  template <class Accumulate>
  void queue_step(const Device& device, std::size_t position, std::size_t samples, bool replayable, Totals& settled,
                  const Accumulate& accumulate) {
    if constexpr (QueuesSteps<Device>) {
      if (!queue_) queue_.emplace(device);
      if (judge_.take_news()) queue_->set_skipped_in_row(device, judge_.skipped_in_row());
      // A step may turn out to be none: without weight, or past the range of fp16. Replayed steps after it know what to
      // do; one that is launched has its number from here.
      const bool may_be_none = scales_loss_ || !training_arguments_.class_weights.empty() ||
                               !objective_->replayable() || rules().non_finite.action == OnNonFinite::skip;
      const bool wait = may_be_none && !queue_->is_recorded(samples);
      if (wait) settle(device, settled);
      update_.queued_scale = queue_->scale();
      update_.learning_rate = learning_rate();
      update_.step = steps_ + 1;
      const std::size_t before = queue_->size();
      const auto count = [&] {
        if (queue_->size() <= before) return;  // it did not get so far
        ++steps_;
        queued_samples_.push_back(samples);
      };
      try {
        queue_->queue(
            device, {.samples = samples, .position = position, .number = steps_},
            replayable && network_.replayable() && objective_->replayable() && rule_->replayable(),
            [&] {
              accumulate();
              accumulated_ = 0;
              close_step(device);
            },
            [&] { rule_->run(device, update_); });
      } catch (...) {
        count();
        throw;
      }
      count();
      if (wait || queue_->size() == queue_->capacity) settle(device, settled);
    }
  }
  /// Before steps on other data: what was recorded knows the buffers of the old.
  void forget_recordings(const Device& device) {
    if constexpr (QueuesSteps<Device>) {
      if (queue_) queue_->forget_graphs(device);
    }
  }
  /// Waits for the queued steps and adds their totals, one after the other. Throws NumericError as update() does, for
  /// the first of them whose loss or gradient is not finite; those after it have changed nothing.
  void settle(const Device& device, Totals& sum) {
    if constexpr (QueuesSteps<Device>) {
      if (!queue_ || queued_samples_.empty()) return;
      const auto results = queue_->take(device);
      const std::vector<std::size_t> samples = std::exchange(queued_samples_, {});
      steps_ -= samples.size();  // of which a device that failed may have done fewer
      for (std::size_t i = 0; i < results.size(); ++i) {
        const Totals step = judged(device, results[i], samples[i]);
        if (!(results[i][3] < 0)) ++steps_;
        sum.add(step);
      }
    }
  }

  /// Forgets what has accumulated. Queued steps stay done.
  void drop(const Device& device) {
    accumulated_ = 0;
    noise_.forget();
    fill_zero(device, totals_.view());
  }

  /// Loss and right answers on the samples; the parameters and what has accumulated stay as they are.
  Totals evaluate(const Device& device, const Batch<T, Device>& batch) {
    fill_zero(device, evaluation_totals_.view());  // an evaluation that threw may have left something
    for_each_part(batch, network_.capacity(),
                  [&](const Batch<T, Device>& part) { forward_and_loss(device, part, Pass{}, evaluation_arguments_); });
    return totals_of(take(device, evaluation_totals_), batch.size());
  }

 private:
  void forward_and_loss(const Device& device, const Batch<T, Device>& batch, const Pass& pass,
                        LossArguments<T, Device>& arguments) {
    assign(arguments.y, network_.forward(device, batch.features, pass, training_stages_));
    assign(arguments.targets, batch.targets);
    assign(arguments.labels, batch.labels);
    if (pass.training) assign(arguments.dy, network_.output_gradient(training_stages_));
    PhaseClock* const clock = pass.training ? clock_ : nullptr;
    mark(clock, device, Phase::forward);
    objective_->run(device, arguments);
    mark(clock, device, Phase::loss);
    if constexpr (QueuesSteps<Device>) {
      if (scales_loss_ && pass.training) queue_->scale_loss(device, arguments.dy);
    }
  }

  /// The last of a queued step: what it is worth, and the update.
  void close_step(const Device& device) {
    finish_gradient(device);
    const NonFinitePolicy& policy = rules().non_finite;
    queue_->close(device, totals_.view(), rules().clip_norm, policy.action, policy.most_skipped);
    rule_->run(device, update_);
  }
  /// update() where the device alone knows the scale of the gradient.
  Totals queue_update(const Device& device) {
    Totals totals;
    if constexpr (QueuesSteps<Device>) {
      queued_samples_.push_back(std::exchange(accumulated_, 0));
      update_.queued_scale = queue_->scale();
      update_.learning_rate = learning_rate();
      update_.step = ++steps_;
      close_step(device);
      mark(clock_, device, Phase::update);
      settle(device, totals);
      mark(clock_, device, Phase::copy);
    }
    return totals;
  }

  /// Between the last micro-batch and the update: clipped by value, and measured where that is wanted.
  void finish_gradient(const Device& device) {
    noise_.before_update(device, network_, accumulated_);
    if (rules().clip_value != 0) clip(device, queue_, network_.gradients().view(), totals_.view(), rules().clip_value);
    if (!scales_loss_ && !rules().measures_gradient()) return;
    sum_of_squares(device, View<const T, Device>(network_.gradients().view()),
                   View<double, Device>(totals_.data() + 3, Shape{1}));
  }

  Totals judged(const Device& device, const Sums& sums, std::size_t samples) {
    return judge_.judge(sums, samples, steps_ + 1,
                        [&] { return all_finite(device, View<const T, Device>(network_.parameters().view())); });
  }

  static Sums take(const Device& device, Tensor<double, Device>& totals) {
    Sums sums{};
    copy_to_host(device, View<const double, Device>(totals.view()), sums.data());
    fill_zero(device, totals.view());
    return sums;
  }

  Network<T, Device> network_;
  std::unique_ptr<Objective<T, Device>> objective_;
  std::unique_ptr<UpdateRule<T, Device>> rule_;
  OptimizerState<T, Device> state_;
  Tensor<double, Device> totals_, evaluation_totals_;
  LossArguments<T, Device> training_arguments_, evaluation_arguments_;
  UpdateStep<T, Device> update_;
  std::size_t training_stages_;
  std::uint64_t seed_;
  StepJudge judge_;
  bool scales_loss_ = false;  // the device does, see its StepQueue
  NoiseProbe<T, Device> noise_;
  PhaseClock* clock_ = nullptr;
  std::size_t accumulated_ = 0;
  std::size_t steps_ = 0;
  typename StepQueueOf<Device>::type queue_;
  std::vector<std::size_t> queued_samples_;
};

}  // namespace minitrain::inline MINITRAIN_ABI

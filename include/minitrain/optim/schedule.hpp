#pragma once
// Schedule: the learning rate of each optimizer step, as a factor.

#include <minitrain/core/error.hpp>

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

/// What a type has to offer to be a schedule: the rate of a step is learning_rate·factor(step), where step = 0, 1, ...
/// counts the optimizer steps done before, over the trainer's life; micro-batches never count. A type of your own:
///
///   struct Halving {
///     void check() const {}                                              // throws OptionError
///     std::string name() const { return "halved every 100 steps"; }      // for explain()
///     double factor(std::size_t step) const { return std::pow(0.5, double(step / 100)); }
///   };
///
/// factor() is a function of step alone, so that a run that goes on after a stop, or is replayed by a GPU, has the same
/// rates.
template <class S>
concept ScheduleSpec = std::copyable<S> && requires(const S& schedule) {
  schedule.check();
  { schedule.name() } -> std::convertible_to<std::string>;
  { schedule.factor(std::size_t{}) } -> std::convertible_to<double>;
};

/// Any schedule; constant unless given one. Throws OptionError for one whose options are outside their range.
class Schedule {
 public:
  Schedule() = default;
  template <class S>
  requires(!std::same_as<S, Schedule> && ScheduleSpec<S>) Schedule(S schedule)
      : held_(std::make_shared<const HeldOf<S>>(std::move(schedule))) {}

  bool is_constant() const noexcept { return held_ == nullptr; }
  double factor(std::size_t step) const { return held_ ? held_->factor(step) : 1.0; }
  std::string name() const { return held_ ? held_->name() : "constant"; }
  void check() const {}

 private:
  struct Held {
    virtual ~Held() = default;
    virtual double factor(std::size_t step) const = 0;
    virtual std::string name() const = 0;
  };
  template <class S>
  struct HeldOf final : Held {
    explicit HeldOf(S s) : schedule((s.check(), std::move(s))) {}
    double factor(std::size_t step) const override { return static_cast<double>(schedule.factor(step)); }
    std::string name() const override { return std::string(schedule.name()); }
    S schedule;
  };

  std::shared_ptr<const Held> held_;
};

}  // namespace minitrain::inline MINITRAIN_ABI

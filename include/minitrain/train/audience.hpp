#pragma once
// Audience: all who listen to a run.

#include <minitrain/train/callbacks.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Tells the callbacks, then the observers in their order. Throws OptionError for an observer that is null, or there
/// twice: its log would have every line twice.
class Audience {
 public:
  explicit Audience(const Callbacks& callbacks) : callbacks_(callbacks), hears_steps_(callbacks.on_step != nullptr) {
    const std::vector<Observer*>& all = callbacks.observers;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i] == nullptr) throw OptionError("fit: an observer is a null pointer: leave it out");
      for (std::size_t earlier = 0; earlier < i; ++earlier) {
        if (all[earlier] != all[i]) continue;
        throw OptionError({"fit: observers ", earlier, " and ", i,
                           " are the same one, which would hear all of it twice: "
                           "leave one out"});
      }
      hears_steps_ = hears_steps_ || all[i]->hears_steps();
    }
  }

  bool hears_steps() const noexcept { return hears_steps_; }
  void begin(const RunInfo& info) const {
    for (Observer* observer : callbacks_.observers) observer->begin(info);
  }
  void step(const StepEvent& event) const {
    if (callbacks_.on_step) callbacks_.on_step(event);
    for (Observer* observer : callbacks_.observers) {
      if (observer->hears_steps()) observer->step(event);
    }
  }
  void epoch(const EpochRecord& record) const {
    if (callbacks_.on_epoch) callbacks_.on_epoch(record);
    for (Observer* observer : callbacks_.observers) observer->epoch(record);
  }
  void message(Severity severity, std::string_view text) const {
    if (callbacks_.on_message) callbacks_.on_message(severity, text);
    for (Observer* observer : callbacks_.observers) observer->message(severity, text);
  }
  void end(const History& history) const {
    for (Observer* observer : callbacks_.observers) observer->end(history);
  }

 private:
  const Callbacks& callbacks_;
  bool hears_steps_;
};

}  // namespace minitrain::inline MINITRAIN_ABI

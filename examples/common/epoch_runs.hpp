#pragma once
// EpochRuns: a sweep of training runs, each seen after every epoch.

#include <minitrain/experiment/sweep.hpp>

#include <cmath>

#include "experiment.hpp"
#include "format.hpp"
#include "interruptible_sweep.hpp"

namespace examples {

/// Names of the values of a run: {training loss, test accuracy} after each epoch, then how it ended.
inline std::vector<std::string> epoch_metrics(std::size_t epochs) {
  std::vector<std::string> names;
  for (std::size_t e = 1; e <= epochs; ++e) {
    names.push_back(format("training loss of epoch %zu", e));
    names.push_back(format("test accuracy of epoch %zu", e));
  }
  names.insert(names.end(), {"loss over the training set", "accuracy over the training set", "test loss", "steps"});
  return names;
}

inline std::vector<double> numbered(std::size_t count) {
  std::vector<double> numbers(count);
  for (std::size_t i = 0; i < count; ++i) numbers[i] = static_cast<double>(i);
  return numbers;
}

/// All runs of one sweep: the way there by epoch, and where it led.
class EpochRuns {
 public:
  EpochRuns(const minitrain::Grid& grid, minitrain::SweepResult result, std::size_t epochs, std::size_t seeds)
      : grid_(grid), result_(std::move(result)), epochs_(epochs), seeds_(seeds) {}

  bool complete() const { return result_.complete(); }
  /// Of run `way` (a point but for the seed), over the seeds; NaN where a seed diverged.
  double mean(std::size_t way, const std::string& metric) const {
    double sum = 0;
    for (std::size_t s = 0; s < seeds_; ++s) sum += result_.value(way * seeds_ + s, metric);
    return sum / static_cast<double>(seeds_);
  }
  /// NaN, NaN where a seed diverged.
  std::pair<double, double> range(std::size_t way, const std::string& metric) const {
    if (const double middle = mean(way, metric); std::isnan(middle)) return {middle, middle};
    double low = result_.value(way * seeds_, metric), high = low;
    for (std::size_t s = 1; s < seeds_; ++s) {
      low = std::min(low, result_.value(way * seeds_ + s, metric));
      high = std::max(high, result_.value(way * seeds_ + s, metric));
    }
    return {low, high};
  }
  std::string last_accuracy() const { return format("test accuracy of epoch %zu", epochs_); }
  std::size_t epochs() const { return epochs_; }

  /// Rows of results.csv; `key` names a way.
  template <class KeyOf>
  void add_to(Experiment& experiment, const KeyOf& key_of) const {
    const auto names = epoch_metrics(epochs_);
    for (std::size_t i = 0; i < grid_.size(); ++i) {
      Key key = key_of(i / seeds_);
      key.emplace_back("seed", std::to_string(i % seeds_));
      for (std::size_t k = 2 * epochs_; k < names.size(); ++k) experiment.add(key, names[k], result_.rows[i][k]);
      experiment.add(key, "test accuracy", result_.rows[i][2 * epochs_ - 1]);
      key.emplace_back("epoch", "");
      for (std::size_t e = 0; e < epochs_; ++e) {
        key.back().second = std::to_string(e + 1);
        experiment.add(key, "training loss by epoch", result_.rows[i][2 * e]);
        experiment.add(key, "test accuracy by epoch", result_.rows[i][2 * e + 1]);
      }
    }
  }

 private:
  minitrain::Grid grid_;
  minitrain::SweepResult result_;
  std::size_t epochs_, seeds_;
};

}  // namespace examples

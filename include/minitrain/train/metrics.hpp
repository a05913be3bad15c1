#pragma once
// Metrics: accuracy, top-k, confusion, errors of a regression; and what a metric of one's own has to offer.

#include <minitrain/core/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// What a metric sees of some samples, one after another in the order of the data set, in host memory.
struct Predictions {
  View<const double> outputs{};       // [B, columns] of the model
  View<const double> targets{};       // [B, columns]; empty for class labels
  View<const std::int32_t> labels{};  // [B]; empty for real targets

  std::size_t size() const noexcept { return outputs.rows(); }
};

/// A metric adds up what it wants to know. Trainer::measure(data, metric, ...) shows it every sample once, so that no
/// mean of means comes about, whatever the size of the last batch. A metric of your own:
///
///   struct Worst {
///     double value = 0;
///     void add(const Predictions& p) {
///       for (std::size_t i = 0; i < p.size(); ++i) value = std::max(value, std::abs(p.outputs(i, 0) - p.targets(i,
///       0)));
///     }
///   };
template <class M>
concept Metric = requires(M& metric, const Predictions& predictions) {
  metric.add(predictions);
};

namespace detail {

/// Throws DataError when a metric of one kind is shown data of the other, or a label past the model's outputs.
inline void want_labels(const Predictions& p, const char* metric) {
  if (p.size() > 0 && p.labels.empty()) {
    throw DataError(ErrorCode::shape_mismatch, {metric, ": wants class labels, the data has real targets"});
  }
  for (const std::int32_t label : p.labels) {
    if (label >= 0 && static_cast<std::size_t>(label) < p.outputs.columns()) continue;
    throw DataError(ErrorCode::label_out_of_range,
                    {metric, ": label ", label, " of a model with ", p.outputs.columns(), " outputs"});
  }
}
/// Whether an output of sample i is NaN. Then the largest is not known, and the sample has no answer.
inline bool has_nan(const Predictions& p, std::size_t i) noexcept {
  bool found = false;
  for (std::size_t j = 0; j < p.outputs.columns(); ++j) found = found || p.outputs(i, j) != p.outputs(i, j);
  return found;
}
inline double share(std::size_t part, std::size_t all) noexcept {
  return all == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(part) / static_cast<double>(all);
}

}  // namespace detail

/// The share of samples whose label is among the k largest outputs. Of equal outputs the one that comes first counts as
/// the larger, and samples with an output that is NaN are wrong, so that k = 1 is the accuracy of Trainer::evaluate().
struct TopK {
  /// Throws OptionError for a k of 0.
  explicit TopK(std::size_t largest = 1) : k(largest) {
    if (k == 0) throw OptionError("TopK: k is 0, but it must be at least 1, which is the accuracy");
  }

  std::size_t k;
  std::size_t right = 0, samples = 0;
  std::size_t without_answer = 0;  // of the samples: an output is NaN

  /// Throws OptionError for a k of more than the model's outputs: every answer would be right.
  void add(const Predictions& p) {
    detail::want_labels(p, "TopK");
    if (p.size() > 0 && k > p.outputs.columns()) {
      throw OptionError(
          {"TopK: k is ", k, ", but the model has ", p.outputs.columns(), " outputs: give at most that many"});
    }
    for (std::size_t i = 0; i < p.size(); ++i) {
      if (detail::has_nan(p, i)) {
        ++without_answer;
        continue;
      }
      const auto label = static_cast<std::size_t>(p.labels[i]);
      const double own = p.outputs(i, label);
      std::size_t before = 0;
      for (std::size_t j = 0; j < p.outputs.columns(); ++j) {
        before += p.outputs(i, j) > own || (p.outputs(i, j) == own && j < label);
      }
      right += before < k;
    }
    samples += p.size();
  }
  double value() const noexcept { return detail::share(right, samples); }
};

/// The share of samples whose largest output is that of their label.
struct Accuracy : TopK {
  Accuracy() = default;
};

/// Counts by true class (row) and predicted class (column). A sample with an output that is NaN is predicted as none.
class Confusion {
 public:
  /// Throws OptionError for no classes.
  explicit Confusion(std::size_t classes) : classes_(classes), counts_(classes * (classes + 1)) {
    if (classes == 0) throw OptionError("Confusion: 0 classes: give at least one");
  }

  void add(const Predictions& p) {
    detail::want_labels(p, "Confusion");
    if (p.size() > 0 && p.outputs.columns() != classes_) {
      throw DataError(ErrorCode::shape_mismatch,
                      {"Confusion: for ", classes_, " classes, the model has ", p.outputs.columns(), " outputs"});
    }
    for (std::size_t i = 0; i < p.size(); ++i) {
      std::size_t best = 0;
      for (std::size_t j = 1; j < classes_; ++j) {
        if (p.outputs(i, j) > p.outputs(i, best)) best = j;
      }
      if (detail::has_nan(p, i)) best = classes_;
      ++counts_[static_cast<std::size_t>(p.labels[i]) * (classes_ + 1) + best];
    }
  }

  std::size_t classes() const noexcept { return classes_; }
  std::size_t operator()(std::size_t truth, std::size_t predicted) const noexcept {
    return counts_[truth * (classes_ + 1) + predicted];
  }
  /// Samples of the true class that are predicted as none.
  std::size_t without_answer(std::size_t truth) const noexcept { return (*this)(truth, classes_); }
  std::size_t samples() const noexcept {
    std::size_t sum = 0;
    for (const std::size_t count : counts_) sum += count;
    return sum;
  }
  double accuracy() const noexcept {
    std::size_t right = 0;
    for (std::size_t c = 0; c < classes_; ++c) right += (*this)(c, c);
    return detail::share(right, samples());
  }
  /// Of those predicted as c, the share that are; NaN where none is predicted.
  double precision(std::size_t c) const noexcept {
    std::size_t predicted = 0;
    for (std::size_t truth = 0; truth < classes_; ++truth) predicted += (*this)(truth, c);
    return detail::share((*this)(c, c), predicted);
  }
  /// Of those that are c, the share predicted as such; NaN where there is none.
  double recall(std::size_t c) const noexcept {
    std::size_t truly = without_answer(c);
    for (std::size_t predicted = 0; predicted < classes_; ++predicted) truly += (*this)(c, predicted);
    return detail::share((*this)(c, c), truly);
  }
  /// 2·right / (truly c + predicted as c); NaN where c is neither.
  double f1(std::size_t c) const noexcept {
    std::size_t both = without_answer(c);
    for (std::size_t other = 0; other < classes_; ++other) both += (*this)(c, other) + (*this)(other, c);
    return detail::share(2 * (*this)(c, c), both);
  }
  /// The mean of f1 over the classes that occur.
  double macro_f1() const noexcept {
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t c = 0; c < classes_; ++c) {
      const double score = f1(c);
      if (score == score) sum += score, ++count;
    }
    return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
  }

 private:
  std::size_t classes_;
  std::vector<std::size_t> counts_;  // rows have a column more, for those without an answer
};

/// Errors of a regression over all samples and target columns, added up in double in the order of the samples.
///   mse = mean (y - t)²    mae = mean |y - t|    r2 = mean over columns of 1 - Σ(y - t)² / Σ(t - mean t)²
class RegressionError {
 public:
  void add(const Predictions& p) {
    if (p.size() == 0) return;
    if (p.targets.empty()) {
      throw DataError(ErrorCode::shape_mismatch, "RegressionError: wants real targets, the data has class labels");
    }
    columns_.resize(std::max(columns_.size(), p.targets.columns()));
    for (std::size_t i = 0; i < p.size(); ++i) {
      ++samples_;
      for (std::size_t j = 0; j < p.targets.columns(); ++j) {
        const double target = p.targets(i, j), error = p.outputs(i, j) - target;
        Column& c = columns_[j];
        c.squares += error * error;
        c.magnitudes += std::abs(error);
        // Welford: the sum of squares about the mean, without the difference of two large numbers.
        const double away = target - c.mean;
        c.mean += away / static_cast<double>(samples_);
        c.spread += away * (target - c.mean);
      }
    }
  }

  std::size_t samples() const noexcept { return samples_; }
  double mse() const noexcept { return mean(&Column::squares); }
  double rmse() const noexcept { return std::sqrt(mse()); }
  double mae() const noexcept { return mean(&Column::magnitudes); }
  /// NaN where a column of targets is constant.
  double r2() const noexcept {
    double sum = 0;
    for (const Column& c : columns_) sum += c.spread > 0 ? 1 - c.squares / c.spread : std::nan("");
    return columns_.empty() ? std::nan("") : sum / static_cast<double>(columns_.size());
  }

 private:
  struct Column {
    double squares = 0, magnitudes = 0, mean = 0, spread = 0;
  };
  double mean(double Column::*sum) const noexcept {
    double total = 0;
    for (const Column& c : columns_) total += c.*sum;
    return columns_.empty() ? std::nan("") : total / static_cast<double>(samples_ * columns_.size());
  }

  std::size_t samples_ = 0;
  std::vector<Column> columns_;
};

}  // namespace minitrain::inline MINITRAIN_ABI

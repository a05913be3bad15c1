#pragma once
// gradient_check: a model's gradients against central differences, for the library's own layers and for users'.

#include <minitrain/core/check_option.hpp>
#include <minitrain/cpu.hpp>
#include <minitrain/train/accumulator.hpp>

#include <cmath>
#include <limits>

namespace minitrain::inline MINITRAIN_ABI::testing {

struct GradientCheckOptions {
  std::size_t batch = 4;    // samples, at least one; from two on, the split into micro-batches is checked too
  std::uint64_t seed = 0;   // of parameters, inputs and answers
  std::size_t classes = 0;  // for losses with labels, at most the model's outputs; 0: as many as those
};

/// What was found. Errors are |difference quotient - gradient| over the largest |gradient| of the same tensor, so that
/// entries which ought to be zero do not count for more than they weigh; one that is not a number counts as infinity.
struct GradientReport {
  double largest_relative_error = 0;  // infinity when there is a fault
  std::string worst;                  // "2.weight[17]", or "input[3]"
  std::size_t entries = 0;            // gradient entries checked
  std::size_t kinks = 0;              // left out: a kink of some activation lies within the step
  std::string fault;                  // which rule for layers does not hold, at `worst`; empty when all do
};

namespace detail {

/// A model in double on the CPU with one random batch.
template <class M, class Loss>
class GradientProblem {
 public:
  GradientProblem(const M& model, const Loss& loss, const GradientCheckOptions& options)
      : network_(device_, model, options.seed),
        objective_(device_, loss, network_.output_columns()),
        stages_(training_stages<double, Cpu>(network_, objective_)),
        x_(Shape{options.batch, network_.input_columns()}),
        targets_(Shape{options.batch, network_.output_columns()}),
        labels_(Shape{options.batch}),
        totals_(Shape{3}) {
    const std::size_t outputs = network_.output_columns(), classes = options.classes != 0 ? options.classes : outputs;
    check_option(classes <= outputs, "gradient_check", "classes", static_cast<double>(classes),
                 "at most the number of the model's outputs");
    network_.reserve(device_, options.batch);
    const Random random(options.seed, RandomPurpose::test);
    std::uint64_t i = 0;
    for (double& value : x_) value = normal(random, i++);
    for (double& value : targets_) value = random.uniform(i++);
    for (std::int32_t& label : labels_) label = static_cast<std::int32_t>(random.word(i++) % classes);
    // Parameters that begin at 0 or 1 hide mistakes: move every one a little.
    for (double& value : network_.parameters()) value += 0.1 * normal(random, i++);
  }

  double loss() {
    fill_zero(device_, totals_.view());
    run(0, x_.rows(), false);
    return totals_[0];
  }
  /// Adds the gradient of `count` samples to network().gradients(), or begins it when `first`; writes dx.
  void differentiate(std::size_t begin, std::size_t count, bool first, const View<double>& dx) {
    run(begin, count, true);
    network_.backward(device_, pass_, stages_, first, dx);
  }

  Network<double, Cpu>& network() { return network_; }
  Tensor<double>& x() { return x_; }

 private:
  void run(std::size_t begin, std::size_t count, bool with_gradient) {
    pass_.first_row = begin;
    LossArguments<double, Cpu> arguments;
    arguments.y = network_.forward(device_, x_.view().rows(begin, count), pass_, stages_);
    if constexpr (Loss::uses_labels) {
      arguments.labels = {labels_.data() + begin, Shape{count}};
    } else {
      arguments.targets = targets_.view().rows(begin, count);
    }
    if (with_gradient) arguments.dy = network_.output_gradient(stages_);
    arguments.class_weights = objective_.class_weights();
    arguments.totals = totals_.view();
    objective_.run(device_, arguments);
  }

  Cpu device_{CpuOptions{.threads = 1}};
  Network<double, Cpu> network_;
  ObjectiveOf<Loss, double, Cpu> objective_;
  std::size_t stages_;
  Tensor<double> x_, targets_;
  Tensor<std::int32_t> labels_;
  Tensor<double> totals_;
  Pass pass_{.seed = 1, .step = 3, .first_row = 0, .training = true};
};

/// d loss / d value by central differences at steps h and h/2. The error of a smooth function falls by four between
/// them; where they disagree by far more than that, there is a kink between value - h and value + h.
template <class Problem>
double central_difference(Problem& problem, double& value, bool& kink) {
  const double centre = value, h = 6e-6 * std::max(1.0, std::abs(centre));
  const auto quotient = [&](double step) {
    value = centre + step;
    const double above = problem.loss();
    value = centre - step;
    const double below = problem.loss();
    value = centre;
    return (above - below) / (2 * step);
  };
  const double coarse = quotient(h), fine = quotient(h / 2);
  kink = std::abs(coarse - fine) > 1e-6 * std::max(1.0, std::abs(coarse));
  return coarse;
}

inline double largest_magnitude(const double* values, std::size_t count) {
  double largest = 0;
  for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(values[i]));
  return largest;
}

/// Compares every entry of one tensor. Throws NumericError when too many must be left out to say anything.
template <class Problem>
void check_entries(Problem& problem, const std::string& name, double* values, const double* gradients,
                   std::size_t count, GradientReport& report) {
  const double largest = std::max(1e-12, largest_magnitude(gradients, count));
  std::size_t kinks = 0;
  for (std::size_t i = 0; i < count; ++i) {
    bool kink = false;
    const double expected = central_difference(problem, values[i], kink);
    kinks += kink;
    if (kink) continue;
    double error = std::abs(expected - gradients[i]) / std::max(largest, std::abs(expected));
    if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
    if (report.worst.empty() || error > report.largest_relative_error) {
      report.largest_relative_error = error;
      report.worst = name + "[" + std::to_string(i) + "]";
    }
  }
  report.entries += count - kinks;
  report.kinks += kinks;
  if (count > 0 && (kinks == count || (kinks > 2 && 10 * kinks > count))) {
    throw NumericError("gradient_check: the loss is not smooth around " + std::to_string(kinks) + " of the " +
                       std::to_string(count) + " entries of " + name +
                       ", wanted at most a tenth: a layer or the loss computes in float, at random, or has kinks "
                       "everywhere: compute in T, draw from Pass, or try another seed");
  }
}

/// The rules of nn/layer.hpp that no difference quotient sees. The first that does not hold goes into the report.
template <class Problem>
class RuleCheck {
 public:
  /// `sums`, `dx`: of the whole batch at once. The problem's network holds the same sums.
  RuleCheck(Problem& problem, const Tensor<double>& sums, const Tensor<double>& dx, GradientReport& report)
      : problem_(problem), found_(problem.network().gradients()), sums_(sums), dx_(dx), report_(report) {}

  /// Backward once more gives twice the sums, but for rounding: samples are added one by one to what is there.
  void adds() {
    Tensor<double> dx(dx_.shape());
    problem_.differentiate(0, dx.rows(), false, dx.view());
    for (const NetworkParameter& p : problem_.network().list()) {
      const std::size_t count = p.spec.shape.size();
      const double tolerance = 1e-12 + 1e-6 * largest_magnitude(sums_.data() + p.offset, count);
      for (std::size_t i = 0; i < count; ++i) {
        if (std::abs(found_[p.offset + i] - 2 * sums_[p.offset + i]) > tolerance)
          fail(p.name, i, "a second backward must add as much again: add to the gradients, write dx anew");
      }
    }
  }

  /// Two micro-batches give the sums and dx of one, bit for bit.
  void splits() {
    const std::size_t rows = dx_.rows(), half = rows / 2;
    if (half == 0) return;
    const char* const rule = "the split into micro-batches must not show: rows on their own, summed in their order";
    Tensor<double> dx(dx_.shape());
    problem_.differentiate(0, half, true, dx.view().rows(0, half));
    problem_.differentiate(half, rows - half, false, dx.view().rows(half, rows - half));
    expect_same_sums(rule);
    for (std::size_t i = 0; i < dx.size(); ++i) {
      if (!same(dx[i], dx_[i])) fail("input", i, rule);
    }
  }

  /// In training dx of the first layer is empty. Here there is memory behind it, so that writing does not crash.
  void leaves_empty_dx() {
    constexpr double untouched = -12345.678;
    Tensor<double> dx(dx_.shape());
    std::fill(dx.begin(), dx.end(), untouched);
    problem_.differentiate(0, dx.rows(), true, {dx.data(), Shape{0, dx.columns()}});
    for (std::size_t i = 0; i < dx.size(); ++i) {
      if (dx[i] != untouched) fail("input", i, "the first layer must not write dx when dx.empty()");
    }
    expect_same_sums("gradients must be the same when dx is empty");
  }

 private:
  void expect_same_sums(const char* rule) {
    for (const NetworkParameter& p : problem_.network().list()) {
      for (std::size_t i = 0; i < p.spec.shape.size(); ++i) {
        if (!same(found_[p.offset + i], sums_[p.offset + i])) fail(p.name, i, rule);
      }
    }
  }
  void fail(const std::string& name, std::size_t i, const char* rule) {
    if (!report_.fault.empty()) return;
    report_.largest_relative_error = std::numeric_limits<double>::infinity();
    report_.worst = name + "[" + std::to_string(i) + "]";
    report_.fault = rule;
  }
  static bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

  Problem& problem_;
  const Tensor<double>&found_, &sums_, &dx_;
  GradientReport& report_;
};

}  // namespace detail

/// Compares every gradient entry, of parameters and of the input, with (loss(v + h) - loss(v - h)) / 2h, h =
/// 6·10⁻⁶·max(1, |v|) (the cube root of double's rounding unit), in double. Right gradients give about 1e-9, wrong ones
/// 1e-3 and more. A fault is a layer that does not add to the gradient sums, lets the split into micro-batches show in
/// a single bit or, first in the model, writes an empty dx: put a new layer first once, and once behind another. Throws
/// OptionError; what a trainer throws when model and loss do not fit; NumericError when the loss is not finite, or when
/// more than a tenth of a tensor's entries (and more than two), or all of them, had to be left out.
template <Model M, class Loss>
GradientReport gradient_check(const M& model, const Loss& loss, const GradientCheckOptions& options = {}) {
  check_option(options.batch > 0, "gradient_check", "batch", 0, "at least 1");
  detail::GradientProblem<M, Loss> problem(model, loss, options);
  if (!std::isfinite(problem.loss()))
    throw NumericError("gradient_check: the loss is not finite for this seed: try another");
  Tensor<double> dx(problem.x().shape());
  std::fill(dx.begin(), dx.end(), std::numeric_limits<double>::quiet_NaN());  // every entry is to be written
  problem.differentiate(0, options.batch, true, dx.view());
  const Tensor<double> sums = problem.network().gradients().clone();

  GradientReport report;
  for (const NetworkParameter& p : problem.network().list()) {
    detail::check_entries(problem, p.name, problem.network().parameters().data() + p.offset, sums.data() + p.offset,
                          p.spec.shape.size(), report);
  }
  detail::check_entries(problem, "input", problem.x().data(), dx.data(), dx.size(), report);
  detail::RuleCheck rules(problem, sums, dx, report);
  rules.adds();
  rules.splits();
  rules.leaves_empty_dx();
  return report;
}

}  // namespace minitrain::inline MINITRAIN_ABI::testing

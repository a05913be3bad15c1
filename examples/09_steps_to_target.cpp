// How many optimizer steps does a target loss take, against the batch size? The curve of Shallue et al. 2019: every
// batch size at the learning rate that suits it best, for SGD, momentum and Adam, and McCandlish's hyperbola through
// it.
#include <minitrain/experiment/fits.hpp>

#include "common/allocated.hpp"
#include "common/experiment.hpp"
#include "common/format.hpp"
#include "common/time_to_target.hpp"

namespace mt = minitrain;
using examples::Experiment, examples::format, examples::Rule, examples::Workload;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::uint64_t first_tuning_seed = 1000;  // none of those that are counted

// What was found at one batch size: a value of `steps` for each seed, infinite where the target was not reached.
struct BatchResult {
  double batch = 0, exponent = 0;
  bool at_edge = false;
  std::vector<double> steps = {};
  double median() const { return median_of(steps); }
  bool feasible() const { return std::isfinite(median()); }
  static double median_of(std::vector<double> values) {  // of which some may be infinite
    std::sort(values.begin(), values.end());
    return values[(values.size() - 1) / 2];  // of an even number the lower one
  }
};

using Curve = std::vector<BatchResult>;

// S(B) through the medians of the feasible batches; of fewer than three there is no curve.
mt::Hyperbola through(const std::vector<double>& batch, const std::vector<double>& median) {
  std::vector<double> b, s;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (std::isfinite(median[i])) b.push_back(batch[i]), s.push_back(median[i]);
  }
  if (b.size() < 3) return {.s_min = examples::nan, .b_crit = examples::nan, .e_min = examples::nan};
  return mt::fit_steps(b, s);
}

struct Fitted {
  mt::Hyperbola curve;
  mt::Interval b_crit, s_min;
};

Fitted fit(const Curve& curve) {
  std::vector<double> batch, medians;
  std::vector<std::vector<double>> groups;
  for (const BatchResult& r : curve) {
    batch.push_back(r.batch);
    medians.push_back(r.median());
    groups.push_back(r.steps);
  }
  Fitted result{through(batch, medians), {examples::nan, examples::nan}, {examples::nan, examples::nan}};
  if (std::isnan(result.curve.b_crit)) return result;
  const auto interval = [&](double mt::Hyperbola::*parameter) {
    return mt::bootstrap(
        groups,
        [&](const std::vector<std::vector<double>>& drawn) {
          std::vector<double> s;
          for (const auto& group : drawn) s.push_back(BatchResult::median_of(group));
          const double value = through(batch, s).*parameter;
          return std::isnan(value) ? infinity : value;
        },
        1);
  };
  result.b_crit = interval(&mt::Hyperbola::b_crit);
  result.s_min = interval(&mt::Hyperbola::s_min);
  return result;
}

// The slope of ln S against ln B over the batches in [low, high]; NaN of fewer than two.
double slope(const Curve& curve, double low, double high) {
  std::vector<double> batch, steps;
  for (const BatchResult& r : curve) {
    if (r.batch < low || r.batch > high || !r.feasible()) continue;
    batch.push_back(r.batch);
    steps.push_back(r.median());
  }
  return batch.size() < 2 ? examples::nan : mt::fit_log_log(batch, steps).slope;
}

// Where the fitted slope -B_crit/(B + B_crit) is below -0.8, and where above -0.2.
const char* regime(double batch, double b_crit) {
  return batch <= b_crit / 4 ? "perfect scaling" : batch < 4 * b_crit ? "diminishing returns" : "flat";
}

void show(const char* name, const Curve& curve, const Fitted& fitted) {
  std::printf("\n%s\n%8s %10s %9s %19s %11s %7s  %s\n", name, "batch", "rate", "steps", "(seeds)", "samples", "slope",
              "regime");
  for (std::size_t i = 0; i < curve.size(); ++i) {
    const BatchResult& r = curve[i];
    std::printf("%8g %10s ", r.batch, format("2^%g%s", r.exponent, r.at_edge ? "!" : "").c_str());
    if (!r.feasible()) {
      std::printf("%9s\n", "not reached");
      continue;
    }
    const auto [low, high] = std::ranges::minmax(r.steps);
    const bool next = i + 1 < curve.size() && curve[i + 1].feasible();
    const double to_next =
        next ? std::log(curve[i + 1].median() / r.median()) / std::log(curve[i + 1].batch / r.batch) : examples::nan;
    std::printf("%9g %19s %11g %7s  %s\n", r.median(), format("(%g to %g)", low, high).c_str(), r.batch * r.median(),
                next ? format("%.2f", to_next).c_str() : "", regime(r.batch, fitted.curve.b_crit));
  }
}

// The noise scale of the gradient, tr(Σ)/|G|², as SGD gets to the target with about a quarter of its critical batch.
mt::NoiseScale noise_scale(const std::string& device, const Workload& w, const BatchResult& r) {
  return examples::with_threads(device, 1, [&](const auto& where) {
    const auto batch = static_cast<std::size_t>(r.batch);
    auto trainer = examples::make_trainer(where, w, Rule::sgd, std::exp2(r.exponent),
                                          {.epochs = 1000, .batch_size = batch, .seed = 1, .noise_scale_every = 1});
    trainer.fit(w.train, {.on_step = [&](const mt::StepEvent& e) {
                  if (examples::was_interrupted()) throw examples::Interrupted();
                  if (static_cast<double>(e.step) >= r.median()) trainer.request_stop();
                }});
    return trainer.noise_scale();
  });
}

// Tunes the rate of every batch size, then counts steps with other seeds.
std::vector<Curve> measure(Experiment& experiment, const Workload& w, const std::vector<std::size_t>& batches,
                           std::size_t tuning_seeds) {
  const std::size_t workers = experiment.device() == "cpu" ? 0 : 1;
  const auto on_device = [&](const auto& f) { return examples::with_threads(experiment.device(), 1, f); };
  const std::vector<double> sizes(batches.begin(), batches.end());
  const mt::Grid tuning({{"optimizer", {0, 1, 2}}, {"batch_size", sizes}});
  const mt::SweepResult tuned = mt::run_sweep(
      tuning, {"log2_rate", "at_edge", "trials", "steps"},
      [&](const mt::Point& p) {
        const auto t = on_device([&](const auto& device) {
          return examples::tune(device, w, Rule(p.count("optimizer")), p.count("batch_size"), first_tuning_seed,
                                tuning_seeds);
        });
        return std::vector<double>{static_cast<double>(t.exponent), static_cast<double>(t.at_edge),
                                   static_cast<double>(t.trials), t.steps};
      },
      experiment.sweep_options("rates", workers));
  if (!tuned.complete()) return {};

  std::vector<double> seeds(experiment.seeds());
  std::iota(seeds.begin(), seeds.end(), 1);
  const mt::Grid runs({{"optimizer", {0, 1, 2}}, {"batch_size", sizes}, {"seed", seeds}});
  const mt::SweepResult found = mt::run_sweep(
      runs, {"steps"},
      [&](const mt::Point& p) {
        const std::size_t i = p.index() / seeds.size();
        if (std::isnan(tuned.value(i, "steps"))) return std::vector<double>{examples::nan};
        return on_device([&](const auto& device) {
          return std::vector<double>{examples::steps_to_target(device, w, Rule(p.count("optimizer")),
                                                               std::exp2(tuned.value(i, "log2_rate")),
                                                               p.count("batch_size"), p.count("seed"))
                                         .steps};
        });
      },
      experiment.sweep_options("steps", workers));
  if (!found.complete()) return {};

  std::vector<Curve> curves(3);
  for (std::size_t i = 0; i < tuning.size(); ++i) {
    BatchResult r{sizes[i % sizes.size()], tuned.value(i, "log2_rate"), tuned.value(i, "at_edge") != 0};
    examples::Key key{{"optimizer", examples::rule_names[i / sizes.size()]},
                      {"batch_size", std::to_string(batches[i % sizes.size()])}};
    const bool reached = !std::isnan(tuned.value(i, "steps"));
    experiment.add(key, "learning_rate", reached ? std::exp2(r.exponent) : examples::nan);
    experiment.add(key, "trials", tuned.value(i, "trials"));
    key.emplace_back("seed", "");
    for (std::size_t k = 0; k < seeds.size(); ++k) {
      key.back().second = std::to_string(k + 1);
      const double steps = found.value(i * seeds.size() + k, "steps");
      experiment.add(key, "steps", steps);
      experiment.add(key, "samples", steps * r.batch);
      r.steps.push_back(std::isnan(steps) ? infinity : steps);
    }
    curves[i / sizes.size()].push_back(std::move(r));
  }
  return curves;
}

void draw(Experiment& experiment, const std::vector<Fitted>& fits, const std::vector<std::size_t>& batches) {
  examples::Plot steps{.file = "steps",
                       .title = "Steps to the target",
                       .x = "batch_size",
                       .x_label = "batch size (samples)",
                       .y = "steps",
                       .y_label = "optimizer steps",
                       .y_log = true,
                       .series = {"optimizer"}};
  examples::Plot samples = steps, rates = steps;
  samples.file = "samples", samples.title = "Samples to the target", samples.y = "samples";
  samples.y_label = "samples seen";
  rates.file = "rates", rates.title = "The learning rate that needs the fewest steps", rates.y = "learning_rate";
  rates.y_label = "learning rate", rates.spread = "none";
  for (std::size_t rule = 0; rule < fits.size(); ++rule) {
    if (!std::isfinite(fits[rule].curve.b_crit)) continue;
    const std::string label = std::string(examples::rule_names[rule]) + ", fitted";
    examples::Curve s{label, {}, {}}, e{label, {}, {}};
    for (double b = static_cast<double>(batches.front()); b <= static_cast<double>(batches.back()); b *= std::sqrt(2)) {
      s.x.push_back(b), s.y.push_back(fits[rule].curve.at(b));
      e.x.push_back(b), e.y.push_back(b * fits[rule].curve.at(b));
    }
    steps.theory.push_back(std::move(s));
    samples.theory.push_back(std::move(e));
  }
  for (const examples::Plot& plot : {steps, samples, rates}) experiment.plot(plot);
}

void judge(Experiment& experiment, const std::vector<Curve>& curves, const std::vector<Fitted>& fits) {
  for (std::size_t rule = 0; rule < curves.size(); ++rule) {
    const auto& [curve, b_crit, s_min] = fits[rule];
    const std::string name = examples::rule_names[rule];
    experiment.fit(name, "critical batch B_crit", curve.b_crit, b_crit.low, b_crit.high, "samples");
    experiment.fit(name, "fewest steps S_min", curve.s_min, s_min.low, s_min.high, "steps");
    experiment.fit(name, "fewest samples E_min", curve.e_min, examples::nan, examples::nan, "samples");
    const double small = slope(curves[rule], 0, curve.b_crit / 4), large = slope(curves[rule], 4 * curve.b_crit, 1e18);
    experiment.fit(name, "slope of ln S by ln B, below B_crit/4", small);
    experiment.fit(name, "slope of ln S by ln B, above 4 B_crit", large);
    const bool sgd = rule == 0;  // only its regimes are all inside the range, whatever the noise
    experiment.verdict(name + ": small batches scale perfectly: slope -1", format("%.2f below B_crit/4", small),
                       small > -1.25 && small < -0.75, sgd);
    experiment.verdict(name + ": large batches gain nothing: slope 0", format("%.2f above 4 B_crit", large),
                       large > -0.3 && large < 0.3, sgd);
    experiment.verdict(name + ": S(B) = S_min (1 + B_crit/B) explains the steps",
                       format("R2 = %.4f of ln S", curve.r_squared), curve.r_squared > 0.93, sgd);
    std::size_t edges = 0, missed = 0;
    std::vector<double> batch, rate;
    for (const BatchResult& r : curves[rule]) {
      edges += r.at_edge;
      missed += !r.feasible();
      if (r.feasible() && r.batch <= curve.b_crit) batch.push_back(r.batch), rate.push_back(std::exp2(r.exponent));
    }
    if (missed > 0) experiment.reading(format("%s: %zu batch sizes did not get to the target.", name.c_str(), missed));
    experiment.verdict(name + ": the best rates lie inside their grids", format("%zu at an edge", edges), edges == 0,
                       false);
    if (batch.size() > 1)
      experiment.fit(name, "the best rate grows as B to the power, up to B_crit", mt::fit_log_log(batch, rate).slope);
  }
  const mt::Hyperbola &sgd = fits[0].curve, &momentum = fits[1].curve;
  experiment.verdict("momentum extends the useful range of batches",
                     format("B_crit %.0f with momentum, %.0f without", momentum.b_crit, sgd.b_crit),
                     momentum.b_crit > 1.2 * sgd.b_crit);
  experiment.verdict("momentum costs no samples where batches are small",
                     format("E_min %.0f with momentum, %.0f without", momentum.e_min, sgd.e_min),
                     momentum.e_min < 1.4 * sgd.e_min, false);
  experiment.reading(format(
      "SGD needs %.0f steps at the least, and %.0f samples. Up to batches of %.0f it scales perfectly: twice the "
      "batch, half the steps. From %.0f on a larger batch saves next to none. With momentum these are %.0f and "
      "%.0f.",
      sgd.s_min, sgd.e_min, sgd.b_crit / 4, 4 * sgd.b_crit, momentum.b_crit / 4, 4 * momentum.b_crit));
}

// Beside the critical batch that is counted, the one that gradients foretell.
void compare_with_noise(Experiment& experiment, const Workload& w, const Curve& sgd, double b_crit) {
  const auto nearest = std::ranges::min_element(sgd, {}, [&](const BatchResult& r) {
    return r.feasible() ? std::abs(std::log(4 * r.batch / b_crit)) : infinity;
  });
  const mt::NoiseScale scale = noise_scale(experiment.device(), w, *nearest);
  experiment.fit("SGD, at the target", "noise scale tr(S)/|G|^2", scale.value, scale.low, scale.high, "samples");
  experiment.verdict(
      "the noise scale of the gradient foretells B_crit, within a factor of a few",
      format("noise scale %.0f, B_crit %.0f: a factor of %.1f", scale.value, b_crit, scale.value / b_crit),
      scale.value > b_crit / 8 && scale.value < 8 * b_crit, false);
}

}  // namespace

int main(int argc, char** argv) try {
  Experiment experiment(
      argc, argv,
      {.name = "09_steps_to_target",
       .question = "How many steps does a target loss take, against the batch size?",
       .summary = "Counts optimizer steps to a target loss at every batch size, each at its best rate.",
       .seeds = 5,
       .quick_seeds = 3});
  const bool quick = experiment.quick();
  const auto batches = experiment.arguments().numbers(
      "--batches", quick ? "1,4,16,64,256,1024,4096" : "1,2,4,8,16,32,64,128,256,512,1024,2048,4096",
      "samples of one step, in rising order");
  const std::size_t tuning_seeds =
      experiment.arguments().number("--tuning-seeds", quick ? 1 : 2, "runs with each learning rate, to choose one");
  const std::size_t target =
      experiment.arguments().number("--target", 0, "held-out loss in thousandths of a nat; 0: as is usual", 0);
  const std::size_t epochs = experiment.arguments().number("--epochs", 0, "the most; 0: as many as are usual", 0);
  if (experiment.help_shown()) return examples::ok;

  Workload w = examples::workload(experiment.data());
  if (target != 0) w.target = static_cast<double>(target) / 1000;
  if (epochs != 0) w.epochs = static_cast<double>(epochs);
  examples::describe(experiment, w);
  std::string sizes;
  for (const std::size_t batch : batches) sizes += (sizes.empty() ? "" : ", ") + std::to_string(batch);
  experiment.setting("batch sizes", sizes);
  experiment.setting("learning rates", "powers of 2, chosen by the steps of " + std::to_string(tuning_seeds) +
                                           " other runs; the grid grows until the best is inside");
  const std::vector<Curve> curves = measure(experiment, w, batches, tuning_seeds);
  if (curves.empty()) return experiment.finish();
  std::vector<Fitted> fits;
  for (std::size_t rule = 0; rule < curves.size(); ++rule) {
    fits.push_back(fit(curves[rule]));
    show(examples::rule_names[rule], curves[rule], fits.back());
  }
  std::printf("\n");
  judge(experiment, curves, fits);
  if (std::isfinite(fits[0].curve.b_crit)) compare_with_noise(experiment, w, curves[0], fits[0].curve.b_crit);
  draw(experiment, fits, batches);
  return experiment.finish();
} catch (const examples::Interrupted&) {
  return examples::interrupted_code();
} catch (const std::exception& error) {
  return examples::report(error);
}

// How many optimizer steps does a target loss take, against the batch size? The curve of Shallue et al. 2019: every
// batch size at the learning rate that suits it best, for SGD, momentum and Adam, and McCandlish's hyperbola through
// it.
#include "common/on_device.hpp"
#include "common/steps_curve.hpp"

namespace mt = minitrain;
using examples::BatchResult, examples::Experiment, examples::FittedSteps, examples::format, examples::Rule,
    examples::StepsCurve, examples::Workload;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Where the fitted slope -B_crit/(B + B_crit) is below -0.8, and where above -0.2.
const char* regime(double batch, double b_crit) {
  return batch <= b_crit / 4 ? "perfect scaling" : batch < 4 * b_crit ? "diminishing returns" : "flat";
}

void show(const char* name, const StepsCurve& curve, const FittedSteps& fitted) {
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

void draw(Experiment& experiment, const std::vector<FittedSteps>& fits, const std::vector<std::size_t>& batches) {
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
    if (!fits[rule]) continue;
    const std::string label = std::string(examples::rule_names[rule]) + ", fitted";
    examples::Curve s{label, {}, {}}, e{label, {}, {}};
    for (double b = static_cast<double>(batches.front()); b < 1.1 * static_cast<double>(batches.back());
         b *= std::sqrt(2)) {
      s.x.push_back(b), s.y.push_back(fits[rule].curve.at(b));
      e.x.push_back(b), e.y.push_back(b * fits[rule].curve.at(b));
    }
    steps.theory.push_back(std::move(s));
    samples.theory.push_back(std::move(e));
  }
  for (const examples::Plot& plot : {steps, samples, rates}) experiment.plot(plot);
}

// What a rule's steps turned out to be: on the fitted curve, and at its ends as the theory says.
struct Regimes {
  bool fitted = false, perfect = false, flat = false;
};

std::string in_words(const mt::Hyperbola& sgd, const Regimes& seen, const mt::Hyperbola& momentum,
                     const Regimes& seen_with_momentum) {
  if (!seen.fitted) return "The steps of SGD do not follow S_min (1 + B_crit/B): no critical batch is seen.";
  std::string text = "SGD needs " + examples::whole(sgd.s_min) + " steps at the least, and " +
                     examples::whole(sgd.e_min) + " samples. ";
  text += seen.perfect ? "Up to batches of " + examples::whole(sgd.b_crit / 4) +
                             " it scales perfectly: twice the batch, half the steps. "
                       : "That small batches scale perfectly is not seen. ";
  text += seen.flat ? "From " + examples::whole(4 * sgd.b_crit) + " on a larger batch saves next to none."
                    : "That larger batches end up saving nothing is not seen.";
  if (seen.perfect && seen.flat && seen_with_momentum.fitted && seen_with_momentum.perfect && seen_with_momentum.flat) {
    text += " With momentum these are " + examples::whole(momentum.b_crit / 4) + " and " +
            examples::whole(4 * momentum.b_crit) + ".";
  }
  return text;
}

void judge(Experiment& experiment, const std::vector<StepsCurve>& curves, const std::vector<FittedSteps>& fits) {
  std::vector<Regimes> seen;
  for (std::size_t rule = 0; rule < curves.size(); ++rule) {
    const auto& [curve, b_crit, s_min] = fits[rule];
    const std::string name = examples::rule_names[rule];
    experiment.fit(name, "critical batch B_crit", curve.b_crit, b_crit.low, b_crit.high, "samples");
    experiment.fit(name, "fewest steps S_min", curve.s_min, s_min.low, s_min.high, "steps");
    experiment.fit(name, "fewest samples E_min", curve.e_min, examples::nan, examples::nan, "samples");
    const double small = slope(curves[rule], 0, curve.b_crit / 4), large = slope(curves[rule], 4 * curve.b_crit, 1e18);
    experiment.fit(name, "slope of ln S by ln B, below B_crit/4", small);
    experiment.fit(name, "slope of ln S by ln B, above 4 B_crit", large);
    seen.push_back({fits[rule] && curve.r_squared > 0.93, small > -1.25 && small < -0.75, std::abs(large) < 0.35});
    const bool sgd = rule == 0;  // only its regimes are all inside the range, whatever the noise
    experiment.verdict(name + ": small batches scale perfectly: slope -1", format("%.2f below B_crit/4", small),
                       seen[rule].perfect, sgd);
    if (sgd || !std::isnan(large)) {  // of others the range may end before they are flat
      experiment.verdict(name + ": large batches gain nothing: slope 0", format("%.2f above 4 B_crit", large),
                         seen[rule].flat, sgd);
    }
    experiment.verdict(name + ": S(B) = S_min (1 + B_crit/B) explains the steps",
                       format("R2 = %.4f of ln S", curve.r_squared), seen[rule].fitted, sgd);
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
  experiment.reading(in_words(sgd, seen[0], momentum, seen[1]));
}

// Beside the critical batch that is counted the noise scale of the gradient, tr(Σ)/|G|², as SGD gets to the target with
// about a quarter of that batch.
void compare_with_noise(Experiment& experiment, const Workload& w, const StepsCurve& sgd, double b_crit) {
  const BatchResult& nearest = *std::ranges::min_element(sgd, {}, [&](const BatchResult& r) {
    return r.feasible() ? std::abs(std::log(4 * r.batch / b_crit)) : infinity;
  });
  const auto measure = [&](const mt::Point& p) {
    return examples::on_one_thread(experiment.device(), [&](const auto& device) {
      auto trainer = examples::make_trainer(
          device, w, Rule::sgd, std::exp2(nearest.exponent),
          {.epochs = 1000, .batch_size = p.count("batch_size"), .seed = 1, .noise_scale_every = 1});
      trainer.fit(w.train, {.on_step = [&](const mt::StepEvent& e) {
                    if (examples::was_interrupted()) throw examples::Interrupted();
                    if (static_cast<double>(e.step) >= nearest.median()) trainer.request_stop();
                  }});
      const mt::NoiseScale scale = trainer.noise_scale();
      return std::vector<double>{scale.value, scale.low, scale.high};
    });
  };
  const mt::SweepResult found =
      examples::sweep_until_interrupt(mt::Grid({{"batch_size", {nearest.batch}}}), {"noise_scale", "low", "high"},
                                      measure, experiment.sweep_options("noise", 1));
  if (!found.complete()) return;
  const double scale = found.value(0, "noise_scale");
  experiment.fit("SGD, at the target", "noise scale tr(S)/|G|^2", scale, found.value(0, "low"), found.value(0, "high"),
                 "samples");
  experiment.verdict("the noise scale of the gradient foretells B_crit, within a factor of a few",
                     format("noise scale %.0f, B_crit %.0f: a factor of %.1f", scale, b_crit, scale / b_crit),
                     scale > b_crit / 8 && scale < 8 * b_crit, false);
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
  auto batches = experiment.arguments().numbers(
      "--batches", quick ? "1,4,16,64,256,1024,2048" : "1,2,4,8,16,32,64,128,256,512,1024,2048,4096",
      "samples of one step; at most all there are");
  const std::size_t tuning_seeds =
      experiment.arguments().number("--tuning-seeds", quick ? 1 : 2, "runs with each learning rate, to choose one");
  const std::size_t target =
      experiment.arguments().number("--target", 0, "held-out loss in thousandths of a nat; 0: as is usual", 0);
  const std::size_t epochs = experiment.arguments().number("--epochs", 0, "the most; 0: as many as are usual", 0);
  if (experiment.help_shown()) return examples::ok;

  Workload w = examples::workload(experiment.data());
  if (target != 0) w.target = static_cast<double>(target) / 1000;
  if (epochs != 0) w.epochs = static_cast<double>(epochs);
  batches = examples::at_most(batches, w.train.size());
  examples::describe(experiment, w);
  experiment.setting("batch sizes", examples::listed(batches));
  experiment.setting("learning rates", "powers of 2, chosen by the steps of " + std::to_string(tuning_seeds) +
                                           " other runs; the grid grows until the best is inside");
  const std::vector<StepsCurve> curves =
      measure_steps(experiment, w, {Rule::sgd, Rule::momentum, Rule::adam}, batches, tuning_seeds);
  if (curves.empty()) return experiment.finish();
  std::vector<FittedSteps> fits;
  for (std::size_t rule = 0; rule < curves.size(); ++rule) {
    fits.push_back(fit_curve(curves[rule]));
    show(examples::rule_names[rule], curves[rule], fits.back());
  }
  std::printf("\n");
  judge(experiment, curves, fits);
  if (fits[0]) compare_with_noise(experiment, w, curves[0], fits[0].curve.b_crit);
  draw(experiment, fits, batches);
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}

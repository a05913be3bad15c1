// Which batch size reaches a target soonest by the clock? Steps fall with the batch, and the time of a step rises: the
// time to the target is S(B)·t(B). Measured, beside what the two curves foretell.
#include "common/on_device.hpp"
#include "common/steps_curve.hpp"

namespace mt = minitrain;
using examples::BatchResult, examples::Experiment, examples::FittedSteps, examples::format, examples::Rule,
    examples::StepsCurve, examples::Workload;

namespace {

// Seconds that `steps` steps take, without any look at held-out data. A callback ends the run, for which a GPU waits
// after every step: then and now, so that both times are of the same thing.
double seconds_of(const std::string& device, const Workload& w, double rate, std::size_t batch, double steps,
                  std::uint64_t seed) {
  return examples::on_one_thread(device, [&](const auto& where) {
    const double epochs = std::ceil(steps * static_cast<double>(batch) / static_cast<double>(w.train.size()));
    auto trainer = examples::make_trainer(
        where, w, Rule::sgd, rate, {.epochs = static_cast<std::size_t>(epochs) + 1, .batch_size = batch, .seed = seed});
    const mt::History history = trainer.fit(w.train, {.on_step = [&](const mt::StepEvent& e) {
                                              if (examples::was_interrupted()) throw examples::Interrupted();
                                              if (static_cast<double>(e.step) >= steps) trainer.request_stop();
                                            }});
    return history.seconds();
  });
}

// The median of as many calls as take a tenth of a second, or of one: short runs are easily disturbed.
template <class F>
double median_seconds(const F& f) {
  std::vector<double> seconds;
  double all = 0;
  do {
    seconds.push_back(f());
    all += seconds.back();
  } while (all < 0.1);
  return mt::spread(seconds).median;
}

// What one batch size took: steps and times of every round, which are runs with different seeds.
struct Timed {
  double batch = 0, steps = 0;
  std::vector<double> step_seconds = {}, seconds = {};
  double step() const { return mt::spread(step_seconds).median; }
  double total() const { return mt::spread(seconds).median; }
};

// One run at a time. Rounds go over all batch sizes, so that whatever else the machine does hits all of them alike.
std::vector<Timed> time_runs(Experiment& experiment, const Workload& w, const StepsCurve& curve) {
  std::vector<Timed> all;
  std::vector<double> batches, rates, seeds(experiment.seeds());
  std::vector<std::vector<double>> steps;
  for (const BatchResult& r : curve) {
    if (!r.feasible()) continue;
    all.push_back({.batch = r.batch, .steps = r.median()});
    batches.push_back(r.batch);
    rates.push_back(std::exp2(r.exponent));
    steps.push_back(r.steps);
  }
  if (all.size() < 3) return {};
  std::iota(seeds.begin(), seeds.end(), 1);
  const mt::Grid grid({{"seed", seeds}, {"batch_size", batches}});
  const mt::SweepResult found = examples::sweep_until_interrupt(
      grid, {"step_seconds", "seconds"},
      [&](const mt::Point& p) {
        const std::size_t i = p.index() % batches.size(), batch = p.count("batch_size"), seed = p.count("seed");
        // A rate of 0, so that the time of a step is measured apart from any learning; for about as many samples at
        // every size, and the first call for what grows in it.
        const double few = std::max(20.0, std::min(4000.0, static_cast<double>(w.train.size()) / batches[i]));
        seconds_of(experiment.device(), w, 0, batch, 3, seed);
        const auto seconds = [&](double at_rate, double count) {
          return median_seconds([&] { return seconds_of(experiment.device(), w, at_rate, batch, count, seed); });
        };
        const double needed = steps[i][seed - 1];
        return std::vector<double>{seconds(0, few) / few,
                                   std::isfinite(needed) ? seconds(rates[i], needed) : examples::nan};
      },
      experiment.sweep_options("times", 1));
  if (!found.complete()) return {};
  experiment.add(grid, found, {{"optimizer", "SGD"}});
  for (std::size_t i = 0; i < grid.size(); ++i) {
    Timed& timed = all[i % batches.size()];
    timed.step_seconds.push_back(found.value(i, "step_seconds"));
    if (!std::isnan(found.value(i, "seconds"))) timed.seconds.push_back(found.value(i, "seconds"));
  }
  return all;
}

// The batch at which a parabola through the lowest point and its neighbours, in ln T against ln B, has its vertex; at
// an end of the range that end.
double lowest(const std::vector<Timed>& all) {
  std::size_t i = 0;
  for (std::size_t k = 0; k < all.size(); ++k) i = all[k].total() < all[i].total() ? k : i;
  if (i == 0 || i + 1 == all.size()) return all[i].batch;
  const double x0 = std::log(all[i - 1].batch), x1 = std::log(all[i].batch), x2 = std::log(all[i + 1].batch);
  const double left = std::log(all[i - 1].total() / all[i].total()),
               right = std::log(all[i + 1].total() / all[i].total());
  const double a = x0 - x1, b = x2 - x1, curvature = (left / a - right / b) / (a - b);
  return curvature > 0 ? std::exp(x1 - (left / a - curvature * a) / (2 * curvature)) : all[i].batch;
}

// The two curves, and what they say of the time.
struct Theory {
  mt::Hyperbola steps;
  mt::StepTime time;
  double seconds(double batch) const { return steps.at(batch) * time.at(batch); }
  double best_batch() const { return std::sqrt(steps.b_crit * time.half_batch()); }
};

void judge(Experiment& experiment, const std::vector<Timed>& all, const Theory& theory, const FittedSteps& fitted) {
  std::printf("%6s %9s %12s %12s %12s %7s\n", "batch", "steps", "us/step", "seconds", "foretold", "ratio");
  double worst = 0, best = std::numeric_limits<double>::infinity();
  for (const Timed& t : all) {
    const double ratio = t.total() / theory.seconds(t.batch);
    worst = std::max(worst, std::abs(std::log(ratio)));
    best = std::min(best, t.total());
    std::printf("%6g %9g %12.2f %12.5g %12.5g %7.2f\n", t.batch, t.steps, 1e6 * t.step(), t.total(),
                theory.seconds(t.batch), ratio);
  }
  const double found = lowest(all), foretold = theory.best_batch();
  const double first = all.front().total() / best, last = all.back().total() / best;
  const bool between = first > 1.1 && last > 1.1;
  experiment.fit("steps", "critical batch B_crit", fitted.curve.b_crit, fitted.b_crit.low, fitted.b_crit.high,
                 "samples");
  experiment.fit("steps", "fewest steps S_min", fitted.curve.s_min, fitted.s_min.low, fitted.s_min.high, "steps");
  experiment.fit("time of a step", "t0", 1e6 * theory.time.t0, examples::nan, examples::nan, "us");
  experiment.fit("time of a step", "r", theory.time.r, examples::nan, examples::nan, "samples/s");
  experiment.fit("time of a step", "B_half = t0 r", theory.time.half_batch(), examples::nan, examples::nan, "samples");
  experiment.fit("time to the target", "fastest batch, measured", found, examples::nan, examples::nan, "samples");
  experiment.fit("time to the target", "fastest batch, sqrt(B_crit B_half)", foretold, examples::nan, examples::nan,
                 "samples");
  experiment.verdict("both small and large batches take longer than one between them",
                     format("batch %g takes %.1f times as long as the best, batch %g %.1f times", all.front().batch,
                            first, all.back().batch, last),
                     between);
  experiment.verdict("the fastest batch is within a factor of 2 of sqrt(B_crit B_half)",
                     format("%.0f measured, %.0f foretold", found, foretold),
                     found > foretold / 2 && found < 2 * foretold, !experiment.quick() && experiment.usual_data());
  experiment.verdict("S(B) t(B) is within a factor of 1.5 of the time, at every batch size",
                     format("a factor of %.2f at worst", std::exp(worst)), std::exp(worst) < 1.5, false);
  const std::string ends = format(" batch of %g takes %.1f times as long, one of %g %.1f times.", all.front().batch,
                                  first, all.back().batch, last);
  if (!between) {
    return experiment.reading(
        "That small and large batches both take longer than one between them is not seen: beside "
        "the fastest a" +
        ends);
  }
  // Why, as far as the two curves are those that were measured.
  const bool explained = std::exp(worst) < 1.5 && theory.time.t0 > 0;
  experiment.reading(
      format("The target is reached soonest with batches of about %.0f. ", found) +
      (explained ? format("Far smaller ones pay the %.3g us that every step costs too often; far larger ones do not "
                          "need that many steps less: S_min is %.0f. ",
                          1e6 * theory.time.t0, fitted.curve.s_min)
                 : "Why that is, steps and times of a step do not tell: their product is another time. ") +
      "A" + ends);
}

void draw(Experiment& experiment, const std::vector<Timed>& all, const Theory& theory) {
  examples::Plot total{.file = "time_to_target",
                       .title = "Time to the target",
                       .x = "batch_size",
                       .x_label = "batch size (samples)",
                       .y = "seconds",
                       .y_label = "seconds",
                       .y_log = true,
                       .where = {{"optimizer", "SGD"}}};
  examples::Plot step = total, steps = total;
  step.file = "step_time", step.title = "Time of a step", step.y = "step_seconds";
  steps.file = "steps", steps.title = "Steps to the target", steps.y = "steps", steps.y_label = "optimizer steps";
  examples::Curve t{"t0 + B/r", {}, {}}, s{"S_min (1 + B_crit/B)", {}, {}}, product{"S(B) t(B)", {}, {}};
  for (double b = all.front().batch; b < 1.1 * all.back().batch; b *= std::sqrt(2)) {
    for (examples::Curve* curve : {&t, &s, &product}) curve->x.push_back(b);
    t.y.push_back(theory.time.at(b)), s.y.push_back(theory.steps.at(b)), product.y.push_back(theory.seconds(b));
  }
  total.theory = {product}, step.theory = {t}, steps.theory = {s};
  for (const examples::Plot& plot : {total, step, steps}) experiment.plot(plot);
}

}  // namespace

int main(int argc, char** argv) try {
  Experiment experiment(argc, argv,
                        {.name = "11_optimal_batch",
                         .question = "Which batch size reaches a target soonest by the clock?",
                         .summary = "Times training to a target loss at every batch size, beside S(B) t(B).",
                         .seeds = 5});
  const bool quick = experiment.quick();
  auto batches = experiment.arguments().numbers(
      "--batches", quick ? "1,4,16,64,256,1024,2048" : "1,2,4,8,16,32,64,128,256,512,1024,2048,4096",
      "samples of one step; at most all there are");
  if (experiment.help_shown()) return examples::ok;

  const Workload w = examples::workload(experiment.data());
  batches = examples::at_most(batches, w.train.size());
  examples::describe(experiment, w);
  experiment.setting("batch sizes", examples::listed(batches));
  experiment.setting("optimizer", "SGD, at the best rate of every batch size; timed on one thread, one run at a time");
  const auto curves = examples::measure_steps(experiment, w, {Rule::sgd}, batches, 1);
  if (curves.empty()) return experiment.finish();
  const FittedSteps fitted = examples::fit_curve(curves[0]);
  const std::vector<Timed> all = time_runs(experiment, w, curves[0]);
  if (examples::was_interrupted()) return experiment.finish();
  if (all.empty() || !fitted) {
    experiment.verdict("three batch sizes or more get to the target", format("%zu do", all.size()), false);
    return experiment.finish();
  }
  std::vector<double> sizes, times;
  for (const Timed& t : all) sizes.push_back(t.batch), times.push_back(t.step());
  const Theory theory{fitted.curve, mt::fit_step_time(sizes, times)};
  judge(experiment, all, theory, fitted);
  draw(experiment, all, theory);
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}

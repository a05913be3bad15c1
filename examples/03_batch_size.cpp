// How does training time vary with batch size? Four networks at every batch size: the time of a step and of an epoch,
// and the time until the loss on held-out data has fallen to a target. Rounds go over all batch sizes, there and back,
// so that whatever else the machine does hits all of them alike.
#include <minitrain/experiment/fits.hpp>
#include <minitrain/train/estimate.hpp>
#include <minitrain/trainer.hpp>
#include <minitrain/with_device.hpp>

#include "common/experiment.hpp"
#include "common/format.hpp"
#include "common/nets.hpp"

namespace mt = minitrain;
using examples::Net;

static std::size_t steps_of(const Net& net, std::size_t batch) { return (net.data.train.size() + batch - 1) / batch; }

// {seconds of an epoch, steps of an epoch}: the median over as many epochs as take 50 ms or more.
template <class Device>
std::vector<double> time_epoch(const Net& net, const Device& device, std::size_t batch) {
  mt::Trainer trainer = examples::make_trainer(net, device, {.epochs = 1, .batch_size = batch, .seed = 1});
  std::vector<double> seconds;
  std::size_t steps = 0;
  for (double all = 0; all < 0.05; all += seconds.back()) {
    const mt::EpochRecord epoch = trainer.fit(net.data.train).epochs.front();
    seconds.push_back(epoch.seconds);
    steps = epoch.steps;
  }
  return {mt::spread(seconds).median, static_cast<double>(steps)};
}

// {seconds, epochs, steps} until the loss on held-out data is the target or less, NaN when it never is. It is looked at
// after every 2,000 samples, or after every step where that is more; the looking is not timed.
template <class Device>
std::vector<double> time_to_target(const Net& net, const Device& device, std::size_t batch, std::size_t seed) {
  using Clock = std::chrono::steady_clock;
  mt::Trainer trainer =
      examples::make_trainer(net, device, {.epochs = net.epochs, .batch_size = batch, .seed = seed + 1});
  const std::size_t every = std::max<std::size_t>(1, 2'000 / batch);
  std::vector<double> reached(3, examples::nan);
  std::chrono::duration<double> trained{};
  Clock::time_point start;
  const auto on_step = [&](const mt::StepEvent& e) {
    if (e.step % every != 0) return;
    trained += Clock::now() - start;
    if (trainer.evaluate(net.data.test).loss <= net.target) {
      const double epochs =
          static_cast<double>(e.epoch) + static_cast<double>(e.samples) / static_cast<double>(e.of_samples);
      reached = {trained.count(), epochs, static_cast<double>(e.step)};
      trainer.request_stop();
    }
    start = Clock::now();
  };
  start = Clock::now();
  trainer.fit(net.data.train, {.on_step = on_step});
  return reached;
}

// Those of the batch sizes that a net has samples for: larger ones would all be the whole of its data.
static std::vector<std::size_t> batches_for(const Net& net, std::vector<std::size_t> batches) {
  std::erase_if(batches, [&](std::size_t batch) { return batch > net.data.train.size(); });
  return batches;
}

// Points {round, net, batch size}, in every second round backwards.
static mt::Grid rounds_of(const std::vector<Net>& all, const std::vector<std::size_t>& batches, std::size_t rounds) {
  std::vector<std::vector<double>> points;
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<std::vector<double>> one;
    for (std::size_t net = 0; net < all.size(); ++net) {
      for (const std::size_t batch : batches_for(all[net], batches)) {
        one.push_back({static_cast<double>(round), static_cast<double>(net), static_cast<double>(batch)});
      }
    }
    if (round % 2 == 1) std::ranges::reverse(one);
    points.insert(points.end(), one.begin(), one.end());
  }
  return {{"round", "net", "batch_size"}, points};
}

// What all epochs would take, and the memory of the largest batch.
template <class Device>
void show_estimates(const std::vector<Net>& all, const std::vector<std::size_t>& batches, const Device& device) {
  std::printf("%-18s %6s %8s %10s %10s %12s\n", "net", "batch", "steps", "us/step", "s/epoch", "memory, MB");
  for (const Net& net : all) {
    for (const std::size_t batch : batches_for(net, batches)) {
      const mt::Estimate e = examples::with_parts(net, [&](const auto&... parts) {
        return mt::estimate(net.data.train, parts..., {.epochs = 1, .batch_size = batch}, device);
      });
      std::printf("%-18s %6zu %8llu %10.2f %10.5f %12.1f\n", net.name.c_str(), batch,
                  static_cast<unsigned long long>(e.steps), 1e6 * e.seconds_per_step, e.seconds_per_epoch,
                  1e-6 * static_cast<double>(e.memory.total()));
    }
  }
}

// The values of a metric at one net and batch size, one of each round; without those not reached.
static std::vector<double> values_at(const mt::Grid& grid, const mt::SweepResult& result, const char* metric,
                                     std::size_t net, std::size_t batch) {
  std::vector<double> values;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const mt::Point point = grid[i];
    if (point.count("net") != net || point.count("batch_size") != batch) continue;
    if (const double value = result.value(i, metric); !std::isnan(value)) values.push_back(value);
  }
  return values;
}

static std::string text(const char* format, auto... values) {
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

// "12.3 ms"
static std::string time_text(double seconds) {
  return seconds < 1e-3 ? text("%.3g µs", 1e6 * seconds)
         : seconds < 1  ? text("%.3g ms", 1e3 * seconds)
                        : text("%.3g s", seconds);
}

// Rows of results.csv: time and throughput of each round, what it took to reach the target with each seed.
static void add_results(examples::Experiment& experiment, const std::vector<Net>& all, const mt::Grid& grid,
                        const mt::SweepResult& result, const char* repeat) {
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const mt::Point point = grid[i];
    const Net& net = all[point.count("net")];
    const examples::Key key{{"model", net.name},
                            {"batch_size", std::to_string(point.count("batch_size"))},
                            {repeat, std::to_string(point.count("round"))}};
    for (const std::string& metric : result.metrics) experiment.add(key, metric, result.value(i, metric));
    if (std::string(repeat) != "round") continue;
    const double seconds = result.value(i, "epoch_s"), steps = result.value(i, "steps_per_epoch");
    experiment.add(key, "step_us", 1e6 * seconds / steps);
    experiment.add(key, "samples_per_s", static_cast<double>(net.data.train.size()) / seconds);
  }
}

// Fits t(B) = t0 + B/r to one net's medians and says what that means. The last batch of an epoch may be short, so B is
// the mean over the steps. Returns the line, for the plot; without points where there are too few for one.
static examples::Curve judge_time(examples::Experiment& experiment, const std::vector<Net>& all, std::size_t which,
                                  const mt::Grid& grid, const mt::SweepResult& result,
                                  const std::vector<std::size_t>& batches) {
  const Net& net = all[which];
  const double samples = static_cast<double>(net.data.train.size());
  std::vector<double> asked, mean, seconds;
  for (const std::size_t batch : batches) {
    const std::vector<double> epochs = values_at(grid, result, "epoch_s", which, batch);
    if (epochs.empty()) continue;
    const double steps = static_cast<double>(steps_of(net, batch));
    asked.push_back(static_cast<double>(batch));
    mean.push_back(samples / steps);
    seconds.push_back(mt::spread(epochs).median / steps);
  }
  examples::Curve line{net.name + ": t0 + B/r", asked, {}};
  if (mean.size() < 3) return {};
  const mt::StepTime fit = mt::fit_step_time(mean, seconds);
  for (const double batch : mean) line.y.push_back(1e6 * fit.at(batch));
  const std::string what = "t(B) = t0 + B/r, " + net.name;
  experiment.fit(what, "t0", 1e6 * fit.t0, examples::nan, examples::nan, "µs");
  experiment.fit(what, "r", fit.r, examples::nan, examples::nan, "samples/s");
  experiment.fit(what, "B_half = t0 r", fit.half_batch(), examples::nan, examples::nan, "samples");
  experiment.fit(what, "R²", fit.r_squared);
  experiment.verdict(net.name + ": t(B) = t0 + B/r with R² > 0.98", text("R² = %.4f", fit.r_squared),
                     fit.r_squared > 0.98, !experiment.quick() && experiment.usual_data());
  const double gain = seconds.front() / mean.front() / (seconds.back() / mean.back());
  experiment.verdict(net.name + ": the largest batch trains more samples per second than the smallest",
                     text("%.3g times as many", gain), gain > 1);
  const double half = fit.half_batch();
  if (!(fit.r_squared > 0.98)) {
    experiment.reading(net.name + text(": the times of steps do not follow t0 + B/r (R² = %.3g), so what a step costs "
                                       "whatever its size is not seen.",
                                       fit.r_squared));
  } else if (fit.t0 > 0 && fit.r > 0) {
    experiment.reading(
        text("%s: a step costs %.3g µs whatever its size, and what its samples take at %.3g million a second. "
             "A batch of B_half = %.3g reaches half of that throughput, one of %.3g reaches 90 %%.",
             net.name.c_str(), 1e6 * fit.t0, 1e-6 * fit.r, half, 9 * half));
  } else {
    experiment.reading(net.name + ": what a step costs whatever its size is lost in the noise of the measurement.");
  }
  return line;
}

// Which batch size came to the target first, and which never did.
static void judge_target(examples::Experiment& experiment, const std::vector<Net>& all, std::size_t which,
                         const mt::Grid& grid, const mt::SweepResult& result, const std::vector<std::size_t>& batches) {
  const Net& net = all[which];
  std::size_t quickest = 0;
  double best = 0;
  std::string never;
  const std::vector<std::size_t> tried = batches_for(net, batches);
  if (tried.empty()) return;
  for (const std::size_t batch : tried) {
    const std::vector<double> seconds = values_at(grid, result, "target_s", which, batch);
    if (seconds.empty()) {
      never += (never.empty() ? "" : ", ") + std::to_string(batch);
    } else if (const double median = mt::spread(seconds).median; quickest == 0 || median < best) {
      quickest = batch, best = median;
    }
  }
  experiment.reading(
      net.name + text(": a loss of %g on held-out data ", net.target) +
      (quickest == 0 ? "was not reached" : text("was reached first with B = %zu, in ", quickest) + time_text(best)) +
      (never.empty() ? "" : text("; within %zu epochs no run reached it with B = ", net.epochs) + never) + ".");
}

template <class Device>
int run(examples::Experiment& experiment, const Device& device, const std::vector<Net>& all,
        const std::vector<std::size_t>& batches, std::size_t rounds) {
  const mt::Grid grid = rounds_of(all, batches, rounds), seeds = rounds_of(all, batches, experiment.seeds());
  const auto timed = mt::run_sweep(
      grid, {"epoch_s", "steps_per_epoch"},
      [&](const mt::Point& p) { return time_epoch(all[p.count("net")], device, p.count("batch_size")); },
      experiment.sweep_options("time", 1));
  if (!timed.complete()) return experiment.finish();
  const auto targets = mt::run_sweep(
      seeds, {"target_s", "target_epochs", "target_steps"},
      [&](const mt::Point& p) {
        return time_to_target(all[p.count("net")], device, p.count("batch_size"), p.count("round"));
      },
      experiment.sweep_options("target", 1));
  if (!targets.complete()) return experiment.finish();

  std::size_t wrong = 0;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const std::size_t steps = steps_of(all[grid[i].count("net")], grid[i].count("batch_size"));
    wrong += timed.value(i, "steps_per_epoch") == static_cast<double>(steps) ? 0 : 1;
  }
  experiment.verdict("an epoch has ceil(N/B) steps", text("in %zu of %zu runs", grid.size() - wrong, grid.size()),
                     wrong == 0);
  add_results(experiment, all, grid, timed, "round");
  add_results(experiment, all, seeds, targets, "seed");
  examples::Plot plot{.x = "batch_size", .x_label = "batch size (samples)", .y_log = true, .series = {"model"}};
  const auto draw = [&](const char* file, const char* title, const char* metric, const char* label) {
    plot.file = file, plot.title = title, plot.y = metric, plot.y_label = label;
    experiment.plot(plot);
  };
  draw("time_per_epoch", "Time per epoch", "epoch_s", "time per epoch (s)");
  draw("throughput", "Samples trained per second", "samples_per_s", "throughput (samples/s)");
  draw("time_to_target", "Time until the loss on held-out data is at its target", "target_s", "time to target (s)");
  draw("epochs_to_target", "Passes over the data until the loss is at its target", "target_epochs", "epochs to target");
  for (std::size_t i = 0; i < all.size(); ++i) {
    examples::Curve line = judge_time(experiment, all, i, grid, timed, batches);
    if (!line.x.empty()) plot.theory.push_back(std::move(line));
  }
  for (std::size_t i = 0; i < all.size(); ++i) judge_target(experiment, all, i, seeds, targets, batches);
  plot.lines = false;
  draw("time_per_step", "Time per optimizer step, and t0 + B/r", "step_us", "time per step (µs)");
  return experiment.finish();
}

int main(int argc, char** argv) try {
  examples::Experiment experiment(
      argc, argv,
      {.name = "03_batch_size",
       .question = "How does training time vary with batch size?",
       .summary = "Time per step and per epoch, and to a target loss, against the batch size.",
       .threads = 1,
       .takes = examples::Takes::any});
  examples::Arguments& arguments = experiment.arguments();
  const bool quick = experiment.quick();
  const auto batches = arguments.numbers(
      "--batches", quick ? "1,4,16,64,256,1024,4096,16384" : "1,2,4,8,16,32,64,128,256,512,1024,2048,4096,8192,16384",
      "samples of one step");
  const std::size_t rounds = arguments.number("--rounds", quick ? 3 : 5, "timings at each batch size");
  const bool dry_run = arguments.dry_run();
  if (experiment.help_shown()) return examples::ok;

  const std::vector<Net> all = examples::nets(experiment.data(), quick);
  for (const Net& net : all) {
    experiment.setting(net.name, text("%zu samples, learning rate %g, target %g within %zu epochs",
                                      net.data.train.size(), static_cast<double>(net.rate), net.target, net.epochs));
  }
  experiment.setting("batch sizes", examples::listed(batches));
  std::size_t most = 0;
  for (const Net& net : all) most = std::max(most, net.data.train.size());
  if (batches.front() > most) {
    throw examples::UsageError("--batches: all of them are more than there are samples to train on, at most " +
                               std::to_string(most));
  }
  for (const Net& net : all) {
    std::vector<std::size_t> larger = batches;
    std::erase_if(larger, [&](std::size_t batch) { return batch <= net.data.train.size(); });
    if (larger.empty()) continue;
    const std::string why = examples::listed(larger) + text(": more than its %zu samples", net.data.train.size());
    experiment.setting("not tried with " + net.name, why);
    if (dry_run) std::printf("%s: not tried with batches of %s\n", net.name.c_str(), why.c_str());
  }
  experiment.setting("rounds", std::to_string(rounds));
  experiment.setting("threads", std::to_string(experiment.threads()));
  const auto work = [&](const auto& device) -> int {
    if (!dry_run) return run(experiment, device, all, batches, rounds);
    show_estimates(all, batches, device);
    return examples::printed(examples::ok);
  };
  if (experiment.device() == "cpu") return work(mt::Cpu{{.threads = experiment.threads()}});
  return mt::with_device(experiment.device(), work);
} catch (const std::exception& error) {
  return examples::report(error);
}

// What does a larger model cost? Depth doubled and width doubled: parameters, floating-point operations, memory, time
// and the rate at which it computes.
#include <minitrain/experiment/fits.hpp>
#include <minitrain/train/plan.hpp>
#include <minitrain/trainer.hpp>

#include <functional>
#include <numeric>

#include "common/allocated.hpp"
#include "common/answers.hpp"
#include "common/experiment.hpp"
#include "common/format.hpp"
#include "common/medians.hpp"
#include "common/on_device.hpp"
#include "common/own_time.hpp"

namespace mt = minitrain;
using examples::Experiment, examples::format;

namespace {

const std::vector<std::string> metrics{"parameters",  "flops_per_sample", "planned_bytes", "measured_bytes", "step_us",
                                       "own_step_us", "gflops",           "samples_per_s", "update_share"};

mt::Mlp model_of(const mt::Dataset& data, std::size_t depth, std::size_t width) {
  mt::Mlp model{.widths = {data.feature_columns()}, .init = mt::Init::he_normal};
  model.widths.insert(model.widths.end(), depth, width);
  model.widths.push_back(examples::outputs_for(data));
  return model;
}

// Of one sample in training: forward, and as much each for the gradients by the weights and by the inputs, which the
// first layer is spared.
double training_flops(const mt::ModelDescription& model) {
  return 3 * model.forward_flops() - model.layers.front().forward_flops;
}

// From the widths alone, to hold the description of the model against: a Dense{m, n} has (m + 1)·n parameters and takes
// 2·m·n operations, and its ReLU n.
std::pair<double, double> by_formula(double features, double outputs, double depth, double width) {
  const double weights = features * width + (depth - 1) * width * width + width * outputs;
  const double parameters = weights + depth * width + outputs;
  return {parameters, 3 * (2 * weights + depth * width) - 2 * features * width};
}

// One model at one batch size: what it is, and the time of its steps, for about `seconds` of them. What decides a
// verdict is the least time of its own, which the other programs of the machine have little part in.
template <class Device, class Loss>
std::vector<double> measure(const Device& device, const mt::Dataset& all, const Loss& loss, std::size_t depth,
                            std::size_t width, std::size_t batch, double seconds) {
  const mt::Mlp model = model_of(all, depth, width);
  const mt::ModelDescription description = describe(model);
  const double flops = training_flops(description);
  // An epoch is 4 GFLOP or so, for the clock is read once in it.
  const double steps = std::clamp(std::floor(4e9 / (flops * static_cast<double>(batch))), 2.0, 64.0);
  std::vector<std::uint64_t> samples(std::min(all.size(), batch * static_cast<std::size_t>(steps)));
  std::iota(samples.begin(), samples.end(), std::uint64_t{0});
  const mt::Dataset data = all.subset(std::move(samples));

  mt::TrainerOptions options{.batch_size = batch, .micro_batch_size = batch, .seed = 1};
  const mt::Adam adam;
  const mt::MemoryPlan plan = mt::plan(model, loss, adam, options, device, size_of(data));
  const std::uint64_t before = std::is_same_v<Device, mt::Cpu> ? examples::allocated(device) : 0;
  std::uint64_t bytes = 0;
  std::vector<double> step, own;
  double spent = 0;
  {
    mt::Trainer trainer{device, model, loss, adam, options};
    trainer.fit(data, {.on_epoch = [&](const mt::EpochRecord&) { bytes = examples::allocated(trainer.device()); }});
    while (step.size() < 2 || spent < seconds) {
      const double start = examples::own_seconds(device);
      const mt::EpochRecord epoch = trainer.fit(data).epochs.front();
      own.push_back((examples::own_seconds(device) - start) / static_cast<double>(epoch.steps));
      step.push_back(epoch.seconds / static_cast<double>(epoch.steps));
      spent += epoch.seconds;
    }
  }
  options.profile = true;
  mt::Trainer trainer{device, model, loss, adam, options};
  trainer.fit(data);
  trainer.fit(data);
  const mt::PhaseSeconds& phases = trainer.profile().epochs.back().phases;

  bytes -= std::is_same_v<Device, mt::Cpu> ? before : plan.data_set;  // without the data
  const mt::Spread time = mt::spread(step);
  const auto rows = static_cast<double>(std::min(batch, data.size()));
  return {static_cast<double>(description.parameter_count()),
          flops,
          static_cast<double>(plan.total() - plan.data_set),
          static_cast<double>(bytes),
          1e6 * time.median,
          1e6 * mt::spread(own).low,
          1e-9 * flops * rows / time.median,
          rows / time.median,
          phases[mt::Phase::update] / phases.total()};
}

// One of the two sweeps: the models of one depth, or of one width, at every batch size.
struct Series {
  const char* varied;  // "depth" or "width"
  std::vector<std::size_t> sizes;
  std::size_t fixed;  // width or depth
};

// The medians of a metric at one batch size, a value for each size of the model.
using Column = std::function<std::vector<double>(const std::string&)>;

// Counts and memory, which no noise touches.
void judge_counts(Experiment& experiment, const mt::Dataset& data, const Series& series, const mt::Grid& grid,
                  const mt::SweepResult& found) {
  double worst = 0;
  bool exact = true;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const bool by_depth = series.varied == std::string("depth");
    const double size = grid[i][series.varied], fixed = static_cast<double>(series.fixed);
    const auto [parameters, flops] =
        by_formula(static_cast<double>(data.feature_columns()), static_cast<double>(examples::outputs_for(data)),
                   by_depth ? size : fixed, by_depth ? fixed : size);
    exact = exact && found.value(i, "parameters") == parameters && found.value(i, "flops_per_sample") == flops;
    const double planned = found.value(i, "planned_bytes");
    worst = std::max(worst, std::abs(found.value(i, "measured_bytes") - planned) / (0.1 * planned + (64 << 10)));
  }
  experiment.verdict(format("%s: parameters and operations are those of the formula", series.varied),
                     exact ? "all" : "not all", exact);
  experiment.verdict(format("%s: memory is what plan() says, to 10 %% and 64 KiB", series.varied),
                     format("at most %.3f of that off", worst), worst < 1);
}

void judge_depth(Experiment& experiment, const std::vector<double>& depth, const Column& column, std::size_t batch) {
  const std::vector<double> step = column("step_us"), own = column("own_step_us");
  const mt::StepTime line = mt::fit_step_time(depth, step);
  const std::string what = format("step time over depth, batch %zu", batch);
  experiment.fit(what, "without hidden layers", line.t0, examples::nan, examples::nan, "us");
  experiment.fit(what, "each layer", 1 / line.r, examples::nan, examples::nan, "us");
  experiment.fit(what, "R2", line.r_squared);
  const std::size_t last = depth.size() - 1;
  const double ratio = own[last] / own[last - 1];
  const double doubled = std::pow(ratio, std::log(2) / std::log(depth[last] / depth[last - 1]));
  experiment.verdict(format("batch %zu: linear in depth, R2 > 0.98", batch), format("R2 = %.4f", line.r_squared),
                     line.r_squared > 0.98, false);
  experiment.verdict(format("batch %zu: twice the depth takes 1.3 to 3 times as long", batch),
                     format("%.2f from %.0f to %.0f layers", ratio, depth[last - 1], depth[last]),
                     doubled > 1.3 && doubled < 3);
}

void judge_width(Experiment& experiment, const std::vector<double>& width, const Column& column, std::size_t batch,
                 bool decides) {
  const std::vector<double> step = column("step_us"), own = column("own_step_us"), gflops = column("gflops"),
                            flops = column("flops_per_sample"), share = column("update_share");
  const std::size_t last = width.size() - 1;
  const auto slope = [&](const std::vector<double>& y, std::size_t i) {
    return std::log(y[i] / y[i - 1]) / std::log(width[i] / width[i - 1]);
  };
  const std::string what = format("batch %zu, from width %.0f to %.0f", batch, width[last - 1], width[last]);
  experiment.fit(what, "slope of time", slope(step, last));
  experiment.fit(what, "slope of operations", slope(flops, last));
  experiment.fit(format("batch %zu, from width %.0f to %.0f", batch, width[0], width[1]), "slope of time",
                 slope(step, 1));
  experiment.verdict(format("batch %zu: quadratic in width when it is large, slope 2 +- 0.3", batch),
                     format("slope %.2f, that of the operations %.2f", slope(step, last), slope(flops, last)),
                     std::abs(slope(step, last) - 2) < 0.3, false);
  const double wide = slope(own, last), narrow = slope(own, 1);
  experiment.verdict(format("batch %zu: time grows faster with width where it is large than where it is small", batch),
                     format("slope %.2f against %.2f", wide, narrow), wide > narrow && wide > 1, decides);
  const double narrower = step[1] / step[0], wider = step[last] / step[last - 1];
  experiment.reading(
      (width[1] == 2 * width[0] && width[last] == 2 * width[last - 1]
           ? format("Batch %zu: twice the width, from %.0f on, takes %.2f times as long, and from %.0f on %.2f times. ",
                    batch, width[0], narrower, width[last - 1], wider)
           : format("Batch %zu: width %.0f takes %.2f times as long as %.0f, and %.0f %.2f times as long as %.0f. ",
                    batch, width[1], narrower, width[0], width[last], wider, width[last - 1])) +
      format(
          "The %s computes at %.3g GFLOP/s at width %.0f and at %.3g at width %.0f; the optimizer has %.0f %% of the "
          "time there.",
          examples::is_host(experiment.device()) ? "processor" : "device", gflops[0], width[0], gflops[last],
          width[last], 100 * share[last]));
}

// Depth or width, at every batch size, so often. Nothing when it was interrupted.
bool sweep(Experiment& experiment, const mt::Dataset& data, const Series& series,
           const std::vector<std::size_t>& batches) {
  std::vector<double> repeats(experiment.seeds());
  std::iota(repeats.begin(), repeats.end(), 0.0);
  const mt::Grid grid({{"repeat", repeats},
                       {series.varied, {series.sizes.begin(), series.sizes.end()}},
                       {"batch_size", {batches.begin(), batches.end()}}});
  const bool by_depth = series.varied == std::string("depth");
  const double seconds = experiment.quick() ? 0.03 : 0.5;
  const mt::SweepResult found = mt::run_sweep(
      grid, metrics,
      [&](const mt::Point& p) {
        return examples::on_device(experiment.device(), experiment.threads(), [&](const auto& device) {
          const std::size_t size = p.count(series.varied);
          return examples::with_loss(data, [&](const auto& loss) {
            return measure(device, data, loss, by_depth ? size : series.fixed, by_depth ? series.fixed : size,
                           p.count("batch_size"), seconds);
          });
        });
      },
      experiment.sweep_options(series.varied, 1));
  if (!found.complete()) return false;
  experiment.add(grid, found, {{"varied", series.varied}});
  const std::vector<double> values(series.sizes.begin(), series.sizes.end());
  std::printf("\n%6s %6s %12s %12s %14s %12s %10s %12s %8s\n", series.varied, "batch", "parameters", "FLOP/sample",
              "memory, bytes", "us/step", "GFLOP/s", "samples/s", "update");
  for (const std::size_t batch : batches) {
    const Column column = [&](const std::string& metric) {
      return examples::medians(grid, found, metric, series.varied, values,
                               {{"batch_size", static_cast<double>(batch)}});
    };
    const auto parameters = column("parameters"), flops = column("flops_per_sample"), bytes = column("measured_bytes"),
               step = column("step_us"), gflops = column("gflops"), rate = column("samples_per_s"),
               share = column("update_share");
    for (std::size_t i = 0; i < series.sizes.size(); ++i) {
      std::printf("%6zu %6zu %12.0f %12.0f %14.0f %12.1f %10.2f %12.0f %6.0f %%\n", series.sizes[i], batch,
                  parameters[i], flops[i], bytes[i], step[i], gflops[i], rate[i], 100 * share[i]);
    }
    if (by_depth) {
      judge_depth(experiment, values, column, batch);
    } else {
      judge_width(experiment, values, column, batch, batch == batches.back());
    }
  }
  judge_counts(experiment, data, series, grid, found);
  const auto plot = [&](const std::string& metric, const std::string& label, const std::string& title, bool log) {
    experiment.plot({.file = metric + "_by_" + series.varied,
                     .title = title + " against " + series.varied,
                     .x = series.varied,
                     .x_label = by_depth ? "hidden layers" : "width of the hidden layers",
                     .y = metric,
                     .y_label = label,
                     .y_log = log,
                     .series = {"batch_size"},
                     .where = {{"varied", series.varied}}});
  };
  plot("step_us", "step (us)", "Time of a step", true);
  plot("gflops", "GFLOP/s", "Rate of computing", false);
  plot("measured_bytes", "memory (bytes)", "Memory, without the data set,", true);
  return true;
}

}  // namespace

int main(int argc, char** argv) try {
  Experiment experiment(argc, argv,
                        {.name = "15_model_size",
                         .question = "What does a larger model cost?",
                         .summary = "Parameters, operations, memory and time against depth and width.",
                         .threads = 1,
                         .takes = examples::Takes::any});
  const bool quick = experiment.quick();
  const auto depths =
      experiment.arguments().numbers("--depths", quick ? "1,2,4,8" : "1,2,4,8,16", "hidden layers, of 128");
  const auto widths = experiment.arguments().numbers(
      "--widths", quick ? "16,32,64,128,256,512" : "16,32,64,128,256,512,1024,2048", "of two hidden layers");
  const auto batches =
      experiment.arguments().numbers("--batches", quick ? "32,256" : "32,128,512", "samples of a step");
  if (experiment.help_shown()) return examples::ok;
  if (depths.size() < 2 || widths.size() < 2) throw examples::UsageError("--depths, --widths: give two or more");
  const mt::Dataset data =
      experiment.data().empty()
          ? mt::synthetic_classification({.samples = 32'768, .features = 64, .classes = 10, .seed = 1})
          : examples::load_data(experiment.data()).parts.train;
  experiment.setting("inputs and outputs", format("%zu, %zu", data.feature_columns(), examples::outputs_for(data)));
  experiment.setting("depths, of width 128", examples::listed(depths));
  experiment.setting("widths, of depth 2", examples::listed(widths));
  experiment.setting("batches", examples::listed(batches));
  experiment.setting("optimizer", "Adam");
  experiment.setting("threads", std::to_string(experiment.threads()));
  if (sweep(experiment, data, {"depth", depths, 128}, batches)) sweep(experiment, data, {"width", widths, 2}, batches);
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}

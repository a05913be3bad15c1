// How noisy is the gradient, and how does that change while a network learns? The noise scale tr(Σ)/|G|² exactly, from
// the gradients of all samples, and by the two-batch estimator of McCandlish et al. 2018, along a run of SGD.
#include <bit>

#include "common/experiment.hpp"
#include "common/format.hpp"
#include "common/gradient_noise.hpp"
#include "common/on_device.hpp"
#include "common/temporary_file.hpp"
#include "common/time_to_target.hpp"

namespace mt = minitrain;
using examples::Experiment, examples::format, examples::GradientMeter, examples::Noise;

namespace {

constexpr std::size_t batch_size = 64, big_batch = 1024;
constexpr double rate = 0.1;

// The data, and a network for it as the reference results have it.
struct Setup {
  std::string name;
  mt::Dataset data;
  std::size_t hidden;
  mt::Sequential<mt::Dense, mt::ReLU, mt::Dense> model;
};

Setup setup(const std::string& folder) {
  const bool real = !folder.empty();
  examples::RealData read{"synthetic clusters", {}};
  if (real) {
    // Whole batches, of 60,000 samples 937: right after a short one the gradient is that of a worse place.
    read = examples::load_data(folder);
    examples::want_samples(read.parts.train, big_batch);
    read.parts.train = examples::samples_from(read.parts.train, 0, read.parts.train.size() / batch_size * batch_size);
  } else {
    read.parts.train = examples::workload("").train;
  }
  const mt::Dataset data = read.parts.train;
  const std::size_t hidden = real ? 128 : 32;
  const auto dense = [](std::size_t in, std::size_t out) {
    return mt::Dense{.in = in, .out = out, .init = mt::Init::he_normal, .bias_init = mt::Init::zeros};
  };
  return {read.name, data, hidden,
          mt::Sequential{dense(data.feature_columns(), hidden), mt::ReLU{}, dense(hidden, data.classes())}};
}

// Trains `steps` steps, and measures there. Trained anew for every point: then points can go side by side.
template <class Device>
std::vector<double> measure(const Device& device, const Setup& s, std::size_t steps, std::uint64_t seed,
                            std::size_t draws) {
  mt::TrainerOptions options{.epochs = steps * batch_size / s.data.size() + 1, .batch_size = batch_size, .seed = seed};
  options.noise_scale_every = 1;
  mt::Trainer<float, Device> trainer{device, s.model, mt::SoftmaxCrossEntropy{}, mt::SGD{.learning_rate = rate},
                                     options};
  if (steps > 0) {
    trainer.fit(s.data, {.on_step = [&](const mt::StepEvent& e) {
                  if (examples::was_interrupted()) throw examples::Interrupted();
                  if (e.step == steps) trainer.request_stop();
                }});
  }
  const examples::TemporaryFile weights;
  trainer.save_weights(weights.path());
  GradientMeter<float, Device> meter(device, s.model, s.data.size());
  meter.load_weights(weights.path());
  const auto exact = meter.exact(s.data);
  const auto estimated = meter.two_batches(s.data, batch_size, big_batch, draws, seed);
  std::vector<double> values{exact.loss,           exact.all.signal,    exact.all.noise,
                             estimated.all.signal, estimated.all.noise, trainer.noise_scale().value};
  for (std::size_t layer = 0; layer < exact.layer_signals.size(); ++layer) {
    // |G|² of the whole data set is known; what batches of 64 have more than that is tr(Σ)/64.
    values.push_back(exact.layer_signals[layer]);
    values.push_back(static_cast<double>(batch_size) * (estimated.small_squares[layer] - exact.layer_signals[layer]));
  }
  return values;
}

const std::vector<std::string> metrics{"training_loss",   "exact_signal",  "exact_noise",   "estimated_signal",
                                       "estimated_noise", "trainer_scale", "hidden_signal", "hidden_noise",
                                       "output_signal",   "output_noise"};

// How far, relative, statements are from the truth that are exact: on 12 samples, in double, everything can be counted.
double identities(const Setup& s) {
  constexpr std::size_t n = 12;
  const mt::Dataset few = examples::samples_from(s.data, 0, n);
  GradientMeter<double, mt::Cpu> meter(mt::Cpu{{.threads = 1}}, s.model, n);
  mt::DataLoader<double> loader(few, {.batch_size = n}, mt::Cpu{{.threads = 1}});
  std::vector<std::vector<double>> g;
  for (std::size_t i = 0; i < n; ++i) g.push_back(meter.gradient(loader, 0, i, 1).values);
  const double all = examples::sum(meter.gradient(loader, 0, 0, n).squares());
  // The mean of |mean of g_i|² over all subsets of `size` samples.
  const auto mean_squares = [&](std::size_t size) {
    double squares = 0, subsets = 0;
    for (unsigned set = 0; set < 1u << n; ++set) {
      if (static_cast<std::size_t>(std::popcount(set)) != size) continue;
      ++subsets;
      for (std::size_t k = 0; k < g[0].size(); ++k) {
        double mean = 0;
        for (std::size_t i = 0; i < n; ++i) mean += (set >> i & 1) != 0 ? g[i][k] / static_cast<double>(size) : 0;
        squares += mean * mean;
      }
    }
    return squares / subsets;
  };
  // By the trainer's norms; by the estimator from batches of 1, 2 and 3 against all 12. All are the same two numbers.
  const Noise truth = meter.exact(few).all;
  double worst = 0;
  for (const std::size_t size : {1, 2, 3}) {
    const mt::NoiseSample sample{static_cast<double>(size), mean_squares(size), n, all};
    worst = std::max({worst, std::abs(sample.noise() / truth.noise - 1), std::abs(sample.signal() / truth.signal - 1)});
  }
  return worst;
}

// Means over the seeds at one step: of signal and of noise, each for itself.
struct Row {
  double step = 0, loss = 0, trainer = 0;
  Noise exact{}, estimated{}, hidden{}, output{};
  double agreement() const { return estimated.scale() / exact.scale(); }
};

std::vector<Row> rows_of(const mt::Grid& grid, const mt::SweepResult& found, std::size_t seeds) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < grid.size(); i += seeds) {
    const auto mean = [&](const char* metric) {
      double all = 0;
      for (std::size_t k = 0; k < seeds; ++k) all += found.value(i + k, metric) / static_cast<double>(seeds);
      return all;
    };
    const auto noise = [&](const std::string& what) {
      return Noise{mean((what + "_signal").c_str()), mean((what + "_noise").c_str())};
    };
    rows.push_back({grid[i]["step"], mean("training_loss"), mean("trainer_scale"), noise("exact"), noise("estimated"),
                    noise("hidden"), noise("output")});
  }
  std::ranges::sort(rows, {}, &Row::step);
  return rows;
}

void show(Experiment& experiment, const std::vector<Row>& rows) {
  std::printf("%6s %8s %10s %10s %8s %9s %6s %9s %9s %9s\n", "step", "loss", "|G|^2", "tr(S)", "exact", "estimate",
              "ratio", "trainer", "hidden", "output");
  for (const Row& r : rows) {
    std::printf("%6g %8.3f %10.4g %10.4g %8.1f %9.1f %6.2f %9.1f %9.1f %9.1f\n", r.step, r.loss, r.exact.signal,
                r.exact.noise, r.exact.scale(), r.estimated.scale(), r.agreement(), r.trainer, r.hidden.scale(),
                r.output.scale());
    // Step 0 is drawn at 1: its axis is logarithmic.
    const std::string step = examples::shortest(std::max(1.0, r.step));
    for (const auto& [name, scale] : {std::pair("exact", r.exact.scale()),
                                      {"two batches", r.estimated.scale()},
                                      {"trainer, last 200 steps", r.trainer},
                                      {"hidden layer", r.hidden.scale()},
                                      {"output layer", r.output.scale()}}) {
      if (!std::isnan(scale)) experiment.add({{"drawn_at", step}, {"of", name}}, "noise_scale", scale);
    }
    experiment.add({{"drawn_at", step}, {"of", "signal"}}, "gradient", r.exact.signal);
    experiment.add({{"drawn_at", step}, {"of", "noise"}}, "gradient", r.exact.noise);
  }
}

void judge(Experiment& experiment, const std::vector<Row>& rows) {
  double log_ratio = 0, worst = 0;
  for (const Row& r : rows) {
    log_ratio += std::log(r.agreement()) / static_cast<double>(rows.size());
    worst = std::max(worst, std::abs(std::log(r.agreement())));
  }
  // At a single moment |G|² is as chance has it: at such a rate it swings. Over 200 steps it does not, where the
  // trainer can tell: once nothing is left to learn, its |G|² is lost in the noise.
  const Row &first = rows.front(), &last = rows.back();
  const double end = std::isnan(last.trainer) ? last.exact.scale() : last.trainer;
  const double rise = end / first.exact.scale(), wanted = experiment.quick() ? 3 : 10;
  const bool decides = experiment.usual_data();
  experiment.verdict(format("the noise scale rises over training, by %g or more", wanted),
                     format("from %.0f to %.0f samples in %g steps", first.exact.scale(), end, last.step),
                     rise >= wanted, decides);
  experiment.verdict("two batches tell it within 15 %, in the geometric mean over the steps",
                     format("%.3f of the exact one", std::exp(log_ratio)), std::abs(std::exp(log_ratio) - 1) < 0.15,
                     decides);
  experiment.verdict("... and at every single step within 30 %",
                     format("%.0f %% off at worst", 100 * std::expm1(worst)), std::exp(worst) < 1.3, false);
  experiment.verdict("it rises because the signal falls, more than the noise",
                     format("|G|^2 falls to %.3g of what it was, tr(S) to %.3g", last.exact.signal / first.exact.signal,
                            last.exact.noise / first.exact.noise),
                     last.exact.signal / first.exact.signal < last.exact.noise / first.exact.noise, decides);
  experiment.fit("noise scale", "at the beginning", first.exact.scale(), examples::nan, examples::nan, "samples");
  experiment.fit("noise scale", "at the end, of the last 200 steps", last.trainer, examples::nan, examples::nan,
                 "samples");
  const double signal = last.exact.signal / first.exact.signal, noise = last.exact.noise / first.exact.noise;
  std::string reading = "At first a batch of " + examples::whole(first.exact.scale()) +
                        " is as large as is worth its samples, in the end one of " + examples::whole(end) + ". ";
  if (signal < noise && noise < 1) {
    reading += "The signal |G|^2 falls to 1/" + examples::whole(1 / signal) +
               format(", the noise tr(S) only to 1/%.1f.", 1 / noise);
  } else {
    reading += format("The signal |G|^2 is %.3g times what it was, the noise tr(S) %.3g times", signal, noise) +
               (signal < noise ? "." : ": that the signal falls more than the noise is not seen.");
  }
  if (last.hidden.scale() > 0 && last.output.scale() > 0) {
    reading += " In the end the hidden layer alone has a noise scale of " + examples::whole(last.hidden.scale()) +
               ", the output layer of " + examples::whole(last.output.scale()) + ".";
  }
  experiment.reading(reading);
}

void draw(Experiment& experiment, const Setup& s) {
  examples::Plot scale{.file = "noise_scale",
                       .title = "Noise scale of the gradient along training",
                       .x = "drawn_at",
                       .x_label = "optimizer steps (0 is drawn at 1)",
                       .y = "noise_scale",
                       .y_label = "tr(\u03a3)/|G|\u00b2 (samples)",
                       .y_log = true,
                       .series = {"of"},
                       .spread = "none"};
  // Ratios of means over three seeds, another implementation: only for the network and the data that it had.
  if (s.name == "Fashion-MNIST")
    scale.theory.push_back({"another implementation, 3 seeds",
                            {1, 30, 100, 300, 938, 2814, 9380},
                            {24.3, 60.7, 56.3, 106.4, 207.7, 312.4, 578.6}});
  examples::Plot parts = scale;
  parts.file = "signal_and_noise", parts.title = "What the noise scale is made of", parts.y = "gradient";
  parts.y_label = "|G|\u00b2 and tr(\u03a3)", parts.theory.clear();
  experiment.plot(scale);
  experiment.plot(parts);
}

}  // namespace

int main(int argc, char** argv) try {
  Experiment experiment(
      argc, argv,
      {.name = "10_noise_scale",
       .question = "How noisy is the gradient, and how does that change while a network learns?",
       .summary = "Measures the noise scale of the gradient along training, exactly and by estimators.",
       .seeds = 6});
  const bool quick = experiment.quick();
  const auto at = experiment.arguments().numbers("--at", quick ? "0,30,100,300,938" : "0,30,100,300,938,2814,9380",
                                                 "optimizer steps after which it is measured", 0);
  const std::size_t draws = experiment.arguments().number("--draws", 20, "big batches of the two-batch estimator");
  if (experiment.help_shown()) return examples::ok;

  const Setup s = setup(experiment.data());
  experiment.setting("samples", std::to_string(s.data.size()));
  experiment.setting("network", format("%zu-%zu-%zu, ReLU, He", s.data.feature_columns(), s.hidden, s.data.classes()));
  experiment.setting("optimizer", format("SGD, learning rate %g, batch size %zu", rate, batch_size));
  experiment.setting("measured after steps", examples::listed(at));
  experiment.setting("two-batch estimator",
                     format("%zu batches of %zu, each in parts of %zu", draws, big_batch, batch_size));
  std::vector<double> steps(at.rbegin(), at.rend()), seeds(experiment.seeds());  // the longest first
  std::iota(seeds.begin(), seeds.end(), 1);
  const mt::Grid grid({{"step", steps}, {"seed", seeds}});
  const mt::SweepResult found = examples::sweep_until_interrupt(
      grid, metrics,
      [&](const mt::Point& p) {
        return examples::on_one_thread(experiment.device(), [&](const auto& device) {
          return measure(device, s, p.count("step"), p.count("seed"), draws);
        });
      },
      experiment.sweep_options("noise", experiment.device() == "cpu" ? 0 : 1));
  if (!found.complete()) return experiment.finish();
  experiment.add(grid, found);
  const std::vector<Row> rows = rows_of(grid, found, seeds.size());
  show(experiment, rows);
  const double off = identities(s);
  experiment.verdict(
      "on 12 samples, in double, norms of single gradients and batches of 1, 2 and 3 give the same numbers",
      format("relative differences up to %.1e", off), off < 1e-9);
  judge(experiment, rows);
  draw(experiment, s);
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}

// How does training time vary with batch size? One model, trained from scratch at every batch size, several times over.
// Rounds go over all batch sizes, so that whatever else the machine does hits all of them alike.
#include <minitrain/experiment/line.hpp>
#include <minitrain/trainer.hpp>

#include "common/arguments.hpp"
#include "common/find_data.hpp"
#include "common/progress.hpp"
#include "common/table.hpp"

namespace mt = minitrain;

// What the runs at one batch size gave, a value from each run.
struct Runs {
  std::size_t batch = 0, steps = 0;  // steps of an epoch
  std::vector<double> step_us = {}, epoch_s = {}, loss = {};
};

static std::size_t hidden(const mt::Dataset& data) { return data.is_classification() ? 128 : 64; }
static std::size_t outputs(const mt::Dataset& data) {
  return data.is_classification() ? data.classes() : data.target_columns();
}

// f(model, loss, optimizer) for that data.
template <class F>
static auto with_parts(const mt::Dataset& data, const F& f) {
  const mt::Mlp model{.widths = {data.feature_columns(), hidden(data), outputs(data)}};
  const mt::Adam adam{.learning_rate = 1e-3f};
  if (data.is_classification()) return f(model, mt::SoftmaxCrossEntropy{}, adam);
  return f(model, mt::MeanSquaredError{}, adam);
}

static mt::Trainer<> make_trainer(const mt::Dataset& data, std::size_t threads, const mt::TrainerOptions& options) {
  const mt::Cpu device{{.threads = threads}};
  return with_parts(data, [&](const auto&... parts) { return mt::Trainer<>(device, parts..., options); });
}

// What all runs would take: memory for the largest batch, seconds for each.
static void show_estimates(const mt::Dataset& data, std::size_t threads, const std::vector<std::size_t>& batches,
                           std::size_t epochs, std::size_t repeats) {
  const mt::Cpu device{{.threads = threads}};
  mt::Estimate largest;
  double seconds = 0;
  std::printf("%6s %8s %10s %10s %10s\n", "batch", "steps", "us/step", "s/epoch", "s/run");
  for (const std::size_t batch : batches) {
    const mt::Estimate e = with_parts(data, [&](const auto&... parts) {
      return mt::estimate(data, parts..., {.epochs = epochs, .batch_size = batch}, device);
    });
    std::printf("%6zu %8llu %10.2f %10.5f %10.4g\n", batch, static_cast<unsigned long long>(e.steps),
                1e6 * e.seconds_per_step, e.seconds_per_epoch, e.seconds);
    seconds += static_cast<double>(repeats) * e.seconds;
    if (e.memory.total() >= largest.memory.total()) largest = e;
  }
  std::printf("\n%s\nabout %.3g s in all\n", mt::to_string(largest).c_str(), seconds);
}

// Trains once and adds what it took: medians over the epochs, and the loss on data never trained on.
static void train_once(const mt::Split& data, std::size_t threads, const mt::TrainerOptions& options, Runs& runs) {
  mt::Trainer trainer = make_trainer(data.train, threads, options);
  const auto stop_after_interrupt = [&](const mt::EpochRecord&) {
    if (examples::was_interrupted()) trainer.request_stop();
  };
  const mt::History history = trainer.fit(data.train, {.on_epoch = stop_after_interrupt});
  std::vector<double> seconds;
  for (const mt::EpochRecord& epoch : history.epochs) seconds.push_back(epoch.seconds);
  runs.steps = history.epochs.front().steps;
  runs.epoch_s.push_back(mt::spread(seconds).median);
  runs.step_us.push_back(1e6 * runs.epoch_s.back() / static_cast<double>(runs.steps));
  runs.loss.push_back(trainer.evaluate(data.test).loss);
}

// Prints the table and the line through the step times; writes them to the files that are named.
static void show(const std::vector<Runs>& all, std::size_t samples, const std::string& csv, const std::string& json) {
  examples::Table table({"batch_size", "steps", "step_us_median", "step_us_low", "step_us_high", "epoch_s_median",
                         "epoch_s_low", "epoch_s_high", "samples_per_s_median", "final_loss_median", "final_loss_low",
                         "final_loss_high"});
  std::vector<double> batch, seconds;
  std::printf("%6s %6s %10s %21s %10s %12s %10s %19s\n", "batch", "steps", "us/step", "(low to high)", "s/epoch",
              "samples/s", "loss", "(low to high)");
  for (const Runs& runs : all) {
    const auto step = mt::spread(runs.step_us), epoch = mt::spread(runs.epoch_s);
    const auto loss = mt::spread(runs.loss);
    const double rate = static_cast<double>(samples) / epoch.median;
    std::printf("%6zu %6zu %10.2f (%8.2f to %7.2f) %10.5f %12.0f %10.3g (%.2g to %.2g)\n", runs.batch, runs.steps,
                step.median, step.low, step.high, epoch.median, rate, loss.median, loss.low, loss.high);
    batch.push_back(static_cast<double>(samples) / static_cast<double>(runs.steps));  // the last one may be short
    seconds.push_back(1e-6 * step.median);
    table.add({static_cast<double>(runs.batch), static_cast<double>(runs.steps), step.median, step.low, step.high,
               epoch.median, epoch.low, epoch.high, rate, loss.median, loss.low, loss.high});
  }
  std::string line = "null";
  if (std::ranges::min(batch) < std::ranges::max(batch)) {
    const mt::StepTime fit = mt::fit_step_time(batch, seconds);
    std::printf("\nt(B) = t0 + B/r: t0 = %.2f us, r = %.4g samples/s, R2 = %.4f\n", 1e6 * fit.t0, fit.r, fit.r_squared);
    if (fit.t0 > 0) {
      std::printf("B_half = t0 r = %.1f samples: a step of that size reaches half of r\n", fit.half_batch());
    } else {
      std::printf(
          "what a step costs whatever its size is lost in the noise: measure smaller batches too, --batches "
          "1,2,4,...\n");
    }
    line = examples::json_object(
        {{"t0_us", 1e6 * fit.t0}, {"r", fit.r}, {"b_half", fit.half_batch()}, {"r2", fit.r_squared}});
  }
  if (!csv.empty()) examples::write_file(csv, table.csv());
  if (!json.empty()) examples::write_file(json, "{\"fit\": " + line + ", \"rows\": " + table.json() + "}\n");
}

int main(int argc, char** argv) try {
  examples::Arguments arguments(argc, argv,
                                "Time per step and per epoch, and the loss reached, against the batch size.");
  const auto batches = arguments.numbers("--batches", "32,64,128,256,512,1024,2048,4096", "samples of one step");
  const std::string folder = arguments.text("--data", "DIR", "Fashion-MNIST instead of 10 synthetic features");
  const bool quick = arguments.flag("--quick", "few epochs, one run at each batch size");
  const std::size_t epochs = arguments.number("--epochs", quick ? 5 : folder.empty() ? 100 : 5, "of one run");
  const std::size_t repeats = arguments.number("--repeats", quick ? 1 : 3, "runs at each batch size");
  const std::size_t threads = arguments.number("--threads", 1, "of the processor; 0: all there are", 0);
  const std::uint64_t seed = arguments.number("--seed", 1, "of the first round; the next one has the next", 0);
  const std::string csv = arguments.text("--csv", "FILE", "where to write the table");
  const std::string json = arguments.text("--json", "FILE", "where to write the table and the line through it");
  const bool dry_run = arguments.dry_run();
  if (arguments.help_shown()) return examples::ok;

  const mt::Split data = folder.empty()
                             ? mt::split(mt::synthetic_regression({.samples = 250'000, .features = 10, .seed = 1}))
                             : examples::load_images(folder);
  std::printf("%zu-%zu-%zu, Adam, learning rate 0.001, on %s\n", data.train.feature_columns(), hidden(data.train),
              outputs(data.train), mt::describe_device(mt::Cpu{{.threads = threads}}).c_str());
  std::printf("%zu epochs of %zu samples at every batch size, %zu times\n\n", epochs, data.train.size(), repeats);
  if (dry_run) {
    show_estimates(data.train, threads, batches, epochs, repeats);
    return examples::ok;
  }
  std::vector<Runs> all;
  for (const std::size_t batch : batches) all.push_back({.batch = batch});
  for (const std::string& file : {csv, json}) {
    if (!file.empty()) examples::write_file(file, "");  // better to fail now than after the runs
  }
  examples::Progress progress;
  examples::listen_for_interrupt();
  for (std::size_t run = 0; run < repeats * all.size(); ++run) {
    const std::size_t round = run / all.size(), i = run % all.size();
    Runs& runs = all[round % 2 == 0 ? i : all.size() - 1 - i];  // there and back again
    if (progress.due()) {
      progress.show(static_cast<double>(run) / static_cast<double>(repeats * all.size()),
                    "round " + std::to_string(round + 1) + ", batch size " + std::to_string(runs.batch));
    }
    train_once(data, threads, {.epochs = epochs, .batch_size = runs.batch, .seed = seed + round}, runs);
    if (examples::was_interrupted()) return examples::interrupted_code();
  }
  progress.clear();
  show(all, data.train.size(), csv, json);
} catch (const std::exception& error) {
  return examples::report(error);
}

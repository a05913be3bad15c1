// What will a run move, take and last? estimate() says so before it; here it is held against what was measured: for one
// run in full, and over batch sizes and numbers of samples, for data that is resident as floats or, where it is made of
// them, as bytes, or streamed.
#include <minitrain/experiment/fits.hpp>

#include <numeric>

#include "common/answers.hpp"
#include "common/experiment.hpp"
#include "common/format.hpp"
#include "common/medians.hpp"
#include "common/on_device.hpp"
#include "common/one_run.hpp"
#include "common/optimizer_bytes.hpp"
#include "common/samples.hpp"
#include "common/stored_samples.hpp"

namespace mt = minitrain;
using examples::Experiment, examples::format, examples::bytes, examples::floats, examples::streamed;

namespace {

constexpr std::size_t hidden = 32;

const std::vector<std::string> metrics{"steps",
                                       "gathered_bytes",
                                       "sent_bytes",
                                       "sent_copies",
                                       "predicted_sent_bytes",
                                       "predicted_copies",
                                       "received_bytes",
                                       "predicted_received",
                                       "data_set_sent_bytes",
                                       "epoch_sent_bytes",
                                       "memory_bytes",
                                       "predicted_memory",
                                       "epoch_s",
                                       "predicted_epoch_s",
                                       "step_us",
                                       "gpu_epoch_bytes",
                                       "gpu_epoch_copies"};

// Science, not the library: an epoch gathers N·(D·sizeof(x) + sizeof(y)) bytes in ceil(N/B) steps, whatever B is.
std::uint64_t row_bytes(std::size_t kind, std::size_t columns) {
  static_assert(sizeof(float) == sizeof(std::int32_t));  // a target, a label
  return columns * (kind == bytes ? 1 : sizeof(float)) + sizeof(float);
}

// One run without and one with a profile.
template <class Device, class Loss>
std::vector<double> measure(const Device& device, const mt::Dataset& data, const Loss& loss, std::size_t batch,
                            std::size_t epochs) {
  const mt::Mlp model{.widths = {data.feature_columns(), hidden, examples::outputs_for(data)}};
  const mt::Adam adam;
  mt::TrainerOptions options{.epochs = epochs, .batch_size = batch, .micro_batch_size = batch, .seed = 1};
  const mt::Estimate e = mt::estimate(data, model, loss, adam, options, examples::of_its_own(device));
  const auto make = [&](const auto& where) { return mt::Trainer{where, model, loss, adam, options}; };
  const examples::Measured m = examples::run(data, device, make);
  options.profile = true;
  mt::Trainer trainer = make(device);
  trainer.fit(data);
  const mt::Profile& profile = trainer.profile();
  const mt::EpochProfile& epoch = profile.epochs.back();
  // What a GPU that does not keep the data would be sent in an epoch: no GPU is asked.
  const mt::PredictedTraffic<mt::Cuda> gpu(
      {.data = size_of(data), .batch_size = batch, .micro_batch = batch, .resident = false});
  const double seconds = m.epoch_seconds;
  std::vector<double> values;
  for (const std::uint64_t count :
       {std::uint64_t{epoch.steps}, epoch.sample_bytes, m.traffic.to_device_bytes, m.traffic.to_device_copies,
        e.run.to_device_bytes, e.run.to_device_copies, m.traffic.from_device_bytes, e.run.from_device_bytes,
        profile.data_set.measured.to_device_bytes, epoch.transfer.measured.to_device_bytes, m.memory,
        std::uint64_t{e.memory.total()}}) {
    values.push_back(static_cast<double>(count));
  }
  values.insert(values.end(), {seconds, e.seconds_per_epoch, 1e6 * seconds / static_cast<double>(epoch.steps),
                               static_cast<double>(gpu.epoch(1).to_device_bytes),
                               static_cast<double>(gpu.epoch(1).to_device_copies)});
  return values;
}

void judge(Experiment& experiment, const mt::Grid& grid, const mt::SweepResult& found, const mt::Dataset& data) {
  const bool on_host = examples::is_host(experiment.device());
  std::size_t wrong_steps = 0, wrong_bytes = 0, wrong_traffic = 0, wrong_gpu = 0;
  double memory = 0;
  std::vector<double> ratios;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const std::size_t kind = grid[i].count("kind"), n = grid[i].count("samples"), batch = grid[i].count("batch_size");
    const auto value = [&](const char* metric) { return found.value(i, metric); };
    const auto steps = static_cast<double>((n + batch - 1) / batch);
    const auto epoch = static_cast<double>(n * row_bytes(kind, data.feature_columns()));
    wrong_steps += value("steps") != steps;
    wrong_bytes += value("gathered_bytes") != epoch;
    // A resident set goes to the device once, a streamed one in every epoch; on a host neither goes anywhere.
    const bool is_resident = kind != streamed;
    wrong_traffic += value("sent_bytes") != value("predicted_sent_bytes") ||
                     value("received_bytes") != value("predicted_received") ||
                     (on_host && (value("sent_bytes") != 0 || value("received_bytes") != 0)) ||
                     (!on_host && is_resident && value("data_set_sent_bytes") != epoch);
    wrong_gpu += value("gpu_epoch_bytes") != epoch || value("gpu_epoch_copies") != 2 * steps;
    const double planned = value("predicted_memory");
    memory = std::max(memory, std::abs(value("memory_bytes") - planned) / (0.1 * planned + (64 << 10)));
    ratios.push_back(value("epoch_s") / value("predicted_epoch_s"));
  }
  const auto of = [&](std::size_t wrong) { return format("%zu of %zu runs differ", wrong, grid.size()); };
  experiment.verdict("an epoch takes ceil(N/B) steps", of(wrong_steps), wrong_steps == 0);
  experiment.verdict("an epoch gathers N·(D·sizeof(x) + sizeof(y)) bytes, whatever B", of(wrong_bytes),
                     wrong_bytes == 0);
  experiment.verdict("bytes to and from the device are those predicted", of(wrong_traffic), wrong_traffic == 0);
  experiment.verdict("batch by batch, a GPU is predicted to be sent as many bytes, in 2·ceil(N/B) copies",
                     of(wrong_gpu), wrong_gpu == 0);
  experiment.verdict("memory is what plan() says, to 10 % and 64 KiB", format("at most %.3f of that off", memory),
                     memory < 1);
  // Of the largest sets, in the largest batches.
  const auto at = [&](const char* metric, double kind) {
    return examples::medians(grid, found, metric, "samples", {grid[grid.size() - 1]["samples"]},
                             {{"kind", kind}, {"batch_size", grid[grid.size() - 1]["batch_size"]}})[0];
  };
  const bool as_bytes = examples::has_bytes(data);
  const std::string fewer =
      as_bytes ? format(", and %.4g where they are bytes, %.2f times fewer", at("gathered_bytes", bytes),
                        at("gathered_bytes", floats) / at("gathered_bytes", bytes))
               : "";
  const std::string quicker = as_bytes ? format(", %.4g s from bytes", at("epoch_s", bytes)) : "";
  experiment.reading(format(
      "Of %.0f samples an epoch gathers %.4g bytes where they are floats, %s%s. In batches of "
      "%zu it takes %.4g s from floats in memory%s and %.4g s from a file of floats.",
      grid[grid.size() - 1]["samples"], at("gathered_bytes", floats),
      wrong_bytes == 0 ? "whatever the batch" : "in the largest batches", fewer.c_str(),
      grid[grid.size() - 1].count("batch_size"), at("epoch_s", floats), quicker.c_str(), at("epoch_s", streamed)));
  const mt::Spread ratio = mt::spread(ratios);
  experiment.fit("seconds of an epoch, measured / predicted", "median", ratio.median, ratio.low, ratio.high);
  experiment.verdict("an epoch lasts as long as predicted, to a factor of 1.5 in the middle",
                     format("%.2f (%.2f to %.2f)", ratio.median, ratio.low, ratio.high),
                     ratio.median < 1.5 && ratio.median > 1 / 1.5, false);
}

void plots(Experiment& experiment, std::size_t samples) {
  const std::vector<std::pair<std::string, std::string>> where{{"samples", std::to_string(samples)}};
  const auto plot = [&](const char* metric, const char* label, const char* title) {
    experiment.plot({.file = metric,
                     .title = title,
                     .x = "batch_size",
                     .x_label = "batch size (samples)",
                     .y = metric,
                     .y_label = label,
                     .y_log = true,
                     .series = {"data"},
                     .where = where});
  };
  plot("gathered_bytes", "bytes an epoch", "Bytes gathered in an epoch");
  plot("gpu_epoch_copies", "copies an epoch", "Copies to a GPU that does not keep the data, predicted");
  plot("step_us", "step (us)", "Time of a step");
  plot("epoch_s", "epoch (s)", "Time of an epoch");
}

bool sweep(Experiment& experiment, const mt::Dataset& all, const std::vector<std::size_t>& sizes,
           const std::vector<std::size_t>& batches) {
  std::vector<double> repeats(experiment.seeds());
  std::iota(repeats.begin(), repeats.end(), 0.0);
  const mt::Grid grid({{"repeat", repeats},
                       {"samples", {sizes.begin(), sizes.end()}},
                       {"kind", examples::has_bytes(all) ? std::vector<double>{floats, bytes, streamed}
                                                         : std::vector<double>{floats, streamed}},
                       {"batch_size", {batches.begin(), batches.end()}}});
  std::optional<examples::StoredSamples> data;  // one number of samples at a time
  const mt::SweepResult found = mt::run_sweep(
      grid, metrics,
      [&](const mt::Point& p) {
        if (!data || data->as_floats.size() != p.count("samples")) data.reset(), data.emplace(all, p.count("samples"));
        return examples::on_device(experiment.device(), experiment.threads(), [&](const auto& device) {
          return examples::with_loss(all, [&](const auto& loss) {
            return measure(device, data->of(p.count("kind")), loss, p.count("batch_size"), experiment.quick() ? 2 : 4);
          });
        });
      },
      experiment.sweep_options("traffic", 1));
  if (!found.complete()) return false;
  std::printf("\n%8s %6s  %-18s %7s %12s %12s %12s %12s %10s\n", "samples", "batch", "", "steps", "gathered", "sent",
              "memory", "predicted", "s/epoch");
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const std::string& kind = examples::storage_kinds[grid[i].count("kind")];
    for (const std::string& metric : metrics) {
      experiment.add({{"data", kind},
                      {"samples", std::to_string(grid[i].count("samples"))},
                      {"batch_size", std::to_string(grid[i].count("batch_size"))},
                      {"repeat", std::to_string(grid[i].count("repeat"))}},
                     metric, found.value(i, metric));
    }
    const auto value = [&](const char* metric) { return found.value(i, metric); };
    if (grid[i].count("repeat") != 0) continue;
    std::printf("%8zu %6zu  %-18s %7.0f %12.0f %12.0f %12.0f %12.0f %10.5f\n", grid[i].count("samples"),
                grid[i].count("batch_size"), kind.c_str(), value("steps"), value("gathered_bytes"), value("sent_bytes"),
                value("memory_bytes"), value("predicted_memory"), value("epoch_s"));
  }
  judge(experiment, grid, found, all);
  plots(experiment, sizes.back());
  return true;
}

// What optimizers remember, a number of bytes for each parameter.
void optimizers(Experiment& experiment) {
  const mt::Mlp model{.widths = {784, 512, 256, 16}};
  std::printf("\n%-20s %14s %14s %14s %12s   (784-512-256-16)\n", "optimizer", "plan(), bytes", "formula", "allocated",
              "a parameter");
  bool exact = true, allocated = true;
  std::string words;
  for (const examples::OptimizerBytes& o : examples::optimizer_bytes(model)) {
    std::printf("%-20s %14.0f %14.0f %14.0f %12.4f   %s\n", o.name.c_str(), o.planned, o.expected, o.measured,
                o.planned / o.parameters, o.formula.c_str());
    const examples::Key key{{"optimizer", o.name}};
    experiment.add(key, "state_bytes", o.planned);
    experiment.add(key, "state_bytes_allocated", o.measured);
    experiment.add(key, "state_bytes_per_parameter", o.planned / o.parameters);
    words += format("%s%s %.3g", words.empty() ? "" : ", ", o.name.c_str(), o.planned / o.parameters);
    exact = exact && o.planned == o.expected;
    allocated = allocated && std::abs(o.measured - o.planned) < 4096;
  }
  experiment.reading("Bytes that optimizers remember for a parameter of 784-512-256-16: " + words + ".");
  experiment.verdict("the state of an optimizer is planned as the formula has it", exact ? "all nine" : "not all",
                     exact);
  experiment.verdict("and allocated so, to 4 KiB", allocated ? "all nine" : "not all", allocated);
}

}  // namespace

int main(int argc, char** argv) try {
  Experiment experiment(argc, argv,
                        {.name = "06_transfer_and_time",
                         .question = "What will a run move, take and last, and was that so?",
                         .summary = "Bytes, memory and seconds of a run, predicted and measured.",
                         .takes = examples::Takes::any});
  examples::Arguments& arguments = experiment.arguments();
  const bool quick = experiment.quick();
  examples::OneRun run{.device = experiment.device(), .threads = experiment.threads()};
  run.samples = arguments.number("--samples", quick ? 10'000 : 50'000, "of the run that is told in full, to train on");
  run.features = arguments.number("--features", 100, "of a sample of it");
  run.hidden = arguments.number("--hidden", 256, "outputs of each of its two hidden layers");
  run.epochs = arguments.number("--epochs", quick ? 2 : 5, "its passes over the samples");
  run.batch = arguments.number("--batch", 256, "samples of one of its optimizer steps");
  run.streamed = arguments.flag("--file", "read its samples from a file, while they are used");
  run.json = arguments.text("--json", "FILE", "where to write all of it");
  const bool alone = arguments.flag("--one-run", "nothing but that run");
  auto sizes = arguments.numbers("--sizes", quick ? "1000,4000" : "2000,6000,20000",
                                 "samples of the other runs; at most all there are");
  const auto batches = arguments.numbers("--batches", quick ? "32,512" : "32,128,512,2048", "samples of their steps");
  if (experiment.help_shown()) return examples::ok;

  experiment.setting("run told in full",
                     format("%zu-%zu-%zu-10, %zu samples%s, batches of %zu, %zu epochs", run.features, run.hidden,
                            run.hidden, run.samples, run.streamed ? " in a file" : "", run.batch, run.epochs));
  mt::Dataset data;
  if (!alone) {
    data = experiment.data().empty() ? examples::synthetic_images(std::ranges::max(sizes))
                                     : examples::load_data(experiment.data()).parts.train;
    sizes = examples::at_most(sizes, data.size());
    experiment.setting("other runs",
                       format("%zu-%zu-%zu, Adam", data.feature_columns(), hidden, examples::outputs_for(data)));
    experiment.setting("their samples", examples::listed(sizes));
    experiment.setting("their batches", examples::listed(batches));
  }
  experiment.setting("threads", std::to_string(experiment.threads()));
  const bool kept = examples::tell_in_full(run);
  if (examples::was_interrupted()) return experiment.finish();
  experiment.verdict("the run told in full: bytes to and from the device are those predicted",
                     kept ? "they are" : "they are not", kept);
  if (alone) return experiment.finish();
  if (sweep(experiment, data, sizes, batches)) optimizers(experiment);
  return experiment.finish();
} catch (const std::exception& error) {
  return examples::report(error);
}

// Images larger than memory: 256 x 256 x 3 bytes each, in a file or made while they are read, trained on in processes
// that the system refuses more memory than a limit; beside them all images in memory, where these fit. 100,000 images
// are 19.7 GB: --images 100000.
#include <minitrain/data/combine.hpp>
#include <minitrain/data/idx.hpp>
#include <minitrain/experiment/statistics.hpp>
#include <minitrain/trainer.hpp>

#include "common/child_process.hpp"
#include "common/experiment.hpp"
#include "common/format.hpp"
#include "common/on_device.hpp"
#include "common/striped_images.hpp"

#include <algorithm>
#include <optional>

namespace mt = minitrain;

constexpr double mega = 1e6;
constexpr std::uint64_t whole_at_most = std::uint64_t{1} << 30;  // bytes that are also tried in memory

// What is to be done, in every process.
struct Task {
  std::string images = {}, labels = {};  // files; empty: made while they are read
  std::uint64_t memory = 0;
  std::size_t batch = 0, epochs = 0;
  std::string device = {};
  std::size_t threads = 1;  // of the processor
};

enum Way { streamed = 0, whole = 1, by_samples = 2 };
constexpr const char* way_names[] = {"streamed", "in memory", "streamed by samples"};

// It has been said what was wrong.
struct Failed {
  int exit_code;
};

static mt::Dataset images_of(const Task& task, Way way, std::uint64_t count) {
  if (task.images.empty()) {
    const mt::Dataset made = examples::made_images(0, count);
    return way == whole ? mt::read_all(made) : made;
  }
  if (way == whole) return examples::load_images_whole(task.images, task.labels, count);
  return mt::take(
      mt::map_idx(
          task.images, task.labels,
          {.scale = examples::image_scale, .offset = examples::image_offset, .classes = examples::image_classes}),
      count);
}

const std::vector<std::string> metrics{"images_per_s", "waiting_percent", "own_mb", "peak_mb", "loss", "accuracy"};

// In a process of its own. The limit is for what is streamed, and for a processor: a GPU's driver wants more by itself.
static std::vector<double> train(const Task& task, Way way, std::uint64_t count, std::uint64_t seed) {
  // Own memory is counted from here on. What a process has before it does anything is the program's, not training's:
  // linked with CUDA's libraries, their relocations alone are 96 MB.
  const auto before = static_cast<double>(examples::memory_use().own);
  const auto work = [&](const auto& device) {
    if (way != whole && task.device == "cpu") examples::limit_own_memory(task.memory);
    const mt::Dataset data = images_of(task, way, count), test = examples::made_images(std::uint64_t{1} << 40, 200);
    mt::Trainer trainer{device,
                        mt::Mlp{.widths = {examples::image_bytes, 16, examples::image_classes}},
                        mt::SoftmaxCrossEntropy{},
                        mt::SGD{.learning_rate = 5e-3},
                        {.epochs = task.epochs,
                         .batch_size = task.batch,
                         .micro_batch_size = std::min<std::size_t>(task.batch, 8),  // the same bits in less memory
                         .seed = seed,
                         .profile = true,
                         .loading = {.memory_limit = task.memory / 2,
                                     .mixing = way == streamed ? mt::Mixing::automatic : mt::Mixing::samples}}};
    double own = 0;
    const auto look = [&](const mt::StepEvent&) {
      own = std::max(own, static_cast<double>(examples::memory_use().own) - before);
      if (examples::was_interrupted()) trainer.request_stop();
    };
    const mt::History history = trainer.fit(data, {.on_step = look});
    std::vector<double> waiting;
    for (const mt::EpochProfile& epoch : trainer.profile().epochs) waiting.push_back(100 * epoch.stall());
    const mt::Evaluation tested = trainer.evaluate(test);
    const double images = static_cast<double>(count * history.epochs.size());
    return std::vector<double>{images / history.seconds(),
                               mt::spread(waiting).median,
                               own / mega,
                               static_cast<double>(examples::memory_use().peak) / mega,
                               tested.loss,
                               tested.accuracy};
  };
  return examples::on_device(task.device, task.threads, work);
}

// Whether the system refuses all images to a process with the limit. What it says then is what a program would end
// with.
static bool refuses_all(const Task& task, std::uint64_t count) {
  const examples::ChildResult tried = examples::in_child([&]() -> std::vector<double> {
    examples::limit_own_memory(task.memory);
    try {
      return {static_cast<double>(images_of(task, whole, count).size())};
    } catch (const std::bad_alloc& refused) {
      std::printf("All %llu images at once, with %.0f MB: \"error: there is not enough memory\" (%s), exit code %d\n",
                  static_cast<unsigned long long>(count), static_cast<double>(task.memory) / mega, refused.what(),
                  examples::exit_code(refused));
      return {0};
    }
  });
  if (tried.exit_code != examples::ok) throw Failed{tried.exit_code};
  return tried.values[0] == 0;
}

static void show(examples::Experiment& experiment, const Task& task, const mt::Grid& grid,
                 const mt::SweepResult& result) {
  double most = 0, least = 0, most_whole = 0, least_whole = 0, accuracy = 1;
  std::vector<double> rates;  // of all images streamed, one of each seed
  std::uint64_t fewest = 0, all = 0;
  bool same = true, compared = false;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const auto way = static_cast<Way>(grid[i].count("way"));
    const std::uint64_t count = grid[i].count("images");
    const double own = result.value(i, "own_mb");
    std::printf(
        "%-20s %7llu images: %6.0f images/s (%4.1f %% waiting), own memory %6.1f MB, test loss %.5f, accuracy %.3f\n",
        way_names[way], static_cast<unsigned long long>(count), result.value(i, "images_per_s"),
        result.value(i, "waiting_percent"), own, result.value(i, "loss"), result.value(i, "accuracy"));
    for (const std::string& metric : metrics) {
      experiment.add(
          {{"way", way_names[way]}, {"images", std::to_string(count)}, {"seed", std::to_string(grid[i].count("seed"))}},
          metric, result.value(i, metric));
    }
    if (fewest == 0 || count < fewest) fewest = count;
    all = std::max(all, count);
    for (std::size_t k = 0; k < grid.size() && way == by_samples; ++k) {
      if (static_cast<Way>(grid[k].count("way")) != whole || grid[k].count("images") != count ||
          grid[k]["seed"] != grid[i]["seed"])
        continue;
      compared = true;
      same = same && result.value(i, "loss") == result.value(k, "loss");
    }
  }
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const std::uint64_t count = grid[i].count("images");
    const double own = result.value(i, "own_mb");
    const bool in_memory = static_cast<Way>(grid[i].count("way")) == whole;
    if (!in_memory) most = std::max(most, own);
    if (count == all) accuracy = std::min(accuracy, result.value(i, "accuracy"));
    if (count == all && static_cast<Way>(grid[i].count("way")) == streamed)
      rates.push_back(result.value(i, "images_per_s"));
    if (count == fewest && !in_memory) least = std::max(least, own);
    if (count == all && in_memory) most_whole = own;
    if (count == fewest && in_memory) least_whole = own;
  }
  const double limit = static_cast<double>(task.memory) / mega,
               bytes = static_cast<double>(all * examples::image_bytes) / mega;
  if (task.device == "cpu") {
    experiment.verdict(
        examples::format("streaming takes less than %.1f MB of its own, of %.0f MB of images", limit, bytes),
        examples::format("%.1f MB", most), most < limit);
  }
  if (fewest < all) {
    const double more = static_cast<double>((all - fewest) * examples::image_bytes) / mega;
    experiment.verdict(
        "streaming takes no more memory for more images, to 5 MB",
        examples::format("%.1f MB for %llu, at most %.1f MB", least, static_cast<unsigned long long>(fewest), most),
        most < least + 5);
    experiment.verdict("in memory every image takes its bytes",
                       examples::format("%.1f MB more for %.1f MB of images", most_whole - least_whole, more),
                       most_whole - least_whole > 0.9 * more);
  }
  if (compared) {
    experiment.verdict("streamed by samples, the test loss is that of images in memory to the last bit",
                       same ? "it is" : "it is not", same);
  }
  const double rate = mt::mean_of(rates).mean;
  experiment.verdict("the network has learned: more than half right, where guessing makes a tenth",
                     examples::format("%.3f", accuracy), accuracy > 0.5);
  experiment.reading(
      examples::format("%llu images are %.0f MB; a process that may have %.0f MB of its own trains on them at %.0f "
                       "images a second (%.0f MB a second) with %.1f MB.",
                       static_cast<unsigned long long>(all), bytes, limit, rate,
                       rate * static_cast<double>(examples::image_bytes) / mega, most));
  experiment.plot({.file = "memory",
                   .title = "Memory against the number of images",
                   .x = "images",
                   .x_label = "images of 256 x 256 x 3",
                   .y = "own_mb",
                   .y_label = "memory of its own (MB)",
                   .y_log = true,
                   .series = {"way"}});
  experiment.plot({.file = "images_per_second",
                   .title = "Images per second",
                   .x = "images",
                   .x_label = "images of 256 x 256 x 3",
                   .y = "images_per_s",
                   .y_label = "images/s",
                   .series = {"way"}});
}

int main(int argc, char** argv) try {
  examples::Experiment experiment(argc, argv,
                                  {.name = "04_streaming_images",
                                   .question = "How does one train on images that do not fit into memory?",
                                   .summary = "Trains on images of 256 x 256 x 3 bytes in little memory, and in much.",
                                   .seeds = 2,
                                   .threads = 1,
                                   .takes = examples::Takes::none});
  auto& arguments = experiment.arguments();
  const std::uint64_t images =
      arguments.number("--images", experiment.quick() ? 800 : 4000, "of the file; 100000 are 19.7 GB", 8);
  Task task{.device = experiment.device(), .threads = experiment.threads()};
  task.memory = arguments.bytes("--memory", "limit of what is streamed (96M)");
  if (task.memory == 0) task.memory = 96 << 20;
  const bool no_file = arguments.flag("--no-file", "make images while they are read, in no file");
  const std::string folder = arguments.text("--keep", "DIR", "where to keep the file (a temporary one)");
  task.epochs = arguments.number("--epochs", 1, "passes over the images");
  task.batch = arguments.number("--batch", 32, "images of one optimizer step");
  if (experiment.help_shown()) return examples::ok;

  const std::uint64_t bytes = images * examples::image_bytes;
  experiment.setting("images", examples::format("%llu, %.1f MB, %s", static_cast<unsigned long long>(images),
                                                static_cast<double>(bytes) / mega,
                                                no_file ? "made while they are read" : "in a file"));
  experiment.setting("limit", examples::format("%.1f MB", static_cast<double>(task.memory) / mega));
  experiment.setting(
      "network", examples::format("%zu-16-%zu, SGD, rate 0.005, batches of %zu, %zu epoch(s)", examples::image_bytes,
                                  examples::image_classes, task.batch, task.epochs));
  const auto options = experiment.sweep_options("runs", 1);
  examples::Progress progress;
  const auto at_image = [&](std::uint64_t done) {
    if (progress.due()) progress.show(static_cast<double>(done) / static_cast<double>(images), "writing images");
    if (examples::was_interrupted()) throw Failed{examples::interrupted_code()};
  };
  std::optional<examples::ImageFiles> files;
  if (!no_file) files.emplace(folder.empty() ? experiment.out() : folder, images, !folder.empty(), at_image);
  progress.clear();
  if (files) task.images = files->images, task.labels = files->labels;
  std::vector<std::vector<double>> points;
  for (const std::uint64_t part : {8, 4, 2, 1}) {
    for (std::size_t seed = 1; seed <= experiment.seeds(); ++seed) {
      for (const Way way : {streamed, whole, by_samples}) {
        if (bytes > whole_at_most && (part > 1 || way != streamed)) continue;
        if (way == by_samples && part > 1) continue;
        points.push_back({static_cast<double>(way), static_cast<double>(images / part), static_cast<double>(seed)});
      }
    }
  }
  const mt::Grid grid({"way", "images", "seed"}, points);
  const auto run = [&](const mt::Point& p) {
    const examples::ChildResult child = examples::in_child(
        [&] { return train(task, static_cast<Way>(p.count("way")), p.count("images"), p.count("seed")); });
    if (child.exit_code != examples::ok) throw Failed{child.exit_code};
    return child.values;
  };
  const auto result = mt::run_sweep(grid, metrics, run, options);
  if (!result.complete()) return experiment.finish();
  if (bytes > task.memory) {
    const bool refused = refuses_all(task, images);
    experiment.verdict("a process with the limit cannot load all images",
                       refused ? "the system refuses it" : "it could", refused);
  }
  show(experiment, task, grid, result);
  return experiment.finish();
} catch (const Failed& failed) {
  return failed.exit_code;
} catch (const std::exception& error) {
  return examples::report(error);
}

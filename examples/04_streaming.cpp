// Data larger than memory: a file of rows, written and trained on under a limit of memory, beside the same rows in
// memory. Each run is a process of its own, so that the system can say how much memory it took, and refuse it more.
// 04_streaming_images does the same with images.
#include <minitrain/data/generated.hpp>
#include <minitrain/data/row_file.hpp>
#include <minitrain/data/sample_random.hpp>
#include <minitrain/experiment/statistics.hpp>
#include <minitrain/trainer.hpp>

#include "common/arguments.hpp"
#include "common/child_process.hpp"
#include "common/progress.hpp"
#include "common/temporary_file.hpp"

namespace mt = minitrain;

constexpr double mega = 1e6, noise = 0.1;  // deviation of the targets from what they are a function of

// Row i of `rows`: features in [-1, 1], of which the first one grows along the file, as in files that are sorted or
// were recorded over time, and a target that no straight line fits.
static void make_row(std::uint64_t i, std::uint64_t rows, std::size_t columns, float* x, float* y) {
  mt::SampleRandom random(1, 0, i);
  double sum = 0;
  for (std::size_t j = 0; j < columns; ++j) {
    x[j] = static_cast<float>(static_cast<std::int32_t>(random.bits())) * 0x1p-31f;
    if (j == 0) x[j] = 2 * static_cast<float>(static_cast<double>(i) / static_cast<double>(rows)) - 1;
    sum += static_cast<double>(x[j]) / static_cast<double>(j + 1);
  }
  sum += std::sin(3 * static_cast<double>(x[0])) + static_cast<double>(x[1 % columns] * x[2 % columns]);
  *y = static_cast<float>(sum + noise * random.normal());
}

// Nothing of it is in memory: a row is made when it is read.
static mt::Dataset made_rows(std::uint64_t rows, std::size_t columns, examples::Progress& progress) {
  const auto make = [rows, columns, &progress](std::span<const std::uint64_t> samples, mt::SampleBuffers out) {
    for (std::size_t i = 0; i < samples.size(); ++i)
      make_row(samples[i], rows, columns, out.features + i * columns, out.targets + i);
    if (progress.due()) progress.show(static_cast<double>(samples[0]) / static_cast<double>(rows), "writing rows");
  };
  return mt::generated({.feature_columns = columns, .target_columns = 1}, rows, make);
}

// Rows that are in no file, in memory.
static mt::Dataset held_out(std::uint64_t count, std::size_t columns) {
  const auto make = [count, columns](std::uint64_t i, mt::SampleBuffers out) {
    make_row(i, count, columns, out.features, out.targets);
  };
  return mt::read_all(mt::generated({.feature_columns = columns, .target_columns = 1}, count, make));
}

// What is to be done, in every process.
struct Task {
  std::string path;
  std::uint64_t memory = 0;
  std::size_t columns = 0, epochs = 0, repeats = 0, batch = 0, threads = 0;
  std::uint64_t seed = 0;
};

// One column of the table.
struct Way {
  const char* name;
  bool in_memory = false;  // else read from the file while it is used, under the limit
  bool shuffle = true;
  mt::Mixing mixing = mt::Mixing::automatic;
  // of each epoch with each seed:
  std::vector<double> seconds = {}, loss = {}, stall = {};
  examples::MemoryUse memory = {};
};

// The numbers of a Way, from the process that made them.
static std::vector<double> train(const Way& way, const Task& task) try {
  if (!way.in_memory) examples::limit_own_memory(task.memory);
  const mt::Dataset file = mt::open_row_file(task.path), data = way.in_memory ? mt::read_all(file) : file;
  const mt::Dataset test = held_out(20'000, task.columns);
  const mt::LoadingOptions loading{.memory_limit = task.memory, .mixing = way.mixing};
  const mt::Cpu device{{.threads = task.threads}};
  {
    const mt::DataLoader<float> loader{
        data, {.batch_size = task.batch, .shuffle = way.shuffle, .seed = task.seed, .loading = loading}, device};
    std::printf("%-12s %s", way.name, loader.explain().c_str());
  }
  examples::MemoryUse most = examples::memory_use();
  auto looked = std::chrono::steady_clock::now();
  std::vector<double> seconds, loss, stall;
  examples::Progress progress;
  for (std::uint64_t seed = task.seed; seed < task.seed + task.repeats && !examples::was_interrupted(); ++seed) {
    mt::Trainer trainer{device,
                        mt::Mlp{.widths = {task.columns, 64, 1}},
                        mt::MeanSquaredError{},
                        mt::Adam{.learning_rate = 1e-3f},
                        {.epochs = task.epochs,
                         .batch_size = task.batch,
                         .shuffle = way.shuffle,
                         .seed = seed,
                         .profile = true,
                         .loading = loading}};
    mt::Callbacks callbacks = examples::watch(trainer, progress);
    callbacks.on_step = [&, watch = callbacks.on_step](const mt::StepEvent& step) {
      watch(step);
      const auto now = std::chrono::steady_clock::now();
      if (now - looked < std::chrono::milliseconds(2)) return;
      looked = now;
      const examples::MemoryUse use = examples::memory_use();
      most.own = std::max(most.own, use.own);
      most.files = std::max(most.files, use.files);
    };
    for (const mt::EpochRecord& epoch : trainer.fit(data, test, callbacks).epochs) {
      seconds.push_back(epoch.seconds);
      loss.push_back(epoch.validation.loss);
    }
    for (const mt::EpochProfile& epoch : trainer.profile().epochs) stall.push_back(epoch.stall());
  }
  progress.clear();
  std::vector<double> values{static_cast<double>(most.own), static_cast<double>(most.files),
                             static_cast<double>(examples::memory_use().peak)};
  for (const std::vector<double>* list : {&seconds, &loss, &stall})
    values.insert(values.end(), list->begin(), list->end());
  return values;
} catch (const std::bad_alloc&) {
  if (way.in_memory) throw;
  throw examples::UsageError("--memory: the system has refused to go past " + std::to_string(task.memory) +
                             " bytes: give as much as the slots take and some more");
}

static void take(Way& way, const std::vector<double>& values) {
  const auto epochs = static_cast<std::ptrdiff_t>(values.size() - 3) / 3;
  way.memory.own = static_cast<std::uint64_t>(values[0]);
  way.memory.files = static_cast<std::uint64_t>(values[1]);
  way.memory.peak = static_cast<std::uint64_t>(values[2]);
  way.seconds.assign(values.begin() + 3, values.begin() + 3 + epochs);
  way.loss.assign(values.begin() + 3 + epochs, values.begin() + 3 + 2 * epochs);
  way.stall.assign(values.begin() + 3 + 2 * epochs, values.end());
}

// The losses after an epoch, one of each seed.
static std::vector<double> losses(const Way& way, const Task& task, std::size_t epoch) {
  std::vector<double> values;
  for (std::size_t i = epoch; i < way.loss.size(); i += task.epochs) values.push_back(way.loss[i]);
  return values;
}

static void show(const std::vector<Way>& ways, const Task& task, std::uint64_t rows) {
  const auto line = [&](const std::string& name, const char* format, const auto& value) {
    std::printf("%-34s", name.c_str());
    for (const Way& way : ways) std::printf(format, value(way));
    std::printf("\n");
  };
  line("", " %12s", [](const Way& way) { return way.name; });
  line("epoch, s (median)", " %12.3f", [](const Way& way) { return mt::spread(way.seconds).median; });
  line("samples/s", " %12.0f",
       [&](const Way& way) { return static_cast<double>(rows) / mt::spread(way.seconds).median; });
  line("  of it to get rows, %", " %12.1f", [](const Way& way) { return 100 * mt::spread(way.stall).median; });
  line("peak memory, MB", " %12.1f", [](const Way& way) { return static_cast<double>(way.memory.peak) / mega; });
  line("  most of its own", " %12.1f", [](const Way& way) { return static_cast<double>(way.memory.own) / mega; });
  line("  most of files, with the program", " %12.1f",
       [](const Way& way) { return static_cast<double>(way.memory.files) / mega; });
  for (std::size_t epoch = 0; epoch < task.epochs; ++epoch) {
    line("loss after epoch " + std::to_string(epoch + 1) + " (median)", " %12.6f",
         [&](const Way& way) { return mt::spread(losses(way, task, epoch)).median; });
  }
  const auto last = [&](const Way& way) { return mt::spread(losses(way, task, task.epochs - 1)); };
  line("  lowest of all seeds", " %12.6f", [&](const Way& way) { return last(way).low; });
  line("  highest", " %12.6f", [&](const Way& way) { return last(way).high; });
}

// Whether the system keeps to the limit: all rows in memory must be too many for it.
static int try_whole(const Task& task) {
  const examples::ChildResult refused = examples::in_child([&]() -> std::vector<double> {
    examples::limit_own_memory(task.memory);
    try {
      mt::read_all(mt::open_row_file(task.path));
      return {0};
    } catch (const std::bad_alloc&) {
      return {1};
    }
  });
  if (refused.exit_code != examples::ok) return refused.exit_code;
  if (refused.values[0] == 1) {
    std::printf("The limit holds: a process that has it cannot load these rows (std::bad_alloc).\n");
    return examples::ok;
  }
  std::printf("This system does not enforce the limit: a process that has it could load all rows.\n");
  return examples::run_failed;
}

int main(int argc, char** argv) try {
  examples::Arguments arguments(argc, argv, "Trains 10-64-1 on a file of rows in little memory, and in much.");
  const std::uint64_t rows = arguments.number("--rows", 1'000'000, "of the file; 100000000 make 4 GiB");
  const bool large = rows > 10'000'000;
  Task task;
  task.columns = arguments.number("--columns", 10, "features of a row");
  task.memory = arguments.bytes("--memory", "limit, such as 64M (a quarter of the file, 8M at least)");
  const std::string folder = arguments.text("--out", "DIR", "where to keep the file (a temporary one)");
  task.epochs = arguments.number("--epochs", large ? 1 : 3, "passes over the rows");
  task.repeats = arguments.number("--repeats", large ? 1 : 5, "runs, each with the next seed");
  task.batch = arguments.number("--batch", 256, "samples of one optimizer step");
  task.threads = arguments.number("--threads", 1, "of the processor for training; 0: all there are", 0);
  task.seed = arguments.number("--seed", 1, "of parameters and shuffling", 0);
  if (arguments.help_shown()) return examples::ok;
  examples::listen_for_interrupt();

  const examples::TemporaryFile temporary;
  task.path = folder.empty() ? temporary.path()
                             : folder + "/streaming-" + std::to_string(rows) + "x" + std::to_string(task.columns);
  if (folder.empty() || access(task.path.c_str(), F_OK) != 0) {
    const auto start = std::chrono::steady_clock::now();
    examples::Progress progress;
    mt::write_row_file(task.path, made_rows(rows, task.columns, progress));
    progress.clear();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("%s written in %.1f s, with %.1f MB of memory\n", task.path.c_str(), seconds.count(),
                static_cast<double>(examples::memory_use().peak) / mega);
  }
  const mt::Dataset file = mt::open_row_file(task.path);
  if (file.size() != rows || file.shape() != mt::SampleShape{.feature_columns = task.columns, .target_columns = 1}) {
    throw mt::DataError(mt::ErrorCode::count_mismatch,
                        {task.path, ": is not ", rows, " rows of ", task.columns, " features and a target: remove it"});
  }
  if (task.memory == 0) task.memory = std::max(file.bytes() / 4, std::uint64_t{8} << 20);
  const std::uint64_t whole = rows * file.sample_bytes(), tried = std::uint64_t{1} << 30;
  std::printf("%llu rows of %zu features and a target in %.1f MB; %.1f MB of memory for what is streamed\n",
              static_cast<unsigned long long>(rows), task.columns, static_cast<double>(file.bytes()) / mega,
              static_cast<double>(task.memory) / mega);
  std::printf("%zu-64-1, Adam, learning rate 0.001, batches of %zu; %zu runs of %zu epochs\n\n", task.columns,
              task.batch, task.repeats, task.epochs);

  std::vector<Way> ways{{.name = "blocks", .mixing = mt::Mixing::blocks}};
  if (whole <= tried) {
    ways.insert(ways.begin(), {.name = "in memory", .in_memory = true});
    ways.push_back({.name = "samples", .mixing = mt::Mixing::samples});
    ways.push_back({.name = "in order", .shuffle = false, .mixing = mt::Mixing::blocks});
  } else {
    std::printf("in memory    %.1f MB do not fit into %.1f MB: not tried\n", static_cast<double>(whole) / mega,
                static_cast<double>(task.memory) / mega);
  }
  for (Way& way : ways) {
    const examples::ChildResult result = examples::in_child([&] { return train(way, task); });
    if (result.exit_code != examples::ok) return result.exit_code;
    take(way, result.values);
  }
  std::printf("\n");
  show(ways, task, rows);
  std::printf(
      "\nNoise alone makes a loss of %.4f. RLIMIT_DATA keeps all processes but the one in memory to %.1f MB of their "
      "own.\nPages of files are the system's to take back. Blocks give them back by themselves; but the system maps up "
      "to 2 MiB\naround a page that is touched, which is much of a small file.\n",
      noise * noise, static_cast<double>(task.memory) / mega);
  if (whole > tried) return examples::printed(examples::ok);
  if (whole > task.memory) {
    if (const int code = try_whole(task); code != examples::ok) return code;
  }
  const bool same = ways[0].loss == ways[2].loss;
  std::printf("Read by samples, the file gives %s losses as in memory.\n", same ? "to the last bit the same" : "other");
  const auto memory = mt::spread(losses(ways[0], task, task.epochs - 1));
  const auto blocks = mt::spread(losses(ways[1], task, task.epochs - 1));
  if (task.repeats > 1) {
    const double difference = std::abs(blocks.median - memory.median);
    const double seeds = std::max(memory.high - memory.low, blocks.high - blocks.low);
    std::printf("Mixed by blocks, the last loss differs by %.6f; between seeds it does by up to %.6f.\n", difference,
                seeds);
  }
  return examples::printed(same ? examples::ok : examples::run_failed);
} catch (const std::exception& error) {
  return examples::report(error);
}

// How many samples per second come out of a DataLoader? Against the size of batches, the workers that read ahead, and
// what is done to the samples; for rows in memory and for rows in a mapped file, in a random order. Nothing is trained.
#include <minitrain/data/generated.hpp>
#include <minitrain/data/image_transforms.hpp>
#include <minitrain/data/row_file.hpp>
#include <minitrain/data/sample_random.hpp>
#include <minitrain/data/transforms.hpp>
#include <minitrain/experiment/statistics.hpp>
#include <minitrain/trainer.hpp>

#include "common/arguments.hpp"
#include "common/json.hpp"
#include "common/progress.hpp"
#include "common/temporary_file.hpp"
#include "common/write_file.hpp"

namespace mt = minitrain;

constexpr std::size_t side = 28, pixels = side * side, classes = 10;

// Grey images of noise, made when they are read.
static mt::Dataset images(std::uint64_t count) {
  const auto make = [](std::uint64_t i, mt::SampleBuffers out) {
    mt::SampleRandom random(1, 0, i);
    for (std::size_t j = 0; j < pixels; ++j) out.features[j] = static_cast<float>(random.bits() >> 24) / 255;
    out.labels[0] = static_cast<std::int32_t>(random.below(classes));
  };
  return mt::generated({.feature_columns = pixels, .classes = classes}, count, make);
}

// Samples of one kind, and what handing them out took.
struct Case {
  std::string source, transform;
  mt::Dataset data;
  std::size_t workers = 0;
  std::vector<std::vector<double>> rates = {};  // samples per second; of each batch size, one of each round
};

static std::vector<Case> cases(const mt::Dataset& memory, const mt::Dataset& file,
                               const std::vector<std::size_t>& workers) {
  const mt::Standardize scale = mt::fit_standardize(memory);
  std::vector<Case> all;
  for (const auto& [source, data] : {std::pair("memory", memory), std::pair("file", file)}) {
    const std::pair<const char*, mt::Dataset> variants[] = {
        {"none", data},
        {"standardize", mt::transform(data, scale)},
        {"noise", mt::transform(data, mt::GaussianNoise{.deviation = 0.1})},
        {"crop_flip", mt::transform(data, mt::RandomCrop{.height = side, .width = side, .padding = 4},
                                    mt::RandomFlip{.height = side, .width = side})}};
    for (const auto& [name, variant] : variants) {
      for (const std::size_t count : workers) all.push_back({source, name, variant, count});
    }
  }
  return all;
}

// Samples per second over `seconds`, from epoch to epoch.
static double measure(const Case& one, std::size_t batch, double seconds) {
  mt::DataLoader<float> loader{one.data,
                               {.batch_size = batch, .shuffle = true, .seed = 1, .loading = {.workers = one.workers}}};
  loader.next();
  const auto start = std::chrono::steady_clock::now();
  std::chrono::duration<double> elapsed{};
  std::size_t samples = 0;
  do {
    samples += loader.next().size();
    elapsed = std::chrono::steady_clock::now() - start;
  } while (elapsed.count() < seconds);
  return static_cast<double>(samples) / elapsed.count();
}

// Prints the table and writes it to the file that is named.
static void show(const std::vector<Case>& all, const std::vector<std::size_t>& batches, const std::string& csv) {
  std::string text = "source,transform,workers,batch_size,round,metric,value\n";
  std::printf("%-7s %-12s %7s", "source", "transform", "workers");
  for (const std::size_t batch : batches) std::printf(" %9s", ("B = " + std::to_string(batch)).c_str());
  std::printf("\n");
  for (const Case& one : all) {
    std::printf("%-7s %-12s %7zu", one.source.c_str(), one.transform.c_str(), one.workers);
    for (std::size_t i = 0; i < batches.size(); ++i) {
      const mt::Spread rate = mt::spread(one.rates[i]);
      std::printf(" %9.0f", rate.median);
      for (std::size_t round = 0; round < one.rates[i].size(); ++round) {
        text += one.source + "," + one.transform + "," + std::to_string(one.workers) + "," +
                std::to_string(batches[i]) + "," + std::to_string(round) + ",samples_per_s," +
                examples::shortest(one.rates[i][round]) + "\n";
      }
    }
    std::printf("\n");
  }
  if (!csv.empty()) examples::write_file(csv, text);
}

int main(int argc, char** argv) try {
  examples::Arguments arguments(argc, argv, "Samples per second out of a DataLoader, of images of 28 x 28 floats.");
  const auto batches = arguments.numbers("--batches", "1,16,256,2048", "samples of a batch");
  const auto workers = arguments.numbers("--workers", "0,1,2", "threads that read ahead", 0);
  const std::size_t samples = arguments.number("--samples", 20'000, "images, in memory and in a file");
  const std::size_t repeats = arguments.number("--repeats", 3, "measurements of each");
  const std::size_t milliseconds = arguments.number("--milliseconds", 30, "that one measurement takes");
  const std::string csv =
      arguments.text("--csv", "FILE", "where to write all rates, for tools/plot FILE --x batch_size --y samples_per_s");
  if (arguments.help_shown()) return examples::ok;
  if (!csv.empty()) examples::write_file(csv, "");  // better to fail now than after the runs

  const examples::TemporaryFile temporary;
  mt::write_row_file(temporary.path(), images(samples));
  const mt::Dataset file = mt::open_row_file(temporary.path()), memory = mt::read_all(file);
  std::printf("%zu images of %zu x %zu floats, %.1f MB, in memory and in a file that the system has in its cache\n",
              samples, side, side, static_cast<double>(memory.bytes()) / 1e6);
  std::printf("samples/s in batches of B, median of %zu\n\n", repeats);

  std::vector<Case> all = cases(memory, file, workers);
  for (Case& one : all) one.rates.resize(batches.size());
  examples::Progress progress;
  examples::listen_for_interrupt();
  const std::size_t runs = all.size() * batches.size();
  for (std::size_t run = 0; run < repeats * runs; ++run) {
    const std::size_t round = run / runs, i = round % 2 == 0 ? run % runs : runs - 1 - run % runs;  // there and back
    Case& one = all[i / batches.size()];
    one.rates[i % batches.size()].push_back(
        measure(one, batches[i % batches.size()], 1e-3 * static_cast<double>(milliseconds)));
    if (examples::was_interrupted()) return examples::interrupted_code();
    if (progress.due()) {
      progress.show(static_cast<double>(run) / static_cast<double>(repeats * runs), one.source + ", " + one.transform);
    }
  }
  progress.clear();
  show(all, batches, csv);
  return examples::printed(examples::ok);
} catch (const std::exception& error) {
  return examples::report(error);
}

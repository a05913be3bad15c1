// loader: samples per second out of a DataLoader, beside the limit that one loop over the same rows sets.
//
// A file of 1 GiB of floats in the system's cache, the rows in a random order. BM_limit copies rows to a buffer with a
// prefetch eight rows ahead, on one thread and on two; the others are loaders of the same rows, batches of 256. BM_cold
// asks the system to forget the file first, and reads it once by blocks under a limit of a sixteenth of it; beside
// read() from front to back. BM_train is training from a row file, or from memory, and how long it waited. BM_order is
// how well an order is mixed.
#include <minitrain/data/generated.hpp>
#include <minitrain/data/row_file.hpp>
#include <minitrain/data/table_source.hpp>
#include <minitrain/trainer.hpp>

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace mt = minitrain;

namespace {

// 1 GiB (or MINITRAIN_LOADER_MIB) of rows; the bytes do not matter to their copying.
class RowsOnDisk {
 public:
  RowsOnDisk() {
    const char* const folder = std::getenv("TMPDIR");
    path_ = std::string(folder != nullptr ? folder : "/tmp") + "/minitrain-loader-XXXXXX";
    const int file = ::mkstemp(path_.data());
    if (file < 0) std::perror(path_.c_str()), std::exit(1);
    const char* const size = std::getenv("MINITRAIN_LOADER_MIB");
    const std::size_t pieces = size != nullptr ? std::strtoul(size, nullptr, 10) : 1024;
    std::vector<float> piece(1 << 18);
    for (std::size_t i = 0; i < pieces; ++i) {
      for (std::size_t j = 0; j < piece.size(); ++j)
        piece[j] = static_cast<float>((i * piece.size() + j) % 1000) / 1000;
      if (::write(file, piece.data(), piece.size() * sizeof(float)) < 0) std::perror("write"), std::exit(1);
    }
    ::close(file);
    mapped_ = std::make_shared<const mt::MappedFile>(path_);
    mapped_->load(0, mapped_->bytes().size());
  }
  ~RowsOnDisk() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }
  std::size_t bytes() const { return mapped_->bytes().size(); }
  void forget() const {
    mapped_->release(0, bytes(), true);
    const int file = ::open(path_.c_str(), O_RDONLY);
    ::fdatasync(file);
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }

  mt::Table table(std::size_t columns) const {
    return {.data = mapped_->bytes().data(),
            .rows = mapped_->bytes().size() / (columns * sizeof(float)),
            .columns = columns,
            .row_stride = columns * sizeof(float),
            .column_stride = sizeof(float),
            .file = mapped_};
  }
  mt::Dataset data(std::size_t columns) const {
    return mt::Dataset(std::make_shared<const mt::TableSource>(table(columns), mt::Table{}, 0, mt::NonFinite::keep));
  }

 private:
  std::string path_;
  std::shared_ptr<const mt::MappedFile> mapped_;
};

const RowsOnDisk& rows() {
  static const RowsOnDisk rows;
  return rows;
}

constexpr std::size_t batch = 256;

void finish(benchmark::State& state, std::size_t columns) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * batch));
  state.SetBytesProcessed(state.items_processed() * static_cast<std::int64_t>(columns * sizeof(float)));
}

void BM_limit(benchmark::State& state) {
  const auto columns = static_cast<std::size_t>(state.range(0));
  const mt::Table table = rows().table(columns);
  const std::size_t bytes = columns * sizeof(float);
  std::vector<std::uint64_t> order(std::min<std::uint64_t>(1 << 20, table.rows));
  mt::Permutation(table.rows, 1, static_cast<std::uint64_t>(state.thread_index())).fill(0, order);
  std::vector<float> out(batch * columns);
  std::size_t at = 0;
  for (auto _ : state) {
    if (at + batch + 8 > order.size()) at = 0;
    for (std::size_t i = at; i < at + batch; ++i) {
      const std::byte* const ahead = table.data + order[i + 8] * bytes;
      for (std::size_t line = 0; line < std::min<std::size_t>(bytes, 512); line += 64) __builtin_prefetch(ahead + line);
      __builtin_prefetch(ahead + bytes - 1);
      std::memcpy(out.data() + (i - at) * columns, table.data + order[i] * bytes, bytes);
    }
    at += batch;
    benchmark::ClobberMemory();
  }
  finish(state, columns);
}

void run(benchmark::State& state, const mt::Dataset& data, std::size_t columns, const mt::LoadingOptions& loading) {
  mt::DataLoader<float> loader(data, {.batch_size = batch, .shuffle = true, .seed = 1, .loading = loading});
  for (int i = 0; i < 100; ++i) loader.next();
  for (auto _ : state) benchmark::DoNotOptimize(loader.next().features.data());
  finish(state, columns);
  const mt::LoaderStats stats = loader.stats();
  state.counters["MiB of slots"] = static_cast<double>(stats.bytes >> 20);
}

// columns, workers
void BM_mapped(benchmark::State& state) {
  const auto columns = static_cast<std::size_t>(state.range(0));
  run(state, rows().data(columns), columns,
      {.workers = static_cast<std::size_t>(state.range(1)), .mixing = mt::Mixing::samples});
}
void BM_blocks(benchmark::State& state) {
  const auto columns = static_cast<std::size_t>(state.range(0));
  run(state, rows().data(columns), columns,
      {.workers = static_cast<std::size_t>(state.range(1)), .mixing = mt::Mixing::blocks});
}
// columns, threads of the device
void BM_memory(benchmark::State& state) {
  const auto columns = static_cast<std::size_t>(state.range(0));
  static mt::Dataset data;
  if (data.feature_columns() != columns) data = mt::read_all(rows().data(columns));
  mt::DataLoader<float, mt::Cpu> loader(data, {.batch_size = batch, .shuffle = true, .seed = 1},
                                        mt::Cpu{{.threads = static_cast<std::size_t>(state.range(1))}});
  for (auto _ : state) benchmark::DoNotOptimize(loader.next().features.data());
  finish(state, columns);
}

// columns, workers; 0 columns: read()
void BM_cold(benchmark::State& state) {
  const auto columns = static_cast<std::size_t>(state.range(0));
  std::vector<char> piece(1 << 20);
  for (auto _ : state) {
    state.PauseTiming();
    rows().forget();
    state.ResumeTiming();
    if (columns == 0) {
      const int file = ::open(rows().path().c_str(), O_RDONLY);
      while (::read(file, piece.data(), piece.size()) > 0) benchmark::ClobberMemory();
      ::close(file);
      continue;
    }
    mt::DataLoader<float> loader(rows().data(columns), {.batch_size = batch,
                                                        .shuffle = true,
                                                        .loading = {.workers = static_cast<std::size_t>(state.range(1)),
                                                                    .memory_limit = rows().bytes() / 16,
                                                                    .mixing = mt::Mixing::blocks}});
    loader.end_with(0);
    for (const auto& b : loader.epoch(0)) benchmark::DoNotOptimize(b.features.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * rows().bytes()));
}

// batch, from a file; 100,000 samples of S1 and 20,000 of S4, one thread
void train(benchmark::State& state, const mt::Dataset& memory, const mt::Mlp& model, const auto& loss) {
  const std::string path = rows().path() + ".rows";
  mt::write_row_file(path, memory);
  const mt::Dataset data = state.range(1) != 0 ? mt::open_row_file(path) : memory;
  double stall = 0, epochs = 0;
  mt::Trainer trainer{mt::Cpu{{.threads = 1}},
                      model,
                      loss,
                      mt::Adam{},
                      {.epochs = 10, .batch_size = static_cast<std::size_t>(state.range(0)), .profile = true}};
  for (auto _ : state) {
    trainer.fit(data);
    for (const mt::EpochProfile& epoch : trainer.profile().epochs) stall += epoch.stall(), epochs += 1;
  }
  std::remove(path.c_str());
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * 10 * data.size()));
  state.counters["% waited"] = 100 * stall / epochs;
}
void BM_train_S1(benchmark::State& state) {
  train(state, mt::synthetic_regression({.samples = 100'000, .features = 10, .seed = 1}),
        mt::Mlp{.widths = {10, 64, 1}}, mt::MeanSquaredError{});
}
void BM_train_S4(benchmark::State& state) {
  train(state, mt::synthetic_classification({.samples = 20'000, .features = 784, .classes = 10, .seed = 1}),
        mt::Mlp{.widths = {784, 128, 10}}, mt::SoftmaxCrossEntropy{});
}

// Orders of 2^24 samples with as many seeds. What a perfect shuffle gives: correlation of neighbours 0, in standard
// deviations; distance of a sample from its place 1/3 of all; chi-square of a table of 64 x 64 parts of positions and
// of samples 0, in standard deviations, the mean and the greatest.
void BM_order(benchmark::State& state) {
  constexpr std::uint64_t n = 1 << 24, parts = 64;
  const double size = n, degrees = (parts - 1) * (parts - 1), expected = size / (parts * parts);
  std::vector<std::uint64_t> order(n);
  double correlation = 0, distance = 0, chi_square = 0, greatest = 0;
  std::uint64_t seed = 0;
  for (auto _ : state) {
    mt::fill_order(mt::Cpu{{.threads = 1}}, mt::Permutation(n, seed, 1), 0, order);
    state.PauseTiming();
    double sum = 0, far = 0, squares = 0;
    std::vector<double> table(parts * parts);
    for (std::uint64_t i = 0; i < n; ++i) {
      const double x = static_cast<double>(order[i]) / size - 0.5,
                   y = static_cast<double>(order[(i + 1) % n]) / size - 0.5;
      sum += 12 * x * y;
      far += std::abs(static_cast<double>(order[i]) - static_cast<double>(i)) / size;
      table[i * parts / n * parts + order[i] * parts / n] += 1;
    }
    for (const double count : table) squares += (count - expected) * (count - expected) / expected;
    const double z = (squares - degrees) / std::sqrt(2 * degrees);
    correlation += sum / std::sqrt(size), distance += far / size, chi_square += z;
    greatest = std::max(greatest, std::abs(z));
    ++seed;
    state.ResumeTiming();
  }
  const auto orders = static_cast<double>(seed);
  state.SetItemsProcessed(static_cast<std::int64_t>(seed * n));
  state.counters["z of correlation"] = correlation / std::sqrt(orders);
  state.counters["displacement"] = distance / orders;
  state.counters["mean z of table"] = chi_square / orders;
  state.counters["greatest"] = greatest;
}

mt::Dataset many(std::chrono::microseconds each) {
  return mt::generated({.feature_columns = 10}, 10'000'000'000, [each](std::uint64_t i, const mt::SampleBuffers& out) {
    const auto end = std::chrono::steady_clock::now() + each;
    while (each.count() > 0 && std::chrono::steady_clock::now() < end) {
    }
    out.features[0] = static_cast<float>(i);
  });
}
// workers: seek() alone, and with the first batch behind it
void BM_seek(benchmark::State& state) {
  mt::DataLoader<float> loader(many({}),
                               {.shuffle = true, .loading = {.workers = static_cast<std::size_t>(state.range(0))}});
  mt::LoaderState to = loader.state();
  for (auto _ : state) {
    to.position = (to.position + 987'654'321) % 9'999'999'000;
    loader.seek(to);
    if (state.range(1) != 0) benchmark::DoNotOptimize(loader.next().features.data());
  }
}
// A loader whose four workers are amid functions of 0.2 ms.
void BM_destroy(benchmark::State& state) {
  const mt::Dataset slow = many(std::chrono::microseconds(200));
  for (auto _ : state) {
    state.PauseTiming();
    auto loader = std::make_unique<mt::DataLoader<float>>(
        slow, mt::DataLoaderOptions{.shuffle = true, .loading = {.workers = 4}});
    loader->next();
    state.ResumeTiming();
    loader.reset();
  }
}

}  // namespace

BENCHMARK(BM_limit)->ArgName("columns")->Arg(10)->Arg(768)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK(BM_mapped)->ArgNames({"columns", "workers"})->ArgsProduct({{10, 768}, {0, 1, 2}})->UseRealTime();
BENCHMARK(BM_blocks)->ArgNames({"columns", "workers"})->ArgsProduct({{10, 768}, {0, 1, 2}})->UseRealTime();
BENCHMARK(BM_memory)->ArgNames({"columns", "threads"})->ArgsProduct({{10, 768}, {1, 2}})->UseRealTime();
BENCHMARK(BM_cold)->ArgNames({"columns", "workers"})->Args({0, 0})->ArgsProduct({{10, 768}, {1, 2}})->UseRealTime();
BENCHMARK(BM_train_S1)->ArgNames({"batch", "file"})->ArgsProduct({{32, 128, 512}, {0, 1}})->UseRealTime();
BENCHMARK(BM_train_S4)->ArgNames({"batch", "file"})->ArgsProduct({{32, 128, 1024}, {0, 1}})->UseRealTime();
BENCHMARK(BM_order)->Iterations(16)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_seek)->ArgNames({"workers", "batch"})->Args({0, 0})->Args({0, 1})->Args({1, 1})->UseRealTime();
BENCHMARK(BM_destroy)->Iterations(20)->UseRealTime();

// Data sets that are read while they are used: the same batches whoever reads them.
#include <minitrain/cpu.hpp>
#include <minitrain/data/loader.hpp>
#include <minitrain/data/table_source.hpp>

#include <bit>
#include <cmath>
#include <condition_variable>
#include <limits>
#include <mutex>

#include "data/support.hpp"

namespace mt = minitrain;

namespace {

// Sample i: features i, i + 1/2, a number that depends on seed and epoch, and one that is denormal; target -i or label.
class Counting : public mt::Source {
 public:
  explicit Counting(std::uint64_t n, std::size_t classes = 0) : n_(n), classes_(classes) {}
  std::uint64_t size() const noexcept override { return n_; }
  mt::SampleShape shape() const noexcept override { return {4, classes_ == 0 ? std::size_t{1} : 0, classes_}; }
  bool varies() const noexcept override { return true; }
  void read(const mt::Reading& reading, std::span<const std::uint64_t> samples,
            const mt::SampleBuffers& out) const override {
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto sample = static_cast<float>(samples[i]);
      if (reading.current != nullptr) *reading.current = samples[i];
      at(reading, samples[i]);
      if (out.features != nullptr) {
        float* const x = out.features + 4 * i;
        x[0] = sample, x[1] = sample + 0.5f, x[2] = static_cast<float>(reading.seed * 100 + reading.epoch);
        const volatile float tiny = 1e-39f;  // denormal, if the arithmetic knows such numbers
        x[3] = tiny * 0.5f;
      }
      if (out.targets != nullptr) out.targets[i] = -sample;
      if (out.labels != nullptr) out.labels[i] = static_cast<std::int32_t>(samples[i] % classes_);
    }
  }

 protected:
  virtual void at(const mt::Reading&, std::uint64_t) const {}

 private:
  std::uint64_t n_;
  std::size_t classes_;
};

mt::Dataset counting(std::uint64_t n, std::size_t classes = 0) {
  return mt::Dataset(std::make_shared<const Counting>(n, classes));
}

void mix(std::uint64_t& hash, std::uint64_t value) { hash = (hash ^ value) * 0x100000001B3; }

// Every bit of a batch, where it stands, and how it goes on.
template <class T>
void mix(std::uint64_t& hash, const mt::Batch<T>& batch) {
  for (const T x : batch.features) mix(hash, std::bit_cast<std::uint32_t>(static_cast<float>(x)));
  for (const T y : batch.targets) mix(hash, std::bit_cast<std::uint32_t>(static_cast<float>(y)));
  for (const std::int32_t label : batch.labels) mix(hash, static_cast<std::uint64_t>(label));
}

std::uint64_t hash_of(mt::DataLoader<float>& loader, std::size_t epochs) {
  std::uint64_t hash = 0;
  for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
    for (const auto& batch : loader.epoch(epoch)) mix(hash, batch);
  }
  return hash;
}

// A file of n rows of `columns` floats, feature j of row i being i·columns + j; the last column is the target.
struct RowFile {
  explicit RowFile(std::uint64_t n, std::size_t columns) : file("") {
    std::vector<float> rows(n * columns);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i);
    file.write({reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(float)});
    mapped = std::make_shared<const mt::MappedFile>(file.path());
    table = {.data = mapped->bytes().data(),
             .rows = n,
             .columns = columns,
             .row_stride = columns * sizeof(float),
             .column_stride = sizeof(float),
             .file = mapped};
  }
  mt::Dataset data() const {
    return mt::Dataset(std::make_shared<const mt::TableSource>(
        table.column_range(0, table.columns - 1), table.column_range(table.columns - 1, 1), 0, mt::NonFinite::error));
  }
  test::TemporaryFile file;
  std::shared_ptr<const mt::MappedFile> mapped;
  mt::Table table;
};

}  // namespace

TEST_CASE("the stream of batches is one, for any number of workers and any depth", "[threads]") {
  for (const std::uint64_t n : {1, 33, 1003, 70'001}) {
    for (const std::size_t classes : {0, 5}) {
      for (const std::size_t batch : {1, 32, 1000}) {
        if (n > 2000 && batch == 1) continue;
        const mt::Dataset data = counting(n, classes);
        std::uint64_t expected = 0;
        for (std::size_t epoch = 0; epoch < 3; ++epoch) {
          const mt::Permutation order(n, 9, epoch);
          for (std::uint64_t at = 0; at < n; at += batch) {
            std::vector<float> x, y;
            std::vector<std::int32_t> labels;
            for (std::uint64_t i = at; i < std::min<std::uint64_t>(n, at + batch); ++i) {
              const auto sample = static_cast<float>(order(i));
              x.insert(x.end(), {sample, sample + 0.5f, static_cast<float>(900 + epoch), 5e-40f});
              classes == 0 ? y.push_back(-sample) : labels.push_back(static_cast<std::int32_t>(order(i) % classes));
            }
            const std::size_t rows = x.size() / 4;
            mix(expected, mt::Batch<float>{.features = {x.data(), mt::Shape{rows, 4}},
                                           .targets = {y.data(), mt::Shape{y.size()}},
                                           .labels = {labels.data(), mt::Shape{labels.size()}}});
          }
        }
        for (const std::size_t workers : {0, 1, 2, 3, 8}) {
          for (const std::size_t depth : {0, 1, 2, 3, 8}) {
            mt::DataLoader<float> loader(
                data,
                {.batch_size = batch, .shuffle = true, .seed = 9, .loading = {.workers = workers, .depth = depth}});
            INFO("n " << n << " batch " << batch << " workers " << workers << " depth " << depth);
            CHECK(hash_of(loader, 3) == expected);
            CHECK(loader.stats().workers == workers);
          }
        }
        mt::DataLoader<float> automatic(data, {.batch_size = batch, .shuffle = true, .seed = 9});
        CHECK(hash_of(automatic, 3) == expected);
      }
    }
  }
}

TEST_CASE("shards put together are the undivided batches, no sample lost and none twice", "[threads]") {
  for (const bool in_memory : {false, true}) {
    for (const std::uint64_t n : {1, 5, 100, 1003}) {
      for (const std::size_t batch : {1, 3, 32, 100}) {
        const mt::Dataset data = in_memory ? mt::read_all(counting(n)) : counting(n);
        mt::DataLoader<float> whole(data, {.batch_size = batch, .shuffle = true, .seed = 4});
        const std::uint64_t expected = [&] {
          std::uint64_t hash = 0;
          for (const auto& b : whole.epoch(1)) {
            for (const float x : b.features) mix(hash, std::bit_cast<std::uint32_t>(x));
          }
          return hash;
        }();
        for (std::size_t ranks = 1; ranks <= 8; ++ranks) {
          std::vector<std::unique_ptr<mt::DataLoader<float>>> loaders;
          for (std::size_t rank = 0; rank < ranks; ++rank) {
            loaders.push_back(std::make_unique<mt::DataLoader<float>>(
                data,
                mt::DataLoaderOptions{.batch_size = batch, .shuffle = true, .seed = 4, .rank = rank, .ranks = ranks}));
          }
          std::uint64_t hash = 0;
          for (std::uint64_t at = 0; at < n; at += batch) {
            const std::size_t count = std::min<std::size_t>(batch, n - at);
            double weight = 0;
            for (auto& loader : loaders) {
              const auto& part = loader->next(1, at, count);
              for (const float x : part.features) mix(hash, std::bit_cast<std::uint32_t>(x));
              weight += part.weight;
              CHECK(part.next_position == at + count);
              CHECK(part.size() <= (count + ranks - 1) / ranks);
            }
            CHECK(weight == Approx(1));
          }
          INFO("n " << n << " batch " << batch << " ranks " << ranks << " in memory " << in_memory);
          CHECK(hash == expected);
        }
      }
    }
  }
}

TEST_CASE("a loader goes on from a state as if it had never stopped", "[threads]") {
  const mt::Dataset data = counting(1003);
  const mt::DataLoaderOptions options{.batch_size = 50, .shuffle = true, .seed = 2};
  mt::DataLoader<float> all(data, options);
  std::vector<std::uint64_t> hashes;
  std::vector<mt::LoaderState> states;
  for (int i = 0; i < 60; ++i) {
    states.push_back(all.state());
    std::uint64_t hash = 0;
    mix(hash, all.next());
    hashes.push_back(hash);
  }
  CHECK(all.state() == mt::LoaderState{2, 2, 900, all.state().order});
  mt::DataLoader<float> other(data, options);
  for (const std::size_t i : {59u, 0u, 20u, 21u, 22u, 5u}) {
    other.seek(states[i]);
    for (std::size_t k = i; k < std::min<std::size_t>(i + 3, 60); ++k) {
      std::uint64_t hash = 0;
      mix(hash, other.next());
      CHECK(hash == hashes[k]);
    }
  }
  test::check_error<mt::OptionError>(
      mt::ErrorCode::invalid_argument,
      [&] {
        other.seek({3, 0, 0, other.state().order});
      },
      "seed 3", "seed 2");
  test::check_error<mt::OptionError>(
      mt::ErrorCode::invalid_argument,
      [&] {
        other.seek({2, 0, 1004, other.state().order});
      },
      "position 1004", "1003");
  std::size_t batches = 0;
  for (const auto& batch : other.epoch(2, 950)) {
    ++batches;
    CHECK(batch.position >= 950);
  }
  CHECK(batches == 2);
}

TEST_CASE("any positions can be asked for, also those in two slots", "[threads]") {
  const mt::Dataset data = counting(300'000);
  mt::DataLoader<float> loader(data, {.batch_size = 64, .shuffle = true, .seed = 4, .loading = {.workers = 2}});
  const mt::Random random(1, mt::RandomPurpose::test);
  const mt::Permutation order(300'000, 4, 1);
  for (std::uint64_t trial = 0; trial < 60; ++trial) {
    const std::size_t position = random.word(2 * trial) % 290'000, count = 1 + random.word(2 * trial + 1) % 5000;
    const auto& batch = loader.next(1, position, count);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) wrong += batch.features(i, 0) != static_cast<float>(order(position + i));
    CHECK(wrong == 0);
    CHECK(batch.position == position);
    const auto samples = loader.samples(batch);
    CHECK(samples.size() == count);
    CHECK(samples.back() == order(position + count - 1));
  }
}

TEST_CASE("a batch larger than a slot is asked for in micro-batches", "[threads]") {
  // 16 bytes and a target of 4: 8 MiB are 419,430 samples.
  const mt::Dataset data = counting(1'000'003);
  mt::DataLoader<float> loader(
      data, {.batch_size = 600'000, .shuffle = true, .micro_batch_size = 7'000, .loading = {.workers = 1}});
  CHECK(loader.stats().bytes <= 3 * (9u << 20));
  const mt::Permutation order(1'000'003, 0, 0);
  std::size_t wrong = 0, slots = 0;
  for (std::size_t begin = 0; begin < 1'000'003; begin += 600'000) {
    const std::size_t end = std::min<std::size_t>(1'000'003, begin + 600'000);
    for (std::size_t at = begin; at < end; at += 7'000) {
      const auto& batch = loader.next(0, at, std::min<std::size_t>(7'000, end - at));
      wrong += batch.features(0, 0) != static_cast<float>(order(at));
      wrong += batch.targets(batch.size() - 1, 0) != -static_cast<float>(order(at + batch.size() - 1));
      slots = loader.stats().slots;
    }
  }
  CHECK(wrong == 0);
  CHECK(slots == 3);  // two of the first batch, one of the second: none was read by the thread that asks
}

TEST_CASE("double and a subset are read ahead as well", "[threads]") {
  const mt::Dataset data = counting(500).subset({7, 3, 3, 499});
  mt::DataLoader<double> loader(data, {.batch_size = 3, .loading = {.workers = 1}});
  std::vector<double> targets;
  for (const auto& batch : loader.epoch(0)) targets.insert(targets.end(), batch.targets.begin(), batch.targets.end());
  CHECK(targets == std::vector<double>{-7, -3, -3, -499});
  CHECK(data.feature(1, 1) == 3.5f);
  CHECK(data.target(3) == -499);
  CHECK(counting(9, 4).label(7) == 3);
}

TEST_CASE("data in memory are read ahead when workers are asked for", "[threads]") {
  const mt::Dataset data = mt::read_all(counting(1003));
  CHECK(data.in_memory());
  mt::DataLoader<float> gathered(data, {.batch_size = 32, .shuffle = true});
  mt::DataLoader<float> ahead(data, {.batch_size = 32, .shuffle = true, .loading = {.workers = 2}});
  CHECK(gathered.stats().workers == 0);
  CHECK(hash_of(gathered, 2) == hash_of(ahead, 2));
}

TEST_CASE("denormal numbers are the same bits in a thread that flushes them", "[threads]") {
  for (const std::size_t workers : {0, 1}) {
    const mt::Cpu device;
    const auto flushing = device.arithmetic_scope();
    mt::DataLoader<float> loader(counting(10), {.batch_size = 10, .loading = {.workers = workers}});
    CHECK(std::bit_cast<std::uint32_t>(loader.next(0, 0, 10).features(0, 3)) == std::bit_cast<std::uint32_t>(5e-40f));
    const volatile float tiny = 1e-39f;
    const float half = tiny * 0.5f;
    CHECK(std::bit_cast<std::uint32_t>(half) == 0);  // and the thread goes on as it was
  }
}

namespace {

class Failing : public Counting {
 public:
  using Counting::Counting;
  mutable std::atomic<bool> fails{true};

 protected:
  void at(const mt::Reading&, std::uint64_t sample) const override {
    if (sample == 777 && fails) throw mt::DataError(mt::ErrorCode::bad_number, "sample 777 is broken");
  }
};

}  // namespace

TEST_CASE("what reading throws comes out of next, in its turn, and can be tried again", "[threads]") {
  for (const std::size_t workers : {0, 1, 3}) {
    const auto source = std::make_shared<const Failing>(70'000);
    mt::DataLoader<float> loader(mt::Dataset(source), {.batch_size = 10'000, .loading = {.workers = workers}});
    INFO("workers " << workers);
    test::check_error<mt::DataError>(
        mt::ErrorCode::bad_number, [&] { loader.next(0, 0, 10'000); }, "sample 777 is broken");
    CHECK(loader.next(0, 30'000, 10'000).features(0, 0) == 30'000);
    test::check_error<mt::DataError>(
        mt::ErrorCode::bad_number, [&] { loader.next(0, 0, 10'000); }, "sample 777 is broken");
    source->fails = false;
    CHECK(loader.next(0, 0, 10'000).features(777, 0) == 777);
  }
}

namespace {

// Waits at one sample until it is released, or told to stop.
class Hanging : public Counting {
 public:
  using Counting::Counting;
  mutable std::atomic<bool> released{false};

 protected:
  void at(const mt::Reading& reading, std::uint64_t sample) const override {
    while (sample == 62'345 && !released && !reading.stop.stop_requested()) std::this_thread::yield();
  }
};

}  // namespace

TEST_CASE("a worker that hangs is named with its sample, and a loader with busy workers can be destroyed",
          "[threads]") {
  const auto source = std::make_shared<const Hanging>(100'000);
  {
    mt::DataLoader<float> loader(mt::Dataset(source), {.batch_size = 10'000, .loading = {.workers = 2, .deadline = 2}});
    test::check_error<mt::DataError>(
        mt::ErrorCode::timed_out,
        [&] {
          for (std::size_t at = 0; at < 100'000; at += 10'000) loader.next(0, at, 10'000);
        },
        "worker", "of 2", "sample 62345 (epoch 0)", "2 seconds");
    source->released = true;
    CHECK(loader.next(0, 60'000, 10'000).features(2'345, 0) == 62'345);
    source->released = false;
  }
  mt::DataLoader<float> unused(mt::Dataset(source), {.batch_size = 10'000, .loading = {.workers = 3}});
  unused.next(0, 0, 10'000);  // the others hang by now, or will: the test ends only if they can be stopped
}

TEST_CASE("files larger than the memory allowed are read block by block, every sample once", "[threads]") {
  const RowFile file(100'003, 11);
  const mt::Dataset data = file.data();
  CHECK(data.bytes() == 100'003 * 44);
  for (const bool shuffle : {true, false}) {
    std::uint64_t hash = 0;
    for (const std::size_t workers : {0, 1, 2}) {
      mt::DataLoader<float> loader(
          data,
          {.batch_size = 100, .shuffle = shuffle, .seed = 3, .loading = {.workers = workers, .memory_limit = 1 << 20}});
      const char* const how = shuffle ? "at a time mixed: " : "at a time: ";
      CHECK(loader.explain().find(std::string(how) + "4400132 bytes of files, 1048576 bytes of memory") !=
            std::string::npos);
      std::vector<bool> seen(data.size());
      std::uint64_t now = 0;
      std::size_t wrong = 0;
      for (std::size_t epoch = 0; epoch < 2; ++epoch) {
        std::fill(seen.begin(), seen.end(), false);
        for (const auto& batch : loader.epoch(epoch)) {
          mix(now, batch);
          const auto samples = loader.samples(batch);
          for (std::size_t i = 0; i < batch.size(); ++i) {
            const std::uint64_t sample = samples[i];
            wrong += seen[sample] || batch.features(i, 3) != static_cast<float>(sample * 11 + 3);
            wrong += batch.targets(i, 0) != static_cast<float>(sample * 11 + 10);
            seen[sample] = true;
          }
        }
        wrong += static_cast<std::size_t>(std::count(seen.begin(), seen.end(), false));
      }
      INFO("shuffle " << shuffle << " workers " << workers);
      CHECK(wrong == 0);
      if (workers == 0) hash = now;
      CHECK(now == hash);
    }
  }
  mt::DataLoader<float> roomy(data, {.shuffle = true});
  CHECK(roomy.explain().substr(0, 16) == "samples shuffled");
  mt::DataLoader<float> asked(data, {.shuffle = true, .loading = {.mixing = mt::Mixing::blocks}});
  CHECK(asked.explain().find("blocks of") == 0);
}

TEST_CASE("a state by samples is none by blocks") {
  const RowFile file(10'000, 5);
  const auto options = [](mt::Mixing mixing) {
    return mt::DataLoaderOptions{.shuffle = true, .loading = {.workers = 0, .mixing = mixing}};
  };
  mt::DataLoader<float> samples(file.data(), options(mt::Mixing::samples));
  mt::DataLoader<float> blocks(file.data(), options(mt::Mixing::blocks));
  test::check_error<mt::OptionError>(
      mt::ErrorCode::invalid_argument, [&] { blocks.seek(samples.state()); }, "order of another kind", "blocks of");
  CHECK_NOTHROW(samples.seek(samples.state()));
}

namespace {

// Keeps account of what is in memory: loaded, and not let go of. 40 bytes a sample.
class Account : public Counting {
 public:
  explicit Account(std::uint64_t n) : Counting(n), here_(n) {}
  std::uint64_t file_bytes() const noexcept override { return size() * 40; }
  bool varies() const noexcept override { return false; }
  void expect(std::uint64_t first, std::uint64_t count) const override { CHECK(first + count <= size()); }
  void load(std::uint64_t first, std::uint64_t count) const override { set(first, count, true); }
  void release(std::uint64_t first, std::uint64_t count, bool) const override { set(first, count, false); }
  mutable std::uint64_t in_memory = 0, most = 0, missed = 0;

 protected:
  void at(const mt::Reading&, std::uint64_t sample) const override { missed += !here_[sample]; }

 private:
  void set(std::uint64_t first, std::uint64_t count, bool here) const {
    for (std::uint64_t i = first; i < first + count; ++i) {
      in_memory += std::uint64_t{here} - std::uint64_t{here_[i]};
      here_[i] = here;
    }
    most = std::max(most, in_memory);
  }
  mutable std::vector<bool> here_;
};

}  // namespace

TEST_CASE("of a file larger than the memory allowed, two windows are in memory, and each is there in time") {
  constexpr std::uint64_t n = 500'000, limit = 4 << 20;  // 20 MB of file, windows of 1 MiB
  const auto source = std::make_shared<const Account>(n);
  const mt::Dataset all{source};
  std::vector<std::uint64_t> rows;
  for (std::uint64_t i = 2; i < n; i += 5) rows.push_back(i);
  for (const mt::Dataset& data : {all, all.subset(rows)}) {
    for (const bool shuffle : {true, false}) {
      source->release(0, n, false);
      source->most = 0;
      const auto options = [&](std::size_t batch) {
        return mt::DataLoaderOptions{
            .batch_size = batch, .shuffle = shuffle, .loading = {.workers = 0, .memory_limit = limit}};
      };
      mt::DataLoader<float> loader(data, options(1000));
      source->missed = 0;
      for (std::size_t epoch = 0; epoch < 3; ++epoch) {
        for (const auto& batch : loader.epoch(epoch)) CHECK(batch.size() > 0);
      }
      for (std::size_t jump = 0; jump < 20; ++jump) {
        for (std::size_t i = 0; i < 3; ++i)
          loader.next(jump, (jump * 7919 % (data.size() / 1000 - 3) + i) * 1000, 1000);
      }
      INFO("samples " << data.size() << " shuffle " << shuffle);
      CHECK(source->missed == 0);
      CHECK(source->most * 40 > limit / 4);
      CHECK(source->most * 40 < limit / 4 * 5 / 2);
    }
  }
}

TEST_CASE("nothing is read behind the last epoch", "[threads]") {
  class Counted : public Counting {
   public:
    using Counting::Counting;
    mutable std::atomic<std::size_t> reads{0};

   protected:
    void at(const mt::Reading&, std::uint64_t) const override { ++reads; }
  };
  for (const std::size_t workers : {0, 1, 3}) {
    const auto source = std::make_shared<const Counted>(100'000);
    mt::DataLoader<float> loader(mt::Dataset(source), {.batch_size = 100, .loading = {.workers = workers}});
    loader.end_with(1);
    CHECK(hash_of(loader, 2) != 0);
    CHECK(source->reads == 200'000);
    // It still can be asked for, and so can the first one again.
    CHECK(loader.next(2, 500, 100).features(0, 0) == 500);
    CHECK(loader.next(0, 500, 100).features(0, 0) == 500);
    CHECK(loader.next(0, 600, 100).features(0, 0) == 600);
  }
}

TEST_CASE("a label that a source makes up is an error", "[threads]") {
  class Labels : public Counting {
   public:
    Labels() : Counting(1000, 5) {}
    void read(const mt::Reading& reading, std::span<const std::uint64_t> samples,
              const mt::SampleBuffers& out) const override {
      Counting::read(reading, samples, out);
      for (std::size_t i = 0; i < samples.size(); ++i) {
        if (samples[i] == 321) out.labels[i] = 5;
        if (samples[i] == 322) out.labels[i] = -1;
      }
    }
  };
  for (const std::size_t workers : {0, 1}) {
    mt::DataLoader<float> loader(mt::Dataset(std::make_shared<const Labels>()),
                                 {.batch_size = 10, .loading = {.workers = workers}});
    const auto read_all = [&] {
      for (const auto& batch : loader.epoch(0)) CHECK(batch.size() > 0);
    };
    test::check_error<mt::DataError>(mt::ErrorCode::label_out_of_range, read_all, "sample 321", "label 5");
  }
}

TEST_CASE("large batches have few slots, small ones many") {
  mt::DataLoader<float> loader(counting(10'000'000), {.batch_size = 5'000'000, .loading = {.workers = 2}});
  CHECK(loader.stats().depth == 3);
  mt::DataLoader<float> small(counting(10'000'000), {.batch_size = 50, .loading = {.workers = 2}});
  CHECK(small.stats().depth == 18);
  const mt::LoadingOptions three{.workers = 3};
  CHECK(three.slots(1) == 19);
  CHECK(three.slots(1 << 20) == 16);
  CHECK(three.slots(4 << 20) == 5);
  CHECK(three.slots(16 << 20) == 4);
  CHECK(three.slots(std::uint64_t{1} << 40) == 3);
  const mt::LoadingOptions limited{.workers = 1, .memory_limit = 11'000'000};
  CHECK(limited.slots(518'144) == 5);
  CHECK(limited.slots(8 << 20) == 3);
}

TEST_CASE("block by block works on a subset too") {
  const RowFile file(50'000, 3);
  std::vector<std::uint64_t> odd;
  for (std::uint64_t i = 1; i < 50'000; i += 2) odd.push_back(i);
  const mt::Dataset data = file.data().subset(odd);
  mt::DataLoader<float> loader(data, {.batch_size = 64, .shuffle = true, .loading = {.memory_limit = 1 << 16}});
  double sum = 0;
  for (const auto& batch : loader.epoch(0)) {
    for (std::size_t i = 0; i < batch.size(); ++i) sum += static_cast<double>(batch.features(i, 0));
  }
  CHECK(sum == 3.0 * 25'000 * 25'000);
}

TEST_CASE("a file that is shorter at the next epoch is an error there") {
  const RowFile file(10'000, 5);
  // A worker that is reading ahead at that moment would end the process.
  mt::DataLoader<float> loader(file.data(), {.batch_size = 1000, .loading = {.workers = 0}});
  for (const auto& batch : loader.epoch(0)) CHECK(batch.size() == 1000);
  REQUIRE(::truncate(file.file.path().c_str(), 1000) == 0);
  test::check_error<mt::DataError>(
      mt::ErrorCode::truncated, [&] { loader.epoch(1).begin(); }, "has 1000 bytes, but had 200000");
  test::check_error<mt::DataError>(
      mt::ErrorCode::truncated, [&] { mt::read_all(file.data()); }, "has 1000 bytes, but had 200000");
}

TEST_CASE("what loading cannot do is refused") {
  const mt::Dataset data = counting(10);
  const auto refused = [&](const mt::DataLoaderOptions& options, const char* words) {
    test::check_error<mt::OptionError>(
        mt::ErrorCode::invalid_argument, [&] { mt::DataLoader<float>(data, options); }, words);
  };
  refused({.rank = 2, .ranks = 2}, "rank 2 of 2");
  refused({.ranks = 0}, "rank 0 of 0");
  refused({.loading = {.workers = 257}}, "257 workers");
  refused({.loading = {.depth = 257}}, "depth of 257");
  refused({.loading = {.deadline = -1}}, "deadline of -1");
  refused({.loading = {.deadline = std::numeric_limits<double>::quiet_NaN()}}, "deadline");
  refused({.loading = {.workers = 0, .deadline = 1}}, "no workers to wait for");
}

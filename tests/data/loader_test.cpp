#include <minitrain/cpu/gather.hpp>
#include <minitrain/cpu/permute.hpp>
#include <minitrain/data/loader.hpp>
#include <minitrain/data/split.hpp>

#include <cmath>
#include <limits>
#include <type_traits>

#include "data/support.hpp"

namespace mt = minitrain;

namespace {

// Feature j of sample i is 10·i + j, its target is -i, its label i % 7.
mt::Dataset counting(std::size_t n, std::size_t columns = 3, bool classes = false) {
  mt::DatasetParts parts{.samples = n, .classes = classes ? std::size_t{7} : 0};
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < columns; ++j) parts.features.push_back(static_cast<float>(10 * i + j));
    if (classes) {
      parts.labels.push_back(static_cast<std::int32_t>(i % 7));
    } else {
      parts.targets.push_back(-static_cast<float>(i));
    }
  }
  return mt::Dataset(std::move(parts));
}

// The samples of a batch of counting(), after a check that all numbers of each belong together.
template <class T>
std::vector<std::uint64_t> samples_of(const mt::Batch<T>& batch) {
  std::vector<std::uint64_t> samples;
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto sample = static_cast<std::uint64_t>(batch.features(i, 0)) / 10;
    for (std::size_t j = 0; j < batch.features.columns(); ++j) {
      wrong += batch.features(i, j) != static_cast<T>(10 * sample + j);
    }
    if (!batch.targets.empty()) wrong += batch.targets(i, 0) != -static_cast<T>(sample);
    if (!batch.labels.empty()) wrong += batch.labels[i] != static_cast<std::int32_t>(sample % 7);
    samples.push_back(sample);
  }
  CHECK(wrong == 0);
  return samples;
}

template <class Loader>
std::vector<std::uint64_t> samples_of_epoch(Loader& loader, std::size_t epoch) {
  std::vector<std::uint64_t> samples;
  for (const auto& batch : loader.epoch(epoch)) {
    CHECK(batch.epoch == epoch);
    CHECK(batch.position == samples.size());
    const auto more = samples_of(batch);
    samples.insert(samples.end(), more.begin(), more.end());
  }
  return samples;
}

std::vector<std::uint64_t> permuted(std::uint64_t n, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<std::uint64_t> order(n);
  mt::Permutation(n, seed, epoch).fill(0, order);
  return order;
}

std::vector<std::uint64_t> in_order(std::uint64_t n) {
  std::vector<std::uint64_t> order(n);
  for (std::uint64_t i = 0; i < n; ++i) order[i] = i;
  return order;
}

}  // namespace

TEST_CASE("a loader deduces float and Cpu") {
  mt::DataLoader loader{counting(5), {.batch_size = 2, .shuffle = true, .seed = 11}};
  STATIC_REQUIRE(std::is_same_v<decltype(loader), mt::DataLoader<float, mt::Cpu>>);
}

TEST_CASE("an epoch hands out every sample once, in the order of its permutation, the last batch short") {
  for (const std::size_t n : {1, 2, 31, 33, 257, 1003, 3000}) {
    for (const std::size_t batch_size : {1, 32, 500, 5000}) {
      mt::DataLoader loader{counting(n), {.batch_size = batch_size, .shuffle = true, .seed = 11}};
      INFO("n " << n << " batch_size " << batch_size);
      CHECK(loader.batches_per_epoch() == (n + batch_size - 1) / batch_size);
      CHECK(loader.samples_per_epoch() == n);
      for (const std::size_t epoch : {0, 1, 7}) CHECK(samples_of_epoch(loader, epoch) == permuted(n, 11, epoch));
      std::size_t last = 0;
      for (const auto& batch : loader.epoch(0)) last = batch.size();
      CHECK(last == (n % batch_size == 0 ? batch_size : n % batch_size));
    }
  }
}

TEST_CASE("without shuffling an epoch has the order of the data set") {
  mt::DataLoader loader{counting(2100), {.batch_size = 100}};
  CHECK(samples_of_epoch(loader, 0) == in_order(2100));
  CHECK(samples_of_epoch(loader, 5) == in_order(2100));
}

TEST_CASE("a subset is loaded by its own samples") {
  const auto part = mt::split(counting(300), {.test_fraction = 0.3, .seed = 2}).test;
  mt::DataLoader plain{part, {.batch_size = 32}};
  CHECK(samples_of_epoch(plain, 0) == std::vector<std::uint64_t>(part.rows().begin(), part.rows().end()));
  mt::DataLoader shuffled{part, {.batch_size = 32, .shuffle = true, .seed = 1}};
  std::vector<std::uint64_t> expected;
  for (const std::uint64_t i : permuted(90, 1, 3)) expected.push_back(part.row(i));
  CHECK(samples_of_epoch(shuffled, 3) == expected);
}

TEST_CASE("labels, double and bytes are loaded as well") {
  mt::DataLoader labelled{counting(100, 3, true), {.batch_size = 32, .shuffle = true}};
  CHECK(samples_of_epoch(labelled, 0) == permuted(100, 0, 0));
  const auto batch = labelled.next(0, 0, 5);
  CHECK(batch.targets.empty());
  CHECK(batch.labels.shape() == mt::Shape{5});

  mt::DataLoader<double> doubles(counting(100), {.batch_size = 32, .shuffle = true});
  CHECK(samples_of_epoch(doubles, 0) == permuted(100, 0, 0));

  mt::DatasetParts parts{.samples = 20, .scale = 10, .offset = 0, .classes = 7};
  for (std::size_t i = 0; i < 20; ++i) {
    parts.bytes.push_back(static_cast<std::uint8_t>(i));
    parts.labels.push_back(static_cast<std::int32_t>(i % 7));
  }
  mt::DataLoader bytes{mt::Dataset(parts), {.batch_size = 6, .shuffle = true}};
  CHECK(samples_of_epoch(bytes, 2) == permuted(20, 0, 2));
}

TEST_CASE("without answers there are features only") {
  for (const bool bytes : {false, true}) {
    mt::DatasetParts parts{.samples = 33};
    for (std::size_t i = 0; i < 33; ++i) {
      if (bytes) parts.bytes.push_back(static_cast<std::uint8_t>(10 * i % 256));
      if (!bytes) parts.features.push_back(static_cast<float>(10 * i % 256));
    }
    mt::DataLoader loader{mt::Dataset(std::move(parts)), {.batch_size = 32}};
    std::size_t samples = 0;
    for (const auto& batch : loader.epoch(0)) {
      CHECK(batch.targets.empty());
      CHECK(batch.labels.empty());
      for (std::size_t i = 0; i < batch.size(); ++i) {
        CHECK(batch.features(i, 0) == static_cast<float>(10 * samples++ % 256));
      }
    }
    CHECK(samples == 33);
  }
}

template <class Loader>
concept HasEpoch = requires(Loader&& loader) {
  std::forward<Loader>(loader).epoch(0);
};

TEST_CASE("a temporary loader has no epoch, which would outlive it") {
  STATIC_REQUIRE(HasEpoch<mt::DataLoader<float>&>);
  STATIC_REQUIRE_FALSE(HasEpoch<mt::DataLoader<float>>);
}

TEST_CASE("any position of any epoch can be asked for, in any order and size") {
  mt::DataLoader loader{counting(5000, 1), {.batch_size = 64, .shuffle = true, .seed = 4}};
  const mt::Random random(1, mt::RandomPurpose::test);
  for (std::uint64_t trial = 0; trial < 300; ++trial) {
    const std::size_t epoch = random.word(4 * trial) % 2, position = random.word(4 * trial + 1) % 5000;
    const std::size_t count = 1 + random.word(4 * trial + 2) % std::min<std::size_t>(5000 - position, 700);
    const auto order = permuted(5000, 4, epoch);
    const auto batch = loader.next(epoch, position, count);
    CHECK(batch.epoch == epoch);
    CHECK(batch.position == position);
    const auto begin = order.begin() + static_cast<std::ptrdiff_t>(position);
    INFO("epoch " << epoch << " position " << position << " count " << count);
    CHECK(samples_of(batch) == std::vector<std::uint64_t>(begin, begin + static_cast<std::ptrdiff_t>(count)));
  }
}

TEST_CASE("micro-batches of any size cut the same order") {
  const auto order = permuted(1003, 9, 1);
  for (const std::size_t micro : {1, 7, 50, 128, 1003}) {
    mt::DataLoader loader{counting(1003), {.batch_size = 128, .shuffle = true, .seed = 9}};
    std::vector<std::uint64_t> samples;
    for (std::size_t position = 0; position < 1003; position += micro) {
      const auto more = samples_of(loader.next(1, position, std::min(micro, 1003 - position)));
      samples.insert(samples.end(), more.begin(), more.end());
    }
    CHECK(samples == order);
  }
}

TEST_CASE("a short batch shows nothing of the one before it") {
  mt::DataLoader loader{counting(100), {.batch_size = 64}};
  const auto full = loader.next(0, 0, 64);
  auto* const memory = const_cast<float*>(full.features.data());
  std::fill_n(memory, full.features.size(), std::numeric_limits<float>::quiet_NaN());
  const auto last = loader.next(0, 64, 36);
  CHECK(last.size() == 36);
  CHECK(last.features.shape() == mt::Shape{36, 3});
  CHECK(last.targets.shape() == mt::Shape{36, 1});
  CHECK(samples_of(last).back() == 99);  // compares every number, so no NaN is left
}

TEST_CASE("nothing is allocated in steady state: buffers stay where they are") {
  mt::DataLoader loader{counting(1000), {.batch_size = 50, .shuffle = true}};
  const auto first = loader.next(0, 0, 50);
  for (std::size_t position = 50; position < 1000; position += 50) {
    const auto batch = loader.next(0, position, 50);
    CHECK(batch.features.data() == first.features.data());
    CHECK(batch.targets.data() == first.targets.data());
  }
  // A larger batch than ever before gets larger buffers, and everything goes on.
  CHECK(samples_of(loader.next(1, 3, 200)).size() == 200);
}

TEST_CASE("drop_last leaves out the short batch") {
  mt::DataLoader loader{counting(100), {.batch_size = 32, .shuffle = true, .drop_last = true}};
  CHECK(loader.batches_per_epoch() == 3);
  CHECK(loader.samples_per_epoch() == 96);
  auto expected = permuted(100, 0, 0);
  expected.resize(96);
  CHECK(samples_of_epoch(loader, 0) == expected);
  test::check_error<mt::DataError>(
      mt::ErrorCode::count_mismatch, [&] { loader.next(0, 96, 4); }, "epoch of 96");
  test::check_error<mt::DataError>(
      mt::ErrorCode::empty_data, [] { mt::DataLoader(counting(31), {.batch_size = 32, .drop_last = true}); },
      "0 batches per epoch", "31 samples", "batch_size 32");
  mt::DataLoader exact{counting(32), {.batch_size = 32, .drop_last = true}};
  CHECK(exact.batches_per_epoch() == 1);
}

TEST_CASE("a batch size of 0, a negative one and one past 2^31 are refused") {
  for (const std::size_t size : {std::size_t{0}, static_cast<std::size_t>(-1), (std::size_t{1} << 31) + 1}) {
    test::check_error<mt::OptionError>(
        mt::ErrorCode::invalid_argument, [&] { mt::DataLoader(counting(3), {.batch_size = size}); }, "batch_size",
        "1 to 2^31");
  }
  mt::DataLoader largest{counting(3), {.batch_size = std::size_t{1} << 31}};
  CHECK(samples_of_epoch(largest, 0).size() == 3);
}

TEST_CASE("an empty data set and positions past the end are refused, and the loader goes on") {
  test::check_error<mt::DataError>(
      mt::ErrorCode::empty_data, [] { mt::DataLoader(mt::Dataset(), {}); }, "empty");
  mt::DataLoader loader{counting(10), {.batch_size = 4}};
  const auto code = mt::ErrorCode::count_mismatch;
  test::check_error<mt::DataError>(
      code, [&] { loader.next(0, 8, 3); }, "samples 8 to 11 of an epoch of 10");
  test::check_error<mt::DataError>(
      code, [&] { loader.next(0, 11, 1); }, "epoch of 10");
  test::check_error<mt::DataError>(
      code, [&] { loader.next(0, 1, ~std::size_t{0}); }, "epoch of 10");
  test::check_error<mt::DataError>(
      mt::ErrorCode::empty_data, [&] { loader.next(0, 1, 0); }, "no samples");
  CHECK(samples_of_epoch(loader, 0) == in_order(10));
}

namespace other {

// A device whose memory is not the host's as far as the loader can know: it gets the data by copy_from_host().
class Device {
 public:
  struct Memory {
    void deallocate(void* p, std::size_t) const noexcept { ::operator delete(p); }
  };
  Memory memory() const noexcept { return {}; }
  void* allocate(std::size_t bytes) const { return std::memset(::operator new(bytes), 0, bytes); }
  int* copies = nullptr;
};

template <class S>
void copy_from_host(const Device& device, const S* host, const mt::View<S, Device>& y) {
  ++*device.copies;
  std::copy_n(host, y.size(), y.data());
}

void fill_order(const Device&, const mt::Permutation& permutation, std::uint64_t first, std::span<std::uint64_t> out) {
  permutation.fill(first, out);
}

template <class S, class T>
void gather(const Device&, const mt::RowSource<S, Device>& source, std::span<const std::uint64_t> rows,
            std::span<const std::uint64_t>, mt::View<T, Device> out) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < out.columns(); ++j) out(i, j) = static_cast<T>(source.table(rows[i], j));
  }
}

}  // namespace other

TEST_CASE("on another device the data are copied there once and gathered there") {
  int copies = 0;
  mt::DataLoader loader{counting(100), {.batch_size = 32, .shuffle = true}, other::Device{&copies}};
  STATIC_REQUIRE(std::is_same_v<decltype(loader), mt::DataLoader<float, other::Device>>);
  CHECK(copies == 2);
  std::vector<std::uint64_t> samples;
  for (const auto& batch : loader.epoch(0)) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      samples.push_back(static_cast<std::uint64_t>(batch.features(i, 0)) / 10);
      CHECK(batch.targets(i, 0) == -static_cast<float>(samples.back()));
    }
  }
  CHECK(samples == permuted(100, 0, 0));
  CHECK(copies == 2);
}

#pragma once
// What the tests of sources share: samples read in blocks, orders and threads, and a source that notes its hints.

#include "data/support.hpp"

#include <minitrain/core/permutation.hpp>
#include <minitrain/data/dataset.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <exception>
#include <thread>
#include <utility>

namespace test {

/// What a reading gave, bit by bit.
struct Read {
  std::vector<std::uint32_t> features, targets;
  std::vector<std::int32_t> labels;
  friend bool operator==(const Read&, const Read&) = default;
};

struct ReadOptions {
  std::size_t block = 7;
  bool shuffled = false;
  std::size_t threads = 1;
  std::uint64_t seed = 1, epoch = 0;
};

/// Samples 0 to n - 1, brought into their order again after they were read in another.
inline Read read_all(const minitrain::Dataset& data, const ReadOptions& options = {}) {
  const std::size_t n = data.size(), columns = data.feature_columns(), targets = data.target_columns();
  std::vector<std::uint64_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  if (options.shuffled) minitrain::Permutation(n, 99).fill(0, order);
  // Full of NaN, as the buffers are before each reading, so that a number that nobody wrote shows.
  Read result{std::vector<std::uint32_t>(n * columns, ~0u), std::vector<std::uint32_t>(n * targets, ~0u),
              std::vector<std::int32_t>(data.is_classification() ? n : 0, -7)};
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    std::vector<float> x(options.block * columns), y(options.block * targets);
    std::vector<std::int32_t> labels(options.block);
    for (std::size_t at; (at = next.fetch_add(options.block)) < n;) {
      const std::span<const std::uint64_t> samples(order.data() + at, std::min(options.block, n - at));
      std::fill(x.begin(), x.end(), std::bit_cast<float>(~0u));
      std::fill(y.begin(), y.end(), std::bit_cast<float>(~0u));
      std::fill(labels.begin(), labels.end(), -7);
      minitrain::SampleBuffers out;
      out.features = x.data();
      if (targets != 0) out.targets = y.data();
      if (data.is_classification()) out.labels = labels.data();
      minitrain::Reading reading;
      reading.seed = options.seed, reading.epoch = options.epoch;
      data.read(reading, samples, out);
      for (std::size_t i = 0; i < samples.size(); ++i) {
        const auto put = [&](auto& to, const auto& from, std::size_t width) {
          for (std::size_t j = 0; j < width; ++j)
            to[samples[i] * width + j] = std::bit_cast<std::uint32_t>(from[i * width + j]);
        };
        put(result.features, x, columns);
        put(result.targets, y, targets);
        if (data.is_classification()) result.labels[samples[i]] = labels[i];
      }
    }
  };
  std::vector<std::jthread> threads;
  for (std::size_t t = 1; t < options.threads; ++t) threads.emplace_back(work);
  work();
  return result;
}

/// A reading in order equals one in another order, in other blocks, by several threads, and of parts of a sample alone.
inline void check_readings_agree(const minitrain::Dataset& data) {
  const Read all = test::read_all(data);
  CHECK(all == test::read_all(data, {.block = 1}));
  CHECK(all == test::read_all(data, {.block = 300}));
  CHECK(all == test::read_all(data, {.block = 64, .shuffled = true}));
  CHECK(all == test::read_all(data, {.block = 5, .shuffled = true, .threads = 4}));
  minitrain::Reading reading;
  reading.seed = 1;
  for (const std::uint64_t sample : {std::uint64_t{0}, data.size() / 2, data.size() - 1}) {
    std::vector<float> x(data.feature_columns()), y(data.target_columns());
    std::int32_t label = -7;
    minitrain::SampleBuffers out;
    out.features = x.data();
    data.read(reading, {&sample, 1}, out);
    for (std::size_t j = 0; j < x.size(); ++j)
      CHECK(std::bit_cast<std::uint32_t>(x[j]) == all.features[sample * x.size() + j]);
    out = {};
    out.targets = y.empty() ? nullptr : y.data();
    out.labels = data.is_classification() ? &label : nullptr;
    if (data.has_answers()) data.read(reading, {&sample, 1}, out);
    for (std::size_t j = 0; j < y.size(); ++j)
      CHECK(std::bit_cast<std::uint32_t>(y[j]) == all.targets[sample * y.size() + j]);
    if (data.is_classification()) CHECK(label == all.labels[sample]);
  }
}

/// Sample i has the features i, i + 0.5 and the target 10·i; it says what it was told.
class NotedSource final : public minitrain::Source {
 public:
  explicit NotedSource(std::uint64_t size, bool varies = false) : size_(size), varies_(varies) {}
  std::uint64_t size() const noexcept override { return size_; }
  minitrain::SampleShape shape() const noexcept override { return {2, 1, 0}; }
  bool varies() const noexcept override { return varies_; }
  std::uint64_t file_bytes() const noexcept override { return 1000; }
  void read(const minitrain::Reading& reading, std::span<const std::uint64_t> samples,
            const minitrain::SampleBuffers& out) const override {
    seed = reading.seed;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto x = static_cast<float>(samples[i]);
      if (out.features != nullptr) out.features[2 * i] = x, out.features[2 * i + 1] = x + 0.5f;
      if (out.targets != nullptr) out.targets[i] = 10 * x;
    }
  }
  void check() const override { note("check"); }
  void expect(std::uint64_t first, std::uint64_t count) const override { note("expect", first, count); }
  void load(std::uint64_t first, std::uint64_t count) const override { note("load", first, count); }
  void release(std::uint64_t first, std::uint64_t count, bool from_cache) const override {
    note(from_cache ? "drop" : "release", first, count);
  }
  /// What it was told since the last call, "expect 3+4 load 0+1".
  std::string notes() const { return std::exchange(notes_, {}); }

  mutable std::atomic<std::uint64_t> seed{0};  // of the last reading

 private:
  void note(const char* what) const { notes_ += (notes_.empty() ? "" : " ") + std::string(what); }
  void note(const char* what, std::uint64_t first, std::uint64_t count) const {
    note(what);
    notes_ += " " + std::to_string(first) + "+" + std::to_string(count);
  }
  std::uint64_t size_;
  bool varies_;
  mutable std::string notes_;
};

/// What f() throws: the message of the exception that is nested in it, and in that, joined by " < ".
template <class F>
std::string nested_messages(F&& f) {
  std::string result;
  const auto add = [&](const auto& self, const std::exception& error) -> void {
    result += (result.empty() ? "" : " < ") + std::string(error.what());
    try {
      std::rethrow_if_nested(error);
    } catch (const std::exception& inner) {
      self(self, inner);
    } catch (...) {
      result += " < other";
    }
  };
  try {
    f();
  } catch (const std::exception& error) {
    add(add, error);
  }
  return result;
}

}  // namespace test

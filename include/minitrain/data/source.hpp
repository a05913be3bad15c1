#pragma once
// Source: where samples come from that are not simply rows in memory. Files, functions, other sources.

#include <minitrain/core/error.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

/// What a sample is made of: `feature_columns` numbers, and a class label when `classes` is not 0, else
/// `target_columns` numbers, perhaps none.
struct SampleShape {
  std::size_t feature_columns = 0;
  std::size_t target_columns = 0;
  std::size_t classes = 0;

  friend bool operator==(const SampleShape&, const SampleShape&) = default;
};

/// Where samples go, row after row; null where nobody wants them, or there are none.
struct SampleBuffers {
  float* features = nullptr;       // [n, feature_columns]
  float* targets = nullptr;        // [n, target_columns]
  std::int32_t* labels = nullptr;  // [n]
};

/// What a reading is for. Two readings of a sample in one epoch of one seed give the same bits, whoever asks.
struct Reading {
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;
  std::stop_token stop{};                         // asked to stop: the result is not wanted any more
  std::atomic<std::uint64_t>* current = nullptr;  // set to the sample that a function is called for, where not null
  const std::uint64_t* numbers = nullptr;         // of the samples in the set that was asked first; null: in this one

  /// To be called before `sample`, the i-th of those that are read, is made by a function that may take long.
  void name(std::uint64_t sample, std::size_t i) const noexcept {
    if (current != nullptr) current->store(numbers != nullptr ? numbers[i] : sample, std::memory_order_relaxed);
  }
};

namespace detail {

/// What `count` of `size` samples have of these bytes, and no more than all of them where some are repeated.
inline std::uint64_t share_of(std::uint64_t bytes, std::uint64_t count, std::uint64_t size) noexcept {
  if (count >= size) return bytes;
  return static_cast<std::uint64_t>(static_cast<double>(bytes) * static_cast<double>(count) /
                                    static_cast<double>(size));
}

/// Where the buffers go on after `samples` samples.
inline void advance(SampleBuffers& at, const SampleShape& shape, std::size_t samples) noexcept {
  if (at.features != nullptr) at.features += samples * shape.feature_columns;
  if (at.targets != nullptr) at.targets += samples * shape.target_columns;
  if (at.labels != nullptr) at.labels += samples;
}

/// Reads samples, up to `most` at a time: count = read(reading, next samples, at) until all are read or count is 0. The
/// reading tells sources that are read in turn how these samples are numbered.
template <class Read>
void read_by_parts(std::size_t most, const SampleShape& shape, Reading reading, std::span<const std::uint64_t> samples,
                   SampleBuffers at, Read&& read) {
  if (reading.numbers == nullptr) reading.numbers = samples.data();
  while (!samples.empty()) {
    const std::size_t count = read(std::as_const(reading), samples.first(std::min(most, samples.size())), at);
    if (count == 0) return;
    samples = samples.subspan(count);
    reading.numbers += count;
    advance(at, shape, count);
  }
}

/// The same where they have other numbers there, numbers[i] = number(samples[i]): read(reading, numbers, at).
template <class Number, class Read>
void read_renumbered(const SampleShape& shape, const Reading& reading, std::span<const std::uint64_t> samples,
                     const SampleBuffers& out, Number&& number, Read&& read) {
  constexpr std::size_t most = 256;
  std::array<std::uint64_t, most> numbers;
  read_by_parts(most, shape, reading, samples, out, [&](const Reading& inner, auto part, const SampleBuffers& at) {
    std::transform(part.begin(), part.end(), numbers.begin(), number);
    read(inner, std::span<const std::uint64_t>(numbers).first(part.size()), at);
    return part.size();
  });
}

}  // namespace detail

/// A sample is a number from 0 to size() - 1; what it is made of is a function of the number and, for a source that
/// varies(), of seed and epoch. Read by several threads at a time.
class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  virtual std::uint64_t size() const noexcept = 0;
  virtual SampleShape shape() const noexcept = 0;
  /// Row i of the buffers becomes sample samples[i], all below size(). Throws DataError, with the sample.
  virtual void read(const Reading& reading, std::span<const std::uint64_t> samples, const SampleBuffers& out) const = 0;
  /// Whether samples differ from epoch to epoch.
  virtual bool varies() const noexcept { return false; }
  /// Bytes of the files behind it; 0 where there are none.
  virtual std::uint64_t file_bytes() const noexcept { return 0; }
  /// Before every epoch. Throws DataError when a file is not what it was.
  virtual void check() const {}

  // Hints about samples first, first + 1, ..., first + count - 1, for what lies in files: they will be read soon, in
  // any order; they are read now, into memory, and the call waits; they are not needed for a while, and with
  // `from_cache` the system need not keep them either.
  virtual void expect([[maybe_unused]] std::uint64_t first, [[maybe_unused]] std::uint64_t count) const {}
  virtual void load([[maybe_unused]] std::uint64_t first, [[maybe_unused]] std::uint64_t count) const {}
  virtual void release([[maybe_unused]] std::uint64_t first, [[maybe_unused]] std::uint64_t count,
                       [[maybe_unused]] bool from_cache) const {}
};

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// DerivedSource: what sources that read other data sets have in common.

#include <minitrain/core/random.hpp>
#include <minitrain/data/dataset.hpp>

#include <exception>
#include <functional>
#include <string>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// f(first, count) for stretches of the source that hold samples first, ..., first + count - 1 of the data set, and
/// perhaps some between them; nothing for numbers in memory.
template <class F>
void for_each_run(const Dataset& data, std::uint64_t first, std::uint64_t count, F&& f) {
  constexpr std::uint64_t most_between = 16;  // rows; a hint for a few too many costs less than one more hint
  if (data.source() == nullptr || count == 0) return;
  if (data.rows().empty()) return f(first, count);
  const auto rows = data.rows().subspan(first, count);
  std::uint64_t begin = rows[0], end = rows[0] + 1;
  for (const std::uint64_t row : rows.subspan(1)) {
    if (row < begin || row > end + most_between) {
      f(begin, end - begin);
      begin = row, end = row;
    }
    end = std::max(end, row + 1);
  }
  f(begin, end - begin);
}

/// To be called in a handler: throws DataError "WHERE: what the exception says", with the exception nested in it. The
/// code is function_failed, or with `keep_code` that of an Error.
[[noreturn, gnu::cold]] inline void throw_from(const std::string& where, bool keep_code) {
  ErrorCode code = ErrorCode::function_failed;
  std::string what;
  try {
    throw;
  } catch (const Error& error) {
    if (keep_code) code = error.code();
    what = error.what();
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    what = "an exception that is no std::exception";
  }
  std::throw_with_nested(DataError(code, where + ": " + what));
}

inline std::string text_of(const SampleShape& shape) {
  return joined({shape.feature_columns, " features, ", shape.target_columns, " targets, ", shape.classes, " classes"});
}

}  // namespace detail

/// A source that reads other data sets, its parts; hints go to them. As it stands, sample i needs sample i of each.
class DerivedSource : public Source {
 public:
  explicit DerivedSource(std::vector<Dataset> parts) : parts_(std::move(parts)) {}

  std::uint64_t size() const noexcept override { return parts_.front().size(); }
  SampleShape shape() const noexcept override { return parts_.front().shape(); }
  bool varies() const noexcept override {
    return std::any_of(parts_.begin(), parts_.end(),
                       [](const Dataset& part) { return part.source() && part.source()->varies(); });
  }
  /// A file behind two parts counts twice, as in zip(data, data).
  std::uint64_t file_bytes() const noexcept override {
    std::uint64_t bytes = 0;
    for (const Dataset& part : parts_) bytes += part.in_memory() ? 0 : part.bytes();
    return bytes;
  }
  void check() const override {
    for (const Dataset& part : parts_) {
      if (part.source()) part.source()->check();
    }
  }
  void expect(std::uint64_t first, std::uint64_t count) const override {
    for_each_stretch(first, count, [](const Source& source, auto at, auto n) { source.expect(at, n); });
  }
  void load(std::uint64_t first, std::uint64_t count) const override {
    for_each_stretch(first, count, [](const Source& source, auto at, auto n) { source.load(at, n); });
  }
  void release(std::uint64_t first, std::uint64_t count, bool from_cache) const override {
    for_each_stretch(first, count,
                     [from_cache](const Source& source, auto at, auto n) { source.release(at, n, from_cache); });
  }
  /// Transforms that a sample may go through below this source, so that the next one draws other numbers.
  virtual std::uint32_t transforms() const noexcept {
    std::uint32_t most = 0;
    for (const Dataset& part : parts_) most = std::max(most, transforms_of(part));
    return most;
  }
  static std::uint32_t transforms_of(const Dataset& data) noexcept {
    const auto* const derived = dynamic_cast<const DerivedSource*>(data.source().get());
    return derived == nullptr ? 0 : derived->transforms();
  }

 protected:
  using OnPart = std::function<void(const Dataset&, std::uint64_t first, std::uint64_t count)>;

  const std::vector<Dataset>& parts() const noexcept { return parts_; }
  /// f for the samples of the parts that samples first, ..., first + count - 1 are made of.
  virtual void for_each_part(std::uint64_t first, std::uint64_t count, const OnPart& f) const {
    for (const Dataset& part : parts_) f(part, first, count);
  }
  /// Reads from part number `k`; errors begin with "WHAT k: ". Parts that vary do not draw the same numbers: each but
  /// the first has a seed of its own.
  void read_part(const char* what, std::size_t k, const Reading& reading, std::span<const std::uint64_t> samples,
                 const SampleBuffers& out) const {
    try {
      if (k == 0 || !parts_[k].source() || !parts_[k].source()->varies()) return parts_[k].read(reading, samples, out);
      // Drawn with the old one as the key, so that parts of parts differ too.
      const auto words = Random(reading.seed, RandomPurpose::transform, 0xFFFF'FFFFu).block(k);
      Reading own = reading;
      own.seed = std::uint64_t{words[0]} << 32 | words[1];
      parts_[k].read(own, samples, out);
    } catch (const Error&) {
      detail::throw_from(joined({what, " ", k}), true);
    }
  }

 private:
  template <class F>
  void for_each_stretch(std::uint64_t first, std::uint64_t count, const F& f) const {
    for_each_part(first, count, [&f](const Dataset& part, std::uint64_t at, std::uint64_t n) {
      detail::for_each_run(part, at, n, [&](auto begin, auto size) { f(*part.source(), begin, size); });
    });
  }

  std::vector<Dataset> parts_;
};

}  // namespace minitrain::inline MINITRAIN_ABI

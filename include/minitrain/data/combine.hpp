#pragma once
// take(), slice(), concat(), zip(): data sets made of others, read when they are read.

#include <minitrain/data/derived_source.hpp>

#include <concepts>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// Sample i is sample first + i.
class SliceSource final : public DerivedSource {
 public:
  SliceSource(const Dataset& data, std::uint64_t first, std::uint64_t count)
      : DerivedSource({data}), first_(first), count_(count) {}

  const Dataset& data() const noexcept { return parts().front(); }
  std::uint64_t first() const noexcept { return first_; }
  std::uint64_t size() const noexcept override { return count_; }
  std::uint64_t file_bytes() const noexcept override {
    return share_of(DerivedSource::file_bytes(), count_, data().size());
  }
  void read(const Reading& reading, std::span<const std::uint64_t> samples, const SampleBuffers& out) const override {
    read_renumbered(
        shape(), reading, samples, out, [this](std::uint64_t sample) { return first_ + sample; },
        [this](const Reading& inner, auto there, const SampleBuffers& at) { data().read(inner, there, at); });
  }

 private:
  void for_each_part(std::uint64_t first, std::uint64_t count, const OnPart& f) const override {
    f(data(), first_ + first, count);
  }

  std::uint64_t first_, count_;
};

/// Sample i is sample i - starts[k] of the part k that it falls into.
class ConcatSource final : public DerivedSource {
 public:
  explicit ConcatSource(std::vector<Dataset> all) : DerivedSource(std::move(all)) {
    for (std::size_t k = 0; k < parts().size(); ++k) {
      const Dataset& part = parts()[k];
      if (part.empty()) throw DataError(ErrorCode::empty_data, {"concat: part ", k, " has no samples: leave it out"});
      if (part.shape() != shape()) {
        throw ShapeError(ErrorCode::shape_mismatch, {"concat: part ", k, " has ", text_of(part.shape()),
                                                     ", but part 0 has ", text_of(shape()), ": give parts of a kind"});
      }
      if (part.size() > (std::uint64_t{1} << 63) - starts_.back()) {
        throw DataError(ErrorCode::overflow, {"concat: parts 0 to ", k, " have more than 2^63 samples together"});
      }
      starts_.push_back(starts_.back() + part.size());
    }
  }

  std::uint64_t size() const noexcept override { return starts_.back(); }
  void read(const Reading& reading, std::span<const std::uint64_t> samples, const SampleBuffers& out) const override {
    constexpr std::size_t most = 256;
    std::uint64_t there[most];
    read_by_parts(most, shape(), reading, samples, out, [&](const Reading& inner, auto some, const SampleBuffers& at) {
      const std::size_t k = part_of(some[0]);
      const std::uint64_t begin = starts_[k], end = starts_[k + 1];
      std::size_t count = 0;
      for (; count < some.size() && some[count] >= begin && some[count] < end; ++count)
        there[count] = some[count] - begin;
      read_part("concat: part", k, inner, {there, count}, at);
      return count;
    });
  }

 private:
  std::size_t part_of(std::uint64_t sample) const noexcept {
    return static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), sample) - starts_.begin()) - 1;
  }
  void for_each_part(std::uint64_t first, std::uint64_t count, const OnPart& f) const override {
    for (std::size_t k = part_of(first); count != 0; ++k) {
      const std::uint64_t n = std::min(count, starts_[k + 1] - first);
      f(parts()[k], first - starts_[k], n);
      first += n;
      count -= n;
    }
  }

  std::vector<std::uint64_t> starts_{0};
};

/// Sample i is sample i of every part, side by side.
class ZipSource final : public DerivedSource {
 public:
  explicit ZipSource(std::vector<Dataset> all) : DerivedSource(std::move(all)), answers_(parts().size()) {
    for (std::size_t k = 0; k < parts().size(); ++k) {
      const Dataset& part = parts()[k];
      if (part.size() != size()) {
        throw DataError(ErrorCode::count_mismatch, {"zip: set ", k, " has ", part.size(), " samples, but set 0 has ",
                                                    size(), ": give sets of the same samples"});
      }
      shape_.feature_columns += part.feature_columns();
      if (!part.has_answers()) continue;
      if (answers_ != parts().size()) {
        throw DataError(ErrorCode::count_mismatch,
                        {"zip: both set ", answers_, " (", text_of(parts()[answers_].shape()), ") and set ", k, " (",
                         text_of(part.shape()), ") have answers: keep them in one"});
      }
      answers_ = k;
      shape_.target_columns = part.target_columns();
      shape_.classes = part.classes();
    }
  }

  SampleShape shape() const noexcept override { return shape_; }
  void read(const Reading& reading, std::span<const std::uint64_t> samples, const SampleBuffers& out) const override {
    std::vector<float> block;
    read_by_parts(256, shape_, reading, samples, out, [&](const Reading& inner, auto some, const SampleBuffers& at) {
      float* to = at.features;
      for (std::size_t k = 0; k < parts().size(); ++k) {
        const Dataset& part = parts()[k];
        const std::size_t columns = part.feature_columns();
        SampleBuffers buffers;
        if (to != nullptr) {
          block.resize(std::max(block.size(), some.size() * columns));
          buffers.features = block.data();
        }
        if (k == answers_) buffers.targets = at.targets, buffers.labels = at.labels;
        if (buffers.features == nullptr && buffers.targets == nullptr && buffers.labels == nullptr) continue;
        read_part("zip: set", k, inner, some, buffers);
        if (to == nullptr) continue;
        for (std::size_t i = 0; i < some.size(); ++i)
          std::copy_n(block.data() + i * columns, columns, to + i * shape_.feature_columns);
        to += columns;
      }
      return some.size();
    });
  }

 private:
  SampleShape shape_;
  std::size_t answers_;  // the set that has them; past the last where none has
};

}  // namespace detail

/// Samples first, first + 1, ..., first + count - 1, whatever their number in a few bytes, read from `data` when they
/// are read: subset() keeps data in memory where it is, for 8 bytes a sample. Throws DataError: empty_data for
/// count = 0, count_mismatch for samples that are not there.
inline Dataset slice(const Dataset& data, std::uint64_t first, std::uint64_t count) {
  if (count == 0) throw DataError(ErrorCode::empty_data, "slice: of no samples: ask for at least one");
  if (first > data.size() || count > data.size() - first) {
    throw DataError(ErrorCode::count_mismatch, {"slice: ", count, " samples from ", first, ", but there are ",
                                                data.size(), ": ask for samples that are there"});
  }
  if (count == data.size()) return data;
  const auto* const outer = dynamic_cast<const detail::SliceSource*>(data.source().get());
  if (outer != nullptr && data.rows().empty()) return slice(outer->data(), outer->first() + first, count);
  return Dataset(std::make_shared<detail::SliceSource>(data, first, count));
}
/// The first `count` samples, as slice() has them.
inline Dataset take(const Dataset& data, std::uint64_t count) { return slice(data, 0, count); }

/// The samples of one set after those of another: many files, one data set. All must have the same features and
/// answers. Where the parts draw random numbers, each draws its own. Throws DataError (empty_data) for no parts or a
/// part without samples, ShapeError (shape_mismatch) with the part that differs. Errors of reading name the part.
inline Dataset concat(std::vector<Dataset> parts) {
  if (parts.empty()) throw DataError(ErrorCode::empty_data, "concat: no parts: give at least one");
  return Dataset(std::make_shared<detail::ConcatSource>(std::move(parts)));
}

/// Sample i is sample i of every set, the features side by side in the order of the sets; the answers are those of the
/// one set that has some. Throws DataError (count_mismatch) when sets have different numbers of samples, or more than
/// one has answers. Errors of reading name the set.
template <std::convertible_to<Dataset>... Others>
Dataset zip(const Dataset& first, const Others&... others) {
  return Dataset(std::make_shared<detail::ZipSource>(std::vector<Dataset>{first, others...}));
}

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// RowFileWriter: a row file, written row after row.

#include <minitrain/data/row_file_format.hpp>
#include <minitrain/data/source.hpp>

#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

/// Writes a row file of as many rows as are appended, in the all-or-nothing way of write_file: the rows go to a
/// temporary file beside it, which takes its name in close(). Without close() nothing is left behind, and a file that
/// was there stays as it was. Holds 256 KiB of rows.
///
///   RowFileWriter writer("train.rows", {.features = {"width", "height"}, .targets = {"kind"}, .classes = 3});
///   writer.append(rows);   // width, height, kind, width, height, kind, ...
///   writer.close();
class RowFileWriter {
 public:
  /// Throws OptionError when the layout contradicts itself or has more than 2^24 classes; DataError: io_error,
  /// bad_header for names that are no UTF-8, header_too_large.
  RowFileWriter(const std::string& path, RowLayout layout)
      : path_(path), layout_(std::move(layout)), file_(start(path, layout_)) {
    // Room for the largest numbers; the rows begin at a multiple of 64 bytes.
    constexpr std::uint64_t most = detail::most_row_bytes;
    header_.assign((8 + detail::row_file_header(layout_, most, most, 0).size() + 63) / 64 * 64 - 8, ' ');
    if (header_.size() > detail::io::max_header) {
      throw DataError(ErrorCode::header_too_large,
                      {detail::io::shown(path), ": names make a header of ", header_.size(),
                       " bytes, but readers accept at most ", detail::io::max_header});
    }
    const std::uint64_t length = header_.size();
    file_.write(std::as_bytes(std::span(&length, 1)));
    file_.write(std::as_bytes(std::span(header_)));
    buffer_.reserve(std::max(most_buffered, layout_.columns()));
  }

  /// Appends whole rows, one after the other, each of features, then answers. Throws DataError, having appended none:
  /// count_mismatch for half a row, label_out_of_range, io_error (after which the file cannot be finished).
  void append(std::span<const float> rows) {
    check_open();
    if (rows.size() % layout_.columns() != 0) {
      throw DataError(ErrorCode::count_mismatch, {detail::io::shown(path_), ": ", rows.size(), " numbers for rows of ",
                                                  layout_.columns(), ": append whole rows"});
    }
    for (std::size_t i = layout_.columns() - 1; layout_.classes != 0 && i < rows.size(); i += layout_.columns())
      check_label(rows[i], rows_ + i / layout_.columns());
    if (buffer_.size() + rows.size() > most_buffered) flush();
    if (rows.size() >= most_buffered) {
      write(rows);
    } else {
      buffer_.insert(buffer_.end(), rows.begin(), rows.end());
    }
    rows_ += rows.size() / layout_.columns();
  }

  /// Appends `count` rows as Dataset::read makes them, those before a wrong label too.
  void append(std::size_t count, const SampleBuffers& samples) {
    check_open();
    const std::size_t features = layout_.features.size(), targets = layout_.classes == 0 ? layout_.targets.size() : 0;
    for (std::size_t i = 0; i < count; ++i, ++rows_) {
      if (layout_.classes != 0) check_label(static_cast<float>(samples.labels[i]), rows_);
      if (buffer_.size() + layout_.columns() > most_buffered) flush();
      buffer_.insert(buffer_.end(), samples.features + i * features, samples.features + (i + 1) * features);
      buffer_.insert(buffer_.end(), samples.targets + i * targets, samples.targets + (i + 1) * targets);
      if (layout_.classes != 0) buffer_.push_back(static_cast<float>(samples.labels[i]));
    }
  }

  /// Rows appended so far.
  std::uint64_t rows() const noexcept { return rows_; }
  const RowLayout& layout() const noexcept { return layout_; }

  /// Writes what is left and the header, makes all durable and gives it its name. Throws DataError: empty_data without
  /// rows, io_error.
  void close() {
    check_open();
    if (rows_ == 0)
      throw DataError(ErrorCode::empty_data, {detail::io::shown(path_), ": no rows: append at least one"});
    flush();
    state_ = State::failed;
    const std::string header = detail::row_file_header(layout_, rows_, rows_ * layout_.columns() * sizeof(float), crc_);
    header_.replace(0, header.size(), header);
    file_.write_at(8, std::as_bytes(std::span(header_)));
    file_.move_into_place();
    state_ = State::closed;
  }

 private:
  enum class State { open, failed, closed };
  static constexpr std::size_t most_buffered = std::size_t{1} << 16;

  /// Checks what can be checked before there is a file.
  static const std::string& start(const std::string& path, const RowLayout& layout) {
    detail::check_row_layout(path, layout);
    return path;
  }

  void check_label(float label, std::uint64_t row) const {
    if (label >= 0 && label < static_cast<float>(layout_.classes) &&
        label == static_cast<float>(static_cast<std::int32_t>(label)))
      return;
    throw DataError(ErrorCode::label_out_of_range, {detail::io::shown(path_), ": row ", row, " has label ", label,
                                                    ": wanted a whole number from 0 to ", layout_.classes - 1});
  }
  void check_open() const {
    if (state_ == State::closed)
      throw OptionError({detail::io::shown(path_), ": is closed: make another RowFileWriter"});
    if (state_ == State::failed) {
      throw DataError(ErrorCode::io_error, {detail::io::shown(path_), ": could not be written before: begin again"});
    }
  }
  void flush() {
    write(buffer_);
    buffer_.clear();
  }
  void write(std::span<const float> numbers) {
    state_ = State::failed;
    file_.write(std::as_bytes(numbers));
    crc_ = crc32c(std::as_bytes(numbers), crc_);
    state_ = State::open;
  }

  std::string path_;
  RowLayout layout_;
  detail::io::TemporaryFile file_;
  std::string header_;  // as long as it will be
  std::vector<float> buffer_;
  std::uint64_t rows_ = 0;
  std::uint32_t crc_ = 0;
  State state_ = State::open;
};

}  // namespace minitrain::inline MINITRAIN_ABI

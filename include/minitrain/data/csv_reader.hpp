#pragma once
// CsvReader: the records and fields of a CSV file by the rules of RFC 4180, as text.

#include <minitrain/data/input_file.hpp>

#include <algorithm>
#include <array>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// Reads records one by one: fields between separators, quoted fields with separators, line ends and doubled quotes in
/// them, LF or CRLF behind each record but perhaps the last, a UTF-8 byte order mark before the first. Empty lines are
/// skipped. Holds one record at a time, at most
/// `line_limit` bytes and what is read in one go. Throws DataError: bad_number for bytes
/// that no text has and for quotes in the wrong place, unsupported for a record past the limit, truncated for a quote
/// never closed.
class CsvReader {
 public:
  CsvReader(const std::string& path, char separator, std::size_t line_limit)
      : file_(path),
        separator_(static_cast<unsigned char>(separator)),
        line_limit_(line_limit),
        chunk_(static_cast<std::size_t>(std::min<std::uint64_t>(most_chunk, file_.size() + 1))) {
    std::fill(plain_.begin() + 0x20, plain_.end(), true);
    for (const int c : {int{'"'}, 0x7F, separator_}) plain_[static_cast<std::size_t>(c)] = false;
    buffer_.resize(chunk_);
    fill();
    if (end_ >= 2 && buffer_[0] == 0x1F && buffer_[1] == 0x8B) {
      fail(ErrorCode::bad_magic, 1, "file is gzip (1f 8b), not CSV: gunzip it first");
    }
    if (end_ >= 3 && buffer_[0] == 0xEF && buffer_[1] == 0xBB && buffer_[2] == 0xBF) begin_ = 3;
  }

  /// Goes to the next record; false when there is none.
  bool next() {
    do {
      if (!parse_record()) return false;
    } while (fields_.size() == 1 && fields_[0].size == 0 && !fields_[0].quoted);
    return true;
  }

  std::size_t size() const noexcept { return fields_.size(); }
  /// Field of the current record, without quotes; valid until the next one.
  std::string_view operator[](std::size_t field) const noexcept {
    return {reinterpret_cast<const char*>(buffer_.data()) + record_ + fields_[field].first, fields_[field].size};
  }
  /// Number of the line on which the current record begins, from 1.
  std::size_t line() const noexcept { return line_; }
  const std::string& path() const noexcept { return file_.path(); }
  /// Bytes of the file up to the end of the current record, and in all.
  std::uint64_t bytes_read() const noexcept { return dropped_ + begin_; }
  std::uint64_t file_size() const noexcept { return file_.size(); }

  /// Throws DataError "<file>: line <line>: <message>".
  [[noreturn]] void fail(ErrorCode code, std::size_t line, const std::string& message) const {
    fail_file(code, file_.path(), "line " + std::to_string(line) + ": " + message);
  }

 private:
  static constexpr std::size_t most_chunk = std::size_t{1} << 16;
  static constexpr int end_of_file = -1;
  struct Field {
    std::size_t first = 0, size = 0;  // in bytes from the beginning of the record
    bool quoted = false;
  };

  /// Parses from begin_ on. Fields are written back to the buffer without quotes, which never makes them longer.
  bool parse_record() {
    fields_.clear();
    line_ = next_line_;
    record_ = begin_;
    if (peek() == end_of_file) return false;
    std::size_t write = 0;
    while (true) {
      const std::size_t first = write;
      int c = peek();
      const bool quoted = c == '"';
      if (quoted) {
        c = quoted_field(write);
      } else {
        for (c = take_plain(write); c != separator_ && c != '\n' && c != '\r' && c != end_of_file;
             c = take_plain(write)) {
          if (c == '"') fail(ErrorCode::bad_number, next_line_, "a quote inside of an unquoted field: quote all of it");
          put(write, take());
        }
      }
      fields_.push_back({first, write - first, quoted});
      if (c == separator_) {
        take();
      } else {
        if (begin_ - record_ > line_limit_) fail_length();
        end_line(c);
        return true;
      }
    }
  }

  /// From the opening quote to behind the closing one; returns what follows.
  int quoted_field(std::size_t& write) {
    const std::size_t opened = next_line_;
    take();
    while (true) {
      const int c = peek();
      if (c == end_of_file)
        fail(ErrorCode::truncated, opened, "the file ends inside of a quoted field: close the quote");
      take();
      if (c == '"') {
        const int after = peek();
        if (after == separator_ || after == '\n' || after == '\r' || after == end_of_file) return after;
        if (after != '"')
          fail(ErrorCode::bad_number, next_line_, "text behind a closing quote: write quotes twice inside");
        take();
      }
      if (c == '\n') ++next_line_;
      put(write, c);
    }
  }

  void end_line(int c) {
    if (c == '\r') {
      take();
      c = peek();
      if (c != '\n' && c != end_of_file) {
        fail(ErrorCode::bad_number, next_line_, "a carriage return inside of the line: end lines with LF or CRLF");
      }
    }
    if (c == '\n') take();
    ++next_line_;
  }

  /// The byte at begin_, after reading on when there is none.
  int peek() {
    if (begin_ == end_ && !more()) return end_of_file;
    const unsigned char c = buffer_[begin_];
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F) {
      fail(ErrorCode::bad_number, next_line_,
           "a byte '" + printable({reinterpret_cast<const char*>(&c), 1}) +
               "', which no text has: this is not a CSV file");
    }
    return c;
  }
  /// Takes the bytes that mean nothing but themselves, and peeks at what follows.
  int take_plain(std::size_t& write) {
    const std::uint8_t *const from = buffer_.data() + begin_, *const end = buffer_.data() + end_, *at = from;
    while (at != end && plain_[*at]) ++at;
    std::uint8_t* const to = buffer_.data() + record_ + write;
    if (from != to) std::copy(from, at, to);
    begin_ += static_cast<std::size_t>(at - from);
    write += static_cast<std::size_t>(at - from);
    return peek();
  }
  int take() noexcept { return buffer_[begin_++]; }
  void put(std::size_t& write, int c) noexcept { buffer_[record_ + write++] = static_cast<unsigned char>(c); }

  [[noreturn]] void fail_length() const {
    fail(ErrorCode::unsupported, line_,
         "longer than " + std::to_string(line_limit_) + " bytes: close the quotes, or raise CsvOptions::line_limit");
  }

  /// Moves the current record to the front of the buffer and reads more behind it; false at the end of the file.
  bool more() {
    if (begin_ - record_ > line_limit_) fail_length();
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(record_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    dropped_ += record_;
    begin_ -= record_;
    end_ -= record_;
    record_ = 0;
    if (end_ + chunk_ > buffer_.size()) buffer_.resize(std::max(end_ + chunk_, 2 * buffer_.size()));
    return fill();
  }
  bool fill() {
    const std::size_t found = file_.read(std::span(buffer_).subspan(end_, chunk_));
    end_ += found;
    return found > 0;
  }

  InputFile file_;
  int separator_;
  std::size_t line_limit_;
  std::size_t chunk_;              // bytes read in one go: a small file, and that there are no more, at once
  std::array<bool, 256> plain_{};  // bytes that are neither special nor refused
  std::vector<std::uint8_t> buffer_;
  std::size_t record_ = 0, begin_ = 0,
              end_ = 0;        // the record's first byte, the next one to read, the last one there is
  std::uint64_t dropped_ = 0;  // bytes of the file before the buffer
  std::size_t line_ = 0, next_line_ = 1;
  std::vector<Field> fields_;
};

}  // namespace minitrain::inline MINITRAIN_ABI::detail

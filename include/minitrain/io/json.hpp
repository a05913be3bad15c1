#pragma once
// The part of JSON (RFC 8259) that the header of a safetensors file is made of: objects, arrays, strings, whole
// numbers.

#include <minitrain/core/error.hpp>
#include <minitrain/io/text.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail::io {

/// Reads values in the order in which they are asked for, never past `text`, which is UTF-8. It holds no tree and never
/// recurses: how deep values nest is fixed by who asks, and a value of another kind than the one asked for is an
/// error at its first byte. All errors are DataError and name `file` and the byte, counted from `first_byte`.
class JsonReader {
 public:
  JsonReader(std::string_view text, std::string_view file, std::uint64_t first_byte) noexcept
      : text_(text), file_(file), first_byte_(first_byte) {}

  /// Where the next byte stands in the text.
  std::size_t position() const noexcept { return position_; }

  /// Skips white space; if `c` follows, takes it.
  bool take(char c) noexcept {
    skip_space();
    if (position_ == text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(ErrorCode::bad_header, position_, std::string("expected ") + c + ", found " + found());
  }

  /// Calls member(key, position of the key) for each member; it has to read the value.
  template <class Member>
  void object(Member member) {
    expect('{');
    if (take('}')) return;
    do {
      skip_space();
      const std::size_t at = position_;
      std::string key = string();
      expect(':');
      member(std::move(key), at);
    } while (take(','));
    expect('}');
  }

  /// Calls element() for each element; it has to read it.
  template <class Element>
  void array(Element element) {
    expect('[');
    if (take(']')) return;
    do {
      element();
    } while (take(','));
    expect(']');
  }

  /// A string, escapes decoded to UTF-8. U+0000 is a character like any other.
  std::string string() {
    expect('"');
    std::string value;
    for (;;) {
      const std::size_t start = position_;
      while (position_ < text_.size() && plain(text_[position_])) ++position_;
      value.append(text_, start, position_ - start);
      if (position_ < text_.size() && text_[position_] == '\\') {
        escape(value);
      } else if (position_ < text_.size() && text_[position_] == '"') {
        ++position_;
        return value;
      } else {
        fail(ErrorCode::bad_header, position_, "a string holds " + found() + ", which JSON writes as an escape");
      }
    }
  }

  /// A whole number in [0, 2^53], the integers that every JSON program keeps exactly. Never goes through a double.
  std::uint64_t integer() {
    constexpr std::uint64_t limit = std::uint64_t{1} << 53;
    skip_space();
    const std::size_t start = position_;
    std::uint64_t value = 0;
    for (; position_ < text_.size() && digit(text_[position_]); ++position_) {
      value = 10 * value + static_cast<std::uint64_t>(text_[position_] - '0');
      if (value > limit) fail(ErrorCode::bad_number, start, "a number greater than 2^53");
    }
    const std::size_t digits = position_ - start;
    const char next = position_ < text_.size() ? text_[position_] : ']';
    if (digits == 0 && std::string_view("[]{},:").find(next) != npos) {
      fail(ErrorCode::bad_header, start, "expected a number, found " + found());
    }
    if (digits == 0 || (digits > 1 && text_[start] == '0') || std::string_view(".eE").find(next) != npos) {
      fail(ErrorCode::bad_number, start,
           "expected a whole number in plain digits, found " + quoted(text_.substr(start, digits + 1)));
    }
    return value;
  }

  /// Throws "FILE: byte AT: WHAT".
  [[noreturn]] void fail(ErrorCode code, std::size_t at, const std::string& what) const {
    throw DataError(code, {shown(file_), ": byte ", first_byte_ + at, ": ", what});
  }

 private:
  static constexpr std::size_t npos = std::string_view::npos;
  static constexpr bool digit(char c) noexcept { return c >= '0' && c <= '9'; }
  static constexpr bool plain(char c) noexcept {
    return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20;
  }

  void skip_space() noexcept {
    while (position_ < text_.size() && std::string_view(" \t\n\r").find(text_[position_]) != npos) ++position_;
  }

  std::string found() const {
    return position_ == text_.size() ? "the end of the header" : quoted(text_.substr(position_, 1));
  }

  /// One escape, at whose backslash we stand.
  void escape(std::string& value) {
    constexpr std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
    const std::size_t at = position_++;
    const char c = position_ < text_.size() ? text_[position_] : '\0';
    if (const std::size_t i = names.find(c); i != npos) {
      ++position_;
      value += values[i];
    } else if (c == 'u') {
      append_utf8(value, code_point(at));
    } else {
      fail(ErrorCode::bad_header, at, "an escape that JSON does not have");
    }
  }

  /// uXXXX, or uXXXX\uXXXX for a code point past U+FFFF.
  std::uint32_t code_point(std::size_t at) {
    const std::uint32_t first = hex4(at);
    if (first < 0xD800 || first > 0xDFFF) return first;
    const bool pair = first < 0xDC00 && position_ < text_.size() && text_[position_] == '\\';
    if (pair) ++position_;
    const std::uint32_t second = pair ? hex4(at) : 0;
    if (second < 0xDC00 || second > 0xDFFF) fail(ErrorCode::bad_header, at, "half of a surrogate pair");
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  std::uint32_t hex4(std::size_t at) {
    std::uint32_t value = 0;
    bool right = text_.size() - position_ >= 5 && text_[position_] == 'u';
    for (std::size_t k = 1; right && k <= 4; ++k) {
      const char c = text_[position_ + k];
      const char lower = static_cast<char>(c | 0x20);
      right = digit(c) || (lower >= 'a' && lower <= 'f');
      value = 16 * value + static_cast<std::uint32_t>(digit(c) ? c - '0' : lower - 'a' + 10);
    }
    if (!right) fail(ErrorCode::bad_header, at, "an escape that is not \\u and four hexadecimal digits");
    position_ += 5;
    return value;
  }

  static void append_utf8(std::string& value, std::uint32_t point) {
    const auto more = [&](int shift) { value += static_cast<char>(0x80 | ((point >> shift) & 0x3F)); };
    if (point < 0x80) {
      value += static_cast<char>(point);
    } else if (point < 0x800) {
      value += static_cast<char>(0xC0 | (point >> 6));
      more(0);
    } else if (point < 0x10000) {
      value += static_cast<char>(0xE0 | (point >> 12));
      more(6);
      more(0);
    } else {
      value += static_cast<char>(0xF0 | (point >> 18));
      more(12);
      more(6);
      more(0);
    }
  }

  std::string_view text_;
  std::string_view file_;
  std::uint64_t first_byte_;
  std::size_t position_ = 0;
};

/// Appends `value`, which is UTF-8, as a JSON string.
inline void append_json(std::string& json, std::string_view value) {
  constexpr std::string_view digits = "0123456789abcdef";
  json += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      json += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      json +=
          {'\\', 'u', '0', '0', digits[static_cast<std::size_t>(c) >> 4], digits[static_cast<std::size_t>(c) & 0xF]};
    } else {
      json += c;
    }
  }
  json += '"';
}

}  // namespace detail::io

}  // namespace minitrain::inline MINITRAIN_ABI

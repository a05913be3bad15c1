#pragma once
// The header of a .npy file, NumPy's format for one array. Include npy.hpp, not this file.
//
// "\x93NUMPY", version (two bytes), length of the header (2 bytes in version 1, 4 in 2 and 3, little-endian), then a
// Python dictionary as text: {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 784), }, padded with spaces and
// ended by a newline. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

#include <minitrain/data/mapped_table.hpp>

#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// What a header says: rank 1 to 4, elements from byte `first` on.
struct NpyHeader {
  ElementType type = ElementType::f32;
  bool big_endian = false;
  bool fortran_order = false;
  std::vector<std::uint64_t> extents;
  std::uint64_t first = 0;
};

/// Reads the dictionary, and nothing else that Python could evaluate, byte by byte. Never recurses, and holds no more
/// than four extents. Errors are DataError and name the byte in the file.
class NpyDictionary {
 public:
  NpyDictionary(std::string_view text, const std::string& path, std::uint64_t first_byte) noexcept
      : text_(text), path_(path), first_byte_(first_byte) {}

  void read(NpyHeader& header) {
    bool have_type = false, have_order = false, have_shape = false;
    expect('{');
    while (!take('}')) {
      const std::size_t at = skip_space();
      const std::string_view key = string();
      expect(':');
      const auto once = [&](bool& have) {
        if (std::exchange(have, true)) fail(ErrorCode::duplicate_key, at, "the key " + io::quoted(key) + " twice");
      };
      if (key == "descr") {
        once(have_type);
        read_type(header);
      } else if (key == "fortran_order") {
        once(have_order);
        header.fortran_order = truth();
      } else if (key == "shape") {
        once(have_shape);
        read_shape(header.extents);
      } else {
        fail(ErrorCode::bad_header, at, "a key " + io::quoted(key) + " that the format does not have");
      }
      if (take(',')) continue;
      expect('}');
      break;
    }
    if (skip_space() != text_.size()) fail(ErrorCode::bad_header, place_, "expected the end, found " + found());
    for (const auto& [have, key] :
         {std::pair{have_type, "descr"}, {have_order, "fortran_order"}, {have_shape, "shape"}})
      if (!have) fail(ErrorCode::bad_header, place_, joined({"no key '", key, "'"}));
  }

 private:
  static constexpr bool digit(char c) noexcept { return c >= '0' && c <= '9'; }

  /// Throws "PATH: npy: byte AT: WHAT".
  [[noreturn]] void fail(ErrorCode code, std::size_t at, const std::string& what) const {
    const bool damaged = code == ErrorCode::bad_header || code == ErrorCode::duplicate_key;
    fail_file(code, path_,
              joined({"npy: byte ", first_byte_ + at, ": ", what, damaged ? ": write the file again" : ""}));
  }
  std::string found() const {
    return place_ == text_.size() ? "the end of the header" : io::quoted(text_.substr(place_, 1));
  }

  std::size_t skip_space() noexcept {
    while (place_ < text_.size() && std::string_view(" \t\n\r").find(text_[place_]) != std::string_view::npos) ++place_;
    return place_;
  }
  char next() noexcept { return skip_space() < text_.size() ? text_[place_] : '\0'; }
  bool take(char c) noexcept {
    if (skip_space() == text_.size() || text_[place_] != c) return false;
    ++place_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(ErrorCode::bad_header, place_, joined({"expected ", std::string(1, c), ", found ", found()}));
  }

  /// 'text' or "text", without escapes.
  std::string_view string() {
    const char quote = next();
    if (quote != '\'' && quote != '"') fail(ErrorCode::bad_header, place_, "expected a string, found " + found());
    const std::size_t begin = ++place_;
    while (place_ < text_.size() && text_[place_] != quote) {
      if (text_[place_] == '\\') fail(ErrorCode::bad_header, place_, "an escape in a string");
      ++place_;
    }
    if (place_ == text_.size()) fail(ErrorCode::bad_header, begin - 1, "a string that does not end");
    return text_.substr(begin, place_++ - begin);
  }

  bool truth() {
    const std::string_view rest = text_.substr(skip_space());
    for (const auto& [word, value] : {std::pair{std::string_view("True"), true}, {std::string_view("False"), false}}) {
      if (!rest.starts_with(word)) continue;
      place_ += word.size();
      return value;
    }
    fail(ErrorCode::bad_header, place_, "expected True or False, found " + found());
  }

  /// A number below 2^63. Python 2 wrote an L behind it.
  std::uint64_t extent() {
    skip_space();
    const std::size_t begin = place_;
    std::uint64_t value = 0;
    for (; place_ < text_.size() && digit(text_[place_]); ++place_) {
      const auto units = static_cast<std::uint64_t>(text_[place_] - '0');
      if (value > ((std::uint64_t{1} << 63) - 1 - units) / 10) {
        fail(ErrorCode::overflow, begin, "an extent of 2^63 or more: fetch the file again");
      }
      value = 10 * value + units;
    }
    const std::size_t digits = place_ - begin;
    const bool more =
        place_ < text_.size() && std::string_view(".eExX_-+").find(text_[place_]) != std::string_view::npos;
    if (digits == 0 || more || (digits > 1 && text_[begin] == '0')) {
      const std::string wrong = place_ == text_.size() ? found() : io::quoted(text_.substr(begin, digits + 1));
      fail(ErrorCode::bad_number, begin, "expected an extent in plain digits, found " + wrong);
    }
    if (place_ < text_.size() && text_[place_] == 'L') ++place_;
    return value;
  }

  void read_shape(std::vector<std::uint64_t>& extents) {
    expect('(');
    const std::size_t at = place_ - 1;
    bool comma = true;
    while (!take(')')) {
      if (!comma) fail(ErrorCode::bad_header, place_, "expected , or ), found " + found());
      if (extents.size() == 4) {
        fail(ErrorCode::bad_shape, at, "more than 4 axes: save array.reshape(len(array), -1)");
      }
      extents.push_back(extent());
      comma = take(',');
    }
    if (extents.empty()) fail(ErrorCode::bad_shape, at, "one number, not rows of them: save array.reshape(1, 1)");
    if (extents.size() == 1 && !comma) fail(ErrorCode::bad_header, at, "a number where a tuple (N,) belongs");
  }

  void read_type(NpyHeader& header) {
    using enum ElementType;
    constexpr std::pair<std::string_view, ElementType> types[] = {
        {"b1", boolean}, {"u1", u8},  {"i1", i8},  {"u2", u16}, {"i2", i16}, {"u4", u32},
        {"i4", i32},     {"u8", u64}, {"i8", i64}, {"f2", f16}, {"f4", f32}, {"f8", f64}};
    const char first = next();
    const std::size_t at = place_;
    if (first == '[' || first == '(') {
      fail(ErrorCode::unsupported, at, "a structured dtype: save each field as an array of its own");
    }
    const std::string_view type = string(), name = type.substr(type.empty() ? 0 : 1);
    const char mark = type.empty() ? '\0' : type[0];
    for (const auto& [known, element] : types) {
      const bool order = mark == '<' || mark == '>' || (mark == '|' && size_of(element) == 1);
      if (name != known || !order) continue;
      header.type = element;
      header.big_endian = mark == '>';
      return;
    }
    fail_type(type, at);
  }

  [[noreturn]] void fail_type(std::string_view type, std::size_t at) const {
    constexpr std::pair<char, const char*> kinds[] = {
        {'O', "Python objects, which are pickled programs and never run: save array.astype(numpy.float32)"},
        {'c', "complex numbers: save array.real and array.imag"},
        {'U', "text: save a number for each text"},
        {'S', "text: save a number for each text"},
        {'M', "dates: save array.astype(numpy.int64)"},
        {'m', "durations: save array.astype(numpy.int64)"},
        {'V', "raw bytes: save array.astype(numpy.float32)"},
        {'f', "numbers of another width than 2, 4 or 8 bytes: save array.astype(numpy.float64)"}};
    const std::size_t letter = type.find_first_not_of("<>|=");
    for (const auto& [kind, words] : kinds) {
      if (letter > 1 || letter == type.size() || type[letter] != kind) continue;
      if (kind == 'f' && (type.ends_with("f2") || type.ends_with("f4") || type.ends_with("f8"))) continue;
      fail(ErrorCode::unsupported, at, joined({"dtype ", io::quoted(type), ", ", words}));
    }
    fail(ErrorCode::unknown_dtype, at,
         joined({"dtype ", io::quoted(type),
                 ", wanted < or > and one of b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8: save "
                 "array.astype(numpy.float32)"}));
  }

  std::string_view text_;
  const std::string& path_;
  std::uint64_t first_byte_;
  std::size_t place_ = 0;
};

/// The header of a file that begins with these bytes. Throws DataError: bad_magic, truncated, unsupported,
/// header_too_large, bad_header, duplicate_key, bad_number, bad_shape, overflow, unknown_dtype.
inline NpyHeader read_npy_header(std::span<const std::byte> bytes, const std::string& path) {
  constexpr std::string_view magic = "\x93NUMPY";
  constexpr std::uint64_t longest = 65536;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06")) {
    fail_file(ErrorCode::bad_magic, path,
              "file is a zip archive (npz), not npy: save each array in a file of its own, with numpy.save");
  }
  if (text.starts_with("\x1F\x8B")) fail_file(ErrorCode::bad_magic, path, "file is gzip (1f 8b), not npy: gunzip it");
  if (const std::string_view begin = text.substr(0, magic.size()); !magic.starts_with(begin)) {
    fail_file(ErrorCode::bad_magic, path,
              "not a npy file: begins with " + io::quoted(begin) + ", not with '\\x93NUMPY': give one of numpy.save");
  }
  const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(text[i])}; };
  const auto need = [&](std::uint64_t size) {
    if (text.size() < size) fail_end(path, "npy", size, text.size());
  };
  need(10);
  const std::uint64_t version = byte(6);
  if (version < 1 || version > 3 || byte(7) != 0) {
    fail_file(
        ErrorCode::unsupported, path,
        joined({"npy: version ", version, ".", byte(7), ", but 1.0, 2.0 and 3.0 are read: save it with numpy.save"}));
  }
  const std::uint64_t begin = version == 1 ? 10 : 12;
  need(begin);
  std::uint64_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > longest) {
    fail_file(ErrorCode::header_too_large, path,
              joined({"npy: a header of ", length, " bytes, more than ", longest, ": save the array with numpy.save"}));
  }
  need(begin + length);
  NpyHeader header;
  header.first = begin + length;
  NpyDictionary(text.substr(begin, length), path, begin).read(header);
  if (text[header.first - 1] != '\n') {
    fail_file(
        ErrorCode::bad_header, path,
        joined({"npy: byte ", header.first - 1, ": expected the newline that ends a header: write the file again"}));
  }
  return header;
}

}  // namespace minitrain::inline MINITRAIN_ABI::detail

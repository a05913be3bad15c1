#pragma once
// What a row file is: a safetensors file of one F32 tensor "rows" [N, columns], whose metadata says what the columns
// are.

#include <minitrain/data/row_layout.hpp>
#include <minitrain/io/json.hpp>
#include <minitrain/io/mapped_file.hpp>
#include <minitrain/io/safetensors_header.hpp>

#include <charconv>

namespace minitrain::inline MINITRAIN_ABI::detail {

// The metadata: "row_file": "1"; "columns" and "class_names": arrays of texts in JSON; "answers" and "classes": whole
// numbers. Like every safetensors file of the library, it has CRC-32Cs of the header and of the rows.
inline constexpr std::string_view row_tensor = "rows", row_mark = "row_file", row_version = "1";
inline constexpr std::size_t most_row_classes = std::size_t{1} << 24;    // labels that a float holds exactly
inline constexpr std::uint64_t most_row_bytes = std::uint64_t{1} << 53;  // the largest number in a header

inline std::string json_of(const std::vector<std::string>& names) {
  std::string json;
  for (const std::string& name : names) {
    json += json.empty() ? '[' : ',';
    io::append_json(json, name);
  }
  return json.empty() ? "[]" : json + ']';
}

/// Throws OptionError when a layout contradicts itself, DataError (bad_header) for names that are no UTF-8.
inline void check_row_layout(const std::string& path, const RowLayout& layout) {
  const auto refuse = [&](std::initializer_list<TextPiece> what) {
    throw OptionError({io::shown(path), ": ", joined(what)});
  };
  if (layout.features.empty()) refuse({"a row of no features: name at least one column"});
  if (layout.classes != 0 && layout.targets.size() != 1) {
    refuse({"labels in ", layout.targets.size(), " columns: with classes, name one column of answers"});
  }
  if (layout.classes > most_row_classes) {
    refuse({layout.classes, " classes, but labels are stored as floats, which hold at most ", most_row_classes});
  }
  if (!layout.class_names.empty() && layout.class_names.size() != layout.classes) {
    refuse({layout.class_names.size(), " names of ", layout.classes, " classes: name all or none"});
  }
  for (const auto* names : {&layout.features, &layout.targets, &layout.class_names}) {
    for (const std::string& name : *names) {
      if (io::utf8_length(name) == name.size()) continue;
      throw DataError(ErrorCode::bad_header, {io::shown(path), ": the name ", io::quoted(name),
                                              " is not UTF-8, which names in a row file are: convert it"});
    }
  }
}

/// The header of a file of `rows` rows, whose bytes have this CRC-32C.
inline std::string row_file_header(const RowLayout& layout, std::uint64_t rows, std::uint64_t bytes,
                                   std::uint32_t crc) {
  std::vector<std::string> columns = layout.features;
  columns.insert(columns.end(), layout.targets.begin(), layout.targets.end());
  io::Metadata metadata{{"answers", std::to_string(layout.targets.size())},
                        {"classes", std::to_string(layout.classes)},
                        {"columns", json_of(columns)},
                        {"class_names", json_of(layout.class_names)},
                        {std::string(io::checksum_prefix) + std::string(row_tensor), io::hex8(crc)},
                        {std::string(row_mark), std::string(row_version)}};
  io::sort_by_key(metadata);
  const std::vector<std::size_t> shape{rows, columns.size()};
  const NamedTensor tensor{.name = std::string(row_tensor), .dtype = "F32", .shape = shape, .bytes = {}};
  const std::uint32_t first = 0;
  const std::string checksum = io::content_checksum({&tensor, 1}, {&first, 1}, metadata);
  std::string text = "{\"__metadata__\":{\"crc32c\":\"" + checksum + '"';
  for (const auto& [key, value] : metadata) {
    text += ',';
    io::append_json(text, key);
    text += ':';
    io::append_json(text, value);
  }
  return text + joined({"},\"", row_tensor, "\":{\"dtype\":\"F32\",\"shape\":", io::shape_text(shape),
                        ",\"data_offsets\":[0,", bytes, "]}}"});
}

/// Where everything is in a row file.
struct RowFileParts {
  RowLayout layout;
  std::uint64_t rows = 0;
  std::size_t first_byte = 0;  // of the rows
};

/// Reads and checks all but the rows.
class RowFileParser {
 public:
  explicit RowFileParser(const MappedFile& file) : file_(file) {}

  /// Throws DataError: truncated; bad_magic for other files; unsupported for a version to come; what
  /// SafetensorsHeaderParser throws; checksum_mismatch; empty_data without rows; bad_header, bad_shape, count_mismatch.
  RowFileParts parse() {
    const std::string_view text = header();
    const std::string_view path = file_.path_name();
    header_ = io::SafetensorsHeaderParser(text, path, file_.bytes().size() - 8 - text.size()).parse();
    const std::string* const version = find(row_mark);
    if (version == nullptr)
      fail(ErrorCode::bad_magic, "is a safetensors file, but not a row file: write_row_file makes one");
    if (*version != row_version) {
      fail(ErrorCode::unsupported,
           joined({"is a row file of version ", io::quoted(*version), ", but this program reads ", row_version,
                   ": take a newer one, or write the file anew"}));
    }
    if (const std::string* const sum = find(io::checksum_key);
        sum != nullptr && *sum != io::content_checksum(header_.tensors, header_.by_name, header_.metadata)) {
      fail(ErrorCode::checksum_mismatch, "names or metadata are not those that were written: the file is damaged");
    }
    const auto& tensors = header_.tensors;
    if (tensors.size() != 1 || tensors[0].name != row_tensor || tensors[0].dtype != "F32" ||
        tensors[0].shape.size() != 2) {
      fail(ErrorCode::bad_shape,
           joined({"expected one tensor '", row_tensor, "' of F32 with two dimensions, found ",
                   tensors.size() == 1 ? joined({io::quoted(tensors[0].name), " of ", tensors[0].dtype, " ",
                                                 io::shape_text(tensors[0].shape)})
                                       : joined({tensors.size(), " tensors"}),
                   again}));
    }
    RowFileParts parts{
        .layout = layout(tensors[0].shape[1]), .rows = tensors[0].shape[0], .first_byte = 8 + text.size()};
    if (parts.rows == 0) fail(ErrorCode::empty_data, joined({"holds no rows", again}));
    return parts;
  }

 private:
  static constexpr const char* again = ": write the file anew";

  std::string_view header() const {
    const auto bytes = file_.bytes();
    if (bytes.size() < 8) {
      fail(ErrorCode::truncated, joined({"byte ", bytes.size(),
                                         ": the file ends here, inside of the 8 bytes that a row "
                                         "file starts with: it was cut short, or is none"}));
    }
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    const std::uint64_t behind = bytes.size() - 8;
    if (length > io::max_header || (behind > 0 && bytes[8] != std::byte{'{'})) {
      fail(ErrorCode::bad_magic, "is not a row file: convert_csv and write_row_file make one");
    }
    if (length > behind) {
      fail(ErrorCode::truncated, joined({"byte ", bytes.size(), ": the file ends here, inside of its header of ",
                                         length, " bytes: it was cut short"}));
    }
    return {reinterpret_cast<const char*>(bytes.data() + 8), length};
  }

  const std::string* find(std::string_view key) const {
    for (const auto& [name, value] : header_.metadata) {
      if (name == key) return &value;
    }
    return nullptr;
  }
  const std::string& get(std::string_view key) const {
    const std::string* const value = find(key);
    if (value == nullptr) fail(ErrorCode::bad_header, joined({"its metadata has no ", io::quoted(key), again}));
    return *value;
  }
  std::uint64_t number(std::string_view key) const {
    const std::string& text = get(key);
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    if (const auto [at, error] = std::from_chars(text.data(), end, value); error != std::errc() || at != end) {
      fail(ErrorCode::bad_number,
           joined({"its metadata ", io::quoted(key), " is ", io::quoted(text), ", not a whole number", again}));
    }
    return value;
  }
  std::vector<std::string> names(std::string_view key) const {
    const std::string& text = get(key);
    const std::string where = joined({file_.path_name(), ": metadata ", key});
    io::JsonReader json(text, where, 0);
    std::vector<std::string> result;
    json.array([&] { result.push_back(json.string()); });
    if (json.position() != text.size()) json.fail(ErrorCode::bad_header, json.position(), "text behind the last ]");
    return result;
  }

  RowLayout layout(std::size_t columns) const {
    RowLayout layout{.features = names("columns"), .classes = number("classes"), .class_names = names("class_names")};
    const std::uint64_t answers = number("answers");
    if (layout.features.size() != columns || answers >= columns) {
      fail(ErrorCode::count_mismatch,
           joined({"rows of ", columns, " numbers, ", layout.features.size(), " names of columns and ", answers,
                   " columns of answers do not fit together", again}));
    }
    if (layout.classes > most_row_classes || (layout.classes != 0 && answers != 1) ||
        (!layout.class_names.empty() && layout.class_names.size() != layout.classes)) {
      fail(ErrorCode::count_mismatch,
           joined({layout.classes, " classes, ", layout.class_names.size(), " names of classes and ", answers,
                   " columns of answers do not fit together", again}));
    }
    const auto first = layout.features.end() - static_cast<std::ptrdiff_t>(answers);
    layout.targets.assign(first, layout.features.end());
    layout.features.erase(first, layout.features.end());
    return layout;
  }

  [[noreturn]] void fail(ErrorCode code, const std::string& what) const {
    throw DataError(code, {io::shown(file_.path_name()), ": ", what});
  }

  const MappedFile& file_;
  io::SafetensorsHeader header_;
};

}  // namespace minitrain::inline MINITRAIN_ABI::detail

#pragma once
// Row files: a data set in a file that is read where it lies. open_row_file reads one, write_row_file and RowFileWriter
// make one, convert_csv (data/csv_convert.hpp) makes one of a CSV file.

#include <minitrain/data/row_file_writer.hpp>
#include <minitrain/data/table_source.hpp>

namespace minitrain::inline MINITRAIN_ABI {

struct RowFileOptions {
  NonFinite non_finite = NonFinite::error;  // for numbers when they are read
};

/// The N rows of a row file, mapped: opening reads the header alone, and every row is read when it is used. The file is
/// a safetensors file with one F32 tensor "rows" [N, features + answers], which other programs read and write too;
/// SafetensorsFile also compares its checksum. Throws DataError, which names the file: io_error; bad_magic for a file
/// of another kind; truncated, bad_header and whatever else SafetensorsFile finds in a header; checksum_mismatch;
/// empty_data, bad_number, bad_shape, count_mismatch when tensor and metadata do not fit together.
inline Dataset open_row_file(const std::string& path, const RowFileOptions& options = {}) {
  const auto file = std::make_shared<const MappedFile>(path);
  const detail::RowFileParts parts = detail::RowFileParser(*file).parse();
  const std::size_t columns = parts.layout.columns(), features = parts.layout.features.size();
  const Table table{.data = file->bytes().data() + parts.first_byte,
                    .rows = parts.rows,
                    .columns = columns,
                    .row_stride = columns * sizeof(float),
                    .column_stride = sizeof(float),
                    .file = file};
  return Dataset(std::make_shared<const TableSource>(
      table.column_range(0, features), columns == features ? Table{} : table.column_range(features, columns - features),
      parts.layout.classes, options.non_finite));
}

/// What the columns and classes of a row file are called. Throws what open_row_file throws.
inline RowLayout row_file_layout(const std::string& path) {
  return detail::RowFileParser(MappedFile(path)).parse().layout;
}

/// Writes any data set, as its first epoch is, to a row file, all or nothing; it may be the file that the data set is
/// read from. Columns without names are called "0", "1", ..., and "target" or "label". Holds 1 MiB of samples. Throws
/// DataError: count_mismatch when the layout is not that of the data set, io_error, what reading throws; OptionError
/// for more than 2^24 classes.
inline void write_row_file(const std::string& path, const Dataset& data, RowLayout layout = {}) {
  const SampleShape shape = data.shape();
  const std::size_t answers = shape.classes != 0 ? 1 : shape.target_columns;
  if (layout.features.empty()) {
    for (std::size_t j = 0; j < shape.feature_columns; ++j) layout.features.push_back(std::to_string(j));
  }
  if (layout.targets.empty()) {
    for (std::size_t j = 0; j < answers; ++j) {
      layout.targets.push_back(shape.classes != 0 ? "label" : answers == 1 ? "target" : "target " + std::to_string(j));
    }
  }
  if (layout.classes == 0) layout.classes = shape.classes;
  if (layout.features.size() != shape.feature_columns || layout.targets.size() != answers ||
      layout.classes != shape.classes) {
    throw DataError(ErrorCode::count_mismatch,
                    {"write_row_file: a layout of ", layout.features.size(), " features, ", layout.targets.size(),
                     " answers and ", layout.classes, " classes for a data set of ", shape.feature_columns, ", ",
                     answers, " and ", shape.classes, ": name all columns or none"});
  }
  RowFileWriter writer(path, std::move(layout));
  const std::uint64_t most = std::max<std::uint64_t>(1, (std::uint64_t{1} << 18) / (shape.feature_columns + answers)),
                      rows = std::min<std::uint64_t>(most, data.size());
  std::vector<float> features(rows * shape.feature_columns), targets(rows * shape.target_columns);
  std::vector<std::int32_t> labels(shape.classes != 0 ? rows : 0);
  const SampleBuffers buffers{features.data(), shape.target_columns != 0 ? targets.data() : nullptr,
                              shape.classes != 0 ? labels.data() : nullptr};
  detail::read_in_order(data, most, buffers, [&](const auto& samples) { writer.append(samples.size(), buffers); });
  writer.close();
}

}  // namespace minitrain::inline MINITRAIN_ABI

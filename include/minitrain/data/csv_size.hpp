#pragma once
// csv_size: how large the table in a CSV file is, without reading much of it.

#include <minitrain/data/csv_text.hpp>
#include <minitrain/data/size.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Rows and columns of the file, before any are dropped or ignored.
struct CsvEstimate {
  std::uint64_t rows = 0;
  std::size_t columns = 0;
  bool exact = false;       // the whole file was read
  std::uint64_t bytes = 0;  // of the file
};

/// rows ≈ rows in the first MiB · bytes of all rows / bytes of these; exact where that is the whole file. Reads one
/// MiB, and the record that its end falls into. Of the options it takes header, separator and line_limit. Throws
/// OptionError for a separator that cannot be one; DataError as load_csv does for what it reads: io_error for a file
/// that is not there, empty_data, ragged_row, ...
inline CsvEstimate csv_size(const std::string& path, const CsvOptions& options = {}) {
  constexpr std::uint64_t enough = std::uint64_t{1} << 20;
  detail::check_separator(options, "csv_size");
  detail::CsvReader reader(path, options.separator, options.line_limit);
  CsvEstimate size{.columns = detail::read_csv_names(reader, options.header).size(), .bytes = reader.file_size()};
  const std::uint64_t first = options.header ? reader.bytes_read() : 0;  // byte of the rows
  if (!options.header) size.rows = 1;
  while (size.rows == 0 || reader.bytes_read() < enough) {
    if (!reader.next()) {
      size.exact = true;
      return size;
    }
    detail::check_csv_fields(reader, size.columns);
    ++size.rows;
  }
  const std::uint64_t read = reader.bytes_read() - first,
                      all = std::max(reader.file_size(), reader.bytes_read()) - first;
  size.exact = all == read;
  size.rows = static_cast<std::uint64_t>(
      static_cast<double>(size.rows) * static_cast<double>(all) / static_cast<double>(read) + 0.5);
  return size;
}

/// What load_csv() with these options will make of the file, for a plan or an estimate before it does; rows to be
/// dropped are counted. Classes with names count as options.classes, and one-hot columns by options.encoding, as one
/// where it does not know them: learn_csv() does.
inline DataSize size_of(const CsvEstimate& file, const CsvOptions& options) {
  const std::size_t answers = detail::target_names(options).size(), taken = answers + options.ignore.size();
  DataSize size{.samples = file.rows, .shape = {.classes = options.classes}};
  if (options.classes == 0) size.shape.target_columns = answers;
  const std::vector<std::string>& wanted = options.features.empty() ? options.encoding.features : options.features;
  size.shape.feature_columns = !wanted.empty() ? wanted.size() : file.columns > taken ? file.columns - taken : 0;
  for (const CategoricalColumn& column : options.categorical) {
    if (column.as != Categorical::one_hot) continue;
    for (const CsvCategories& known : options.encoding.categories) {
      if (known.column == column.column) size.shape.feature_columns += known.names.size() - 1;
    }
  }
  return size;
}

}  // namespace minitrain::inline MINITRAIN_ABI

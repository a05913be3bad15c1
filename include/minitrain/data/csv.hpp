#pragma once
// load_csv: a table of numbers and text with a header as a Dataset.

#include <minitrain/data/csv_rows.hpp>
#include <minitrain/data/dataset.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// A data set and what its columns are called.
struct CsvTable {
  Dataset data;
  RowLayout layout;
  CsvEncoding encoding;  // to read a test set with
};

/// The categories of the categorical columns and, under Missing::fill_mean, the means of the others, of all rows of a
/// file; what options.encoding says already is taken from there, and the file is only read when something is left to
/// learn. Throws what load_csv throws.
inline CsvEncoding learn_csv(const std::string& path, const CsvOptions& options) {
  detail::check_csv_options(options, "learn_csv");
  detail::CsvRows rows(path, options, detail::CsvRows::Purpose::learn);
  DatasetParts row;
  while (rows.has_to_learn() && rows.next(row)) {
    row.features.clear();
    row.targets.clear();
    row.labels.clear();
  }
  if (rows.has_to_learn() && row.samples == 0) rows.fail_no_rows();
  return rows.encoding();
}

/// load_csv, with the names of columns and classes, and the encoding with which another file has to be read:
///
///   const CsvTable train = load_csv_table("train.csv", options);
///   options.encoding = train.encoding;
///   const CsvTable test = load_csv_table("test.csv", options);
inline CsvTable load_csv_table(const std::string& path, const CsvOptions& options) {
  detail::check_csv_options(options, "load_csv");
  CsvOptions known = options;
  known.encoding = learn_csv(path, options);
  detail::CsvRows rows(path, known, detail::CsvRows::Purpose::make);
  DatasetParts parts{.classes = rows.classes(), .non_finite = options.non_finite};
  while (rows.next(parts)) {
  }
  if (parts.samples == 0) rows.fail_no_rows();
  return {Dataset(std::move(parts)), rows.layout(), std::move(known.encoding)};
}

/// Rows of numbers from a CSV file (RFC 4180) with one target column, or several; all columns but these and those
/// ignored are features, in their order.
///
///   load_csv("housing.csv", {.target = "median_house_value", .categorical = {{"ocean_proximity"}},
///                            .missing = Missing::fill_mean})
///
/// Throws OptionError when no target is named, for a separator that is a quote, line end or part of a number, and for
/// options that contradict each other; DataError, with line and column: io_error, bad_magic (gzip), bad_header,
/// missing_column, duplicate_key, ragged_row, bad_number (text, empty, out of range, binary), non_finite,
/// label_out_of_range (also: an unknown category), unsupported (line_limit, category_limit), truncated (open quote),
/// empty_data.
inline Dataset load_csv(const std::string& path, const CsvOptions& options) {
  return load_csv_table(path, options).data;
}

}  // namespace minitrain::inline MINITRAIN_ABI

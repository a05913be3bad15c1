#pragma once
// convert_csv: a CSV file as a row file, so that its text is parsed once and not at every start.

#include <minitrain/data/csv.hpp>
#include <minitrain/data/row_file.hpp>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// Whether both names are of one file.
inline bool same_file(const std::string& a, const std::string& b) noexcept {
  struct stat one {
  }, other{};
  return ::stat(a.c_str(), &one) == 0 && ::stat(b.c_str(), &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

}  // namespace detail

/// Writes the rows that load_csv would load, the same in every bit, to a row file, and returns how many. Reads the CSV
/// file once, or twice when there are categories or means to learn; holds a record, the categories and some 512 KiB of
/// rows, however long the file is. Throws what load_csv and RowFileWriter throw, and then leaves no file behind;
/// OptionError when both paths name one file.
///
///   convert_csv("train.csv", "train.rows", {.target = "price", .missing = Missing::fill_mean});
///   Dataset data = open_row_file("train.rows");
inline std::uint64_t convert_csv(const std::string& csv_path, const std::string& row_file_path,
                                 const CsvOptions& options) {
  detail::check_csv_options(options, "convert_csv");
  if (detail::same_file(csv_path, row_file_path)) {
    throw OptionError(
        {"convert_csv: ", detail::in_quotes(row_file_path), " is the CSV file itself: give the row file another name"});
  }
  CsvOptions known = options;
  known.encoding = learn_csv(csv_path, options);
  detail::CsvRows rows(csv_path, known, detail::CsvRows::Purpose::make);
  RowFileWriter writer(row_file_path, rows.layout());
  DatasetParts block;
  const auto write_block = [&] {
    writer.append(block.samples, {block.features.data(), block.targets.data(), block.labels.data()});
    block.samples = 0;
    block.features.clear();
    block.targets.clear();
    block.labels.clear();
  };
  while (rows.next(block)) {
    if (block.features.size() >= std::size_t{1} << 15) write_block();
  }
  write_block();
  if (writer.rows() == 0) rows.fail_no_rows();
  writer.close();
  return writer.rows();
}

}  // namespace minitrain::inline MINITRAIN_ABI

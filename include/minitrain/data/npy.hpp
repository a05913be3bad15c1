#pragma once
// .npy files of NumPy: mapped, so that they may be larger than memory; write_npy() is in io/npy_write.hpp.

#include <minitrain/data/npy_header.hpp>
#include <minitrain/data/table_source.hpp>
#include <minitrain/io/npy_write.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// How a mapped file is read. Numbers that are not finite are kept unless asked to be refused, because looking for them
/// would read the whole file: training stops at a loss that is not finite, before the update. With NonFinite::error
/// each sample is looked at when it is read.
struct NpyOptions {
  std::size_t classes = 0;  // of the labels; 0: answers are real targets
  float scale = 1;          // a feature is scale·x + offset
  float offset = 0;
  NonFinite non_finite = NonFinite::keep;
};

/// An array of numbers, [N] or [N, a, ...] of rank 2 to 4, as a table of N rows over the mapped file: bool, integers
/// and floats of 1 to 8 bytes, little- or big-endian; in Fortran order to rank 2, where a row is one number from each
/// column's stretch of the file, so prefer C order for files larger than memory. Versions 1 to 3 of the format. Objects
/// are refused: nothing of a file is ever run. Throws DataError: io_error, bad_magic (npz and gzip included),
/// truncated, trailing_bytes, bad_header, header_too_large (64 KiB), duplicate_key, bad_number, bad_shape, overflow,
/// unknown_dtype, unsupported (other versions and types of NumPy, Fortran order of rank 3 and 4).
inline Table map_npy_table(const std::string& path) {
  auto file = std::make_shared<const MappedFile>(path);
  const detail::NpyHeader header = detail::read_npy_header(file->bytes(), path);
  if (header.fortran_order && header.extents.size() > 2) {
    detail::fail_file(ErrorCode::unsupported, path,
                      "npy: Fortran order of more than 2 axes: save numpy.ascontiguousarray(array)");
  }
  Table table = detail::mapped_table(std::move(file), "npy", header.first, header.type, header.extents);
  table.big_endian = header.big_endian;
  if (header.fortran_order) {
    table.row_stride = size_of(table.type);
    table.column_stride = table.rows * table.row_stride;
  }
  return table;
}

/// Features [N, ...] and answers, labels [N] with `classes` or else targets [N, t] or [N], read when they are wanted.
/// Throws DataError: what map_npy_table does; count_mismatch when there are not as many answers as features; bad_shape
/// for labels of more than one column; empty_data. When samples are read: label_out_of_range, non_finite.
inline Dataset map_npy(const std::string& features_path, const std::string& answers_path,
                       const NpyOptions& options = {}) {
  Table features = map_npy_table(features_path), answers = map_npy_table(answers_path);
  detail::check_pair("npy", features, answers, options.classes != 0);
  features.scale = options.scale;
  features.offset = options.offset;
  return Dataset(std::make_shared<const TableSource>(std::move(features), std::move(answers), options.classes,
                                                     options.non_finite));
}

/// Features [N, ...] without answers, for prediction. Throws DataError: what map_npy_table does; empty_data; bad_shape
/// with `classes`, which needs labels.
inline Dataset map_npy(const std::string& features_path, const NpyOptions& options = {}) {
  Table features = map_npy_table(features_path);
  features.scale = options.scale;
  features.offset = options.offset;
  return Dataset(
      std::make_shared<const TableSource>(std::move(features), Table{}, options.classes, options.non_finite));
}

}  // namespace minitrain::inline MINITRAIN_ABI

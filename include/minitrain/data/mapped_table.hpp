#pragma once
// A table over the elements of a mapped file, and what is said when header and file disagree.

#include <minitrain/data/input_file.hpp>
#include <minitrain/data/table.hpp>

namespace minitrain::inline MINITRAIN_ABI::detail {

[[noreturn]] inline void fail_end(const std::string& path, const char* format, std::uint64_t wanted,
                                  std::uint64_t found) {
  fail_file(ErrorCode::truncated, path,
            joined({format, ": ends after ", found, " of ", wanted, " bytes: fetch the file again"}));
}
[[noreturn]] inline void fail_beyond(const std::string& path, const char* format, std::uint64_t wanted) {
  fail_file(ErrorCode::trailing_bytes, path,
            joined({format, ": goes on after the ", wanted, " bytes that its header announces: fetch the file again"}));
}

/// The product of the extents. Throws DataError (overflow) past 2^62 bytes, extents of 0 left aside.
inline std::uint64_t count_elements(const std::string& path, const char* format, std::span<const std::uint64_t> extents,
                                    std::uint64_t element_bytes) {
  std::uint64_t count = 1;
  bool none = false;
  for (const std::uint64_t extent : extents) {
    none |= extent == 0;
    if (extent == 0) continue;
    if (count > (std::uint64_t{1} << 62) / element_bytes / extent) {
      fail_file(ErrorCode::overflow, path, joined({format, ": announces more than 2^62 bytes: fetch the file again"}));
    }
    count *= extent;
  }
  return none ? 0 : count;
}

/// The elements from byte `first` to the end of the file, row after row: [N, a, b, ...] is N rows of a·b·... columns.
/// `format` begins the messages. Throws DataError: overflow; truncated and trailing_bytes when the file has another
/// size.
inline Table mapped_table(std::shared_ptr<const MappedFile> file, const char* format, std::uint64_t first,
                          ElementType type, std::span<const std::uint64_t> extents) {
  const std::string& path = file->path_name();
  const std::uint64_t size = size_of(type), columns = count_elements(path, format, extents.subspan(1), size);
  const std::uint64_t wanted = first + count_elements(path, format, extents, size) * size;
  const std::uint64_t found = file->bytes().size();
  if (found < wanted) fail_end(path, format, wanted, found);
  if (found > wanted) fail_beyond(path, format, wanted);
  Table table{.data = file->bytes().data() + first, .type = type, .rows = extents[0], .columns = columns};
  table.row_stride = columns * size;
  table.column_stride = size;
  table.file = std::move(file);
  return table;
}

/// Throws DataError when the answers do not belong to the features: count_mismatch, with both files; bad_shape for
/// labels, which `classes` announces, of more than one column; empty_data for targets of none.
inline void check_pair(const char* format, const Table& features, const Table& answers, bool classes) {
  const std::string& path = answers.file->path_name();
  if (classes && answers.columns != 1) {
    fail_file(ErrorCode::bad_shape, path,
              joined({format, ": labels are one number each, but this file has rows of ", answers.columns,
                      ": give features first, then labels"}));
  }
  if (answers.columns == 0) {
    fail_file(ErrorCode::empty_data, path, joined({format, ": targets of no columns: give at least one"}));
  }
  if (features.rows == answers.rows) return;
  fail_file(ErrorCode::count_mismatch, features.file->path_name(),
            joined({format, ": ", features.rows, " rows, but ", answers.rows, " in ", io::shown(path),
                    ": give two files that belong together"}));
}

}  // namespace minitrain::inline MINITRAIN_ABI::detail

#pragma once
// Where in the source something happens, and the exception that tells of it.

#include <stdexcept>
#include <string_view>

namespace simt {

/// A place in the source; as a default argument, the caller's.
struct Site {
  const char* file;
  unsigned line;
  static constexpr Site current(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
    return {file, line};
  }
  bool operator==(const Site& other) const {
    return line == other.line && (file == other.file || std::string_view(file) == other.file);
  }
};

/// A kernel broke a rule, or work on a stream did. Thrown out of the call that launched or waited; the text names the
/// kernel, the block, the thread and the source line.
class error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace simt

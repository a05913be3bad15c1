#pragma once
// write_file(): a text as a file of its own.

#include <minitrain/core/error.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace examples {

/// Throws minitrain::DataError (io_error) with the operating system's words.
inline void write_file(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file != nullptr && std::fclose(file) != 0) written = false;
  if (!written) throw minitrain::DataError(minitrain::ErrorCode::io_error, path + ": " + std::strerror(errno));
}

}  // namespace examples

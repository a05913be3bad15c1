#pragma once
// OutputFolder: a folder of one experiment's results, told from those of others.

#include <minitrain/io/file.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string>

namespace examples {

/// Claims a folder for results of one experiment with given settings: its file settings.txt says whose it is. One that
/// is there already with the same text is gone on with. An empty path: nothing is written.
class OutputFolder {
 public:
  OutputFolder() = default;
  /// Makes the folder where there is none. Throws minitrain::DataError when it holds other results, or the system
  /// refuses.
  OutputFolder(const std::string& path, const std::string& settings) : path_(path) {
    if (path.empty()) return;
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) throw minitrain::DataError(minitrain::ErrorCode::io_error, "--out " + path + ": " + error.message());
    const std::optional<std::string> found = text_of("settings.txt");
    if (!found) {
      for (const char* name : {"results.csv", "summary.json"}) {
        if (std::filesystem::exists(file(name))) refuse("there is a " + std::string(name) + " of something else");
      }
      write("settings.txt", settings);
    } else if (*found != settings) {
      refuse("it holds results of another experiment or of other settings (" + difference(*found, settings) + ")");
    }
  }

  bool none() const { return path_.empty(); }
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

  /// Whole or not at all. Throws minitrain::DataError.
  void write(const std::string& name, const std::string& text) const {
    const std::array pieces{std::as_bytes(std::span(text))};
    minitrain::write_file(file(name), pieces);
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw minitrain::DataError(minitrain::ErrorCode::state_mismatch,
                               "--out " + path_ + ": " + why + ": give a new folder");
  }
  std::optional<std::string> text_of(const std::string& name) const {
    std::ifstream stream(file(name), std::ios::binary);
    if (!stream) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(stream), {});
  }
  /// The first line that differs.
  static std::string difference(const std::string& there, const std::string& here) {
    std::size_t begin = 0;
    for (;;) {
      const std::size_t end_there = std::min(there.find('\n', begin), there.size());
      const std::size_t end_here = std::min(here.find('\n', begin), here.size());
      const std::string a = there.substr(begin, end_there - begin), b = here.substr(begin, end_here - begin);
      if (a != b || end_there == there.size() || end_here == here.size()) {
        return "there: " + (a.empty() ? "nothing" : a) + "; here: " + (b.empty() ? "nothing" : b);
      }
      begin = end_here + 1;
    }
  }

  std::string path_;
};

}  // namespace examples

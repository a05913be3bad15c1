#pragma once
// Terminal: what a program knows of the place that its words go to. The library never looks by itself: a program hands
// in its file descriptor and its environment.

#include <minitrain/config.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstddef>
#include <string_view>

namespace minitrain::inline MINITRAIN_ABI {

/// Where a stream ends.
struct Terminal {
  bool redraws = false;    // a line can be written over
  bool colours = false;    // escape sequences for colours are shown as such
  int descriptor = -1;     // to ask for the width again, as windows change; -1: it stays
  std::size_t width = 80;  // characters in a line

  /// The width as it is now.
  std::size_t columns() const noexcept {
    winsize size{};
    const bool known = descriptor >= 0 && ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : width;
  }
};

/// The terminal behind a file descriptor, by the conventions of https://no-color.org and of continuous integration:
/// lines are redrawn where isatty(3) says so, TERM is set to something else than dumb and CI is not set; colours are
/// shown there too unless NO_COLOR is set. Variables that are empty are not set. `environment` is what <unistd.h> calls
/// environ:
///
///   ProgressBar bar{std::cerr, terminal_of(STDERR_FILENO, environ)};
inline Terminal terminal_of(int descriptor, const char* const* environment) noexcept {
  const auto value = [&](std::string_view name) {
    for (const char* const* entry = environment; entry != nullptr && *entry != nullptr; ++entry) {
      const std::string_view text(*entry);
      if (text.starts_with(name) && text.substr(name.size()).starts_with('=')) return text.substr(name.size() + 1);
    }
    return std::string_view();
  };
  const std::string_view kind = value("TERM");
  const bool redraws = ::isatty(descriptor) == 1 && !kind.empty() && kind != "dumb" && value("CI").empty();
  return {.redraws = redraws, .colours = redraws && value("NO_COLOR").empty(), .descriptor = redraws ? descriptor : -1};
}

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// format(): numbers in a sentence, as printf has them.

#include <cstdio>
#include <string>

namespace examples {

/// format("%.3g us", t); at most 511 characters.
template <class... Values>
std::string format(const char* text, Values... values) {
  char line[512];
  std::snprintf(line, sizeof line, text, values...);
  return line;
}

}  // namespace examples

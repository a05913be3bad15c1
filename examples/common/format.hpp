#pragma once
// format(), whole(), listed(): numbers in a sentence.

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace examples {

/// As printf has them: format("%.3g us", t). At most 511 characters.
template <class... Values>
std::string format(const char* text, Values... values) {
  char line[512];
  std::snprintf(line, sizeof line, text, values...);
  return line;
}

/// "28061", but "1.23e+08" where there are more digits than anyone reads.
inline std::string whole(double value) { return format(std::abs(value) < 1e7 ? "%.0f" : "%.3g", value); }

/// "32, 128, 512"
inline std::string listed(const std::vector<std::size_t>& numbers) {
  std::string text;
  for (const std::size_t number : numbers) text += (text.empty() ? "" : ", ") + std::to_string(number);
  return text;
}

}  // namespace examples

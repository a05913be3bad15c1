#pragma once
// JSON (RFC 8259) put together from texts and numbers, for what programs write for tools/plot.

#include <charconv>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace examples {

/// The shortest digits that read back as the same number: "32", "0.001", "1e-08", "inf", "nan".
inline std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

namespace json {

/// `value`, which is UTF-8, between quotes.
inline std::string text(std::string_view value) {
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

/// null where JSON has no word for it: NaN and infinity.
inline std::string number(double value) { return std::isfinite(value) ? shortest(value) : "null"; }
inline std::string truth(bool value) { return value ? "true" : "false"; }

/// [f(item), ...]
template <class Items, class F>
std::string list(const Items& items, F&& f) {
  std::string all;
  for (const auto& item : items) all += (all.empty() ? "" : ", ") + f(item);
  return "[" + all + "]";
}
inline std::string texts(const std::vector<std::string>& values) { return list(values, text); }
inline std::string numbers(const std::vector<double>& values) { return list(values, number); }
/// [["name", "value"], ...]: pairs that keep their order.
inline std::string pairs(const std::vector<std::pair<std::string, std::string>>& values) {
  return list(values, [](const auto& pair) { return "[" + text(pair.first) + ", " + text(pair.second) + "]"; });
}

/// {"name": value, ...}; the values are JSON already.
inline std::string object(const std::vector<std::pair<std::string_view, std::string>>& members,
                          std::string_view separator = ", ") {
  std::string all;
  for (const auto& [name, value] : members) {
    if (!all.empty()) all += separator == ", " ? ", " : "," + std::string(separator);
    all += text(name) + ": " + value;
  }
  return "{" + all + "}";
}

}  // namespace json

}  // namespace examples

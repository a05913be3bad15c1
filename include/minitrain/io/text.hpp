#pragma once
// Text that comes from outside: made safe for messages, checked for UTF-8.

#include <minitrain/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail::io {

/// `text` for a message: printable ASCII as it is, every other byte as \xNN, what passes `limit` bytes as a count.
inline std::string shown(std::string_view text, std::size_t limit = 200) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F && c != '\\') {
      result += c;
    } else if (c == '\\') {
      result += "\\\\";
    } else {
      result += {'\\', 'x', digits[byte >> 4], digits[byte & 0xF]};
    }
  }
  if (text.size() > limit) result += "... (" + std::to_string(text.size()) + " bytes)";
  return result;
}

/// The same between single quotes. An object, and not a function, beside which <iomanip>'s std::quoted would be found.
struct Quoted {
  std::string operator()(std::string_view text) const { return std::string(1, '\'') + shown(text) + '\''; }
};
inline constexpr Quoted quoted{};

/// Where `text` stops being UTF-8 (RFC 3629: shortest forms only, no surrogates, nothing past U+10FFFF), or its size.
inline std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  std::size_t i = 0;
  while (i < text.size()) {
    const unsigned char lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t more = lead >= 0xC2 && lead <= 0xDF ? 1 : lead >= 0xE0 && lead <= 0xEF ? 2 : 3;
    if (lead < 0xC2 || lead > 0xF4 || text.size() - i <= more) return i;
    // The second byte's range is what rules out overlong forms, surrogates and values past the last code point.
    const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (byte(i + 1) < low || byte(i + 1) > high) return i;
    for (std::size_t k = 2; k <= more; ++k) {
      if (byte(i + k) < 0x80 || byte(i + k) > 0xBF) return i;
    }
    i += more + 1;
  }
  return i;
}

}  // namespace detail::io

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// joined(): texts and numbers one after another. Written for error messages: where one is thrown, compilers make little
// code of it.

#include <minitrain/config.hpp>

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace minitrain::inline MINITRAIN_ABI {

/// A text, which somebody else owns, or a number, real ones with as many digits as tell them apart.
class TextPiece {
 public:
  TextPiece(std::string_view text) noexcept : kind_(Kind::text), text_(text.data()), size_(text.size()) {}
  TextPiece(const char* text) noexcept : TextPiece(std::string_view(text)) {}
  TextPiece(const std::string& text) noexcept : TextPiece(std::string_view(text)) {}
  template <class N>
  requires(std::is_arithmetic_v<N> && !std::is_same_v<N, char>) TextPiece(N number)
  noexcept {
    if constexpr (std::is_floating_point_v<N>) {
      kind_ = Kind::real, real_ = number;
    } else if constexpr (std::is_signed_v<N>) {
      kind_ = Kind::whole, whole_ = number;
    } else {
      kind_ = Kind::natural, natural_ = number;
    }
  }

  [[gnu::cold, gnu::noinline]] void append_to(std::string& text) const {
    switch (kind_) {
      case Kind::text:
        text.append(text_, size_);
        break;
      case Kind::natural:
        text += std::to_string(natural_);
        break;
      case Kind::whole:
        text += std::to_string(whole_);
        break;
      case Kind::real: {
        char digits[32];
        text.append(digits, std::to_chars(digits, digits + sizeof digits, real_).ptr);
        break;
      }
    }
  }

 private:
  enum class Kind { text, natural, whole, real };

  Kind kind_;
  union {
    const char* text_;
    std::uint64_t natural_;
    std::int64_t whole_;
    double real_;
  };
  std::size_t size_ = 0;
};

/// joined({"rows ", 3, " of ", name}) is "rows 3 of " and the name.
[[gnu::cold, gnu::noinline]] inline std::string joined(std::initializer_list<TextPiece> pieces) {
  std::string text;
  for (const TextPiece& piece : pieces) piece.append_to(text);
  return text;
}

}  // namespace minitrain::inline MINITRAIN_ABI

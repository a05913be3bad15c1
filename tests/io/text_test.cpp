#include <minitrain/io/text.hpp>

#include "support/catch.hpp"

#include <string>

using namespace minitrain::detail::io;

TEST_CASE("text in messages is printable ASCII, and not endless") {
  CHECK(quoted("0.weight") == "'0.weight'");
  CHECK(shown(std::string("a\0b\n\x7F\xC3\xA9\\", 8)) == "a\\x00b\\x0a\\x7f\\xc3\\xa9\\\\");
  CHECK(shown("abcdef", 6) == "abcdef");
  CHECK(shown("abcdefg", 6) == "abcdef... (7 bytes)");
}

TEST_CASE("UTF-8 is checked as RFC 3629 has it") {
  const auto right = [](std::string_view text) { return utf8_length(text) == text.size(); };
  CHECK(right(""));
  CHECK(right("plain"));
  CHECK(right(std::string(1, '\0')));
  // The first and last character of each length, and the neighbours of the surrogates.
  CHECK(right("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80"));
  for (const std::string wrong : {"\x80",
                                  "\xBF",
                                  "\xC0\x80",
                                  "\xC1\xBF",
                                  "\xC2",
                                  "\xC2\x41",
                                  "\xC2\xC2",
                                  "\xE0\x9F\xBF",
                                  "\xE0\xA0",
                                  "\xE1\x80\x7F",
                                  "\xE1\x80\xC0",
                                  "\xED\xA0\x80",
                                  "\xED\xBF\xBF",
                                  "\xF0\x8F\xBF\xBF",
                                  "\xF0\x90\x80",
                                  "\xF1\x80\x80\x41",
                                  "\xF4\x90\x80\x80",
                                  "\xF5\x80\x80\x80",
                                  "\xFE",
                                  "\xFF"}) {
    INFO(shown(wrong));
    CHECK(utf8_length(wrong) == 0);
    CHECK(utf8_length("ok\xC3\xA9" + wrong) == 4);
    CHECK(utf8_length(wrong + "more text") == 0);
  }
}

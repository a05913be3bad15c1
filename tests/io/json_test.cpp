#include <minitrain/io/json.hpp>

#include "io/support.hpp"
#include "support/catch.hpp"

#include <string>
#include <utility>
#include <vector>

using minitrain::ErrorCode;
using minitrain::detail::io::append_json;
using minitrain::detail::io::JsonReader;
using test::check_error;

namespace {

std::string string_in(std::string_view text) { return JsonReader(text, "f", 8).string(); }
std::uint64_t integer_in(std::string_view text) { return JsonReader(text, "f", 8).integer(); }

}  // namespace

TEST_CASE("JSON strings are decoded") {
  CHECK(string_in("\"\"") == "");
  CHECK(string_in(" \t\r\n\"0.weight\"") == "0.weight");
  CHECK(string_in(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  CHECK(string_in(R"("a\u0000b")") == std::string("a\0b", 3));
  CHECK(string_in(R"("\u0041\u00e9\u00E9\u20aC\uFFFF")") == "A\xC3\xA9\xC3\xA9\xE2\x82\xAC\xEF\xBF\xBF");
  CHECK(string_in(R"("\ud83d\ude00")") == "\xF0\x9F\x98\x80");
  CHECK(string_in(R"("\uD800\uDC00\uDBFF\uDFFF")") == "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
  CHECK(string_in("\"\xC3\xA9\x7F\"") == "\xC3\xA9\x7F");
}

TEST_CASE("JSON strings that are none are refused at the byte") {
  const auto refused = [](std::string_view text, const std::string& part) {
    check_error([&] { string_in(text); }, ErrorCode::bad_header, part);
  };
  refused("", "f: byte 8: expected \", found the end of the header");
  refused("name", "f: byte 8: expected \", found 'n'");
  refused("\"abc", "f: byte 12: a string holds the end of the header");
  refused("\"a\nb\"", "f: byte 10: a string holds '\\x0a'");
  refused("\"a\\", "f: byte 10: an escape that JSON does not have");
  refused(R"("\x41")", "byte 9: an escape that JSON does not have");
  refused(std::string("\"\\\0\"", 4), "byte 9: an escape that JSON does not have");
  for (const auto* text : {R"("\u)", R"("\u12)", R"("\u12G4")", R"("\u 123")", R"("\u+123")", R"("\u-123")"}) {
    refused(text, "byte 9: an escape that is not \\u and four hexadecimal digits");
  }
  for (const auto* text : {R"("\ud800")", R"("\ud800x")", R"("\udc00")", R"("\ud800\ud800")", R"("\udbff\u0041")",
                           R"("\udc00\udc00")", R"("\ud800\udbff")", R"("\ud800\ue000")"}) {
    refused(text, "byte 9: half of a surrogate pair");
  }
  refused(R"("\ud800\n")", "byte 9: an escape that is not \\u");
}

TEST_CASE("JSON numbers are whole, exact and at most 2^53") {
  CHECK(integer_in("0") == 0);
  CHECK(integer_in(" 7,") == 7);
  CHECK(integer_in("9007199254740991]") == 9007199254740991u);
  CHECK(integer_in("9007199254740992") == 9007199254740992u);
  for (const auto* text : {"9007199254740993", "18446744073709551616", "99999999999999999999999999999999999999"}) {
    check_error([&] { integer_in(text); }, ErrorCode::bad_number, "byte 8: a number greater than 2^53");
  }
  for (const auto* text :
       {"-1", "-0", "+1", "1.0", "1.", "1e3", "1E3", "01", "00", ".5", "NaN", "true", "null", "\"3\""}) {
    check_error([&] { integer_in(text); }, ErrorCode::bad_number, "byte 8: expected a whole number in plain digits");
  }
  for (const auto* text : {"", "]", "[", "{", ",", "  "}) {
    check_error([&] { integer_in(text); }, ErrorCode::bad_header, ": expected a number, found ");
  }
}

TEST_CASE("JSON objects and arrays are walked in order") {
  JsonReader json(R"( { "a" : [ 1 , 2 ] , "b" : [] , "a":[3]} )", "f", 0);
  std::vector<std::pair<std::string, std::vector<std::uint64_t>>> seen;
  std::vector<std::size_t> places;
  json.object([&](std::string key, std::size_t at) {
    places.push_back(at);
    auto& values = seen.emplace_back(std::move(key), std::vector<std::uint64_t>{}).second;
    json.array([&] { values.push_back(json.integer()); });
  });
  CHECK(seen == decltype(seen){{"a", {1, 2}}, {"b", {}}, {"a", {3}}});
  CHECK(places == std::vector<std::size_t>{3, 21, 32});
  CHECK(json.position() == 40);

  const auto refused = [](std::string_view text, const std::string& part) {
    JsonReader reader(text, "f", 0);
    check_error([&] { reader.object([&](const std::string&, std::size_t) { reader.integer(); }); },
                ErrorCode::bad_header, part);
  };
  refused("", "byte 0: expected {, found the end");
  refused("[", "byte 0: expected {, found '['");
  refused("{", "byte 1: expected \", found the end");
  refused("{,", "byte 1: expected \", found ','");
  refused("{1:1}", "byte 1: expected \", found '1'");
  refused("{\"a\"1}", "byte 4: expected :, found '1'");
  refused("{\"a\":1", "byte 6: expected }, found the end");
  refused("{\"a\":1 2", "byte 7: expected }, found '2'");
  refused("{\"a\":1,}", "byte 7: expected \", found '}'");
  refused("{\"a\":1]", "byte 6: expected }, found ']'");
  JsonReader open("[1,", "f", 0);
  check_error([&] { open.array([&] { open.integer(); }); }, ErrorCode::bad_header, "byte 3: expected a number");
}

TEST_CASE("every string survives JSON") {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  all += "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  std::string json;
  append_json(json, all);
  CHECK(json.substr(0, 13) == R"("\u0000\u0001)");
  CHECK(json.find('\n') == std::string::npos);
  CHECK(string_in(json) == all);
}

#pragma once
// Arguments: options of a program as it asks for them. What it asked for is what --help shows.

#include "exit_code.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace examples {

/// Ask for every option, then for help_shown():
///
///   examples::Arguments arguments(argc, argv, "Trains a network.");
///   const std::size_t epochs = arguments.number("--epochs", 5, "passes over the training data");
///   if (arguments.help_shown()) return examples::ok;
///
/// "--name value" and "--name=value" mean the same. Throws UsageError, also for an option that is there twice, an empty
/// value, and a list with a number twice.
class Arguments {
 public:
  Arguments(int argc, char** argv, const char* about)
      : words_(argv + 1, argv + argc), help_("usage: " + program_name(argv[0]) + " [options]\n\n" + about + "\n\n") {}

  /// Whether the option without a value is there.
  bool flag(const std::string& name, const std::string& help) {
    describe(name, help);
    const auto word = std::find(words_.begin(), words_.end(), name);
    if (word == words_.end()) return false;
    words_.erase(word);
    want_once(name);
    return true;
  }
  /// Whether to say what the run would take, and train nothing.
  bool dry_run() { return flag("--dry-run", "say what memory, bytes and seconds it would take, and train nothing"); }
  std::string text(const std::string& name, const std::string& value_name, const std::string& help) {
    describe(name + " " + value_name, help);
    return take(name).value_or("");
  }
  /// A whole number, not below `least`.
  std::uint64_t number(const std::string& name, std::uint64_t otherwise, const std::string& help,
                       std::uint64_t least = 1) {
    describe(name + " N", help + " (" + std::to_string(otherwise) + ")");
    const auto value = take(name);
    return value ? parse(name, *value, least) : otherwise;
  }
  /// A number of bytes, such as 64M or 2G: K, M and G are 2^10, 2^20 and 2^30. 0 when it is not given.
  std::uint64_t bytes(const std::string& name, const std::string& help) {
    describe(name + " BYTES", help);
    const auto value = take(name);
    if (!value) return 0;
    const std::size_t letter = std::string("KMG").find(value->back());
    const int shift = letter == std::string::npos ? 0 : 10 * (static_cast<int>(letter) + 1);
    const std::uint64_t count = parse(name, shift == 0 ? *value : value->substr(0, value->size() - 1), 1);
    if (count > (std::numeric_limits<std::uint64_t>::max() >> shift)) {
      throw UsageError(name + ": '" + *value + "' is more than there can be");
    }
    return count << shift;
  }
  /// Whole numbers, none below `least`, separated by commas; given in any order, and returned in rising order.
  std::vector<std::size_t> numbers(const std::string& name, const std::string& otherwise, const std::string& help,
                                   std::uint64_t least = 1) {
    describe(name + " N,N,...", help + " (" + otherwise + ")");
    const std::string list = take(name).value_or(otherwise);
    std::vector<std::size_t> values;
    for (std::size_t begin = 0, end = 0; end < list.size(); begin = end + 1) {
      end = std::min(list.find(',', begin), list.size());
      const std::size_t value = parse(name, list.substr(begin, end - begin), least);
      // Its results could not be told from those of the other one.
      if (std::ranges::find(values, value) != values.end()) {
        throw UsageError(name + ": wanted each number once, found " + std::to_string(value) + " twice");
      }
      values.push_back(value);
    }
    std::ranges::sort(values);
    return values;
  }

  /// Prints the help when asked to; then there is nothing else to do. Throws UsageError for what nobody asked for.
  bool help_shown() {
    describe("--help", "this text");
    for (const std::string& word : words_) {
      if (word == "--help" || word == "-h") {
        std::fputs(help_.c_str(), stdout);
        return true;
      }
    }
    if (!words_.empty()) throw UsageError("there is no option '" + words_.front() + "'; --help lists those there are");
    return false;
  }

 private:
  static std::string program_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

  static std::uint64_t parse(const std::string& name, const std::string& text, std::uint64_t least) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < least) {
      throw UsageError(name + ": wanted a whole number from " + std::to_string(least) + " on, found '" + text + "'");
    }
    return value;
  }

  void describe(const std::string& usage, const std::string& help) {
    help_ += "  " + usage + std::string(usage.size() < 20 ? 20 - usage.size() : 1, ' ') + help + "\n";
  }

  /// "--name" or "--name=...".
  auto find(const std::string& name) {
    return std::ranges::find_if(words_, [&](const auto& word) { return word == name || word.starts_with(name + "="); });
  }
  void want_once(const std::string& name) {
    if (find(name) != words_.end()) throw UsageError(name + ": wanted it once, found it twice");
  }

  /// The value of the option, which is then no longer there; nothing when the option is not given.
  std::optional<std::string> take(const std::string& name) {
    const auto word = find(name);
    if (word == words_.end()) return std::nullopt;
    const bool joined = *word != name, there = joined || word + 1 != words_.end();
    const std::string value = joined ? word->substr(name.size() + 1) : there ? *(word + 1) : "";
    if (value.empty()) throw UsageError(name + ": wanted a value after it, found nothing");
    words_.erase(word, word + (joined ? 1 : 2));
    want_once(name);
    return value;
  }

  std::vector<std::string> words_;
  std::string help_;
};

}  // namespace examples

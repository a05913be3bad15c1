#pragma once
// JSON of a run record. Include run_record.hpp, not this file.

#include <minitrain/core/text.hpp>
#include <minitrain/io/file.hpp>
#include <minitrain/io/json.hpp>
#include <minitrain/train/status_name.hpp>

#include <unistd.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// Members in the order in which they are given, one on a line.
class JsonObject {
 public:
  JsonObject& text(std::string_view name, std::string_view value) { return member(name, string_of(value)); }
  JsonObject& count(std::string_view name, std::uint64_t value) { return member(name, std::to_string(value)); }
  /// null when it is not finite, which JSON does not know.
  JsonObject& number(std::string_view name, double value) {
    return member(name, std::isfinite(value) ? joined({value}) : "null");
  }
  JsonObject& truth(std::string_view name, bool value) { return member(name, value ? "true" : "false"); }
  JsonObject& texts(std::string_view name, const std::vector<std::string>& values) {
    std::string list;
    for (const std::string& value : values) list += (list.empty() ? "" : ", ") + string_of(value);
    return member(name, "[" + list + "]");
  }
  JsonObject& object(std::string_view name, const JsonObject& value) {
    std::string inner;
    for (const char c : value.text()) {
      inner += c;
      if (c == '\n') inner += "  ";  // within strings there is none
    }
    return member(name, inner);
  }

  std::string text() const { return members_.empty() ? "{}" : "{" + members_ + "\n}"; }

 private:
  static std::string string_of(std::string_view value) {
    const bool utf8 = io::utf8_length(value) == value.size();
    std::string json;
    io::append_json(json, utf8 ? std::string(value) : io::shown(value, value.size()));
    return json;
  }
  JsonObject& member(std::string_view name, std::string_view value) {
    members_ += joined({members_.empty() ? "\n  " : ",\n  ", string_of(name), ": ", value});
    return *this;
  }

  std::string members_;
};

/// Throws DataError unless `path` is free, empty, or a record of a run, which begins with its status.
inline void expect_run_json(const std::string& path) {
  constexpr std::string_view begin = "{\n  \"status\": \"";
  struct stat status {};
  if (FileSystem::system().stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;  // write_file() knows
  std::array<char, begin.size()> found{};
  const std::size_t size = ReadFile(path).read_some(0, std::as_writable_bytes(std::span(found)));
  if (size == 0 || std::string_view(found.data(), size) == begin) return;
  throw DataError(ErrorCode::bad_header,
                  {io::shown(path), ": wanted a record of a run to replace, found something else, which begins with ",
                   io::quoted(std::string_view(found.data(), size)), ": give the record a name of its own"});
}

/// "2026-01-31T12:34:56Z"
inline std::string utc_text(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc));
}

inline std::string machine_name() {
  char name[65] = "";
  static_cast<void>(::gethostname(name, sizeof name - 1));
  return name;
}

inline JsonObject epoch_json(const EpochRecord& record) {
  JsonObject json;
  json.count("epoch", record.epoch).truth("finished", record.finished).count("steps", record.steps);
  json.count("batch_size", record.batch_size).number("learning_rate", record.learning_rate);
  json.number("loss", record.training.loss).number("accuracy", record.training.accuracy);
  json.number("validation_loss", record.validation.loss);
  json.number("validation_accuracy", record.validation.accuracy).number("seconds", record.seconds);
  return json.number("samples_per_second", record.samples_per_second);
}

}  // namespace minitrain::inline MINITRAIN_ABI::detail

#pragma once
// What an experiment ran on, for its record.

#include <minitrain/config.hpp>

#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>

namespace examples {

/// "Intel(R) Xeon(R) ...", or "unknown" where the system does not say.
inline std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

/// At least 1.
inline std::size_t core_count() {
  const unsigned count = std::thread::hardware_concurrency();
  return count == 0 ? 1 : count;
}

/// Of the translation unit that calls it: "g++ 12.2.0", "clang++ ...".
inline std::string compiler_name() {
  const std::string version = __VERSION__;
  return version.find_first_not_of("0123456789") == 0 ? version : "g++ " + version;
}

/// Now: "2026-01-31 12:34 UTC".
inline std::string date_text() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc)};
}

}  // namespace examples

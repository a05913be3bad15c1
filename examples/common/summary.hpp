#pragma once
// Summary: what an experiment was and what came out of it, for people (tables on stdout) and for tools/plot
// (summary.json).

#include "machine.hpp"
#include "plots.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace examples {

/// A parameter of a fitted curve; low and high are the ends of an interval, NaN where there is none.
struct Fit {
  std::string what, parameter;
  double value = 0, low = 0, high = 0;
  std::string unit;
};

/// What was expected, and what was found. `decides`: the exit status depends on it.
struct Verdict {
  std::string expected, found;
  bool holds = false, decides = true;
};

struct Summary {
  std::string name, question;
  std::vector<std::string> command_line;
  std::vector<std::pair<std::string, std::string>> settings = {};
  std::vector<Fit> fits = {};
  std::vector<Verdict> verdicts = {};
  std::vector<std::string> readings = {};
  std::vector<Plot> plots = {};
  double seconds = 0;  // that this run took; what an earlier one had finished is not in it

  bool failed() const {
    return std::ranges::any_of(verdicts, [](const Verdict& v) { return v.decides && !v.holds; });
  }
};

/// {"name": ..., "settings": [[name, value], ...], ...}, a member on a line.
inline std::string summary_json(const Summary& s) {
  const auto fit = [](const Fit& f) {
    return json::object({{"what", json::text(f.what)},
                         {"parameter", json::text(f.parameter)},
                         {"value", json::number(f.value)},
                         {"low", json::number(f.low)},
                         {"high", json::number(f.high)},
                         {"unit", json::text(f.unit)}});
  };
  const auto verdict = [](const Verdict& v) {
    return json::object({{"expected", json::text(v.expected)},
                         {"found", json::text(v.found)},
                         {"holds", json::truth(v.holds)},
                         {"decides", json::truth(v.decides)}});
  };
  const std::string machine = json::object({{"processor", json::text(processor_name())},
                                            {"cores", std::to_string(core_count())},
                                            {"compiler", json::text(compiler_name())},
                                            {"minitrain", json::text(MINITRAIN_VERSION)}});
  return json::object({{"name", json::text(s.name)},
                       {"question", json::text(s.question)},
                       {"command_line", json::texts(s.command_line)},
                       {"date", json::text(date_text())},
                       {"seconds", json::number(s.seconds)},
                       {"machine", machine},
                       {"settings", json::pairs(s.settings)},
                       {"fits", json::list(s.fits, fit)},
                       {"verdicts", json::list(s.verdicts, verdict)},
                       {"readings", json::texts(s.readings)},
                       {"plots", json::list(s.plots, plot_json)}},
                      "\n") +
         "\n";
}

inline void print_settings(const Summary& s) {
  std::printf("%s\n\n", s.question.c_str());
  std::size_t width = 0;
  for (const auto& [name, value] : s.settings) width = std::max(width, name.size());
  for (const auto& [name, value] : s.settings) {
    std::printf("  %-*s  %s\n", static_cast<int>(width), name.c_str(), value.c_str());
  }
  std::printf("\n");
  std::fflush(stdout);
}

inline std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

/// Fits, readings and verdicts.
inline void print_findings(const Summary& s) {
  for (const Fit& fit : s.fits) {
    std::printf("%s: %s = %s", fit.what.c_str(), fit.parameter.c_str(),
                std::isnan(fit.value) ? "not found" : rounded(fit.value).c_str());
    if (!fit.unit.empty()) std::printf(" %s", fit.unit.c_str());
    if (std::isfinite(fit.low) && std::isfinite(fit.high)) {
      std::printf(" (%s to %s)", rounded(fit.low).c_str(), rounded(fit.high).c_str());
    }
    std::printf("\n");
  }
  for (const std::string& reading : s.readings) std::printf("\n%s\n", reading.c_str());
  if (!s.verdicts.empty()) std::printf("\n");
  for (const Verdict& v : s.verdicts) {
    std::printf("%-6s expected: %s; found: %s\n",
                v.holds     ? "holds"
                : v.decides ? "FAILS"
                            : "(not)",
                v.expected.c_str(), v.found.c_str());
  }
}

}  // namespace examples

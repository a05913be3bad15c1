#pragma once
// Words and numbers of a progress bar. Include progress_bar.hpp, not this file.

#include <minitrain/core/text.hpp>
#include <minitrain/train/callbacks.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// Three or four digits: "12", "1.23k", "45.6M".
inline std::string short_number(double value) {
  constexpr const char* units[] = {"", "k", "M", "G", "T"};
  std::size_t unit = 0;
  for (; std::abs(value) >= 999.5 && unit < 4; ++unit) value /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f%s" : "%.3g%s", value, units[unit]);
  return text;
}

/// "0:07", "12:34", "1:02:03"
inline std::string clock_text(double seconds) {
  if (!(seconds < 3.6e8)) return "?";  // ten thousand years of waiting, or not known
  const auto whole = static_cast<unsigned long>(std::lround(std::max(seconds, 0.0)));
  char text[48];
  if (whole < 3600) {
    std::snprintf(text, sizeof text, "%lu:%02lu", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return text;
}

/// "loss 0.1234"
inline std::string measure_text(const char* name, double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%s %.4g", name, value);
  return text;
}

/// What a bar shows at a moment.
struct ProgressState {
  std::size_t epoch = 0, epochs = 0;  // from 1
  double done = 0;                    // of the epoch, in [0, 1]
  double samples_per_second = 0;
  double left = 0;  // seconds, of the whole run
  double loss = 0;
  std::string measure{};  // of the last epoch
};

/// One part of a line, dropped the sooner the higher `rank` is when there is no room.
struct ProgressPart {
  std::string text;
  int rank;
};

/// Parts with two spaces between them, in at most `columns` characters; between the second and the third, where ten or
/// more are left over and it is wanted, a bar.
inline std::string progress_line(const ProgressState& state, std::size_t columns, bool with_bar, bool colours) {
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3.0f %%", std::floor(100 * std::clamp(state.done, 0.0, 1.0)));
  std::vector<ProgressPart> parts{{joined({"epoch ", state.epoch, "/", state.epochs}), 1},
                                  {percent, 0},
                                  {short_number(state.samples_per_second) + " samples/s", 4},
                                  {"ETA " + clock_text(state.left), 3},
                                  {measure_text("loss", state.loss), 2}};
  if (!state.measure.empty()) parts.push_back({state.measure, 5});
  std::size_t size = 0;
  const auto measure = [&] {
    size = 0;
    for (const ProgressPart& part : parts) size += part.text.size() + 2;
    size -= std::min<std::size_t>(size, 2);
    return size;
  };
  while (measure() > columns) {
    parts.erase(std::max_element(parts.begin(), parts.end(),
                                 [](const ProgressPart& a, const ProgressPart& b) { return a.rank < b.rank; }));
  }
  std::string line;
  constexpr std::size_t narrowest = 10, widest = 32, frame = 4;  // brackets and spaces
  for (const ProgressPart& part : parts) {
    if (!line.empty()) line += "  ";
    line += part.text;
    if (part.rank != 0 || !with_bar || columns < size + frame + narrowest) continue;
    const std::size_t width = std::min(widest, columns - size - frame);
    const auto done = static_cast<std::size_t>(static_cast<double>(width) * std::clamp(state.done, 0.0, 1.0));
    line += joined({"  [", colours ? "\x1b[32m" : "", std::string(done, '='), colours ? "\x1b[0m" : "",
                    std::string(width - done, ' '), "]"});
  }
  return line;
}

/// "epoch 3/10: loss 0.1234, accuracy 0.97, validation loss 0.13, validation accuracy 0.96, 1.2 s, 123k samples/s"
inline std::string epoch_line(const EpochRecord& record, std::size_t epochs) {
  std::string line = joined({"epoch ", record.epoch + 1, "/", epochs});
  const char* separator = ": ";
  for (const auto& [name, value] : {std::pair("loss", record.training.loss),
                                    {"accuracy", record.training.accuracy},
                                    {"validation loss", record.validation.loss},
                                    {"validation accuracy", record.validation.accuracy}}) {
    if (std::isnan(value)) continue;
    line += separator + measure_text(name, value);
    separator = ", ";
  }
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%s%.3g s, ", separator, record.seconds);
  return line + seconds + short_number(record.samples_per_second) + " samples/s";
}

}  // namespace minitrain::inline MINITRAIN_ABI::detail

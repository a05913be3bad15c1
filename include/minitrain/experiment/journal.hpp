#pragma once
// SweepJournal: the finished points of a sweep in a file. Include sweep.hpp, not this file.

#include <minitrain/experiment/grid.hpp>
#include <minitrain/experiment/sweep_result.hpp>
#include <minitrain/io/growing_file.hpp>
#include <minitrain/io/json.hpp>

#include <charconv>
#include <chrono>
#include <optional>

namespace minitrain::inline MINITRAIN_ABI::detail {

/// A value as JSON that reads back to the same bits: the shortest digits that do; null is NaN, and the infinities,
/// which JSON does not know, are strings.
inline void append_real(std::string& json, double value) {
  if (std::isnan(value)) {
    json += "null";
  } else if (std::isinf(value)) {
    json += value < 0 ? "\"-inf\"" : "\"inf\"";
  } else {
    json += joined({value});
  }
}

inline void append_reals(std::string& json, const std::vector<double>& values) {
  json += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) json += ',';
    append_real(json, values[i]);
  }
  json += ']';
}

/// What append_reals() wrote of `count` values, at the beginning of `text`, which is then behind it.
inline std::optional<std::vector<double>> take_reals(std::string_view& text, std::size_t count) {
  const auto take = [&](std::string_view wanted) {
    const bool there = text.starts_with(wanted);
    if (there) text.remove_prefix(wanted.size());
    return there;
  };
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) {
    if (!take(i == 0 ? "[" : ",")) return std::nullopt;
    double value = 0;
    if (take("null")) {
      value = std::numeric_limits<double>::quiet_NaN();
    } else if (take("\"inf\"")) {
      value = infinity;
    } else if (take("\"-inf\"")) {
      value = -infinity;
    } else {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
      text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    }
    values.push_back(value);
  }
  if (!take("]")) return std::nullopt;
  return values;
}

/// Lines of JSON (https://jsonlines.org): what the sweep is, then a line for each finished point, in any order.
///
///   {"minitrain_sweep":1,"settings":"epochs=3","metrics":["loss","steps"],"axes":{"batch_size":[32,64],"seed":[0,1]}}
///   {"point":2,"at":[64,0],"values":[0.25,null]}
///
/// A point is written whole, with one call of the system, before the sweep goes on: a crash of the program loses those
/// in progress, and one of the machine those written since the file was last synced, which is at most once a second,
/// with a point that is added, and at the end. A last line that does not end is dropped. One process
/// at a time has the file (flock), where the file system has locks.
class SweepJournal {
 public:
  /// Opens the file, or makes it, and puts the points that it holds into `result`. Throws DataError: io_error when it
  /// cannot be opened, written or locked; state_mismatch when it is of another sweep; bad_header when it is no journal
  /// or a line is damaged; duplicate_key when a point is there twice. The file is as it was then.
  SweepJournal(const std::string& path, const Grid& grid, SweepResult& result, const std::string& settings)
      : file_(path, O_CREAT) {
    file_.lock();
    std::vector<std::string> head = header(grid, result.metrics, settings);
    std::string line_of_head;
    for (const std::string& field : head) line_of_head += field;
    std::size_t number = 0;
    std::vector<std::vector<double>> rows(grid.size());
    file_.keep_lines(
        [&](std::string_view line) {
          if (++number > 1) {
            read_point(line, number, grid, result.metrics.size(), rows);
          } else if (line != line_of_head) {
            if (line_of_head.starts_with(line) && file_.size() == line.size()) return false;  // torn
            refuse(line, head);
          }
          return true;
        },
        std::size_t{1} << 30);
    result.rows = std::move(rows);
    if (file_.size() == 0) write(line_of_head + "\n");
  }

  SweepJournal(const SweepJournal&) = delete;
  SweepJournal& operator=(const SweepJournal&) = delete;
  ~SweepJournal() {
    try {
      file_.sync();
    } catch (const DataError&) {
      // What the system could not keep, a later run of the sweep does again.
    }
  }

  /// Throws DataError (io_error).
  void add(const Point& point, const std::vector<double>& values) {
    std::string line = joined({point_key, point.index(), at_key});
    append_reals(line, point.values());
    line += values_key;
    append_reals(line, values);
    write(line + "}\n");
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::string_view point_key = "{\"point\":", at_key = ",\"at\":", values_key = ",\"values\":";

  /// The first line in pieces, each beginning with its key.
  static std::vector<std::string> header(const Grid& grid, const std::vector<std::string>& metrics,
                                         const std::string& settings) {
    std::vector<std::string> fields{"{\"minitrain_sweep\":1", ",\"settings\":", ",\"metrics\":", ",\"axes\":"};
    const bool utf8 = io::utf8_length(settings) == settings.size();
    io::append_json(fields[1], utf8 ? settings : io::shown(settings, settings.size()));
    append_names(fields[2], metrics);
    if (grid.axes().empty()) {
      append_names(fields[3], grid.names());
      fields.emplace_back(",\"points\":[");
      for (std::size_t i = 0; i < grid.size(); ++i) {
        if (i != 0) fields.back() += ',';
        append_reals(fields.back(), grid[i].values());
      }
      fields.back() += ']';
    } else {
      fields[3] += '{';
      for (const Axis& axis : grid.axes()) {
        if (fields[3].back() != '{') fields[3] += ',';
        io::append_json(fields[3], axis.name);
        fields[3] += ':';
        append_reals(fields[3], axis.values);
      }
      fields[3] += '}';
    }
    fields.emplace_back("}");
    return fields;
  }
  static void append_names(std::string& json, const std::vector<std::string>& names) {
    json += '[';
    for (const std::string& name : names) {
      if (json.back() != '[') json += ',';
      io::append_json(json, name);
    }
    json += ']';
  }

  /// Says in which field a first line differs from ours.
  [[noreturn]] void refuse(std::string_view line, const std::vector<std::string>& head) const {
    if (!line.starts_with(head[0])) {
      throw DataError(ErrorCode::bad_header, {io::shown(file_.path()), ": expected the journal of a sweep, found ",
                                              io::quoted(line.substr(0, 40)), ": give the journal a name of its own"});
    }
    std::size_t i = 0;
    while (i + 1 < head.size() && line.starts_with(head[i])) line.remove_prefix(head[i++].size());
    const std::string& wanted = head[i];
    // Names and settings hold no quote that is not escaped, so what looks like the next key is it.
    const std::string_view next_key = i + 1 < head.size() ? std::string_view(head[i + 1]) : "";
    const std::size_t colon = next_key.find(':');
    std::size_t end = colon == next_key.npos ? line.npos : line.find(next_key.substr(0, colon + 1));
    if (end == line.npos && line.ends_with('}')) end = line.size() - 1;
    const std::string name = wanted.size() > 2 ? wanted.substr(2, wanted.find('"', 2) - 2) : "end";
    throw DataError(ErrorCode::state_mismatch,
                    {io::shown(file_.path()), ": the journal of another sweep: ", name, ": wanted ",
                     shown_value(wanted), ", found ", shown_value(line.substr(0, end)),
                     ": give this sweep another journal, or delete this one to begin anew"});
  }
  static std::string shown_value(std::string_view field) {
    const std::size_t colon = field.find(':');
    return io::shown(colon == field.npos ? field : field.substr(colon + 1));
  }

  void read_point(std::string_view line, std::size_t number, const Grid& grid, std::size_t metrics,
                  std::vector<std::vector<double>>& rows) const {
    std::string_view rest = line;
    const auto take = [&](std::string_view wanted) {
      const bool there = rest.starts_with(wanted);
      if (there) rest.remove_prefix(wanted.size());
      return there;
    };
    std::size_t index = 0;
    bool right = take(point_key);
    if (right) {
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
      right = error == std::errc() && index < grid.size();
      rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    }
    std::optional<std::vector<double>> values;
    if (right) {
      std::string at(at_key);
      append_reals(at, grid[index].values());
      if (take(at) && take(values_key)) values = take_reals(rest, metrics);
    }
    if (!values || rest != "}") {
      throw DataError(
          ErrorCode::bad_header,
          {io::shown(file_.path()), ": line ", number, " is damaged: expected a point of this sweep, found ",
           io::quoted(line.substr(0, 80)), ": delete the line, or the journal to begin anew"});
    }
    if (!rows[index].empty()) {
      throw DataError(ErrorCode::duplicate_key, {io::shown(file_.path()), ": line ", number, ": point ", index,
                                                 " is there twice: delete one of its lines"});
    }
    rows[index] = std::move(*values);
  }

  void write(std::string_view line) {
    file_.add(line);
    if (const int error = file_.flush(); error != 0) {
      io::fail_io(file_.path(),
                  "cannot add a point: what was finished before is kept, and the same sweep goes on from it", error);
    }
    if (Clock::now() - synced_ < std::chrono::seconds(1)) return;
    file_.sync();
    synced_ = Clock::now();
  }

  io::GrowingFile file_;
  Clock::time_point synced_ = Clock::now();
};

}  // namespace minitrain::inline MINITRAIN_ABI::detail

#pragma once
// How checkpoints are called, and what else stands in their directory.

#include <minitrain/io/file.hpp>
#include <minitrain/train/checkpoint_options.hpp>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI::detail {

inline constexpr std::string_view checkpoint_begin = "step_", checkpoint_end = ".safetensors";

/// "step_000000001234.safetensors"
inline std::string checkpoint_name(std::uint64_t step) {
  const std::string digits = std::to_string(step);
  const std::string zeros(digits.size() < 12 ? 12 - digits.size() : 0, '0');
  return joined({checkpoint_begin, zeros, digits, checkpoint_end});
}

/// Whether `name` is that of a checkpoint, and of which step.
inline bool parse_checkpoint_name(std::string_view name, std::uint64_t& step) {
  if (!name.starts_with(checkpoint_begin) || !name.ends_with(checkpoint_end)) return false;
  const std::size_t affixes = checkpoint_begin.size() + checkpoint_end.size();
  if (name.size() < affixes + 12) return false;
  const std::string_view digits = name.substr(checkpoint_begin.size(), name.size() - affixes);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  return error == std::errc() && end == digits.data() + digits.size() && checkpoint_name(step) == name;
}

inline std::vector<std::string> list_directory(const std::string& path, const FileSystem& files) {
  std::vector<std::string> names;
  if (files.list(path.c_str(), names) != 0) io::fail_io(path, "cannot list this directory", errno);
  return names;
}

/// From first to last.
inline std::vector<std::uint64_t> checkpoint_steps(const std::string& directory, const FileSystem& files) {
  std::vector<std::uint64_t> steps;
  for (const std::string& name : list_directory(directory, files)) {
    std::uint64_t step = 0;
    if (parse_checkpoint_name(name, step)) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

/// Makes a directory, and those that it is in, to outlast a crash.
inline void make_directories(const std::string& path, const FileSystem& files) {
  for (std::size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string folder = path.substr(0, end);
    if (folder.ends_with('/') || files.mkdir(folder.c_str(), 0777) != 0) {
      if (folder.ends_with('/') || errno == EEXIST) continue;
      if (end != std::string::npos && (errno == EACCES || errno == EROFS || errno == EPERM)) continue;  // may be there
      io::fail_io(path, "cannot make this directory", errno);
    }
    const io::Descriptor parent = io::open_file(io::folder_of(folder), O_RDONLY | O_DIRECTORY, 0, files);
    if (!parent.open() || (io::uninterrupted([&] { return files.fsync(parent.get()); }) != 0 && errno != EINVAL))
      io::fail_io(path, "made, but may not outlast a crash", errno);
  }
  struct stat status {};
  if (files.stat(path.c_str(), &status) != 0) io::fail_io(path, "cannot look into this directory", errno);
  if (!S_ISDIR(status.st_mode)) {
    throw DataError(ErrorCode::io_error, {io::shown(path), ": expected a directory for checkpoints, found ",
                                          S_ISREG(status.st_mode) ? "a file" : io::kind_of_file(status.st_mode)});
  }
}

/// Whether `name` is that of a checkpoint half written, and by which process.
inline bool parse_temporary_name(std::string_view name, pid_t& process) {
  std::uint64_t step = 0;
  const std::size_t mark = name.rfind(io::temporary_mark);
  if (mark == std::string_view::npos || !parse_checkpoint_name(name.substr(0, mark), step)) return false;
  const std::string_view rest = name.substr(mark + io::temporary_mark.size());
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), process);
  return error == std::errc() && process > 0 && end != rest.data() + rest.size() && *end == '-';
}

/// Removes checkpoints half written by processes that are no more. One that has our number, or that of a process on
/// another machine, is told by its lock. What cannot be removed stays.
inline void remove_left_behind(const std::string& directory, const FileSystem& files) {
  for (const std::string& name : list_directory(directory, files)) {
    pid_t process = 0;
    if (!parse_temporary_name(name, process)) continue;
    if (process != ::getpid() && (files.kill(process) == 0 || errno != ESRCH)) continue;
    const std::string path = joined({directory, "/", name});
    const io::Descriptor file = io::open_file(path, O_RDWR | O_NONBLOCK, 0, files);
    if (!file.open() || files.flock(file.get()) != 0) continue;
    static_cast<void>(files.unlink(path.c_str()));
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::detail

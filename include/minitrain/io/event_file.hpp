#pragma once
// EventFile: scalars in a file that TensorBoard reads.

#include <minitrain/io/crc32c.hpp>
#include <minitrain/io/growing_file.hpp>
#include <minitrain/io/protobuf.hpp>

#include <bit>
#include <chrono>
#include <span>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail::io {

/// A record as TFRecord files have it, all numbers little-endian:
///   length (8 bytes), checksum of these 8 bytes (4), the bytes, checksum of the bytes (4)
/// with checksum(x) = rotate_right(CRC-32C(x), 15) + 0xA282EAD8, so that a checksum of data that holds checksums is
/// none of the usual ones. TensorFlow, core/lib/io/record_writer.h.
inline std::string event_record(std::string_view bytes) {
  std::string record;
  const auto append = [&](std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) record += static_cast<char>(value >> (8 * i));
  };
  const auto checksum = [](std::string_view text) {
    return std::rotr(crc32c(std::as_bytes(std::span(text))), 15) + 0xA282EAD8u;
  };
  append(bytes.size(), 8);
  append(checksum(record), 4);
  record += bytes;
  append(checksum(bytes), 4);
  return record;
}

/// Makes the folder, and those above it, where they are not there. Throws DataError (io_error).
inline void make_folders(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) fail_io(path, "cannot make this folder", errno);
    if (slash == std::string::npos) return;
  }
}

inline double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace detail::io

/// Writes events (TensorFlow, core/util/event.proto) into a new file of the folder, which is made if need be:
/// events.out.tfevents.SECONDS.HOST.PROCESS.NUMBER, a name that no other process and no later file has. One folder is
/// one run to TensorBoard, whatever the number of its files. The constructor throws DataError (io_error).
class EventFile {
 public:
  explicit EventFile(const std::string& folder) : file_(create(folder)) {
    detail::io::ProtobufMessage version;
    version.real(wall_time, detail::io::unix_seconds()).text(file_version, "brain.Event:2");
    file_.add(detail::io::event_record(version.bytes()));
  }

  const std::string& path() const noexcept { return file_.path(); }

  /// A number of the curve `tag` at a step.
  void add_scalar(std::string_view tag, std::size_t step, double value) {
    detail::io::ProtobufMessage point, summary;
    point.text(1, tag).real(2, static_cast<float>(value));
    summary.message(1, point);
    add(step, 5, summary);
  }
  void add_text(std::string_view tag, std::size_t step, std::string_view text) {
    detail::io::ProtobufMessage tensor, plugin, metadata, value, summary;
    tensor.integer(1, 7).message(2, detail::io::ProtobufMessage()).text(8, text);  // of strings, no axes
    plugin.text(1, "text");
    metadata.message(1, plugin);
    value.text(1, tag).message(8, tensor).message(9, metadata);
    summary.message(1, value);
    add(step, 5, summary);
  }
  /// Says that a run begins here: points of earlier files at this step or later ones are shown no more.
  void add_start(std::size_t step) {
    detail::io::ProtobufMessage session;
    session.integer(1, 1);
    add(step, 7, session);
  }

  /// Bytes that flush() would write.
  std::size_t held() const noexcept { return file_.held(); }
  /// Writes what has been added. When the system refuses, that is gone, and the file ends after its last whole event;
  /// returns errno, or 0.
  int flush() noexcept { return file_.flush(); }

 private:
  static constexpr std::uint32_t wall_time = 1, step_number = 2, file_version = 3;

  static detail::io::GrowingFile create(const std::string& folder) {
    detail::io::make_folders(folder);
    char host[65] = "";
    static_cast<void>(::gethostname(host, sizeof host - 1));
    const std::string begin =
        joined({folder, "/events.out.tfevents.", static_cast<std::uint64_t>(detail::io::unix_seconds()), ".", host, ".",
                ::getpid(), "."});
    for (int number = 0;; ++number) {
      const std::string path = begin + std::to_string(number);
      struct stat status {};
      if (number < 1000 && ::stat(path.c_str(), &status) == 0) continue;
      return detail::io::GrowingFile(path, O_CREAT | O_EXCL);
    }
  }

  void add(std::size_t step, std::uint32_t field, const detail::io::ProtobufMessage& content) {
    detail::io::ProtobufMessage event;
    event.real(wall_time, detail::io::unix_seconds()).integer(step_number, static_cast<std::int64_t>(step));
    event.message(field, content);
    file_.add(detail::io::event_record(event.bytes()));
  }

  detail::io::GrowingFile file_;
};

}  // namespace minitrain::inline MINITRAIN_ABI

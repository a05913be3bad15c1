#pragma once
// File systems for tests: one whose k-th call fails, and one that writes down what it was told, to say what a disk may
// hold after the power went.

#include <minitrain/io/file_system.hpp>

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace test {

/// Does what the system does, but the call number `fail_at` (from 0) fails with `error`; with `error` 0 the writes and
/// reads from that one on do only a part of what they are asked. Counts the calls.
class FailingFiles : public minitrain::FileSystem {
 public:
  static constexpr std::size_t never = ~std::size_t{0};

  explicit FailingFiles(std::size_t fail_at = never, int error = EIO, bool and_after = false)
      : fail_at_(fail_at), error_(error), and_after_(and_after) {}
  std::size_t calls() const { return calls_; }
  std::size_t open_files() const { return open_; }
  void fail_from_now_on(int error) { fail_at_ = calls_, error_ = error, and_after_ = true; }
  void work_again() { fail_at_ = never; }

  int open(const char* path, int flags, mode_t mode) const override {
    if (fails()) return -1;
    const int file = FileSystem::open(path, flags, mode);
    open_ += file >= 0 ? 1 : 0;
    return file;
  }
  int close(int file) const override {
    --open_;
    const bool bad = fails();
    const int error = errno, result = FileSystem::close(file);  // Linux closes it whatever it says
    errno = error;
    return bad ? -1 : result;
  }
  int fstat(int file, struct stat* status) const override {
    return fails(false) ? -1 : FileSystem::fstat(file, status);
  }
  int stat(const char* path, struct stat* status) const override {
    return fails(false) ? -1 : FileSystem::stat(path, status);
  }
  ssize_t pread(int file, void* bytes, std::size_t size, off_t at) const override {
    return fails() ? -1 : FileSystem::pread(file, bytes, part(size), at);
  }
  ssize_t write(int file, const void* bytes, std::size_t size) const override {
    return fails() ? -1 : FileSystem::write(file, bytes, part(size));
  }
  ssize_t pwrite(int file, const void* bytes, std::size_t size, off_t at) const override {
    return fails() ? -1 : FileSystem::pwrite(file, bytes, part(size), at);
  }
  int fallocate(int file, off_t size) const override { return fails() ? errno : FileSystem::fallocate(file, size); }
  int fchmod(int file, mode_t mode) const override { return fails(false) ? -1 : FileSystem::fchmod(file, mode); }
  int fdatasync(int) const override { return fails() ? -1 : 0; }  // the power stays on: thousands of files are written
  int fsync(int) const override { return fails() ? -1 : 0; }
  void forget(int) const override {}
  int flock(int file) const override { return fails(false) ? -1 : FileSystem::flock(file); }
  int rename(const char* from, const char* to) const override {
    return fails(false) ? -1 : FileSystem::rename(from, to);
  }
  int unlink(const char* path) const override { return fails(false) ? -1 : FileSystem::unlink(path); }
  int mkdir(const char* path, mode_t mode) const override { return fails(false) ? -1 : FileSystem::mkdir(path, mode); }
  int kill(pid_t process) const override { return fails(false) ? -1 : FileSystem::kill(process); }
  int list(const char* path, std::vector<std::string>& names) const override {
    return fails(false) ? -1 : FileSystem::list(path, names);
  }

 private:
  /// Signals come between some calls only.
  bool fails(bool interruptible = true) const {
    const std::size_t call = calls_++;
    const bool fails = error_ != 0 && (call == fail_at_ || (and_after_ && call > fail_at_ && fail_at_ != never)) &&
                       (interruptible || error_ != EINTR);
    if (fails) errno = error_;
    return fails;
  }
  std::size_t part(std::size_t size) const { return error_ == 0 && calls_ > fail_at_ && size > 1 ? size / 2 : size; }

  std::size_t fail_at_;
  int error_;
  bool and_after_;
  mutable std::size_t calls_ = 0, open_ = 0;
};

/// What the disk and its file system may have made of the writes that nobody waited for.
enum class Loss { dropped, torn_512, torn_4096, reordered_512, reordered_4096, kept };

/// One directory, whose calls are carried out and written down. state() says what may be there when the power goes
/// after any of them.
class RecordedFiles : public minitrain::FileSystem {
 public:
  explicit RecordedFiles(std::string directory) : directory_(std::move(directory)) {}

  using Directory = std::map<std::string, std::string>;  // name -> bytes

  /// Calls so far; state() takes any number up to that.
  std::size_t size() const { return trace_.size(); }

  /// What a machine finds that lost its power after the first `calls` of them: of writes that were not made durable
  /// what `loss` says; of names made, changed and removed since the directory was, those with a 1 in `names`, bit after
  /// bit.
  Directory state(std::size_t calls, Loss loss, std::uint64_t names, std::uint64_t seed) const {
    std::map<std::size_t, File> files;
    std::vector<const Call*> pending;
    std::map<std::string, std::size_t> directory;
    const auto apply = [&](const Call& call) {
      if (call.kind == Kind::create) directory[call.name] = call.file;
      if (call.kind == Kind::unlink) directory.erase(call.name);
      if (call.kind == Kind::rename) {
        directory.erase(call.name);
        directory[call.to] = call.file;
      }
    };
    for (std::size_t i = 0; i < calls; ++i) {
      const Call& call = trace_[i];
      if (call.kind == Kind::write) files[call.file].writes.push_back({call.at, call.bytes});
      if (call.kind == Kind::allocate) files[call.file].allocated = call.at;
      if (call.kind == Kind::sync) files[call.file].make_durable();
      if (call.kind == Kind::create || call.kind == Kind::unlink || call.kind == Kind::rename) pending.push_back(&call);
      if (call.kind == Kind::sync_directory) {
        for (const Call* p : pending) apply(*p);
        pending.clear();
      }
    }
    for (std::size_t i = 0; i < pending.size(); ++i) {
      if ((names >> i & 1) != 0) apply(*pending[i]);
    }
    Directory result;
    std::mt19937_64 random(seed);
    for (const auto& [name, file] : directory) result[name] = files[file].after(loss, random);
    return result;
  }
  std::size_t pending_names(std::size_t calls) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < calls; ++i) {
      const Kind kind = trace_[i].kind;
      if (kind == Kind::create || kind == Kind::unlink || kind == Kind::rename) ++count;
      if (kind == Kind::sync_directory) count = 0;
    }
    return count;
  }

  int open(const char* path, int flags, mode_t mode) const override {
    const int number = FileSystem::open(path, flags, mode);
    if (number < 0) return number;
    if ((flags & O_CREAT) != 0) {
      open_[number] = live_[name_of(path)] = next_file_++;
      note({Kind::create, name_of(path), {}, open_[number]});
    } else if ((flags & O_DIRECTORY) != 0) {
      open_[number] = the_directory;
    }
    return number;
  }
  int close(int file) const override {
    open_.erase(file);
    return FileSystem::close(file);
  }
  ssize_t write(int file, const void* bytes, std::size_t size) const override {
    size = std::min<std::size_t>(size, 3000);  // so that there are several of each
    const off_t at = ::lseek(file, 0, SEEK_CUR);
    const ssize_t count = FileSystem::write(file, bytes, size);
    if (count > 0)
      note({Kind::write, {}, {}, open_.at(file), at, {static_cast<const char*>(bytes), std::size_t(count)}});
    return count;
  }
  int fallocate(int file, off_t size) const override {
    note({Kind::allocate, {}, {}, open_.at(file), size});
    return FileSystem::fallocate(file, size);
  }
  int fdatasync(int file) const override {
    note({Kind::sync, {}, {}, open_.at(file)});
    return 0;
  }
  int fsync(int file) const override {
    if (open_.at(file) == the_directory) note({Kind::sync_directory, {}, {}, 0});
    return 0;
  }
  int rename(const char* from, const char* to) const override {
    live_[name_of(to)] = live_[name_of(from)];
    note({Kind::rename, name_of(from), name_of(to), live_[name_of(to)]});
    return FileSystem::rename(from, to);
  }
  int unlink(const char* path) const override {
    note({Kind::unlink, name_of(path), {}, 0});
    return FileSystem::unlink(path);
  }

 private:
  enum class Kind { create, write, allocate, sync, rename, unlink, sync_directory };
  struct Call {
    Kind kind;
    std::string name, to;
    std::size_t file = 0;
    off_t at = 0;
    std::string bytes{};
  };
  static constexpr std::size_t the_directory = ~std::size_t{0};

  struct Write {
    off_t at;
    std::string bytes;
  };
  struct File {
    std::string durable;
    off_t allocated = 0;
    std::vector<Write> writes;  // since it was made durable

    static void put(std::string& contents, std::size_t at, std::string_view bytes) {
      if (contents.size() < at + bytes.size()) contents.resize(at + bytes.size());
      contents.replace(at, bytes.size(), bytes);
    }
    void make_durable() {
      durable.resize(std::max(durable.size(), static_cast<std::size_t>(allocated)));
      for (const Write& w : writes) put(durable, static_cast<std::size_t>(w.at), w.bytes);
      writes.clear();
    }
    std::string after(Loss loss, std::mt19937_64& random) const {
      std::string contents = durable;
      // The size may have been claimed, or not.
      if (random() % 2 == 0) contents.resize(std::max(contents.size(), static_cast<std::size_t>(allocated)));
      if (loss == Loss::dropped || writes.empty()) return contents;
      const std::size_t sector = loss == Loss::torn_512 || loss == Loss::reordered_512 ? 512 : 4096;
      const bool torn = loss == Loss::torn_512 || loss == Loss::torn_4096;
      std::vector<std::pair<std::size_t, std::string>> sectors;  // as they leave for the disk
      for (const Write& w : writes) {
        std::size_t at = static_cast<std::size_t>(w.at);
        for (std::size_t done = 0; done < w.bytes.size();) {
          const std::size_t count = std::min(w.bytes.size() - done, sector - at % sector);
          sectors.emplace_back(at, w.bytes.substr(done, count));
          done += count, at += count;
        }
      }
      const std::size_t first = torn ? random() % (sectors.size() + 1) : sectors.size();
      for (std::size_t i = 0; i < first; ++i) {
        if (loss == Loss::kept || torn || random() % 2 == 0) put(contents, sectors[i].first, sectors[i].second);
      }
      return contents;
    }
  };

  std::string name_of(const std::string& path) const {
    return path.starts_with(directory_ + "/") ? path.substr(directory_.size() + 1) : path;
  }
  void note(Call call) const { trace_.push_back(std::move(call)); }

  std::string directory_;
  mutable std::vector<Call> trace_;
  mutable std::map<int, std::size_t> open_;
  mutable std::map<std::string, std::size_t> live_;
  mutable std::size_t next_file_ = 0;
};

}  // namespace test

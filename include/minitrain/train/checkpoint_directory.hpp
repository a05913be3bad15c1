#pragma once
// CheckpointDirectory: the states of a run in a directory, of which there is always a good one.

#include <minitrain/train/checkpoint_names.hpp>
#include <minitrain/train/snapshot_file.hpp>

#include <memory>
#include <optional>

namespace minitrain::inline MINITRAIN_ABI {

/// The newest checkpoint that is whole.
struct NewestCheckpoint {
  std::optional<SafetensorsFile> file{};  // none: there is no checkpoint
  std::string path{};
  std::uint64_t step = 0;
  std::vector<std::string> skipped{};  // newer ones that are damaged: a sentence for each

  explicit operator bool() const noexcept { return file.has_value(); }
};

/// Files step_000000001234.safetensors, named after the optimizer steps done. Each is on the disk, and has been read
/// back from there, before it takes its name and before any older one goes; so whatever happens and whenever, to the
/// process or to the machine, the newest that was acknowledged is there, or a newer one. Other files are left alone.
class CheckpointDirectory {
 public:
  /// Makes the directory when it is not there, and removes what dead processes left half written. Throws OptionError
  /// for a keep_last of 0, DataError (io_error).
  explicit CheckpointDirectory(std::string directory, std::size_t keep_last = 3, bool keep_best = true,
                               const FileSystem& files = FileSystem::system())
      : files_(&files), directory_(std::move(directory)), keep_last_(keep_last), keep_best_(keep_best) {
    CheckpointOptions{.directory = directory_, .keep_last = keep_last}.check("CheckpointDirectory");
    detail::make_directories(directory_, files);
    detail::remove_left_behind(directory_, files);
    if (keep_best_) find_best();
  }
  explicit CheckpointDirectory(const CheckpointOptions& options, const FileSystem& files = FileSystem::system())
      : CheckpointDirectory(options.directory, options.keep_last, options.keep_best, files) {}

  /// Keeps others that ask for it from the directory until this object and its copies are gone, or the process is, by a
  /// lock on the file .lock, which stays. Throws DataError (io_error) when somebody has it, or there is no such file to
  /// make; where the file system knows no locks, there is none. Who only reads needs none.
  void lock() {
    if (lock_) return;
    const std::string name = directory_ + "/.lock";
    auto file = std::make_shared<detail::io::Descriptor>(detail::io::open_file(name, O_RDWR | O_CREAT, 0666, *files_));
    if (!file->open()) detail::io::fail_io(name, "cannot open to lock the directory", errno);
    if (detail::io::uninterrupted([&] { return files_->flock(file->get()); }) != 0 && errno == EWOULDBLOCK) {
      throw DataError(ErrorCode::io_error,
                      {"checkpoints: ", detail::io::shown(directory_),
                       ": wanted for this run alone, found in use by another program, or by another run of this one: "
                       "wait for it to end, or give another directory"});
    }
    lock_ = std::move(file);
  }

  const std::string& path() const noexcept { return directory_; }
  std::string path_of(std::uint64_t step) const { return joined({directory_, "/", detail::checkpoint_name(step)}); }

  /// Steps of the checkpoints that are there, damaged ones too, from first to last. Throws DataError (io_error).
  std::vector<std::uint64_t> steps() const { return detail::checkpoint_steps(directory_, *files_); }

  /// The last one whose every byte is what was written. Throws DataError (io_error) when the directory cannot be read;
  /// a file that cannot be is skipped.
  NewestCheckpoint newest() const {
    NewestCheckpoint newest;
    const std::vector<std::uint64_t> all = steps();
    for (auto step = all.rbegin(); step != all.rend() && !newest; ++step) {
      const std::string path = path_of(*step);
      try {
        SafetensorsFile file{ReadFile(path, *files_)};
        check(file, path, *step);
        newest.file.emplace(std::move(file));
        newest.path = path;
        newest.step = *step;
      } catch (const DataError& error) {
        if (error.code() == ErrorCode::out_of_memory) throw;  // an older one would need as much
        newest.skipped.emplace_back(error.what());
      }
    }
    return newest;
  }

  /// Throws OptionError when there is a good checkpoint past `step`: the run that it is of would be mixed with another.
  void expect_none_after(std::uint64_t step) const {
    const NewestCheckpoint found = newest();
    if (!found || found.step <= step) return;
    throw OptionError({"checkpoints: ", detail::io::shown(directory_), " holds one of step ", found.step,
                       ", but this run is at step ", step,
                       ": resume() to go on with that run, or give an empty directory"});
  }
  /// Removes the checkpoints past `step`, of a run that goes back to there.
  void forget_after(std::uint64_t step) {
    for (const std::uint64_t other : steps()) {
      if (other > step) remove(other);
    }
    if (best_ && best_->step > step) best_.reset();
  }

  /// Writes the checkpoint of state().steps, and removes those that need not stay. Returns whether all of these could
  /// be removed. Throws DataError or NumericError as write_snapshot() does; then there is what there was.
  bool write(Snapshot& snapshot) {
    const std::uint64_t step = snapshot.state().steps;
    write_snapshot(snapshot, path_of(step), {.verify = true}, *files_);
    const double value = snapshot.state().value;
    if (best_ && best_->step == step) best_.reset();
    if (keep_best_ && value == value && !(best_ && best_->value <= value)) best_ = Best{step, value};
    return remove_others(step);
  }

 private:
  struct Best {
    std::uint64_t step = 0;
    double value = 0;
  };

  /// Throws DataError when the file is a good one, but no checkpoint.
  static void check(const SafetensorsFile& file, const std::string& path, std::uint64_t step) {
    if (!file.has_checksums()) {
      throw DataError(ErrorCode::bad_header, {detail::io::shown(path), ": it has no checksums: this is no checkpoint"});
    }
    if (detail::read_count(file, path, "minitrain.steps") != step) {
      throw DataError(ErrorCode::bad_header, {detail::io::shown(path), ": it holds the state of step ",
                                              *file.metadata("minitrain.steps"), ": it was renamed"});
    }
  }

  void find_best() {
    for (const std::uint64_t step : steps()) {
      try {
        const std::string path = path_of(step);
        const StateFields metadata = SafetensorsFile::metadata_of(ReadFile(path, *files_));
        for (const auto& [key, text] : metadata) {
          double value = 0;
          if (key != "minitrain.value") continue;
          if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) continue;
          if (!best_ || value < best_->value) best_ = Best{step, value};
        }
      } catch (const DataError&) {  // newest() says what is wrong with it
      }
    }
  }

  /// Keeps `step`, those just before it, and the best.
  bool remove_others(std::uint64_t step) {
    bool all = true;
    std::size_t kept = 0;
    try {
      const std::vector<std::uint64_t> there = steps();
      for (auto other = there.rbegin(); other != there.rend(); ++other) {
        if (*other > step) continue;  // of another run, or damaged
        if (kept++ < keep_last_ || (best_ && best_->step == *other)) continue;
        all = remove(*other) && all;
      }
    } catch (const DataError&) {
      all = false;
    }
    return all;
  }
  bool remove(std::uint64_t step) const {
    const std::string path = path_of(step);
    return detail::io::uninterrupted([&] { return files_->unlink(path.c_str()); }) == 0 || errno == ENOENT;
  }

  const FileSystem* files_;
  std::string directory_;
  std::size_t keep_last_;
  bool keep_best_;
  std::optional<Best> best_;
  std::shared_ptr<detail::io::Descriptor> lock_;
};

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// RunProgress: how far a run is, to the sample, and how that stands in a file.

#include <minitrain/io/safetensors.hpp>
#include <minitrain/train/learning_rate.hpp>
#include <minitrain/train/noise_scale.hpp>
#include <minitrain/train/totals.hpp>

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// Whole epochs, and the part of the next one that is done.
struct RunProgress {
  std::size_t epochs = 0;              // whole ones
  Totals done{};                       // of the unfinished epoch; done.samples is the position in its order
  std::size_t steps = 0;               // of the unfinished epoch
  std::size_t samples = 0;             // that an epoch has in all
  bool restored = false;               // from a file, and nothing done since
  std::string order{};                 // in which epochs go through them: DataLoader::order()
  bool window = false;                 // what has accumulated is of the unfinished epoch, behind done.samples
  std::size_t first = 0;               // epoch of the fit() that was the last to begin
  bool goes_on = false;                // the next fit() is that one
  std::vector<EpochRecord> history{};  // of that fit()
  ReduceOnPlateau::State plateau{};
  BestEpoch best{};  // for early stopping
  NoiseScaleEstimator noise{};
  std::size_t skipped_in_row = 0;                           // steps that were not finite
  std::string data{};                                       // fingerprint() of the training data
  bool other_data = false;                                  // a run from a file may go on with other data
  bool validates = false;                                   // its last fit() had validation data
  double value = std::numeric_limits<double>::quiet_NaN();  // of the last epoch, less is better; NaN: none
  std::size_t value_steps = 0;                              // optimizer steps done by then
  std::size_t saved_steps = ~std::size_t{0};                // of the state in the checkpoint directory that it is in

  bool in_epoch() const noexcept { return done.samples > 0 || window; }
  void end_epoch() noexcept {
    ++epochs;
    done = {};
    steps = 0;
    window = false;
  }
};

namespace detail {

inline std::size_t read_count(const SafetensorsFile& file, const std::string& path, const char* key) {
  const std::string* text = file.metadata(key);
  std::size_t value = 0;
  if (text != nullptr) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error == std::errc() && end == text->data() + text->size()) return value;
  }
  throw DataError(ErrorCode::bad_header, {detail::io::shown(path), ": no number \"", key,
                                          "\" in the metadata: this is not a training state; load_weights() takes "
                                          "files with weights alone"});
}

inline double read_real(const SafetensorsFile& file, const std::string& path, const char* key) {
  const std::string* text = file.metadata(key);
  double value = 0;
  if (text != nullptr) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error == std::errc() && end == text->data() + text->size() && value - value == 0) return value;
  }
  throw DataError(ErrorCode::bad_header,
                  {detail::io::shown(path), ": no finite number \"", key, "\" in the metadata: save the state again"});
}

}  // namespace detail

/// For the metadata of a state; real numbers in so many digits that they come back as they were.
inline void append_metadata(const RunProgress& progress, std::vector<std::pair<std::string, std::string>>& metadata) {
  metadata.emplace_back("minitrain.epochs", std::to_string(progress.epochs));
  metadata.emplace_back("minitrain.epoch.samples", std::to_string(progress.samples));
  metadata.emplace_back("minitrain.epoch.order", progress.order);
  if (!progress.in_epoch()) return;
  metadata.emplace_back("minitrain.epoch.position", std::to_string(progress.done.samples));
  metadata.emplace_back("minitrain.epoch.steps", std::to_string(progress.steps));
  metadata.emplace_back("minitrain.epoch.loss", joined({progress.done.loss}));
  metadata.emplace_back("minitrain.epoch.weight", joined({progress.done.weight}));
  metadata.emplace_back("minitrain.epoch.right", joined({progress.done.right}));
  metadata.emplace_back("minitrain.epoch.left_out", std::to_string(progress.done.left_out));
}

/// Throws DataError (bad_header) when something is missing, or cannot be.
inline RunProgress read_progress(const SafetensorsFile& file, const std::string& path) {
  RunProgress progress{.epochs = detail::read_count(file, path, "minitrain.epochs"), .restored = true};
  if (file.metadata("minitrain.epoch.samples") == nullptr) return progress;
  progress.samples = detail::read_count(file, path, "minitrain.epoch.samples");
  if (const std::string* order = file.metadata("minitrain.epoch.order"); order != nullptr) progress.order = *order;
  if (file.metadata("minitrain.epoch.position") == nullptr) return progress;
  progress.done.samples = detail::read_count(file, path, "minitrain.epoch.position");
  progress.steps = detail::read_count(file, path, "minitrain.epoch.steps");
  progress.done.loss = detail::read_real(file, path, "minitrain.epoch.loss");
  progress.done.weight = detail::read_real(file, path, "minitrain.epoch.weight");
  progress.done.right = detail::read_real(file, path, "minitrain.epoch.right");
  if (file.metadata("minitrain.epoch.left_out") != nullptr) {
    progress.done.left_out = detail::read_count(file, path, "minitrain.epoch.left_out");
  }
  if (progress.done.samples > progress.samples) {
    throw DataError(ErrorCode::bad_header, {detail::io::shown(path), ": position ", progress.done.samples,
                                            " of an epoch of ", progress.samples, ": save the state again"});
  }
  return progress;
}

/// Throws DataError (count_mismatch) when an unfinished epoch cannot go on with data of so many samples, in that order,
/// and when a run from a file would go through the same number of samples in an order of another kind; (state_mismatch)
/// when an unfinished epoch, or fit(), would go on with other data.
inline void check_continues(const RunProgress& progress, std::size_t samples, const std::string& order,
                            const std::string& data, bool validates) {
  const bool same = progress.samples == samples && progress.order == order;
  if (progress.in_epoch() && !same) {
    throw DataError(ErrorCode::count_mismatch,
                    {"fit: an epoch is unfinished, at sample ", progress.done.samples, " of ", progress.samples, ", ",
                     progress.order, "; this data set has ", samples, ", ", order,
                     ": give the data it began with and the same options, or call end_epoch() first"});
  }
  if (progress.restored && (progress.in_epoch() || progress.window || progress.goes_on) && !progress.other_data &&
      !progress.data.empty() && progress.data != data) {
    throw DataError(ErrorCode::state_mismatch,
                    {"fit: the run began with data of ", progress.data, ", and would go on with ", data,
                     ": give the data it began with, allow \"data\" to differ, or load_weights() alone"});
  }
  if (progress.restored && progress.goes_on && progress.validates != validates && !progress.other_data) {
    throw DataError(ErrorCode::state_mismatch,
                    {"fit: the run began ", progress.validates ? "with" : "without",
                     " validation data: go on in the same way, or allow \"data\" to differ"});
  }
  if (progress.restored && progress.epochs > 0 && progress.samples == samples && !progress.order.empty() && !same) {
    throw DataError(ErrorCode::count_mismatch,
                    {"fit: the run began with ", progress.order, ", and would go on with ", order,
                     ": set TrainerOptions::loading as it was then (memory_limit, mixing), or load_weights() alone"});
  }
}

/// Throws OptionError when the fit() that goes on has done more than the epochs that are asked for.
inline void check_epochs(const RunProgress& progress, std::size_t epochs) {
  const std::size_t done = progress.epochs - std::min(progress.first, progress.epochs);
  const std::size_t begun = done + (progress.in_epoch() ? 1 : 0);
  if (!progress.goes_on || begun <= epochs) return;
  throw OptionError({"fit: ", done, progress.in_epoch() ? " epochs and a part of the next" : " epochs",
                     " of the run that goes on are done, but TrainerOptions::epochs is ", epochs, ": ask for ", begun,
                     " or more, or begin a new run in an empty directory"});
}

}  // namespace minitrain::inline MINITRAIN_ABI

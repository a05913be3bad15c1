#pragma once
// find_batch_size(): which batches fit into the device's memory, and which are worth their size.

#include <minitrain/train/plan.hpp>
#include <minitrain/train/probe.hpp>

namespace minitrain::inline MINITRAIN_ABI {

struct BatchSizeRange {
  std::size_t smallest = 1, largest = 16384;  // in powers of two between them, and both
  double seconds = 0.05;                      // of measuring each
  double longest_step = 0.5;                  // seconds: no larger batch is tried after one that took longer
  double worth = 0.9;                         // of the best throughput, for `fastest`; in (0, 1]
  std::size_t memory_limit = 0;               // as if the device had no more bytes free; 0: what it has

  /// Throws OptionError for an option outside its range.
  void check() const {
    constexpr const char* name = "find_batch_size";
    if (smallest == 0 || smallest > largest) {
      throw OptionError({name, ": smallest ", smallest, ", largest ", largest, ": give 1 <= smallest <= largest"});
    }
    check_option(seconds > 0 && seconds < 1e6, name, "seconds", seconds, "positive");
    check_option(longest_step > 0 && longest_step < 1e6, name, "longest_step", longest_step, "positive");
    check_option(worth > 0 && worth <= 1, name, "worth", worth, "in (0, 1]");
  }
};

/// One batch size: an optimizer step, and the micro-batches it was cut into.
struct BatchSizeTrial {
  std::size_t batch_size = 0, micro_batch = 0;
  double step_seconds = 0;
  double samples_per_second() const noexcept { return static_cast<double>(batch_size) / step_seconds; }
};

/// With t(B) = overhead + B / rate fitted to the trials, by least squares of relative errors.
struct BatchSizeSearch {
  std::vector<BatchSizeTrial> trials{};
  std::size_t largest_in_memory = 0;  // in one micro-batch, beside the rest of the run; at most the data set
  std::size_t fastest = 0;            // the smallest whose throughput is nearly the best: larger ones win no time
  double overhead = 0;                // seconds of a step, whatever its batch
  double rate = 0;                    // samples a second, of a batch without end
  /// The batch with half of that rate: overhead·rate.
  double half_throughput() const noexcept { return overhead * rate; }
};

namespace detail {

inline void fit_step_time(BatchSizeSearch& search) {
  double w = 0, wb = 0, wbb = 0, wt = 0, wbt = 0;
  for (const BatchSizeTrial& trial : search.trials) {
    const double b = static_cast<double>(trial.batch_size), t = trial.step_seconds, weight = 1 / (t * t);
    w += weight, wb += weight * b, wbb += weight * b * b, wt += weight * t, wbt += weight * b * t;
  }
  const double determinant = w * wbb - wb * wb;
  double slope = determinant > 0 ? (w * wbt - wb * wt) / determinant : 0;
  search.overhead = determinant > 0 ? (wt - slope * wb) / w : 0;
  if (!(search.overhead > 0)) search.overhead = 0, slope = wbt / wbb;
  search.rate = slope > 0 ? 1 / slope : std::numeric_limits<double>::infinity();
}

}  // namespace detail

/// Times trainers of its own, at a learning rate of 0, on samples of that shape made for it; nothing of the caller's
/// changes, and all memory is given back. Loading is not in it (train/estimate.hpp). Throws as a trainer and its fit()
/// do, OptionError, and DataError (empty_data) for no samples.
template <class T = float, Model M, LossSpec Loss, OptimizerSpec Optimizer, class Device>
BatchSizeSearch find_batch_size(const DataSize& data, const M& model, const Loss& loss, const Optimizer& optimizer,
                                const TrainerOptions& options, const Device& device, const BatchSizeRange& range = {}) {
  range.check();
  if (data.empty()) throw DataError(ErrorCode::empty_data, "find_batch_size: a data set of no samples");
  constexpr std::size_t least_epochs = 3;
  TrainerOptions how = options;
  how.batch_size = static_cast<std::size_t>(std::min<std::uint64_t>(data.samples, std::uint64_t{1} << 31));
  how.micro_batch_size = automatic;
  BatchSizeSearch search;
  search.largest_in_memory =
      plan<T>(model, loss, optimizer, how, device, data, range.memory_limit).largest_micro_batch();
  how.profile = false;
  how.batch_growth = {};
  how.early_stopping = {};
  how.reduce_on_plateau = {};
  how.checkpoint = {};
  how.handle_signals = false;
  how.epochs = 1'000'000;
  Optimizer still = optimizer;
  still.learning_rate = 0;
  const ObjectiveOf<Loss, T, Device> objective(device, loss, describe(model).output_columns());
  const std::size_t largest = std::min(range.largest, how.batch_size);
  for (std::size_t size = std::min(range.smallest, largest);; size = std::min(2 * size, largest)) {
    how.batch_size = size;
    how.micro_batch_size = search.largest_in_memory == 0 ? automatic : std::min(size, search.largest_in_memory);
    if (options.micro_batch_size != automatic) how.micro_batch_size = std::min(size, options.micro_batch_size);
    Trainer<T, Device> trainer{device, model, loss, still, how};
    const std::size_t steps = std::clamp<std::size_t>(1024 / size, 1, 64);
    const Dataset rows = detail::probe_data(data, steps * size, objective.target_range());
    BatchSizeTrial trial{.batch_size = size, .micro_batch = std::min(size, how.micro_batch_size)};
    double spent = 0;
    trainer.fit(rows, {.on_epoch = [&](const EpochRecord& epoch) {
                  spent += epoch.seconds;
                  if (epoch.epoch == 0) return;  // what grows, grows in the first one
                  const double step = epoch.seconds / static_cast<double>(epoch.steps);
                  if (trial.step_seconds == 0 || step < trial.step_seconds) trial.step_seconds = step;
                  if (spent >= range.seconds && epoch.epoch >= least_epochs) trainer.request_stop();
                }});
    search.trials.push_back(trial);
    if (size == largest || trial.step_seconds > range.longest_step) break;
  }
  double best = 0;
  for (const BatchSizeTrial& trial : search.trials) best = std::max(best, trial.samples_per_second());
  for (const BatchSizeTrial& trial : search.trials) {
    if (search.fastest == 0 && trial.samples_per_second() >= range.worth * best) search.fastest = trial.batch_size;
  }
  detail::fit_step_time(search);
  return search;
}

}  // namespace minitrain::inline MINITRAIN_ABI

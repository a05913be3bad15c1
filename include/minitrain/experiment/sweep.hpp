#pragma once
// run_sweep(): a function of the user's at every point of a grid, on several threads, with a journal to go on from.

#include <minitrain/experiment/grid.hpp>
#include <minitrain/experiment/journal.hpp>
#include <minitrain/experiment/sweep_result.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace minitrain::inline MINITRAIN_ABI {

struct SweepProgress {
  std::size_t done = 0, of = 0;  // points, those that the journal had included
  double seconds = 0;            // since the sweep began
  double remaining = 0;          // seconds, if the other points take as long as those so far; NaN before the first
  std::string last{};            // the point that was finished, as Point::text(); empty at first
};

struct SweepOptions {
  std::size_t workers = 0;  // points at a time, each on a thread of its own; 0: all cores; 1: for what is timed
  /// A file to which every finished point is added at once; a later run of the same sweep goes on with it. Empty: none.
  std::string journal{};
  /// Whatever else decides the values, as text: epochs, data set, version. A journal with other settings is refused.
  std::string settings{};
  /// Called at the beginning and after every point: by any thread, but by one at a time.
  std::function<void(const SweepProgress&)> on_progress{};
  /// Asked before every point, by one thread at a time; once it says true, no other point is begun.
  std::function<bool()> stop{};
};

namespace detail {

using SweepFunction = std::function<std::vector<double>(const Point&)>;

/// What the threads of a sweep share.
class Sweep {
 public:
  Sweep(const Grid& grid, std::vector<std::string> metrics, const SweepFunction& f, const SweepOptions& options)
      : grid_(grid), f_(f), options_(options) {
    check_metrics(metrics);
    result_ = {.metrics = std::move(metrics), .rows = std::vector<std::vector<double>>(grid.size())};
    if (!options.journal.empty()) journal_.emplace(options.journal, grid, result_, options.settings);
    done_ = found_ = result_.done();
  }

  SweepResult run() {
    tell({});
    const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
    const std::size_t workers = std::min(options_.workers == 0 ? cores : options_.workers, grid_.size() - done_);
    std::vector<std::thread> threads;
    try {
      for (std::size_t i = 1; i < workers; ++i) threads.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // The system has no more threads to give: those that there are do the work.
    } catch (...) {
      fail(std::current_exception());
    }
    work();
    for (std::thread& thread : threads) thread.join();
    if (error_) std::rethrow_exception(error_);
    if (journal_) journal_->close();
    return std::move(result_);
  }

 private:
  using Clock = std::chrono::steady_clock;

  static void check_metrics(const std::vector<std::string>& metrics) {
    if (metrics.empty()) throw OptionError("run_sweep: no metrics: name the values that the function gives");
    for (auto name = metrics.begin(); name != metrics.end(); ++name) {
      if (name->empty() || io::utf8_length(*name) != name->size() || std::find(metrics.begin(), name, *name) != name) {
        throw OptionError(
            {"run_sweep: a metric is called ", io::quoted(*name), ": give each a name of its own, in UTF-8"});
      }
    }
  }

  void work() noexcept {
    try {
      while (const auto index = next()) {
        const Point point = grid_[*index];
        add(point, f_(point));
      }
    } catch (...) {
      fail(std::current_exception());
    }
  }

  /// The first point that nobody has taken.
  std::optional<std::size_t> next() {
    const std::lock_guard lock(mutex_);
    while (next_ < grid_.size() && !result_.rows[next_].empty()) ++next_;
    if (next_ == grid_.size() || stopped_) return std::nullopt;
    stopped_ = options_.stop && options_.stop();
    if (stopped_) return std::nullopt;
    return next_++;
  }

  void add(const Point& point, std::vector<double> values) {
    if (values.size() != result_.metrics.size()) {
      throw DataError(ErrorCode::count_mismatch,
                      {"run_sweep: the function gave ", values.size(), " values at ", io::shown(point.text()), ", but ",
                       result_.metrics.size(), " metrics are named: give one value for each"});
    }
    for (double& value : values) {
      if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();  // one of them, as the journal has
    }
    const std::lock_guard lock(mutex_);
    if (journal_) journal_->add(point, values);
    result_.rows[point.index()] = std::move(values);
    ++done_;
    tell(point.text());
  }

  void fail(std::exception_ptr error) noexcept {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (!error_) error_ = std::move(error);
  }

  void tell(std::string last) const {
    if (!options_.on_progress) return;
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const std::size_t left = grid_.size() - done_, ours = done_ - found_;
    const double remaining = left == 0   ? 0
                             : ours == 0 ? std::numeric_limits<double>::quiet_NaN()
                                         : seconds / static_cast<double>(ours) * static_cast<double>(left);
    options_.on_progress({done_, grid_.size(), seconds, remaining, std::move(last)});
  }

  const Grid& grid_;
  const SweepFunction& f_;
  const SweepOptions& options_;
  SweepResult result_;
  std::optional<SweepJournal> journal_;
  std::mutex mutex_;  // of all below, the journal and the result
  std::size_t next_ = 0, done_ = 0, found_ = 0;
  bool stopped_ = false;
  std::exception_ptr error_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace detail

/// Calls f(point), which gives one value for each of `metrics` (NaN: not reached), at every point of the grid: on any
/// thread, in any order, each once. Where f is a function of the point, the result is the same bits for any number of
/// workers, and for any number of runs that it took.
///
///   const SweepResult result = run_sweep(grid, {"loss", "steps"}, [&](const Point& point) {
///     Trainer trainer{Cpu{{.threads = 1}}, model, loss, Adam{}, {.batch_size = point.count("batch_size")}};
///     const History history = trainer.fit(data.train);
///     return std::vector<double>{trainer.evaluate(data.test).loss, static_cast<double>(trainer.steps())};
///   }, {.journal = "sweep.jsonl"});
///
/// When f throws, no other point is begun, those in progress are finished and kept, and the first exception is thrown
/// once all threads have ended. Throws also OptionError (metrics without names, or two with one), DataError
/// (count_mismatch: f gave more or fewer values; those of SweepJournal: a journal of another sweep, one in use, a full
/// disk).
template <class F>
SweepResult run_sweep(const Grid& grid, std::vector<std::string> metrics, F&& f, const SweepOptions& options = {}) {
  const detail::SweepFunction function = [&f](const Point& point) { return std::vector<double>(f(point)); };
  return detail::Sweep(grid, std::move(metrics), function, options).run();
}

}  // namespace minitrain::inline MINITRAIN_ABI

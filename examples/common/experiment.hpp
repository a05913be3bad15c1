#pragma once
// Experiment: what all experiments have in common: options, a folder of results, progress, verdicts.

#include <minitrain/experiment/sweep.hpp>

#include "arguments.hpp"
#include "output_folder.hpp"
#include "progress.hpp"
#include "real_data.hpp"
#include "summary.hpp"

#include <chrono>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace examples {

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// What an experiment can be given as --data: sets with classes, also one with numbers to predict, or none.
enum class Takes { classes, any, none };

struct About {
  const char* name;      // "03_batch_size"
  const char* question;  // "How does training time vary with batch size?"
  const char* summary;   // first line of --help
  std::size_t seeds = 3, quick_seeds = 1;
  std::size_t threads = 0;  // unless --threads says otherwise; 0: all cores
  Takes takes = Takes::classes;
};

/// An experiment asks for its options, says its settings, sweeps, and hands over what it found:
///
///   examples::Experiment experiment(argc, argv, {"03_batch_size", "How ...?", "Time per step against batch size."});
///   const std::size_t epochs = experiment.arguments().number("--epochs", 5, "of one run");
///   if (experiment.help_shown()) return examples::ok;
///   experiment.setting("epochs", std::to_string(epochs));
///   const auto result = minitrain::run_sweep(grid, {"seconds"}, measure, experiment.sweep_options("time"));
///   if (!result.complete()) return experiment.finish();  // Ctrl-C
///   experiment.add(grid, result);
///   experiment.verdict("grows", "...", true);
///   return experiment.finish();
///
/// With --out DIR, DIR gets results.csv and summary.json, which tools/plot draws, and a journal of each sweep: the same
/// command goes on with what was interrupted.
class Experiment {
 public:
  /// Throws UsageError.
  Experiment(int argc, char** argv, const About& about) : arguments_(argc, argv, about.summary), takes_(about.takes) {
    summary_.name = about.name;
    summary_.question = about.question;
    summary_.command_line.assign(argv, argv + argc);
    summary_.command_line[0] = about.name;
    const std::string device = arguments_.text("--device", "NAME", "cpu (the default), cuda, cuda:NUMBER or auto");
    device_ = device.empty() ? "cpu" : device;
    quick_ = arguments_.flag("--quick", "less of everything: under a minute on two cores");
    seeds_ = arguments_.number("--seeds", quick_ ? about.quick_seeds : about.seeds, "runs that differ in nothing else");
    threads_ = arguments_.number("--threads", about.threads, "of the processor; 0: all there are", 0);
    if (threads_ == 0) threads_ = core_count();
    data_ = arguments_.text("--data", "DIR", data_help(takes_));
    if (takes_ == Takes::none) data_.clear();
    kind_ = find_kind(data_).value_or(DataKind::synthetic);
    out_ = arguments_.text("--out", "DIR",
                           "write results.csv and summary.json there, for tools/plot; the same "
                           "command goes on with what was interrupted");
  }

  Experiment(const Experiment&) = delete;
  Experiment& operator=(const Experiment&) = delete;

  /// For options of its own, before help_shown().
  Arguments& arguments() { return arguments_; }
  /// When it was, there is nothing else to do. Throws UsageError for an option that nobody asked for, DataError for
  /// data that are not there, or of which this experiment can make nothing.
  bool help_shown() {
    if (arguments_.help_shown()) return true;
    if (kind_of(data_) == DataKind::housing && takes_ == Takes::classes) {
      throw minitrain::DataError(minitrain::ErrorCode::unsupported,
                                 data_ + ": " + summary_.name + " wants classes, found California housing, whose " +
                                     "answers are numbers: give it Fashion-MNIST, MNIST or optdigits");
    }
    listen_for_interrupt();
    return false;
  }

  const std::string& device() const { return device_; }
  bool quick() const { return quick_; }
  std::size_t seeds() const { return seeds_; }
  std::size_t threads() const { return threads_; }
  const std::string& data() const { return data_; }  // empty: synthetic
  DataKind kind() const { return kind_; }
  /// Whether tolerances were chosen with such data: Fashion-MNIST, or, also for --quick, synthetic ones. With others
  /// what is a matter of tolerance is told, and decides nothing. Known once there has been a sweep.
  bool usual_data() const { return kind_ == DataKind::synthetic || (is_fashion_ && !quick_); }
  const std::string& out() const { return out_; }  // empty: nothing is written

  /// A row of the set-up table. All of them together say what the results are results of: before the first sweep.
  void setting(const std::string& name, const std::string& value) {
    if (began_) throw std::logic_error("setting '" + name + "': all of them come before the first sweep");
    summary_.settings.emplace_back(name, value);
  }

  /// For run_sweep(): `part` names its journal. workers = 0: threads(); 1 for what is timed.
  minitrain::SweepOptions sweep_options(const std::string& part, std::size_t workers = 0) {
    begin();
    progress_ = std::make_unique<Progress>();
    return {.workers = workers == 0 ? threads_ : workers,
            .journal = folder_.none() ? "" : folder_.file(part + ".journal"),
            .settings = identity("; "),
            .on_progress = [this, part](const minitrain::SweepProgress& p) { show(part, p); },
            .stop = [] { return was_interrupted(); }};
  }

  /// A row of results.csv. NaN: not reached.
  void add(const Key& key, const std::string& metric, double value) { results_.add(key, metric, value); }
  /// All of a sweep that is complete; `more` names what its axes do not.
  void add(const minitrain::Grid& grid, const minitrain::SweepResult& result, const Key& more = {}) {
    for (std::size_t i = 0; i < grid.size(); ++i) {
      Key key = more;
      const auto point = grid[i];
      for (const std::string& name : grid.names()) key.emplace_back(name, shortest(point[name]));
      for (const std::string& metric : result.metrics) add(key, metric, result.value(i, metric));
    }
  }

  /// A parameter of a fitted curve; low and high are the ends of an interval.
  void fit(const std::string& what, const std::string& parameter, double value, double low = nan, double high = nan,
           const std::string& unit = "") {
    summary_.fits.push_back({what, parameter, value, low, high, unit});
  }
  /// decides = false: noise may break it; the exit status does not depend on it.
  void verdict(const std::string& expected, const std::string& found, bool holds, bool decides = true) {
    summary_.verdicts.push_back({expected, found, holds, decides});
  }
  void plot(Plot plot) { summary_.plots.push_back(std::move(plot)); }
  /// What the numbers say, in a paragraph made from them.
  void reading(const std::string& paragraph) { summary_.readings.push_back(paragraph); }

  /// Prints what was found, writes results.csv and summary.json, and returns the exit code: run_failed when a verdict
  /// that decides does not hold, or stdout cannot be written to. After Ctrl-C it writes nothing: finished points are in
  /// the journal.
  int finish() {
    begin();
    progress_.reset();
    if (was_interrupted()) {
      std::printf("Interrupted. %s\n", folder_.none() ? "With --out DIR, the same command would go on from here."
                                                      : "The same command goes on from here.");
      return interrupted_code();
    }
    for (const Plot& plot : summary_.plots) check(plot, results_);
    for (const Plot& plot : summary_.plots) print_plot(plot, results_);
    summary_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    print_findings(summary_);
    if (!folder_.none()) {
      folder_.write("results.csv", results_.csv());
      folder_.write("summary.json", summary_json(summary_));
      std::printf("\nresults: %s, summary: %s; tools/plot %s draws them\n", folder_.file("results.csv").c_str(),
                  folder_.file("summary.json").c_str(), out_.c_str());
    }
    return printed(summary_.failed() ? run_failed : ok);
  }

 private:
  static const char* data_help(Takes takes) {
    return takes == Takes::none      ? "not read: this one makes its own data"
           : takes == Takes::classes ? "train on Fashion-MNIST, MNIST or optdigits there instead of synthetic data"
                                     : "train on Fashion-MNIST, MNIST, optdigits or California housing there instead "
                                       "of synthetic data";
  }
  void begin() {
    if (began_) return;
    setting("device", device_);
    const std::string data = takes_ == Takes::none ? "made by the program" : identity_of(data_);
    is_fashion_ = data.starts_with("Fashion-MNIST");
    setting("data", data);
    setting("seeds", std::to_string(seeds_));
    if (quick_) setting("quick", "yes");
    began_ = true;
    folder_ = OutputFolder(out_, identity("\n"));
    print_settings(summary_);
  }
  /// What results have to agree in to be of one experiment.
  std::string identity(const std::string& separator) const {
    std::string text = "experiment: " + summary_.name + separator;
    for (const auto& [name, value] : summary_.settings) text += name + ": " + value + separator;
    return text;
  }
  void show(const std::string& part, const minitrain::SweepProgress& p) {
    if (p.done == p.of) return progress_->clear();
    if (!progress_->due()) return;
    char left[48] = "";
    if (p.remaining > 0) std::snprintf(left, sizeof left, ", about %.0f s left", p.remaining);
    progress_->show(static_cast<double>(p.done) / static_cast<double>(p.of),
                    part + " " + std::to_string(p.done) + " of " + std::to_string(p.of) + left + ", " + p.last);
  }

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  Arguments arguments_;
  Takes takes_;
  DataKind kind_ = DataKind::synthetic;
  Summary summary_;
  Results results_;
  OutputFolder folder_;
  std::unique_ptr<Progress> progress_;
  std::string device_, data_, out_;
  std::size_t seeds_ = 1, threads_ = 1;
  bool quick_ = false, began_ = false, is_fashion_ = false;
};

}  // namespace examples

#pragma once
// A training loop of a test's own, micro-batch by micro-batch, that may be saved after any of them.

#include <minitrain/train/checkpoint.hpp>
#include <minitrain/trainer.hpp>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace test {

/// 44 samples in batches of 12, each of micro-batches of 5, 5 and 2; the last of an epoch has 8.
template <class T = float, class Optimizer = minitrain::Adam>
class Run {
 public:
  static constexpr std::size_t batch = 12, micro = 5;

  explicit Run(std::uint64_t seed = 3, const Optimizer& optimizer = {}, std::size_t hidden = 7)
      : seed_(seed),
        core_(minitrain::make_accumulator<T>(
            device_,
            minitrain::Sequential{minitrain::Dense{5, hidden}, minitrain::ReLU{}, minitrain::Dropout{0.25},
                                  minitrain::LayerNorm{hidden}, minitrain::Dense{hidden, 3, false}},
            minitrain::SoftmaxCrossEntropy{}, optimizer,
            minitrain::TrainerOptions{.batch_size = batch, .micro_batch_size = micro, .seed = seed})),
        loader_(data(), {.batch_size = batch, .seed = seed, .micro_batch_size = micro}, device_) {
    progress_.samples = loader_.samples_per_epoch();
    progress_.order = loader_.order();
    loader_.begin_epoch(device_, 0);
  }

  /// One micro-batch; with the last of a batch, an update.
  void advance(std::size_t micro_batches = 1) {
    for (; micro_batches > 0; --micro_batches) {
      const std::size_t begin = progress_.done.samples, end = std::min(begin + batch, progress_.samples);
      const std::size_t at = begin + core_.accumulated(), count = std::min(micro, end - at);
      core_.accumulate(device_, loader_.next(progress_.epochs, at, count));
      if (at + count < end) continue;
      progress_.done.add(core_.update(device_));
      ++progress_.steps;
      if (end == progress_.samples) progress_.end_epoch();
    }
  }

  minitrain::StateFields fields() const {
    minitrain::StateFields fields = minitrain::state_fields(core_, seed_);
    fields.emplace_back("batch_size", std::to_string(batch));
    fields.emplace_back("data", "synthetic 44x5");
    return fields;
  }
  void snapshot(minitrain::Snapshot& snapshot, const minitrain::StateFields& metadata = {}) const {
    take_snapshot(device_, core_, progress_, fields_, metadata, snapshot);
  }
  void restore(minitrain::Snapshot& snapshot) {
    restore_snapshot(device_, core_, snapshot);
    progress_ = snapshot.state().progress;
  }
  void load(const minitrain::SafetensorsFile& file, const std::string& path,
            const minitrain::LoadOptions& options = {}) {
    minitrain::Snapshot snapshot = read_snapshot(core_, fields_, file, path, options);
    restore(snapshot);
  }
  void load(const std::string& path, const minitrain::LoadOptions& options = {}) {
    load(minitrain::SafetensorsFile(path), path, options);
  }

  /// All that a state is made of, as bytes.
  std::string bytes() const {
    std::string all;
    const auto add = [&](const void* data, std::size_t size) { all.append(static_cast<const char*>(data), size); };
    const auto add_slab = [&](const auto& slab) { add(slab.data(), slab.size() * sizeof(T)); };
    add_slab(core_.network().parameters());
    for (const auto& moment : core_.moments()) add_slab(moment);
    if (core_.accumulated() > 0) add_slab(core_.network().gradients());
    const minitrain::Window window = core_.window(device_);
    add(window.sums.data(), sizeof window.sums);
    for (const std::size_t count :
         {window.samples, core_.steps(), progress_.epochs, progress_.done.samples, progress_.steps, progress_.samples})
      add(&count, sizeof count);
    for (const double real : {progress_.done.loss, progress_.done.weight, progress_.done.right})
      add(&real, sizeof real);
    return all + progress_.order;
  }

  std::size_t steps() const { return core_.steps(); }
  std::size_t accumulated() const { return core_.accumulated(); }
  minitrain::Accumulator<T, minitrain::Cpu>& core() { return core_; }
  const minitrain::RunProgress& progress() const { return progress_; }

 private:
  static minitrain::Dataset data() {
    return minitrain::synthetic_classification({.samples = 44, .features = 5, .classes = 3, .seed = 2});
  }

  minitrain::Cpu device_{{.threads = 1}};
  std::uint64_t seed_;
  minitrain::Accumulator<T, minitrain::Cpu> core_;
  minitrain::DataLoader<T, minitrain::Cpu> loader_;
  minitrain::RunProgress progress_;
  minitrain::StateFields fields_ = fields();
};

}  // namespace test

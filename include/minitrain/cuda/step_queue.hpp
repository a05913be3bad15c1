#pragma once
// Cuda::StepQueue: optimizer steps that the GPU goes through while the host queues the next ones.

#include <minitrain/core/gradient_clip.hpp>
#include <minitrain/core/optimizer_factors.hpp>
#include <minitrain/cuda/device.hpp>

#include <array>
#include <memory>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// Keeps on the GPU what a step needs of its own loss: nobody waits, and what the host wants to know it reads later, of
/// many steps at once. When a loss, or a gradient that is to be clipped, is
/// not finite, the GPU leaves the parameters alone from that step on. A step that is none changes nothing: one without
/// weight, or in fp16 one whose gradient is past its range.
///
/// Steps that are alike are launched one by one only the first time. The second is captured as a CUDA graph, optimizer
/// included, and from then on the graph is replayed, many steps to a launch: the host writes no more than a plan of
/// what differs between them. What was computed, in which order, and so every bit, is the same.
class Cuda::StepQueue {
 public:
  /// Steps that fit; take() them before there are more.
  static constexpr std::size_t capacity = 1024;
  /// Steps that wait for a launch at most.
  static constexpr std::size_t most_planned = 32;
  /// Bytes that the host sends for each step that is replayed, that come back for every step, and that a queue holds on
  /// the GPU.
  static constexpr std::size_t planned_step_bytes =
      2 * sizeof(std::uint64_t) + sizeof(double) + sizeof(AdamFactors<float>);
  static constexpr std::size_t totals_bytes = 4 * sizeof(double);
  static constexpr std::size_t state_bytes =
      3 * sizeof(double) + 3 * sizeof(std::uint64_t) + capacity * (totals_bytes + planned_step_bytes);

  explicit StepQueue(const Cuda& device);
  StepQueue(StepQueue&&) noexcept;
  StepQueue& operator=(StepQueue&&) noexcept;
  ~StepQueue();

  /// Steps in the queue.
  std::size_t size() const noexcept;

  /// A step of an epoch: `samples` from `position` on, after `number` steps.
  struct Step {
    std::size_t samples = 0;
    std::uint64_t position = 0, number = 0;
  };
  /// Queues a step. run() launches all of it: passes, close(), update. update() launches the last of these alone, with
  /// the arguments of this step. Where `replayable`, both may be called for another purpose than to launch: run() to be
  /// captured, perhaps several times, update() to plan. So run() must launch the same for all steps of as many samples,
  /// but for what follows from position and number in the library's own operations.
  template <class Run, class Update>
  void queue(const Cuda& device, const Step& step, bool replayable, const Run& run, const Update& update) {
    Way way = replayable ? prepare(device, step) : prepare_launch(device);
    if (way == Way::capture) {
      const std::size_t copies = begin_capture(device, step);
      bool whole = true;
      try {
        for (std::size_t i = 0; i < copies; ++i) run();
      } catch (...) {  // what cannot be captured is launched, and may fail there for the same reason
        whole = false;
      }
      way = end_capture(device, whole) ? Way::replay : Way::launch;
    }
    if (way == Way::launch) return run();
    begin_plan(device, step);
    try {
      update();
    } catch (...) {
      cancel_plan(device);
      throw;
    }
    end_plan(device);
  }

  /// Whether a step of so many samples is replayed.
  bool is_recorded(std::size_t samples) const noexcept;

  /// Ends a step: its totals [4], three of LossArguments and the sum of squares of its gradient sum, move into the
  /// queue and become zero, and scale() becomes clipped_gradient_scale(). A step without weight changes nothing; nor
  /// does one whose gradient is past the range of fp16, where losses are scaled, nor, with OnNonFinite::skip and up to
  /// `most_skipped` times in a row, one whose loss or sum of squares is not finite. Such a step is none.
  void close(const Cuda& device, const View<double, Cuda>& totals, double clip_norm,
             OnNonFinite action = OnNonFinite::stop, std::size_t most_skipped = 0);
  /// How many steps before the next one were skipped in a row, where that is not known here: of a run that goes on, or
  /// after steps without the queue.
  void set_skipped_in_row(const Cuda& device, std::uint64_t steps);
  /// clip_values(), before close() and before the squares are added up.
  void clip_values(const Cuda& device, const View<float, Cuda>& sums, const View<const double, Cuda>& totals,
                   double limit);
  /// For UpdateStep::queued_scale.
  View<const double, Cuda> scale() const noexcept;
  /// Waits for the steps in the queue, empties it, and returns their totals; of those that were none, the last total is
  /// negative.
  std::vector<std::array<double, 4>> take(const Cuda& device);

  /// Whether losses are scaled (Math::fp16), so that gradients too small for the type do not vanish in it: then the sum
  /// of squares is wanted of every step. The scale begins at 65,536, is halved by every gradient that is not finite,
  /// down to 1, and doubled after 2,000 steps without one, up to 2^24.
  static bool scales_loss(const Cuda& device) noexcept;
  /// dy *= scale, before it goes into the backward pass. close() takes it out again.
  void scale_loss(const Cuda& device, const View<float, Cuda>& dy);
  /// What it is now; waits for the queued steps.
  double loss_scale(const Cuda& device) const;
  /// The scale and the number of steps since it changed, for a file, and back from one. The scale must be a power of
  /// two from 1 to 2^24.
  std::array<double, 2> loss_scale_state(const Cuda& device) const;
  void set_loss_scale_state(const Cuda& device, const std::array<double, 2>& state);

  /// Forgets the graphs: buffers that they know may go away.
  void forget_graphs(const Cuda& device);
  /// Steps that were replayed, of all that were ever queued.
  std::size_t replayed() const noexcept;

 private:
  enum class Way { launch, capture, replay };
  Way prepare(const Cuda& device, const Step& step);
  Way prepare_launch(const Cuda& device);
  /// How many copies of the step the graph is to hold.
  std::size_t begin_capture(const Cuda& device, const Step& step);
  /// Whether there is a graph now. One that is not whole is thrown away.
  bool end_capture(const Cuda& device, bool whole);
  void begin_plan(const Cuda& device, const Step& step);
  void cancel_plan(const Cuda& device) noexcept;
  void end_plan(const Cuda& device);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// Snapshot: the whole state of a run, copied to host memory in one go.

#include <minitrain/io/safetensors.hpp>
#include <minitrain/train/accumulator.hpp>
#include <minitrain/train/run_progress.hpp>
#include <minitrain/train/slab_layout.hpp>
#include <minitrain/train/state_fields.hpp>

#include <cstring>
#include <limits>

namespace minitrain::inline MINITRAIN_ABI {

/// What a run is beside its slabs.
struct RunState {
  RunProgress progress{};
  std::size_t steps = 0;                                    // optimizer steps done
  Window window{};                                          // what has accumulated since the last one
  double value = std::numeric_limits<double>::quiet_NaN();  // by which runs are compared, less is better; NaN: none
  StateFields fields{};                                     // what a run that goes on must share
  StateFields metadata{};  // anything else (key, value): schedules, histories; no key begins with "minitrain."
};

/// Parameters, moments and, inside an accumulation window, gradient sums of a run, with its counts: all that it takes
/// to go on to the same bits. Memory is used again by the next snapshot of the same run, which then allocates nothing.
/// Cheap to move.
class Snapshot {
 public:
  Snapshot() = default;
  Snapshot(Snapshot&&) noexcept = default;
  Snapshot& operator=(Snapshot&&) noexcept = default;

  const RunState& state() const noexcept { return state_; }
  RunState& state() noexcept { return state_; }
  const SlabLayout& layout() const noexcept { return layout_; }
  /// Bytes of all its slabs.
  std::size_t bytes() const noexcept { return slabs_.size() * layout_.slab_bytes(); }
  /// Slabs that hold something: those of the layout, or all but the last, which is of gradient sums, or the first.
  std::size_t used() const noexcept { return used_; }

  /// Makes room for the first `used` slabs of this layout, as they lie on the device.
  void lay_out(const SlabLayout& layout, std::size_t used) {
    if (!(layout_ == layout)) {
      Snapshot fresh;
      fresh.layout_ = layout;
      std::swap(fresh.state_, state_);
      *this = std::move(fresh);
    }
    while (slabs_.size() < used) slabs_.emplace_back(layout_.slab_bytes());
    used_ = used;
    in_file_form_ = false;
  }
  std::byte* slab(std::size_t i) noexcept { return slabs_[i].data(); }
  const std::byte* slab(std::size_t i) const noexcept { return slabs_[i].data(); }

  /// Turns every tensor into the form that it has in a file, in place, and checks it. Throws NumericError for
  /// parameters or moments that are not finite: no file is written that load() would refuse.
  void to_file_form() {
    for (std::size_t i = 0; i < used_ && !in_file_form_; ++i) {
      if (i < layout_.finite_slabs()) check_finite(i);
    }
    turn(true);
  }
  /// And back.
  void to_slab_form() { turn(false); }

  /// The tensors in the form of a file; their bytes stay until this snapshot changes.
  std::vector<NamedTensor> tensors() const {
    std::vector<NamedTensor> list;
    list.reserve(used_ * layout_.parameters.size());
    for (std::size_t i = 0; i < used_; ++i) {
      for (const NetworkParameter& p : layout_.parameters) {
        list.push_back({layout_.prefixes[i] + p.name, layout_.dtype(), detail::file_shape(p.spec),
                        std::span(slab(i) + p.offset * layout_.scalar, p.spec.shape.size() * layout_.scalar)});
      }
    }
    return list;
  }

 private:
  void turn(bool to_file) {
    if (in_file_form_ == to_file) return;
    for (std::size_t i = 0; i < used_; ++i) {
      for (const NetworkParameter& p : layout_.parameters) {
        if (!p.spec.transposed || p.spec.shape.size() == 0) continue;
        scratch_.resize(std::max(scratch_.size(), layout_.largest_bytes()));
        const std::size_t rows = p.spec.shape[to_file ? 0 : 1], columns = p.spec.shape[to_file ? 1 : 0];
        std::byte* const at = slab(i) + p.offset * layout_.scalar;
        std::memcpy(scratch_.data(), at, rows * columns * layout_.scalar);
        with_scalar([&](auto zero) {
          using T = decltype(zero);
          detail::transpose(reinterpret_cast<const T*>(scratch_.data()), rows, columns, reinterpret_cast<T*>(at));
        });
      }
    }
    in_file_form_ = to_file;
  }

  void check_finite(std::size_t i) const {
    for (const NetworkParameter& p : layout_.parameters) {
      with_scalar([&](auto zero) {
        using T = decltype(zero);
        const T* const values = reinterpret_cast<const T*>(slab(i)) + p.offset;
        if (detail::all_finite(values, p.spec.shape.size())) return;
        throw NumericError({"not all ", i == 0 ? "parameters" : "moments", " are finite: tensor '", layout_.prefixes[i],
                            p.name, "': begin again with a lower learning rate, or from a file of before"});
      });
    }
  }

  template <class F>
  void with_scalar(const F& f) const {
    layout_.scalar == sizeof(float) ? f(float{}) : f(double{});
  }

  RunState state_;
  SlabLayout layout_;
  std::vector<std::vector<std::byte>> slabs_;
  std::vector<std::byte> scratch_;  // the largest tensor
  std::size_t used_ = 0;
  bool in_file_form_ = false;
};

/// Copies the run's state into `snapshot`: the parameters as the last update() left them, and what has accumulated
/// since. Queued steps must be settled. Waits for the device.
template <class T, class Device>
void take_snapshot(const Device& device, const Accumulator<T, Device>& core, const RunProgress& progress,
                   const StateFields& fields, const StateFields& metadata, Snapshot& snapshot) {
  const std::size_t moments = core.moments().size();
  if (!fits(snapshot.layout(), core)) {
    const SlabLayout layout = slab_layout(core);
    snapshot.lay_out(layout, 0);
  }
  snapshot.lay_out(snapshot.layout(), 1 + moments + (core.accumulated() > 0 ? 1 : 0));
  snapshot.state().progress = progress;
  snapshot.state().steps = core.steps();
  snapshot.state().window = core.window(device);
  snapshot.state().value = std::numeric_limits<double>::quiet_NaN();
  snapshot.state().fields = fields;
  snapshot.state().metadata = metadata;
  const auto copy = [&](const Tensor<T, Device>& slab, std::size_t i) {
    copy_to_host(device, slab.view(), reinterpret_cast<T*>(snapshot.slab(i)));
  };
  copy(core.network().parameters(), 0);
  for (std::size_t i = 0; i < moments; ++i) copy(core.moments()[i], 1 + i);
  if (core.accumulated() > 0) copy(core.network().gradients(), 1 + moments);
}

/// Puts the state into `core`, which then is as it was when the snapshot was taken. Throws ShapeError, with nothing
/// changed, when it is of another model, optimizer or scalar.
template <class T, class Device>
void restore_snapshot(const Device& device, Accumulator<T, Device>& core, Snapshot& snapshot) {
  const std::size_t moments = core.moments().size();
  const bool window = snapshot.state().window.samples > 0;
  if (!fits(snapshot.layout(), core) || snapshot.used() != 1 + moments + (window ? 1 : 0)) {
    throw ShapeError(ErrorCode::shape_mismatch,
                     "restore_snapshot: it was taken of another model or optimizer: restore one of this run");
  }
  snapshot.to_slab_form();
  core.drop(device);
  const auto put = [&](std::size_t i, Tensor<T, Device>& slab) {
    copy_from_host(device, reinterpret_cast<const T*>(snapshot.slab(i)), slab.view());
  };
  put(0, core.network().parameters());
  for (std::size_t i = 0; i < moments; ++i) put(1 + i, core.moments()[i]);
  if (window) put(1 + moments, core.network().gradients());
  core.set_steps(snapshot.state().steps);
  core.set_window(device, snapshot.state().window);
}

}  // namespace minitrain::inline MINITRAIN_ABI

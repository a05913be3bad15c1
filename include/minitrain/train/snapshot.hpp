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
  StateFields metadata{};  // anything else (key, value); no key begins with "minitrain."
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
  std::size_t bytes() const noexcept {
    std::size_t sum = 0;
    for (const auto& slab : slabs_) sum += slab.size();
    return sum;
  }
  /// Whether it holds slab i of the layout.
  bool holds(std::size_t i) const noexcept { return held_[i]; }

  /// Makes room for slabs of this layout, as they lie on the device: those that are always there.
  void lay_out(const SlabLayout& layout) {
    layout_ = layout;
    slabs_.resize(layout.slabs.size());
    held_.assign(layout.slabs.size(), false);
    begin();
  }
  /// The same, for another snapshot of the layout it has.
  void begin() {
    for (std::size_t i = 0; i < slabs_.size(); ++i) hold(i, layout_.slabs[i].always);
    in_file_form_ = false;
  }
  void hold(std::size_t i, bool held = true) {
    held_[i] = held;
    if (held) slabs_[i].resize(layout_.bytes(i));
  }
  std::byte* slab(std::size_t i) noexcept { return slabs_[i].data(); }
  const std::byte* slab(std::size_t i) const noexcept { return slabs_[i].data(); }

  /// Turns every tensor into the form that it has in a file, in place, and checks it. Throws NumericError for
  /// parameters or moments that are not finite: no file is written that load() would refuse.
  void to_file_form() {
    for (std::size_t i = 0; i < slabs_.size() && !in_file_form_; ++i) {
      if (held_[i] && layout_.slabs[i].finite && !layout_.slabs[i].is_bytes()) check_finite(i);
    }
    turn(true);
  }
  /// And back.
  void to_slab_form() { turn(false); }

  /// The tensors in the form of a file; their bytes stay until this snapshot changes.
  std::vector<NamedTensor> tensors() const {
    std::vector<NamedTensor> list;
    list.reserve(slabs_.size() * layout_.parameters.size());
    for (std::size_t i = 0; i < slabs_.size(); ++i) {
      const SlabSpec& spec = layout_.slabs[i];
      if (!held_[i]) continue;
      if (!spec.per_parameter()) {
        list.push_back(
            {spec.name, layout_.dtype_of(spec), {spec.holds.count}, std::span(slab(i), layout_.tensor_bytes(spec))});
        continue;
      }
      for (const NetworkParameter& p : layout_.parameters) {
        list.push_back({spec.name + p.name, layout_.dtype(), detail::file_shape(p.spec),
                        std::span(slab(i) + p.offset * layout_.scalar, p.spec.shape.size() * layout_.scalar)});
      }
    }
    return list;
  }

 private:
  void turn(bool to_file) {
    if (in_file_form_ == to_file) return;
    for (std::size_t i = 0; i < slabs_.size(); ++i) {
      if (!held_[i] || !layout_.slabs[i].per_parameter()) continue;
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
    const SlabSpec& spec = layout_.slabs[i];
    const auto check = [&](std::size_t offset, std::size_t count, std::string_view name) {
      with_scalar([&](auto zero) {
        using T = decltype(zero);
        if (detail::all_finite(reinterpret_cast<const T*>(slab(i)) + offset, count)) return;
        throw NumericError({"not all ", i == 0 ? "parameters" : "moments", " are finite: tensor '", spec.name, name,
                            "': begin again with a lower learning rate, or from a file of before"});
      });
    };
    if (!spec.per_parameter()) return check(0, spec.holds.count, "");
    for (const NetworkParameter& p : layout_.parameters) check(p.offset, p.spec.shape.size(), p.name);
  }

  template <class F>
  void with_scalar(const F& f) const {
    layout_.scalar == sizeof(float) ? f(float{}) : f(double{});
  }

  RunState state_;
  SlabLayout layout_;
  std::vector<std::vector<std::byte>> slabs_;
  std::vector<std::byte> scratch_;  // the largest tensor
  std::vector<bool> held_;
  bool in_file_form_ = false;
};

/// Copies the run's state into `snapshot`: the parameters as the last update() left them, what has accumulated since,
/// and the best parameters so far, in slab form, where there are any. Queued steps must be settled. Waits for the
/// device.
template <class T, class Device>
void take_snapshot(const Device& device, const Accumulator<T, Device>& core, const RunProgress& progress,
                   const StateFields& fields, const StateFields& metadata, Snapshot& snapshot,
                   const std::vector<T>& best = {}) {
  if (!fits(snapshot.layout(), core)) snapshot.lay_out(slab_layout(core));
  const SlabLayout& layout = snapshot.layout();
  snapshot.begin();
  const std::size_t scalars = layout.slabs[layout.best()].scalars;
  snapshot.hold(layout.best(), !best.empty());
  snapshot.hold(layout.best_average(), best.size() > scalars);
  snapshot.hold(layout.accumulated(), core.accumulated() > 0);
  snapshot.state().progress = progress;
  snapshot.state().progress.skipped_in_row = core.judge().skipped_in_row();
  snapshot.state().steps = core.steps();
  snapshot.state().window = core.window(device);
  snapshot.state().value =
      progress.value_steps == core.steps() ? progress.value : std::numeric_limits<double>::quiet_NaN();
  snapshot.state().fields = fields;
  snapshot.state().metadata = metadata;
  const auto copy = [&](const Tensor<T, Device>& slab, std::size_t i) {
    copy_to_host(device, slab.view(), reinterpret_cast<T*>(snapshot.slab(i)));
  };
  copy(core.network().parameters(), 0);
  const auto moments = core.optimizer_state().moments();
  for (std::size_t i = 0; i < moments.size(); ++i) copy(moments[i], 1 + i);
  if (!best.empty()) std::memcpy(snapshot.slab(layout.best()), best.data(), scalars * sizeof(T));
  if (best.size() > scalars) {
    std::memcpy(snapshot.slab(layout.best_average()), best.data() + scalars, scalars * sizeof(T));
  }
  if (core.accumulated() > 0) copy(core.network().gradients(), layout.accumulated());
}

/// Puts the state into `core`, which then is as it was when the snapshot was taken, and the best parameters into
/// `best`, where that is asked for. Throws ShapeError, with nothing changed, when it is of another model, optimizer or
/// scalar.
template <class T, class Device>
void restore_snapshot(const Device& device, Accumulator<T, Device>& core, Snapshot& snapshot,
                      std::vector<T>* best = nullptr) {
  const SlabLayout& layout = snapshot.layout();
  if (!fits(layout, core) || snapshot.holds(layout.accumulated()) != (snapshot.state().window.samples > 0)) {
    throw ShapeError(ErrorCode::shape_mismatch,
                     "restore_snapshot: it was taken of another model or optimizer: restore one of this run");
  }
  snapshot.to_slab_form();
  const auto values = [&](std::size_t i) { return reinterpret_cast<const T*>(snapshot.slab(i)); };
  std::vector<T> found;
  for (const std::size_t i : {layout.best(), layout.best_average()}) {
    if (snapshot.holds(i)) found.insert(found.end(), values(i), values(i) + layout.slabs[i].scalars);
  }
  core.drop(device);
  const auto put = [&](std::size_t i, Tensor<T, Device>& slab) { copy_from_host(device, values(i), slab.view()); };
  put(0, core.network().parameters());
  const auto moments = core.optimizer_state().moments();
  for (std::size_t i = 0; i < moments.size(); ++i) put(1 + i, moments[i]);
  if (snapshot.holds(layout.accumulated())) put(layout.accumulated(), core.network().gradients());
  core.set_steps(snapshot.state().steps);
  core.set_window(device, snapshot.state().window);
  core.judge().set_skipped_in_row(snapshot.state().progress.skipped_in_row);
  core.judge().rules().rate.plateau = snapshot.state().progress.plateau.factor;
  if (best != nullptr) *best = std::move(found);
}

}  // namespace minitrain::inline MINITRAIN_ABI

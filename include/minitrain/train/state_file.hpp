#pragma once
// Weights and training state as safetensors files: what Trainer::save and load do.

#include <minitrain/train/slab.hpp>
#include <minitrain/train/snapshot_file.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// The parameters one after another, without the padding between them.
template <class T, class Device>
Tensor<T> flat_parameters(const Device& device, const Network<T, Device>& network) {
  Tensor<T> flat(Shape{network.description().parameter_count()});
  T* next = flat.data();
  for (const NetworkParameter& p : network.list()) {
    copy_to_host(device, View<const T, Device>(network.parameters().data() + p.offset, p.spec.shape), next);
    next += p.spec.shape.size();
  }
  return flat;
}

namespace detail {

/// f(), which writes `path`; numbers that are not finite are reported with its name.
template <class F>
void name_unwritten(const std::string& path, const F& f) {
  try {
    f();
  } catch (const NumericError& error) {
    throw NumericError({io::shown(path), ": not written: ", error.what()});
  }
}

}  // namespace detail

/// Of the parameters alone.
template <class T, class Device>
SlabLayout weights_layout(const Accumulator<T, Device>& core) {
  SlabLayout layout = slab_layout(core);
  layout.slabs.resize(1);
  return layout;
}

/// A file of the parameters alone. Throws NumericError when one is not finite, DataError (io_error).
template <class T, class Device>
void write_weights(const Device& device, const Accumulator<T, Device>& core, const std::string& path) {
  Snapshot snapshot;
  snapshot.lay_out(weights_layout(core));
  copy_to_host(device, core.network().parameters().view(), reinterpret_cast<T*>(snapshot.slab(0)));
  detail::name_unwritten(path, [&] {
    snapshot.to_file_form();
    write_safetensors(path, snapshot.tensors());
  });
}

/// Takes the parameters of a file of weights or of a state, whatever optimizer it was saved with; what has accumulated
/// is dropped. Throws DataError, with nothing changed.
template <class T, class Device>
void read_weights(const Device& device, Accumulator<T, Device>& core, const std::string& path) {
  const SafetensorsFile file(path);
  const SlabLayout layout = weights_layout(core);
  Differences differences;
  const auto weights_only = [](std::string_view name) {
    return !name.starts_with("optimizer.") && !name.starts_with(accumulated_prefix) && !name.starts_with(best_prefix) &&
           !name.starts_with(best_average_prefix);
  };
  detail::compare_tensors(
      file, layout, [](std::size_t) { return true; }, weights_only, differences);
  differences.throw_any(path);
  std::vector<T> slab(layout.slabs.front().scalars);
  for (const NetworkParameter& p : layout.parameters)
    detail::read_tensor(*file.find(p.name), path, p.spec, true, slab.data() + p.offset);
  core.drop(device);
  copy_from_host(device, slab.data(), core.network().parameters().view());
  refresh_copies(device, core);
}

/// The whole state, inside an accumulation window too, with fields that a run that goes on must share.
template <class T, class Device>
void write_state(const Device& device, const Accumulator<T, Device>& core, const RunProgress& progress,
                 const std::string& path, const StateFields& fields, const std::vector<T>& best) {
  Snapshot snapshot;
  take_snapshot(device, core, progress, fields, {}, snapshot, best);
  detail::name_unwritten(path, [&] { write_snapshot(snapshot, path); });
}

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// Snapshots in safetensors files.
//
// A state file is a file of weights, as PyTorch's nn.Sequential names and shapes them, with the optimizer's moments
// beside them ("optimizer.exp_avg.0.weight"), gradient sums when it was taken inside an accumulation window
// ("accumulated.0.weight"), and the counts and fingerprints of the run in the metadata; so any reader of safetensors
// finds the weights.

#include <minitrain/train/differences.hpp>
#include <minitrain/train/progress_metadata.hpp>
#include <minitrain/train/snapshot.hpp>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// The metadata keys that are not fields.
inline bool is_count(std::string_view key) noexcept {
  for (const std::string_view name : {"format", "version", "steps", "epochs", "value"}) {
    if (key == name) return true;
  }
  return key.starts_with("epoch.") || key.starts_with("run.") || key.starts_with("window.") ||
         key.starts_with("loss_scale");
}

inline StateFields file_metadata(const RunState& state) {
  StateFields metadata{{"minitrain.format", std::to_string(state_format)},
                       {"minitrain.version", MINITRAIN_VERSION},
                       {"minitrain.steps", std::to_string(state.steps)}};
  append_metadata(state.progress, metadata);
  for (auto& entry : progress_metadata(state.progress)) metadata.push_back(std::move(entry));
  const auto real = [&](const char* key, double value) {
    if (!(value - value == 0)) {
      throw NumericError({"the accumulated loss is ", value, ": call update(), which reports it and drops it"});
    }
    metadata.emplace_back(key, joined({value}));
  };
  if (state.window.samples > 0) {
    metadata.emplace_back("minitrain.window.samples", std::to_string(state.window.samples));
    real("minitrain.window.loss", state.window.sums[0]);
    real("minitrain.window.weight", state.window.sums[1]);
    real("minitrain.window.right", state.window.sums[2]);
  }
  if (state.window.loss_scale[0] > 0) {
    real("minitrain.loss_scale", state.window.loss_scale[0]);
    real("minitrain.loss_scale.steps", state.window.loss_scale[1]);
  }
  if (state.value - state.value == 0) metadata.emplace_back("minitrain.value", joined({state.value}));
  for (const auto& [name, value] : state.fields) {  // one that was read from a file has what the counts above say too
    const std::string key = "minitrain." + name;
    if (std::none_of(metadata.begin(), metadata.end(), [&](const auto& pair) { return pair.first == key; }))
      metadata.emplace_back(key, value);
  }
  for (const auto& [key, value] : state.metadata) {
    if (key.starts_with("minitrain.")) {
      throw OptionError({"metadata ", io::quoted(key), ": these keys are the library's: choose another"});
    }
    metadata.emplace_back(key, value);
  }
  return metadata;
}

/// Everything of a file but its tensors. Throws DataError: bad_header when it is no state, unsupported when it is of a
/// later format.
inline RunState read_run_state(const SafetensorsFile& file, const std::string& path) {
  RunState state;
  const std::size_t format =
      file.metadata("minitrain.format") != nullptr ? read_count(file, path, "minitrain.format") : 1;
  if (format > state_format) {
    throw DataError(ErrorCode::unsupported,
                    {io::shown(path), ": written by format ", format, ", this reads <= ", state_format,
                     ": take the minitrain that wrote it, or a later one; load_weights() reads the weights"});
  }
  state.steps = read_count(file, path, "minitrain.steps");
  if (state.steps > std::size_t{1} << 53) {
    throw DataError(ErrorCode::bad_number, {io::shown(path), ": ", state.steps, " steps: this is no state of a run"});
  }
  state.progress = read_progress(file, path);
  if (file.metadata("minitrain.window.samples") != nullptr) {
    state.window.samples = read_count(file, path, "minitrain.window.samples");
    state.window.sums[0] = read_real(file, path, "minitrain.window.loss");
    state.window.sums[1] = read_real(file, path, "minitrain.window.weight");
    state.window.sums[2] = read_real(file, path, "minitrain.window.right");
  }
  if (file.metadata("minitrain.loss_scale") != nullptr) {
    const double scale = read_real(file, path, "minitrain.loss_scale");
    int exponent = 0;
    if (!(scale >= 1 && scale <= 16777216 && std::frexp(scale, &exponent) == 0.5)) {
      throw DataError(ErrorCode::bad_number, {io::shown(path), ": a loss scale of ", scale,
                                              ", wanted a power of two from 1 to 2^24: save the state again"});
    }
    state.window.loss_scale = {scale, static_cast<double>(read_count(file, path, "minitrain.loss_scale.steps"))};
  }
  if (file.metadata("minitrain.value") != nullptr) state.value = read_real(file, path, "minitrain.value");
  read_progress_metadata(file.metadata(), path, state.progress);
  state.progress.window = state.progress.window && state.window.samples > 0;
  state.progress.value = state.value;
  state.progress.value_steps = state.steps;
  for (const auto& [key, value] : file.metadata()) {
    const bool ours = key.starts_with("minitrain.");
    if (!ours) state.metadata.emplace_back(key, value);
    if (ours && !is_count(key.substr(10))) state.fields.emplace_back(key.substr(10), value);
  }
  return state;
}

/// Copies a tensor of a file into a slab, turning it into the slab's form. Throws DataError for values that are not
/// finite where they must be. A file of F32 widens to double; nothing narrows.
template <class T>
void read_tensor(const NamedTensor& tensor, const std::string& path, const ParameterSpec& spec, bool must_be_finite,
                 T* slab) {
  const std::size_t size = spec.shape.size();
  if (size == 0) return;
  std::vector<T> values(size);
  if (tensor.dtype == "F32" && sizeof(T) == sizeof(double)) {
    std::vector<float> narrow(size);
    std::memcpy(narrow.data(), tensor.bytes.data(), size * sizeof(float));
    std::copy(narrow.begin(), narrow.end(), values.begin());
  } else {
    std::memcpy(values.data(), tensor.bytes.data(), size * sizeof(T));
  }
  if (must_be_finite && !all_finite(values.data(), size)) {
    throw DataError(ErrorCode::non_finite, {io::shown(path), ": tensor ", io::quoted(tensor.name),
                                            " holds values that are not finite: load an earlier file"});
  }
  if (spec.transposed) {
    transpose(values.data(), spec.shape[1], spec.shape[0], slab);
  } else {
    std::copy(values.begin(), values.end(), slab);
  }
}

/// A slab that is one tensor, with the same rules.
template <class T>
void read_whole(const NamedTensor& tensor, const std::string& path, const SlabSpec& spec, T* slab) {
  if (spec.holds.count == 0) return;
  if (spec.is_bytes()) {
    std::memcpy(slab, tensor.bytes.data(), spec.holds.count);
    return;
  }
  read_tensor(tensor, path, ParameterSpec{.shape = Shape{spec.holds.count}}, spec.finite, slab);
}

/// What stands between the tensors of a file and the slabs of a layout that holds(i) names: tensors that are missing,
/// have another shape or type, or have no place, unless wanted(name) does not want them.
template <class Holds, class Wanted>
void compare_tensors(const SafetensorsFile& file, const SlabLayout& layout, const Holds& holds, const Wanted& wanted,
                     Differences& differences) {
  std::vector<std::string> known;
  const auto compare = [&](std::string name, const std::vector<std::size_t>& shape, std::string_view dtype) {
    known.push_back(std::move(name));
    const NamedTensor* const tensor = file.find(known.back());
    if (tensor == nullptr) {
      differences.add(ErrorCode::missing_tensor,
                      {"no tensor '", known.back(), "', wanted one of shape ", io::shape_text(shape)});
    } else if (tensor->shape != shape) {
      differences.add(ErrorCode::shape_mismatch, {"tensor '", known.back(), "' has shape ",
                                                  io::shape_text(tensor->shape), ", wanted ", io::shape_text(shape)});
    } else if (tensor->dtype != dtype && !(tensor->dtype == "F32" && dtype == "F64")) {
      differences.add(ErrorCode::unsupported, {"tensor '", known.back(), "' is of type ", tensor->dtype, ", wanted ",
                                               dtype, ": convert the file"});
    }
  };
  for (std::size_t i = 0; i < layout.slabs.size(); ++i) {
    const SlabSpec& slab = layout.slabs[i];
    if (!holds(i)) continue;
    if (!slab.per_parameter()) {
      compare(slab.name, {slab.holds.count}, layout.dtype_of(slab));
      continue;
    }
    for (const NetworkParameter& p : layout.parameters) {
      compare(slab.name + p.name, file_shape(p.spec), layout.dtype());
    }
  }
  std::sort(known.begin(), known.end());
  for (const NamedTensor& tensor : file.tensors()) {
    if (!wanted(tensor.name) || std::binary_search(known.begin(), known.end(), tensor.name)) continue;
    differences.add(ErrorCode::unexpected_tensor, {"no place for tensor ", io::quoted(tensor.name)});
  }
}

}  // namespace detail

/// Turns the snapshot into the form of a file and replaces `path` by it, as write_safetensors does. Throws NumericError
/// when a parameter or moment is not finite, DataError (io_error, ...) when it cannot be written.
inline void write_snapshot(Snapshot& snapshot, const std::string& path, const WriteOptions& options = {},
                           const FileSystem& files = FileSystem::system()) {
  snapshot.to_file_form();
  write_safetensors(path, snapshot.tensors(), detail::file_metadata(snapshot.state()), options, files);
}

/// The state in a file, for a run with these parts and fields. All of it is read and checked: throws DataError, with
/// every difference in its message: state_mismatch when a field differs that options.allow does not name;
/// missing_tensor, shape_mismatch, unexpected_tensor, unsupported; bad_header when it is no state; non_finite.
template <class T, class Device>
Snapshot read_snapshot(const Accumulator<T, Device>& core, const StateFields& fields, const SafetensorsFile& file,
                       const std::string& path, const LoadOptions& options = {}) {
  RunState state = detail::read_run_state(file, path);
  const SlabLayout layout = slab_layout(core);
  const auto has = [&](std::string_view prefix) {
    return std::any_of(file.tensors().begin(), file.tensors().end(),
                       [&](const NamedTensor& tensor) { return tensor.name.starts_with(prefix); });
  };
  const bool has_best = has(best_prefix), has_average = has_best && has(best_average_prefix);
  const auto holds = [&](std::size_t i) {
    if (i == layout.best_average()) return has_average;
    return i == layout.best() ? has_best : i == layout.accumulated() ? state.window.samples > 0 : true;
  };
  Differences differences;
  differences.compare(fields, state.fields, options);
  const bool any_moments = allows(options, "optimizer");
  detail::compare_tensors(
      file, layout, holds, [&](std::string_view name) { return !any_moments || !name.starts_with("optimizer."); },
      differences);
  differences.throw_any(path);
  Snapshot snapshot;
  snapshot.lay_out(layout);
  for (std::size_t i = 0; i < layout.slabs.size(); ++i) snapshot.hold(i, holds(i));
  snapshot.state() = std::move(state);
  for (std::size_t i = 0; i < layout.slabs.size(); ++i) {
    const SlabSpec& slab = layout.slabs[i];
    if (!snapshot.holds(i)) continue;
    T* const values = reinterpret_cast<T*>(snapshot.slab(i));
    if (!slab.per_parameter()) {
      detail::read_whole(*file.find(slab.name), path, slab, values);
      continue;
    }
    for (const NetworkParameter& p : layout.parameters) {
      detail::read_tensor(*file.find(slab.name + p.name), path, p.spec, slab.finite, values + p.offset);
    }
  }
  return snapshot;
}

}  // namespace minitrain::inline MINITRAIN_ABI

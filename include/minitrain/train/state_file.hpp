#pragma once
// Weights and training state as safetensors files.
//
// A weights file holds the parameters as PyTorch's nn.Sequential state dict names and shapes them: "0.weight" [out,
// in], "0.bias" [out]. A state file is a weights file with the optimizer's moments beside them,
// "optimizer.exp_avg.0.weight", and the counts of the run in the metadata; so any reader of safetensors finds the
// weights in either.

#include <minitrain/io/safetensors.hpp>
#include <minitrain/train/accumulator.hpp>
#include <minitrain/train/run_progress.hpp>
#include <minitrain/train/transpose.hpp>

#include <charconv>
#include <cmath>
#include <cstring>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

template <class T>
constexpr const char* dtype_of() noexcept {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "weights files hold float or double");
  return std::is_same_v<T, float> ? "F32" : "F64";
}

inline std::vector<std::size_t> file_shape(const ParameterSpec& spec) {
  if (spec.transposed) return {spec.shape[1], spec.shape[0]};
  std::vector<std::size_t> shape;
  for (std::size_t axis = 0; axis < spec.shape.rank(); ++axis) shape.push_back(spec.shape[axis]);
  return shape;
}

/// A slab as named tensors in host memory.
template <class T>
class SlabFile {
 public:
  template <class Device>
  void add(const Device& device, const std::vector<NetworkParameter>& list, View<const T, Device> slab,
           const std::string& prefix) {
    for (const NetworkParameter& p : list) {
      const std::size_t size = p.spec.shape.size();
      std::vector<T> values(size);
      copy_to_host(device, View<const T, Device>(slab.data() + p.offset, p.spec.shape), values.data());
      if (p.spec.transposed) {
        std::vector<T> turned(size);
        transpose(values.data(), p.spec.shape[0], p.spec.shape[1], turned.data());
        values.swap(turned);
      }
      values_.push_back(std::move(values));
      tensors_.push_back(
          {joined({prefix, p.name}), dtype_of<T>(), file_shape(p.spec), std::as_bytes(std::span(values_.back()))});
    }
  }
  void write(const std::string& path, std::span<const std::pair<std::string, std::string>> metadata) const {
    write_safetensors(path, tensors_, metadata);
  }

 private:
  std::vector<std::vector<T>> values_;
  std::vector<NamedTensor> tensors_;
};

/// Reads `prefix` + name for every parameter into a copy of the slab, in host memory and the slab's layout. Throws
/// DataError for a tensor that is missing or of another shape or type. A file of F32 widens to double; nothing narrows.
template <class T>
std::vector<T> read_slab(const SafetensorsFile& file, const std::string& path,
                         const std::vector<NetworkParameter>& list, std::size_t slab_size, const std::string& prefix) {
  std::vector<T> slab(slab_size);
  for (const NetworkParameter& p : list) {
    const std::string name = prefix + p.name;
    const NamedTensor* tensor = file.find(name);
    if (tensor == nullptr) {
      throw DataError(ErrorCode::missing_tensor,
                      {detail::io::shown(path), ": no tensor \"", name, "\", wanted one of shape ",
                       detail::io::shape_text(file_shape(p.spec)), ": load a file saved from the same model"});
    }
    if (tensor->shape != file_shape(p.spec)) {
      throw DataError(
          ErrorCode::shape_mismatch,
          {detail::io::shown(path), ": tensor \"", name, "\" has shape ", detail::io::shape_text(tensor->shape),
           ", wanted ", detail::io::shape_text(file_shape(p.spec)), ": load a file saved from the same model"});
    }
    const std::size_t size = p.spec.shape.size();
    std::vector<T> values(size);
    if (tensor->dtype == dtype_of<T>()) {
      if (size > 0) std::memcpy(values.data(), tensor->bytes.data(), size * sizeof(T));
    } else if (tensor->dtype == "F32") {
      std::vector<float> narrow(size);
      if (size > 0) std::memcpy(narrow.data(), tensor->bytes.data(), size * sizeof(float));
      std::copy(narrow.begin(), narrow.end(), values.begin());
    } else {
      throw DataError(ErrorCode::unsupported, {detail::io::shown(path), ": tensor \"", name, "\" is of type ",
                                               tensor->dtype, ", wanted ", dtype_of<T>(), ": convert the file"});
    }
    for (const T value : values) {
      if (std::isfinite(value)) continue;
      throw DataError(ErrorCode::non_finite, {detail::io::shown(path), ": tensor \"", name,
                                              "\" holds values that are not finite: load an earlier file"});
    }
    if (p.spec.transposed) {
      transpose(values.data(), p.spec.shape[1], p.spec.shape[0], slab.data() + p.offset);
    } else {
      std::copy(values.begin(), values.end(), slab.begin() + static_cast<std::ptrdiff_t>(p.offset));
    }
  }
  return slab;
}

/// No file is replaced by one that load() would refuse.
template <class T, class Device>
void refuse_non_finite(const Device& device, const View<const T, Device>& parameters, const std::string& path) {
  if (all_finite(device, parameters)) return;
  throw NumericError({io::shown(path),
                      ": not written: not all parameters are finite: begin again with a lower learning rate, or from a "
                      "file of before"});
}

template <class T, class Device>
void put_slab(const Device& device, const std::vector<T>& host, Tensor<T, Device>& slab) {
  copy_from_host(device, host.data(), slab.view());
}

}  // namespace detail

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

template <class T, class Device>
void write_weights(const Device& device, const Accumulator<T, Device>& core, const std::string& path) {
  detail::refuse_non_finite<T>(device, core.network().parameters().view(), path);
  detail::SlabFile<T> file;
  file.add(device, core.network().list(), core.network().parameters().view(), "");
  file.write(path, {});
}

namespace detail {

/// Throws DataError for a tensor that is none of the parameters, with one of the prefixes before its name.
inline void refuse_others(const SafetensorsFile& file, const std::string& path,
                          const std::vector<NetworkParameter>& list, std::span<const std::string> prefixes) {
  const auto known = [&](std::string_view name) {
    for (const std::string& prefix : prefixes) {
      if (!name.starts_with(prefix)) continue;
      const std::string_view rest = name.substr(prefix.size());
      for (const NetworkParameter& p : list) {
        if (p.name == rest) return true;
      }
    }
    return false;
  };
  for (const NamedTensor& tensor : file.tensors()) {
    if (known(tensor.name)) continue;
    throw DataError(ErrorCode::unexpected_tensor,
                    {detail::io::shown(path), ": there is no place for tensor ", io::quoted(tensor.name),
                     ": load a file saved from the same model and optimizer"});
  }
}

}  // namespace detail

template <class T, class Device>
void read_weights(const Device& device, Accumulator<T, Device>& core, const std::string& path) {
  const SafetensorsFile file(path);
  const auto& list = core.network().list();
  const auto slab = detail::read_slab<T>(file, path, list, core.network().parameters().size(), "");
  std::vector<std::string> prefixes{""};
  for (const NamedTensor& tensor : file.tensors()) {  // of whatever optimizer the file was saved with
    const std::size_t dot = tensor.name.starts_with("optimizer.") ? tensor.name.find('.', 10) : std::string::npos;
    if (dot != std::string::npos) prefixes.push_back(tensor.name.substr(0, dot + 1));
  }
  detail::refuse_others(file, path, list, prefixes);
  core.drop(device);
  detail::put_slab(device, slab, core.network().parameters());
}

template <class T, class Device>
void write_state(const Device& device, const Accumulator<T, Device>& core, const RunProgress& progress,
                 std::uint64_t seed, const std::string& path) {
  if (core.accumulated() > 0) {
    throw OptionError({"save: ", core.accumulated(), " samples are accumulated and not yet used: call update() first"});
  }
  detail::refuse_non_finite<T>(device, core.network().parameters().view(), path);
  detail::SlabFile<T> file;
  file.add(device, core.network().list(), core.network().parameters().view(), "");
  for (std::size_t i = 0; i < core.moments().size(); ++i) {
    file.add(device, core.network().list(), core.moments()[i].view(),
             joined({"optimizer.", core.rule().moment_name(i), "."}));
  }
  std::vector<std::pair<std::string, std::string>> metadata{{"minitrain.version", MINITRAIN_VERSION},
                                                            {"minitrain.optimizer", core.rule().name()},
                                                            {"minitrain.steps", std::to_string(core.steps())},
                                                            {"minitrain.seed", std::to_string(seed)}};
  append_metadata(progress, metadata);
  file.write(path, metadata);
}

/// Returns how far the run was. Everything is read and checked before anything changes.
template <class T, class Device>
RunProgress read_state(const Device& device, Accumulator<T, Device>& core, std::uint64_t seed,
                       const std::string& path) {
  const SafetensorsFile file(path);
  const std::size_t steps = detail::read_count(file, path, "minitrain.steps");
  RunProgress progress = read_progress(file, path);
  const std::string* optimizer = file.metadata("minitrain.optimizer");
  if (optimizer == nullptr || *optimizer != core.rule().name()) {
    throw DataError(
        ErrorCode::unexpected_tensor,
        {detail::io::shown(path), ": saved with optimizer ", detail::io::quoted(optimizer ? *optimizer : ""),
         ", this is ", core.rule().name(), ": take that optimizer, or load_weights() alone"});
  }
  if (detail::read_count(file, path, "minitrain.seed") != seed) {
    throw DataError(ErrorCode::unexpected_tensor,
                    {detail::io::shown(path), ": saved with seed ", *file.metadata("minitrain.seed"),
                     ", this trainer has ", seed, ": a run goes on with its own seed, or load_weights() alone"});
  }
  if (steps > std::size_t{1} << 53) {
    throw DataError(ErrorCode::bad_number, {detail::io::shown(path), ": ", steps, " steps: this is no state of a run"});
  }
  std::vector<std::string> prefixes{""};
  for (std::size_t i = 0; i < core.moments().size(); ++i) {
    prefixes.push_back(joined({"optimizer.", core.rule().moment_name(i), "."}));
  }
  detail::refuse_others(file, path, core.network().list(), prefixes);
  const std::size_t size = core.network().parameters().size();
  const auto parameters = detail::read_slab<T>(file, path, core.network().list(), size, "");
  std::vector<std::vector<T>> moments;
  for (std::size_t i = 0; i < core.moments().size(); ++i) {
    moments.push_back(detail::read_slab<T>(file, path, core.network().list(), size,
                                           joined({"optimizer.", core.rule().moment_name(i), "."})));
  }
  core.drop(device);
  detail::put_slab(device, parameters, core.network().parameters());
  for (std::size_t i = 0; i < moments.size(); ++i) detail::put_slab(device, moments[i], core.moments()[i]);
  core.set_steps(steps);
  return progress;
}

}  // namespace minitrain::inline MINITRAIN_ABI

// The CUDA device itself: finding the GPU, its stream and memory. No kernel but all_finite's.
#include "context.cuh"
#include "lane.cuh"

#include <minitrain/cuda/memory.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

using Current = Cuda::Scope;
constexpr int pushed = -1;  // of a Scope, in place of the GPU that was current: it comes back when ours is popped

/// found[0] = 1 when an element is infinite or NaN. Every thread that sees one writes the same, so no order shows.
__global__ void __launch_bounds__(256) find_non_finite_kernel(const float* x, std::size_t count, int* found) {
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  bool here = false;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    here = here || (__float_as_uint(x[i]) & 0x7f800000u) == 0x7f800000u;
  }
  if (here) atomicOr(found, 1);
}

constexpr int least_capability = 75;

std::string counted(const char* what, std::size_t bytes) { return joined({what, bytes, " bytes"}); }

}  // namespace

namespace cuda {

int device_count(std::string* why) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return count;
  static_cast<void>(cudaGetLastError());
  if (why != nullptr) {
    if (status == cudaErrorInsufficientDriver) {
      *why = "there is no NVIDIA driver, or it is older than the CUDA runtime: install a newer driver";
    } else if (status == cudaErrorNoDevice || status == cudaSuccess) {
      *why = "there is no NVIDIA GPU that CUDA can see: check nvidia-smi and CUDA_VISIBLE_DEVICES";
    } else {
      *why = joined({"the GPUs cannot be counted: ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")"});
    }
  }
  return 0;
}

void fill_zero(const Cuda& device, void* to, std::size_t bytes) {
  if (bytes == 0) return;
  const Current current(device.index(), device.context().get());
  device.context()->check(cudaMemsetAsync(to, 0, bytes, stream_of(device)), "fill with zero");
}

}  // namespace cuda

Cuda::Context::Context(const CudaOptions& options) : options_(options) {
  std::string why;
  const int count = cuda::device_count(&why);
  if (count == 0) throw DeviceError(ErrorCode::device_unavailable, {"Cuda: ", why, ", or train on Cpu{}"});
  if (options_.index < 0 || options_.index >= count) {
    throw DeviceError(ErrorCode::device_unavailable,
                      {"Cuda: device ", options_.index, " of ", count, ": ask for 0 to ", count - 1});
  }
  primary_ = cuda::primary_context(options_.index);
  const Current current(options_.index, this);
  cudaDeviceProp properties;
  cuda::check(cudaGetDeviceProperties(&properties, options_.index), "Cuda: properties of the GPU");
  name_ = properties.name;
  compute_capability_ = 10 * properties.major + properties.minor;
  multiprocessors_ = properties.multiProcessorCount;
  if (compute_capability_ < least_capability) {
    throw DeviceError(ErrorCode::device_unavailable,
                      {"Cuda: ", name_, " has compute capability ", properties.major, ".", properties.minor,
                       ", and the kernels need 7.5: use a newer GPU, or train on Cpu{}"});
  }
  cudaFuncAttributes attributes;
  const cudaError_t status = cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(find_non_finite_kernel));
  if (status == cudaErrorNoKernelImageForDevice || status == cudaErrorInvalidDeviceFunction) {
    static_cast<void>(cudaGetLastError());
    throw DeviceError(ErrorCode::device_unavailable,
                      {"Cuda: minitrain::cuda has no code for ", name_, ", compute capability ", properties.major, ".",
                       properties.minor, ": build it with CMAKE_CUDA_ARCHITECTURES=", compute_capability_,
                       ", or nvcc -arch=sm_", compute_capability_});
  }
  cuda::check(status, "Cuda: the GPU cannot be used");
  const int needed = options_.math == Math::tf32 || options_.math == Math::bf16 ? 80 : least_capability;
  if (compute_capability_ < needed) {
    throw DeviceError(ErrorCode::device_unavailable,
                      {"Cuda: math = ", to_string(options_.math), " needs compute capability ", needed / 10, ".",
                       needed % 10, ", ", name_, " has ", properties.major, ".", properties.minor,
                       ": ask for Math::fp32 or Math::fp16, or use a newer GPU"});
  }
  // Code for an older GPU runs on a newer one, but has no instructions that the older one lacks.
  if (attributes.ptxVersion < needed) {
    throw DeviceError(ErrorCode::device_unavailable,
                      {"Cuda: math = ", to_string(options_.math), " needs code for compute capability ", needed / 10,
                       ".", needed % 10, ", and minitrain::cuda was compiled for ", attributes.ptxVersion / 10, ".",
                       attributes.ptxVersion % 10, ": build it with CMAKE_CUDA_ARCHITECTURES=", compute_capability_,
                       ", or nvcc -arch=sm_", compute_capability_});
  }
  try {
    cuda::check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "Cuda: a stream");
    for (Staging& slot : staging_) {
      cuda::check(cudaEventCreateWithFlags(&slot.copied, cudaEventDisableTiming), "Cuda: an event");
    }
  } catch (...) {
    release();
    throw;
  }
}

Cuda::Context::~Context() { release(); }

void Cuda::Context::release() noexcept {
  // Errors have nowhere to go: what can be given back is.
  const cuda::QuietScope current(options_.index, this);
  if (stream_ != nullptr) static_cast<void>(cudaStreamSynchronize(stream_));
  gemm_choices_.reset();
  for (Piece& piece : scratch_) {
    if (piece.data != nullptr) static_cast<void>(cudaFreeAsync(piece.data, stream_));
  }
  for (Staging& slot : staging_) {
    if (slot.pinned != nullptr) static_cast<void>(cudaFreeHost(slot.pinned));
    if (slot.copied != nullptr) static_cast<void>(cudaEventDestroy(slot.copied));
  }
  if (stream_ != nullptr) static_cast<void>(cudaStreamDestroy(stream_));
}

std::size_t Cuda::Context::available() {
  const Current current(options_.index, this);
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "memory of the GPU");
  cudaMemPool_t pool = nullptr;
  std::uint64_t reserved = 0, used = 0;  // what was freed the pool may keep: taken from the GPU, and free for us
  check(cudaDeviceGetDefaultMemPool(&pool, options_.index), "memory pool of the GPU");
  check(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &reserved), "memory pool of the GPU");
  check(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used), "memory pool of the GPU");
  free =
      std::min<std::size_t>(free + (reserved - std::min(reserved, used)), total - std::min<std::size_t>(total, used));
  if (options_.memory_limit != 0) {
    free = std::min(free, options_.memory_limit - std::min(options_.memory_limit, allocated_));
  }
  return free;
}

void* Cuda::Context::raw_allocate(std::size_t bytes) {
  const Current current(options_.index, this);
  void* p = nullptr;
  cudaError_t status = cudaErrorMemoryAllocation;
  if (options_.memory_limit == 0 || bytes <= options_.memory_limit - std::min(options_.memory_limit, allocated_)) {
    status = cudaMallocAsync(&p, bytes, stream_);
  }
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());  // reported here; the device stays usable
    throw DeviceError(ErrorCode::out_of_memory,
                      {"Cuda: no memory for ", counted("", bytes), " on ", name_, ": ", counted("free ", available()),
                       ", held by this device ", allocated_,
                       options_.memory_limit == 0 ? "" : joined({", memory_limit ", options_.memory_limit}).c_str(),
                       ": use a smaller micro_batch_size, model or data set",
                       options_.memory_limit == 0 ? "" : ", or a higher limit"});
  }
  check(status, "Cuda: allocation");
  allocated_ += bytes;
  peak_ = std::max(peak_, allocated_);
  return p;
}

void Cuda::Context::refuse_in_capture() const {
  if (replay_ == nullptr) return;
  throw DeviceError(ErrorCode::unsupported, "Cuda: memory is wanted in a step that is being captured");
}

void* Cuda::Context::allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  refuse_in_capture();
  const Current current(options_.index, this);
  void* const p = raw_allocate(bytes);
  const cudaError_t status = cudaMemsetAsync(p, 0, bytes, stream_);
  if (status != cudaSuccess) {
    deallocate(p, bytes);
    check(status, "Cuda: fill with zero");
  }
  return p;
}

void Cuda::Context::deallocate(void* p, std::size_t bytes) noexcept {
  if (p == nullptr) return;
  const cuda::QuietScope current(options_.index, this);
  static_cast<void>(cudaFreeAsync(p, stream_));
  allocated_ -= bytes;
}

void* Cuda::Context::grow(Piece& piece, std::size_t bytes) {
  if (bytes <= piece.bytes) return piece.data;
  refuse_in_capture();
  deallocate(std::exchange(piece.data, nullptr), std::exchange(piece.bytes, 0));
  if (&piece != &scratch_[between_steps]) ++scratch_moves_;
  piece.data = raw_allocate(bytes);
  piece.bytes = bytes;
  return piece.data;
}

void Cuda::Context::begin_capture(const cuda::StepState* state) {
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "capture of a step");
  replay_ = state;
  captured_ = {};
}

cudaGraph_t Cuda::Context::end_capture() noexcept {
  replay_ = nullptr;
  cudaGraph_t graph = nullptr;
  if (cudaStreamEndCapture(stream_, &graph) == cudaSuccess) return graph;
  static_cast<void>(cudaGetLastError());  // what failed is not known here; it fails again where it is not captured
  return nullptr;
}

void Cuda::Context::synchronize() {
  const Current current(options_.index, this);
  check(cudaStreamSynchronize(stream_), "Cuda: the work queued before");
  log_.finished();
}

Cuda::Cuda(const CudaOptions& options) : context_(std::make_shared<Context>(options)) {}
int Cuda::index() const noexcept { return context_->index(); }
const std::string& Cuda::name() const noexcept { return context_->name(); }
Math Cuda::math() const noexcept { return context_->math(); }
bool Cuda::exact() const noexcept { return context_->exact(); }
void* Cuda::allocate(std::size_t bytes) const { return context_->allocate(bytes); }
std::size_t Cuda::allocated_bytes() const noexcept { return context_->allocated(); }
std::size_t Cuda::peak_allocated_bytes() const noexcept { return context_->peak(); }
void* Cuda::stream() const noexcept { return context_->stream().handle; }
void Cuda::synchronize() const { context_->synchronize(); }
void Cuda::Memory::deallocate(void* p, std::size_t bytes) const noexcept {
  if (context_ != nullptr) context_->deallocate(p, bytes);
}

Cuda::Scope Cuda::arithmetic_scope() const { return Scope(index(), context_.get()); }
Cuda::Scope::Scope(int index, Context* context) : before_(pushed), index_(index) {
  if (context != nullptr) {
    context->refuse_if_failed();
    const CUcontext primary = context->primary();
    if (primary != nullptr && cuda::context_calls().push(primary) == CUDA_SUCCESS) return;
  }
  const auto check = [context](cudaError_t status, const char* what) {
    context != nullptr ? context->check(status, what) : cuda::check(status, what);
  };
  check(cudaGetDevice(&before_), "cudaGetDevice");
  if (before_ != index_) check(cudaSetDevice(index_), "cudaSetDevice");
}
Cuda::Scope::~Scope() {
  if (before_ == pushed) {
    CUcontext popped = nullptr;
    static_cast<void>(cuda::context_calls().pop(&popped));
  } else if (before_ != index_) {
    static_cast<void>(cudaSetDevice(before_));
  }
}

std::string describe_device(const Cuda& device) {
  const int capability = device.context()->compute_capability();
  return joined({"CUDA, ", device.name(), " (device ", device.index(), ", compute capability ", capability / 10, ".",
                 capability % 10, "), products in ", to_string(device.math()),
                 device.exact() ? "" : ", cuBLASLt allowed"});
}

bool all_finite(const Cuda& device, const View<const float, Cuda>& x) {
  const Current current(device.index(), device.context().get());
  int* const found = device.context()->scratch<int>(0, 1);
  cuda::fill_zero(device, found, sizeof(int));
  if (!x.empty()) {
    cuda::launch(find_non_finite_kernel, dim3(cuda::blocks_for(x.size(), 256, 4096)), dim3(256), 0,
                 cuda::stream_of(device), x.data(), x.size(), found);
  }
  int answer = 0;
  cuda::copy_to_host(device, found, &answer, sizeof answer);
  return answer == 0;
}

std::size_t free_bytes(const Cuda& device) {
  device.synchronize();  // what has been freed is free when the stream has come to it
  return device.context()->available();
}

std::size_t split_granule(const Cuda& device) {
  if (!device.exact()) return 0;
  return device.math() == Math::fp32 ? 1 : device.math() == Math::tf32 ? 8 : 16;
}

std::size_t choose_micro_batch(const Cuda& device, std::size_t batch_size, std::size_t bytes_per_sample, std::size_t) {
  const std::size_t most = device.context()->available() / 4 / std::max<std::size_t>(bytes_per_sample, 1);
  const std::size_t granule = std::max<std::size_t>(split_granule(device), 1);
  if (most >= batch_size || most < granule) return std::clamp<std::size_t>(most, 1, batch_size);
  return most - most % granule;
}

}  // namespace minitrain::inline MINITRAIN_ABI

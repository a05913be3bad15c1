// row_stream.  Rows of a table in host memory, copied beside the computation. No kernel.
#include "context.cuh"

#include <minitrain/cuda/row_stream.hpp>

#include <cstring>

namespace minitrain::inline MINITRAIN_ABI {

struct Cuda::RowStream::State {
  struct Slot {
    std::size_t bytes = 0;
    void* pinned = nullptr;
    Tensor<unsigned char, Cuda> memory;  // on the GPU
    cudaEvent_t copied = nullptr;        // to the GPU
    cudaEvent_t used = nullptr;          // by what was queued before the next batch was staged
    bool in_flight = false;
  };

  explicit State(const Cuda& device_) : device(device_) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    // Errors have nowhere to go. What was staged may still be on its way.
    const cuda::QuietScope scope(device);
    if (copies != nullptr) static_cast<void>(cudaStreamSynchronize(copies));
    for (Slot& slot : slots) {
      if (slot.pinned != nullptr) static_cast<void>(cudaFreeHost(slot.pinned));
      if (slot.copied != nullptr) static_cast<void>(cudaEventDestroy(slot.copied));
      if (slot.used != nullptr) static_cast<void>(cudaEventDestroy(slot.used));
    }
    if (copies != nullptr) static_cast<void>(cudaStreamDestroy(copies));
  }

  void create() {
    device.context()->check(cudaStreamCreateWithFlags(&copies, cudaStreamNonBlocking), "a stream of copies");
    for (Slot& slot : slots) {
      device.context()->check(cudaEventCreateWithFlags(&slot.copied, cudaEventDisableTiming), "an event");
      device.context()->check(cudaEventCreateWithFlags(&slot.used, cudaEventDisableTiming), "an event");
    }
  }

  void grow(Slot& slot, std::size_t bytes) {
    if (bytes <= slot.bytes) return;
    if (slot.pinned != nullptr)
      device.context()->check(cudaFreeHost(std::exchange(slot.pinned, nullptr)), "pinned memory");
    slot.bytes = 0;
    slot.memory = {};
    slot.memory = Tensor<unsigned char, Cuda>(device, Shape{bytes});
    device.context()->check(cudaMallocHost(&slot.pinned, bytes), "pinned memory");
    slot.bytes = bytes;
  }

  Cuda device;
  cudaStream_t copies = nullptr;
  Slot slots[2];
  std::size_t turn = 0;
};

Cuda::RowStream::RowStream(const Cuda& device) : state_(std::make_unique<State>(device)) {
  const auto scope = device.arithmetic_scope();
  state_->create();
}
Cuda::RowStream::RowStream(RowStream&&) noexcept = default;
Cuda::RowStream& Cuda::RowStream::operator=(RowStream&&) noexcept = default;
Cuda::RowStream::~RowStream() = default;

const void* Cuda::RowStream::stage_bytes(const Cuda& device, const void* table, std::size_t row_bytes,
                                         std::span<const std::uint64_t> rows) {
  const auto scope = device.arithmetic_scope();
  const cudaStream_t stream = cuda::stream_of(device);
  State::Slot& last = state_->slots[state_->turn++ % 2];
  State::Slot& slot = state_->slots[state_->turn % 2];
  device.context()->check(cudaEventRecord(last.used, stream), "rows on their way");
  if (slot.in_flight) device.context()->check(cudaEventSynchronize(slot.copied), "rows on their way");
  slot.in_flight = false;
  const std::size_t bytes = rows.size() * row_bytes;
  if (bytes > slot.bytes) {
    state_->grow(slot, bytes);
    device.context()->check(cudaEventRecord(slot.used, stream),
                            "rows on their way");  // the memory is there from here on
  }
  if (bytes == 0) return slot.memory.data();
  auto* to = static_cast<unsigned char*>(slot.pinned);
  for (const std::uint64_t row : rows) {
    std::memcpy(to, static_cast<const unsigned char*>(table) + row * row_bytes, row_bytes);
    to += row_bytes;
  }
  device.context()->check(cudaStreamWaitEvent(state_->copies, slot.used), "rows on their way");
  device.context()->copy_to_gpu(slot.pinned, slot.memory.data(), bytes, state_->copies, "copy of rows to the GPU");
  device.context()->check(cudaEventRecord(slot.copied, state_->copies), "rows on their way");
  slot.in_flight = true;
  device.context()->check(cudaStreamWaitEvent(stream, slot.copied), "rows on their way");
  return slot.memory.data();
}

bool keeps_resident(const Cuda& device, std::size_t bytes) {
  return Cuda::RowStream::keeps_resident(bytes, device.context()->available());
}

}  // namespace minitrain::inline MINITRAIN_ABI

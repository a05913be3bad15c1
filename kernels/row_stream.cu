// row_stream.  Rows of a table in host memory, copied beside the computation. No kernel.
#include "context.cuh"

#include <minitrain/cuda/row_stream.hpp>

#include <cstring>

namespace minitrain::inline MINITRAIN_ABI {

struct Cuda::RowStream::State {
  struct Slot {
    void* pinned = nullptr;  // for rows that are collected here
    std::size_t pinned_bytes = 0;
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

  /// Waits until what was copied through a slot has left the host's memory.
  void wait_for(Slot& slot) {
    if (slot.in_flight) device.context()->check(cudaEventSynchronize(slot.copied), "rows on their way");
    slot.in_flight = false;
  }

  /// The slot whose turn it is, with room for `bytes`, on the host too if asked.
  Slot& turn_to(std::size_t bytes, bool pinned) {
    Slot& last = slots[turn++ % 2];
    Slot& slot = slots[turn % 2];
    device.context()->check(cudaEventRecord(last.used, cuda::stream_of(device)), "rows on their way");
    wait_for(slot);
    if (pinned && bytes > slot.pinned_bytes) {
      if (slot.pinned != nullptr)
        device.context()->check(cudaFreeHost(std::exchange(slot.pinned, nullptr)), "pinned memory");
      slot.pinned_bytes = 0;
      device.context()->check(cudaMallocHost(&slot.pinned, bytes), "pinned memory");
      slot.pinned_bytes = bytes;
    }
    if (bytes > slot.memory.size()) {
      slot.memory = {};
      slot.memory = Tensor<unsigned char, Cuda>(device, Shape{bytes});
      // The memory is there from here on.
      device.context()->check(cudaEventRecord(slot.used, cuda::stream_of(device)), "rows on their way");
    }
    return slot;
  }

  /// Copies to a slot, beside what is queued; what is queued from here on finds it there.
  const void* copy(Slot& slot, const void* pinned, std::size_t bytes) {
    if (bytes == 0) return slot.memory.data();
    device.context()->check(cudaStreamWaitEvent(copies, slot.used), "rows on their way");
    device.context()->copy_to_gpu(pinned, slot.memory.data(), bytes, copies, "copy of rows to the GPU");
    device.context()->check(cudaEventRecord(slot.copied, copies), "rows on their way");
    slot.in_flight = true;
    device.context()->check(cudaStreamWaitEvent(cuda::stream_of(device), slot.copied), "rows on their way");
    return slot.memory.data();
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
  const std::size_t bytes = rows.size() * row_bytes;
  State::Slot& slot = state_->turn_to(bytes, true);
  auto* to = static_cast<unsigned char*>(slot.pinned);
  for (const std::uint64_t row : rows) {
    std::memcpy(to, static_cast<const unsigned char*>(table) + row * row_bytes, row_bytes);
    to += row_bytes;
  }
  return state_->copy(slot, slot.pinned, bytes);
}

const void* Cuda::RowStream::stage_pinned(const Cuda& device, const void* pinned, std::size_t bytes) {
  const auto scope = device.arithmetic_scope();
  return state_->copy(state_->turn_to(bytes, false), pinned, bytes);
}

void Cuda::RowStream::wait() {
  const auto scope = state_->device.arithmetic_scope();
  state_->wait_for(state_->slots[state_->turn % 2]);
}

Cuda::PinnedMemory::PinnedMemory(const Cuda& device, std::size_t bytes) : context_(device.context()) {
  const auto scope = device.arithmetic_scope();
  if (bytes > 0) context_->check(cudaMallocHost(&data_, bytes), "pinned memory");
}
Cuda::PinnedMemory::PinnedMemory(PinnedMemory&& other) noexcept
    : context_(std::move(other.context_)), data_(std::exchange(other.data_, nullptr)) {}
Cuda::PinnedMemory& Cuda::PinnedMemory::operator=(PinnedMemory&& other) noexcept {
  std::swap(context_, other.context_);
  std::swap(data_, other.data_);
  return *this;
}
Cuda::PinnedMemory::~PinnedMemory() {
  if (data_ == nullptr) return;
  const cuda::QuietScope scope(context_->index(), context_.get());
  static_cast<void>(cudaFreeHost(data_));
}

bool keeps_resident(const Cuda& device, std::size_t bytes) {
  return Cuda::RowStream::keeps_resident(bytes, device.context()->available());
}

}  // namespace minitrain::inline MINITRAIN_ABI

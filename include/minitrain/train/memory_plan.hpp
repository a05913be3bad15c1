#pragma once
// MemoryPlan: what a trainer wants of a device's memory, owner by owner; said when there is not enough of it.

#include <minitrain/core/error.hpp>
#include <minitrain/data/dataset.hpp>

#include <algorithm>
#include <cstddef>
#include <string>

namespace minitrain::inline MINITRAIN_ABI {

/// In bytes, where nothing else is said.
struct MemoryPlan {
  std::size_t slab = 0;        // parameters; as much again for gradient sums and for each of `moments`
  std::size_t moments = 0;     // slabs of the optimizer
  std::size_t per_sample = 0;  // buffers for each sample of a micro-batch; 0: not known yet
  std::size_t rows = 0;        // samples of a micro-batch
  std::size_t data_set = 0;    // the copy on the device
  bool held = false;           // a trainer has slabs and buffers already

  std::size_t fixed() const noexcept { return (2 + moments) * slab + data_set; }
  std::size_t buffers() const noexcept { return rows * per_sample; }
  /// The largest micro-batch for which `free` bytes are enough, at most `rows`; 0: none is.
  std::size_t largest_micro_batch(std::size_t free) const noexcept {
    constexpr std::size_t margin = 128 * 1024;  // alignment, the queue of steps, and what else is small
    if (held) free += fixed() - data_set + buffers();
    if (per_sample == 0 || free < fixed() + margin) return 0;
    return std::min(rows, (free - fixed() - margin) / per_sample);
  }
};

/// Bytes of a data set on a device: of a copy of it, or 0 where it comes batch by batch.
template <class Device>
std::size_t data_set_bytes(const Device& device, const Dataset& data) {
  if (!data.in_memory()) return 0;
  const std::size_t bytes = data.bytes();
  if constexpr (requires { keeps_resident(device, bytes); }) {
    if (!keeps_resident(device, bytes)) return 0;
  }
  return bytes;
}

/// Throws `cause` again, an out_of_memory, with the plan, and with what would fit where the device can tell how much is
/// free.
template <class Device>
[[noreturn]] void throw_with_plan(const DeviceError& cause, const Device& device, const MemoryPlan& plan) {
  std::string text = joined({cause.what(), "; planned bytes: parameters ", plan.slab, ", gradient sums ", plan.slab,
                             ", optimizer moments ", plan.moments * plan.slab});
  if (plan.per_sample != 0) text += joined({", buffers ", plan.buffers(), " for micro-batches of ", plan.rows});
  if (plan.data_set != 0) text += joined({", data set ", plan.data_set});
  if constexpr (requires { free_bytes(device); }) {
    const std::size_t free = free_bytes(device);
    const std::size_t rows = plan.largest_micro_batch(free);
    text += joined({"; now free ", free});
    if (rows != 0) {
      text += joined({": a micro_batch_size of ", rows, " fits"});
    } else if (plan.per_sample != 0) {
      text += ": no micro-batch fits beside the rest";
    }
  }
  throw DeviceError(ErrorCode::out_of_memory, text);
}

/// f(), whose out_of_memory is thrown again with the plan. What f() had allocated is given back by then.
template <class Device, class F>
decltype(auto) with_memory_plan(const Device& device, const MemoryPlan& plan, F&& f) {
  try {
    return f();
  } catch (const DeviceError& error) {
    if (error.code() != ErrorCode::out_of_memory) throw;
    throw_with_plan(error, device, plan);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI

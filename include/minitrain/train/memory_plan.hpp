#pragma once
// MemoryPlan: what a trainer wants of a device's memory, owner by owner; asked for before a run, and said when there is
// not enough of it.

#include <minitrain/core/error.hpp>
#include <minitrain/data/host_slot.hpp>
#include <minitrain/data/row_order.hpp>
#include <minitrain/data/size.hpp>
#include <minitrain/data/slot_layout.hpp>
#include <minitrain/nn/network.hpp>
#include <minitrain/train/options.hpp>
#include <minitrain/train/queued_steps.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

namespace minitrain::inline MINITRAIN_ABI {

/// In bytes, where nothing else is said.
struct MemoryPlan {
  std::size_t parameters = 0;
  std::size_t gradients = 0;  // their sums
  std::size_t moments = 0;    // of the optimizer
  std::size_t other = 0;      // padding of the buffers, totals, class weights, the queue of steps
  std::size_t data_set = 0;   // where the device keeps it, with its order, or what it is read into
  // For each sample of a micro-batch:
  std::size_t activations = 0;  // outputs, what layers keep, and the gradients on the way back
  std::size_t batch = 0;        // features and answers, gathered, and on a CPU the rows that they are
  std::size_t staging = 0;      // the same on their way to a device that does not keep the data set
  std::size_t working = 0;      // of the loss, on a GPU

  std::size_t batch_size = 0;            // samples of one optimizer step
  std::size_t micro_batch = 0;           // samples in flight at a time, as the trainer takes them
  std::optional<std::size_t> free = {};  // when it was planned; nothing: the device cannot tell, and there is no limit
  bool held = false;                     // a trainer has parameters, gradients, moments and activations already
  std::uint64_t slots = 0;               // of an epoch, of data that is read while it is used
  bool resident = true;                  // the device has the data set; false: it is read or copied while it is used

  std::size_t fixed() const noexcept { return parameters + gradients + moments + other + data_set; }
  std::size_t per_sample() const noexcept { return activations + batch + staging + working; }
  std::size_t buffers() const noexcept { return micro_batch * per_sample(); }
  std::size_t total() const noexcept { return fixed() + buffers(); }
  /// What a trainer has from its construction on.
  std::size_t trainer() const noexcept { return parameters + gradients + moments + micro_batch * activations; }
  /// Micro-batches of one optimizer step.
  std::size_t accumulations() const noexcept { return steps_of(micro_batch); }
  /// The largest micro-batch that fits into `bytes`, of which 5 % are left alone, and at most a batch; 0: none fits.
  std::size_t largest_micro_batch(std::size_t bytes) const noexcept {
    if (held) bytes += trainer();
    bytes -= bytes / 20;
    if (per_sample() == 0 || bytes < fixed()) return 0;
    return std::min(batch_size, (bytes - fixed()) / per_sample());
  }
  /// The same for the memory that is free, a batch where nobody knows, and the micro-batches that make a batch then.
  std::size_t largest_micro_batch() const noexcept { return free ? largest_micro_batch(*free) : batch_size; }
  std::size_t least_accumulations() const noexcept { return steps_of(largest_micro_batch()); }

 private:
  std::size_t steps_of(std::size_t rows) const noexcept { return rows == 0 ? 0 : (batch_size + rows - 1) / rows; }
};

/// What a trainer of a network takes, before it takes anything; the one formula of all that plan. The micro-batch is
/// the one asked for, or the device's choice: no more than what fits, where it is known how much is free: by the
/// device, or by a `limit` that is not 0.
template <class T, class Device>
MemoryPlan plan_trainer(const Device& device, const NetworkSize& network, std::size_t moment_bytes, bool labels,
                        std::size_t class_weights, const TrainerOptions& options, std::size_t limit = 0) {
  const std::size_t slab = network.slab * sizeof(T);
  MemoryPlan plan{
      .parameters = slab,
      .gradients = slab,
      .moments = moment_bytes,
      .other = (network.padding + class_weights) * sizeof(T) +
               (4 + 3 + (options.noise_scale_every != 0 ? 2 : 0)) * sizeof(double),
      .activations = network.per_sample * sizeof(T),
      .batch = network.inputs * sizeof(T) + (labels ? sizeof(std::int32_t) : network.outputs * sizeof(T)),
      .batch_size = options.batch_size,
      .micro_batch = std::min(options.micro_batch_size, options.batch_size),
  };
  if constexpr (!KeepsRowOrder<Device>) plan.batch += HostRowOrder::bytes_per_position();
  if constexpr (QueuesSteps<Device>) {
    plan.other += Device::StepQueue::state_bytes;
    plan.working = 3 * sizeof(float);
  }
  if constexpr (requires { free_bytes(device); }) plan.free = free_bytes(device);
  if (limit != 0) plan.free = std::min(limit, plan.free.value_or(limit));
  if (options.micro_batch_size != automatic) return plan;
  const std::size_t chosen = choose_micro_batch(device, options.batch_size, plan.activations, slab);
  const std::size_t most = std::min(chosen, std::max<std::size_t>(plan.largest_micro_batch(), 1));
  const std::size_t granule = std::max<std::size_t>(split_granule(device), 1);
  plan.micro_batch = most == options.batch_size || most < granule ? most : most - most % granule;
  return plan;
}

/// Adds a data set: kept on the device, and shuffled with an order as well; copied batch by batch; or read while it is
/// used, into slots, of which a device with memory of its own has two copies. Batches are views of those.
template <class T, class Device>
void plan_data([[maybe_unused]] const Device& device, const DataSize& data, [[maybe_unused]] bool shuffle,
               const LoadingOptions& loading, MemoryPlan& plan) {
  constexpr bool keeps = KeepsRowOrder<Device>;
  const bool at_once = keeps && data.may_be_read_at_once(loading);
  plan.data_set = static_cast<std::size_t>(at_once ? data.samples_bytes() : data.memory_bytes());
  bool read = data.in_memory ? loading.workers.value_or(0) > 0 : !at_once;
  if constexpr (keeps) {
    const auto place = static_cast<std::size_t>(data.samples) * sizeof(std::uint64_t);
    std::size_t free = plan.free.value_or(0);
    if (!plan.held) free -= std::min(free, plan.trainer());
    plan.resident = !read && Device::RowStream::keeps_resident(plan.data_set + 2 * place, free);
    read = read || (at_once && !plan.resident);
    plan.staging = plan.resident || read ? 0 : 2 * static_cast<std::size_t>(data.row_bytes());
    const bool listed = data.subset && data.in_memory;
    plan.data_set = !plan.resident ? 0 : plan.data_set + (listed ? place : 0) + (shuffle ? place : 0);
  }
  if (!read) return;
  const SlotLayout layout(data.samples, plan.batch_size, plan.micro_batch, data.row_bytes(),
                          loading.first_workers() > 0);
  const std::size_t slot = HostSlot<Device>::bytes(data.shape, layout.capacity());
  plan.resident = false;
  plan.batch = 0;
  plan.slots = layout.slots();
  plan.data_set += std::is_same_v<Device, Cpu> ? loading.slots(slot) * slot : 2 * slot;
  if constexpr (!std::is_same_v<T, float>)
    plan.data_set += layout.capacity() * data.row_bytes() / sizeof(float) * sizeof(T);
}

/// Throws `cause` again, an out_of_memory, with the plan, and with what would fit where the device can tell how much is
/// free.
template <class Device>
[[noreturn]] void throw_with_plan(const DeviceError& cause, const Device& device, const MemoryPlan& plan) {
  std::string text = joined({cause.what(), "; planned bytes: parameters ", plan.parameters, ", gradient sums ",
                             plan.gradients, ", optimizer moments ", plan.moments, ", buffers ", plan.buffers(),
                             " for micro-batches of ", plan.micro_batch});
  if (plan.data_set != 0) text += joined({", data set ", plan.data_set});
  if constexpr (requires { free_bytes(device); }) {
    const std::size_t free = free_bytes(device);
    const std::size_t rows = std::min(plan.micro_batch, plan.largest_micro_batch(free));
    text += joined({"; now free ", free});
    text += rows != 0 ? joined({": a micro_batch_size of ", rows, " fits"}) : ": no micro-batch fits beside the rest";
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

#pragma once
// The loaders of a trainer: for training, and for looking at a data set from front to back.

#include <minitrain/data/loader.hpp>
#include <minitrain/train/make_accumulator.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// When the device's memory is too small for the data set, the plan says by how much.
template <class T, class Device>
DataLoader<T, Device> planned_loader(const Device& device, const Accumulator<T, Device>& core,
                                     const TrainerOptions& options, const Dataset& data,
                                     const DataLoaderOptions& loading) {
  return with_memory_plan(device, memory_plan(device, core, data, options, loading.shuffle),
                          [&] { return DataLoader<T, Device>(data, loading, device); });
}

template <class T, class Device>
DataLoader<T, Device> training_loader(const Device& device, const Accumulator<T, Device>& core,
                                      const TrainerOptions& options, const Dataset& data, std::size_t batch_size) {
  return planned_loader(device, core, options, data,
                        {.batch_size = batch_size,
                         .shuffle = options.shuffle,
                         .seed = options.seed,
                         .micro_batch_size = core.network().capacity(),
                         .loading = options.loading});
}

template <class T, class Device>
DataLoader<T, Device> whole_loader(const Device& device, const Accumulator<T, Device>& core,
                                   const TrainerOptions& options, const Dataset& data) {
  return planned_loader(device, core, options, data,
                        {.batch_size = core.network().capacity(), .loading = options.loading});
}

}  // namespace minitrain::inline MINITRAIN_ABI

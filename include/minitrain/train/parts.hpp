#pragma once
// for_each_part: a batch of any size, as parts that fit the buffers.

#include <minitrain/data/batch.hpp>

#include <algorithm>

namespace minitrain::inline MINITRAIN_ABI {

/// Calls f with the batch, or with one part of it after the other, each of at most `capacity` samples.
template <class T, class Device, class F>
void for_each_part(const Batch<T, Device>& batch, std::size_t capacity, F&& f) {
  const std::size_t rows = batch.size();
  if (rows <= capacity) {
    if (rows > 0) f(batch);
    return;
  }
  for (std::size_t first = 0; first < rows; first += capacity) {
    const std::size_t count = std::min(capacity, rows - first);
    Batch<T, Device> part;
    part.features = batch.features.rows(first, count);
    if (!batch.targets.empty()) part.targets = batch.targets.rows(first, count);
    if (!batch.labels.empty()) part.labels = {batch.labels.data() + first, Shape{count}};
    f(part);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI

// order.  order[i] = storage[p(i)] for all positions i of an epoch, p the Permutation of core/permutation.hpp: the same
// integers in the same operations. 16 bytes per position and about 60 integer operations: bound by both alike, a few
// microseconds per million once an epoch.
#include "context.cuh"

#include <minitrain/cuda/row_order.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

constexpr std::size_t most_rounds = 18;

template <class Word>
struct Rounds {
  Permutation::Round<Word> round[most_rounds];
  std::size_t count;
};

/// As Permutation::Round does it on the host.
template <class Word>
__device__ inline Word moved_on(const Permutation::Round<Word>& round, Word moved, Word fixed) {
  constexpr int half = sizeof(Word) * 4;
  Word hash = fixed * round.multiply + round.add;
  hash = (hash ^ (hash >> (half - 1))) * static_cast<Word>(0x9E3779B97F4A7C15u);
  moved += ((hash >> half) * round.side) >> half;
  const Word around = moved - round.side;
  return moved < around ? moved : around;
}

template <class Word>
__global__ void __launch_bounds__(256)
    order_kernel(const Rounds<Word> rounds, Word columns, Word n, const std::uint64_t* storage, std::uint64_t* order) {
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t at = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; at < n; at += step) {
    Word i = static_cast<Word>(at);
    do {  // cells behind the last one go through again
      Word l = i / columns, r = i % columns;
      for (std::size_t k = 0; k < rounds.count; k += 2) {
        l = moved_on(rounds.round[k], l, r);
        r = moved_on(rounds.round[k + 1], r, l);
      }
      i = l * columns + r;
    } while (i >= n);
    order[at] = storage != nullptr ? storage[i] : i;
  }
}

template <class Word>
void launch_order(const Cuda& device, const Permutation& p, const std::uint64_t* storage, std::uint64_t* order) {
  Rounds<Word> rounds{};
  rounds.count = p.rounds();
  for (std::size_t k = 0; k < rounds.count; ++k) rounds.round[k] = p.round<Word>(k);
  const auto scope = device.arithmetic_scope();
  cuda::launch(order_kernel<Word>, dim3(cuda::blocks_for(p.size(), 256, 65536)), dim3(256), 0, cuda::stream_of(device),
               rounds, static_cast<Word>(p.columns()), static_cast<Word>(p.size()), storage, order);
}

}  // namespace

Cuda::RowOrder::RowOrder(const Cuda& device, std::size_t samples, std::span<const std::uint64_t> rows, bool shuffles)
    : storage_(device, Shape{rows.size()}), order_(device, Shape{shuffles ? samples : 0}) {
  cuda::copy_from_host(device, rows.data(), storage_.data(), rows.size_bytes());
}

void Cuda::RowOrder::fill(const Cuda& device, const std::optional<Permutation>& permutation) {
  if (!permutation) return;
  const std::uint64_t* const storage = storage_.empty() ? nullptr : storage_.data();
  if (permutation->is_small()) {
    launch_order<std::uint32_t>(device, *permutation, storage, order_.data());
  } else {
    launch_order<std::uint64_t>(device, *permutation, storage, order_.data());
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI

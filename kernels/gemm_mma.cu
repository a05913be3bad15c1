// The matrix product on tensor cores: which tile.
#include "gemm_mma.cuh"

namespace minitrain::inline MINITRAIN_ABI::cuda {
namespace {

/// The largest tile that still gives every multiprocessor a block; the bits are those of any other.
template <Math math, Product product>
void run_mma(const Cuda& device, const GemmArguments& g) {
  using Large = MmaTile<128, 128, 64, 32>;
  using Middle = MmaTile<64, 64, 32, 32>;
  using Small = MmaTile<32, 32, 16, 16>;
  const auto enough = static_cast<std::size_t>(device.context()->multiprocessors());
  if (tiles_of(g, 128, 128) >= enough) {
    launch_tiles<Large, product>(device, gemm_mma_kernel<math, Large, product>, g);
  } else if (tiles_of(g, 64, 64) >= enough) {
    launch_tiles<Middle, product>(device, gemm_mma_kernel<math, Middle, product>, g);
  } else {
    launch_tiles<Small, product>(device, gemm_mma_kernel<math, Small, product>, g);
  }
}

template <Math math>
void run_mma(const Cuda& device, Product product, const GemmArguments& g) {
  if (product == Product::forward) return run_mma<math, Product::forward>(device, g);
  if (product == Product::input) return run_mma<math, Product::input>(device, g);
  run_mma<math, Product::weights>(device, g);
}

}  // namespace

void gemm_mma(const Cuda& device, Math math, Product product, const GemmArguments& g) {
  if (is_empty(g)) return;
  if (math == Math::tf32) return run_mma<Math::tf32>(device, product, g);
  if (math == Math::bf16) return run_mma<Math::bf16>(device, product, g);
  run_mma<Math::fp16>(device, product, g);
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda

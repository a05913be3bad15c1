// The matrix product in fp32: which tile.
#include "gemm.cuh"

namespace minitrain::inline MINITRAIN_ABI::cuda {
namespace {

/// The largest tile that still gives every multiprocessor a block; the bits are those of any other. Where even small
/// tiles leave some without, as for the last layer of a classifier, time is the chain over k: tiny tiles are more
/// blocks, and bring 64 steps at a time from memory.
template <Product product>
void run_fp32(const Cuda& device, const GemmArguments& g) {
  using Large = GemmTile<128, 128, 8, 8, 8>;
  using Middle = GemmTile<64, 64, 16, 4, 4>;
  using Small = GemmTile<32, 32, 16, 4, 4>;
  using Tiny = GemmTile<16, 16, 64, 2, 1>;
  const auto enough = static_cast<std::size_t>(device.context()->multiprocessors());
  if (tiles_of(g, 128, 128) >= enough) {
    launch_tiles<Large, product>(device, gemm_kernel<Large, product>, g);
  } else if (tiles_of(g, 64, 64) >= enough) {
    launch_tiles<Middle, product>(device, gemm_kernel<Middle, product>, g);
  } else if (tiles_of(g, 32, 32) >= enough) {
    launch_tiles<Small, product>(device, gemm_kernel<Small, product>, g);
  } else {
    launch_tiles<Tiny, product>(device, gemm_kernel<Tiny, product>, g);
  }
}

}  // namespace

void gemm_fp32(const Cuda& device, Product product, const GemmArguments& g) {
  if (is_empty(g)) return;
  if (product == Product::forward) return run_fp32<Product::forward>(device, g);
  if (product == Product::input) return run_fp32<Product::input>(device, g);
  run_fp32<Product::weights>(device, g);
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda

// The matrix product in fp32: which tile.
#include "gemm_chain.cuh"

#include <algorithm>

namespace minitrain::inline MINITRAIN_ABI::cuda {
namespace {

/// The largest tile that still gives three quarters of the multiprocessors a block, and is not mostly outside of C; the
/// bits are those of any other.
/// Where even small tiles do not, as for the last layer of a classifier, time is the chain over k.
template <Product product>
void run_fp32(const Cuda& device, const GemmArguments& g) {
  using Large = GemmTile<128, 128, 8, 8, 8>;
  using Middle = GemmTile<64, 64, 32, 8, 4>;
  using Small = GemmTile<32, 32, 64, 4, 2>;
  const auto enough = static_cast<std::size_t>(device.context()->multiprocessors()) * 3 / 4;
  const std::size_t narrow = std::min(g.M, g.N);
  if (narrow > 64 && tiles_of(g, 128, 128) >= enough) {
    launch_tiles<Large, product>(device, gemm_kernel<Large, product>, g);
    if (g.column_sums == nullptr) return;
    GemmArguments sums = g;  // and nothing else
    sums.M = 0;
    launch_tiles<ChainTile<8>, product>(device, gemm_chain_kernel<ChainTile<8>, product>, sums);
  } else if (narrow > 32 && tiles_of(g, 64, 64) >= enough) {
    launch_tiles<Middle, product>(device, gemm_kernel<Middle, product>, g);
  } else if (tiles_of(g, 32, 32) >= enough) {
    launch_tiles<Small, product>(device, gemm_kernel<Small, product>, g);
  } else if (tiles_of(g, 16, 16) >= enough) {
    launch_tiles<ChainTile<16>, product>(device, gemm_chain_kernel<ChainTile<16>, product>, g);
  } else {
    launch_tiles<ChainTile<8>, product>(device, gemm_chain_kernel<ChainTile<8>, product>, g);
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

// LibraryPlan: one matrix product by cuBLASLt, for one shape.
//
// The library is column-major: it computes Cᵀ[N, M] = Bᵀ·Aᵀ, which is C[M, N] in memory, so that its A is our B and a
// bias of ours, along the columns of C, is what it calls one along rows.
#pragma once
#include "gemm_arguments.cuh"

#include <cublasLt.h>

#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI::cuda {

/// Working memory that stays where it is once it has been handed out, since a captured graph may hold on to it. It
/// grows by new pieces of at least twice the size: all of them together are at most twice the largest.
class KeptMemory {
 public:
  explicit KeptMemory(Cuda::Context& context) noexcept : context_(&context) {}
  ~KeptMemory();
  KeptMemory(const KeptMemory&) = delete;
  KeptMemory& operator=(const KeptMemory&) = delete;
  /// Throws DeviceError (out_of_memory).
  void* at_least(std::size_t bytes);

 private:
  struct Piece {
    void* data;
    std::size_t bytes;
  };
  Cuda::Context* context_;
  std::vector<Piece> pieces_;
};

/// What all pointers of a product are multiples of, at most 16 bytes: cuBLASLt reads no more at a time.
std::uint32_t alignment_of(const GemmArguments& g);

/// What the plans of one device share: the library's handle and working memory.
class Library {
 public:
  /// Throws DeviceError when cuBLASLt cannot be used.
  explicit Library(Cuda::Context& context);
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  cublasLtHandle_t handle() const noexcept { return handle_; }
  /// The most that an algorithm may ask for.
  std::size_t workspace_limit() const noexcept { return workspace_limit_; }

  KeptMemory a, b;  // operands as 16-bit numbers
  KeptMemory workspace;

 private:
  cublasLtHandle_t handle_ = nullptr;
  std::size_t workspace_limit_;
};

class LibraryPlan {
 public:
  /// `fused`: bias, ReLU and bias gradient are the library's epilogue, else kernels of ours that run after it. The plan
  /// is for all pointers with the alignment_of(g). Throws DeviceError when cuBLASLt refuses what it should know.
  LibraryPlan(Library&, Math, Product, const GemmArguments& g, bool fused);

  /// Whether the library has an epilogue for what `g` asks besides the product.
  static bool can_fuse(Product, const GemmArguments& g);

  /// Ways to compute it, the library's guess at the best first; none where it knows no way.
  std::size_t algorithms() const noexcept { return algorithms_.size(); }
  bool fused() const noexcept { return epilogue_ != CUBLASLT_EPILOGUE_DEFAULT; }
  /// Queues the product on the device's stream. Throws DeviceError.
  void run(const Cuda&, const GemmArguments& g, std::size_t algorithm) const;

 private:
  template <auto destroy>
  struct Destroy {
    template <class T>
    void operator()(T* object) const noexcept {
      static_cast<void>(destroy(object));
    }
  };
  template <class Handle, auto destroy>
  using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy<destroy>>;
  using Layout = Owned<cublasLtMatrixLayout_t, &cublasLtMatrixLayoutDestroy>;

  struct Operand {  // as it is in memory, row-major
    std::size_t rows, columns, stride;
  };
  const void* converted(const Cuda&, const float* from, const Operand&, KeptMemory&) const;
  void finish(const Cuda&, const GemmArguments& g) const;

  Library* library_;
  Math math_;
  Operand a_, b_;
  cublasLtEpilogue_t epilogue_ = CUBLASLT_EPILOGUE_DEFAULT;
  Owned<cublasLtMatmulDesc_t, &cublasLtMatmulDescDestroy> about_;
  Layout a_layout_, b_layout_, c_layout_;
  struct Algorithm {
    cublasLtMatmulAlgo_t choice;
    std::size_t workspace;
  };
  std::vector<Algorithm> algorithms_;
};

}  // namespace minitrain::inline MINITRAIN_ABI::cuda

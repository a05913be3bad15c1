// Memory: what is allocated, copied, filled and refused.

#include "support.hpp"

#include <cmath>

using namespace test;
using Ints = std::vector<int>;

TEST_CASE("device memory starts as NaNs, and what was not allocated cannot be freed") {
  float* p = nullptr;
  REQUIRE(cudaMalloc(&p, 40) == cudaSuccess);
  float host[10] = {};
  CHECK(cudaMemcpy(host, p, 40, cudaMemcpyDeviceToHost) == cudaSuccess);
  for (const float x : host) CHECK(std::isnan(x));
  CHECK(cudaFree(p + 1) == cudaErrorInvalidValue);
  CHECK(cudaFree(host) == cudaErrorInvalidValue);
  CHECK(cudaFree(p) == cudaSuccess);
  CHECK(cudaFree(p) == cudaErrorInvalidValue);
  CHECK(cudaFree(nullptr) == cudaSuccess);
  CHECK(cudaMalloc(&p, 0) == cudaSuccess);
  CHECK(p == nullptr);
  static_cast<void>(cudaGetLastError());
}

TEST_CASE("a copy is refused when the pointers are not what it says") {
  const Array<int> x(Ints(32, 1)), y(32);
  Ints host(32);
  const auto copy = [](void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    const auto e = cudaMemcpyAsync(to, from, bytes, kind, nullptr);
    const auto waited = cudaDeviceSynchronize();
    static_cast<void>(cudaGetLastError());
    return waited == cudaSuccess ? e : waited;
  };
  CHECK(copy(host.data(), x.data(), 128, cudaMemcpyDeviceToHost) == cudaSuccess);
  CHECK(copy(host.data(), x.data(), 128, cudaMemcpyDefault) == cudaSuccess);
  CHECK(copy(x.data(), host.data(), 128, cudaMemcpyDefault) == cudaSuccess);
  CHECK(copy(y.data(), x.data(), 128, cudaMemcpyDeviceToDevice) == cudaSuccess);
  CHECK(copy(host.data(), x.data(), 128, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(copy(x.data(), host.data(), 128, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(copy(y.data(), x.data(), 128, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(copy(host.data(), x.data(), 132, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(copy(host.data(), x.data() + 1, 128, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(copy(nullptr, x.data(), 128, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(copy(nullptr, nullptr, 0, cudaMemcpyDeviceToHost) == cudaSuccess);
  CHECK(cudaMemsetAsync(host.data(), 0, 4, nullptr) == cudaErrorInvalidValue);
  CHECK(cudaMemsetAsync(x.data(), 0, 132, nullptr) == cudaErrorInvalidValue);
  CHECK(y.get() == Ints(32, 1));
  static_cast<void>(cudaGetLastError());
}

TEST_CASE("a pageable source is staged by the call, a pinned one is read when the stream comes to it") {
  const OptionScope options(order(0, true));
  const Stream stream;
  const Array<int> x(1), y(1);
  int pageable = 1;
  const Pinned<int> pinned(1);
  pinned[0] = 1;
  CHECK(cudaMemcpyAsync(x.data(), &pageable, 4, cudaMemcpyHostToDevice, stream) == cudaSuccess);
  CHECK(cudaMemcpyAsync(y.data(), pinned.data(), 4, cudaMemcpyHostToDevice, stream) == cudaSuccess);
  pageable = pinned[0] = 2;
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(x.get()[0] == 1);
  CHECK(y.get()[0] == 2);
}

TEST_CASE("pinned memory is what the runtime says it is, and kernels reach it") {
  const Pinned<int> pinned(32);
  int pageable = 0;
  const Array<int> x(Ints(32, 1));
  const auto type_of = [](const void* p) {
    cudaPointerAttributes a{};
    CHECK(cudaPointerGetAttributes(&a, p) == cudaSuccess);
    return a.type;
  };
  CHECK(type_of(pinned.data() + 31) == cudaMemoryTypeHost);
  CHECK(type_of(&pageable) == cudaMemoryTypeUnregistered);
  CHECK(type_of(x.data() + 31) == cudaMemoryTypeDevice);
  for (std::size_t i = 0; i < 32; ++i) pinned[i] = 5;
  void* on_device = nullptr;
  CHECK(cudaHostGetDevicePointer(&on_device, pinned.data(), 0) == cudaSuccess);
  cuda::launch(affine, 1, 32, 0, nullptr, static_cast<int*>(on_device), 2, 1);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  CHECK(pinned[31] == 11);
  CHECK(cudaFreeHost(&pageable) == cudaErrorInvalidValue);
  static_cast<void>(cudaGetLastError());
}

TEST_CASE("memory from the pool comes and goes in the order of its stream") {
  const OptionScope options(order(GENERATE(0, 1, 5), GENERATE(false, true)));
  const Stream stream;
  const Array<int> result(32);
  const auto before = simt::usage();
  int *p = nullptr, *q = nullptr;
  REQUIRE(cudaMallocAsync(&p, 128, stream) == cudaSuccess);
  CHECK(cudaMemsetAsync(p, 0, 128, stream) == cudaSuccess);
  cuda::launch(affine, 1, 32, 0, stream, p, 1, 4);
  CHECK(cudaMemcpyAsync(result.data(), p, 128, cudaMemcpyDeviceToDevice, stream) == cudaSuccess);
  CHECK(cudaFreeAsync(p, stream) == cudaSuccess);
  CHECK(cudaFreeAsync(p, stream) == cudaErrorInvalidValue);
  CHECK(cudaFreeAsync(result.data(), stream) == cudaErrorInvalidValue);  // not from the pool
  REQUIRE(cudaMallocAsync(&q, 128, stream) == cudaSuccess);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(cudaFree(q) == cudaSuccess);  // this way too
  CHECK(result.get() == Ints(32, 4));
  CHECK(simt::usage().device_blocks == before.device_blocks);
  CHECK(simt::usage().device_bytes == before.device_bytes);
  static_cast<void>(cudaGetLastError());
}

TEST_CASE("a copy that comes before the allocation or after the end of its memory is a fault") {
  const OptionScope options(order(0, true));
  const Stream stream, other;
  const Array<int> x(Ints(32, 1));
  int* p = nullptr;
  REQUIRE(cudaMallocAsync(&p, 128, stream) == cudaSuccess);
  CHECK(cudaMemcpyAsync(p, x.data(), 128, cudaMemcpyDeviceToDevice, other) == cudaSuccess);
  CHECK_THAT(message_of([&] { static_cast<void>(cudaStreamSynchronize(other)); }),
             test::ContainsSubstring("has not allocated yet"));
  CHECK(cudaFreeAsync(p, stream) == cudaSuccess);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);

  REQUIRE(cudaMallocAsync(&p, 128, stream) == cudaSuccess);
  CHECK(cudaFreeAsync(p, stream) == cudaSuccess);
  CHECK(cudaMemsetAsync(p, 0, 128, stream) == cudaSuccess);
  CHECK_THAT(message_of([&] { static_cast<void>(cudaStreamSynchronize(stream)); }),
             test::ContainsSubstring("has freed already"));
}

TEST_CASE("the pool counts what it holds and what it keeps") {
  const OptionScope options(order(0));
  const Stream stream;
  cudaMemPool_t pool = nullptr;
  REQUIRE(cudaDeviceGetDefaultMemPool(&pool, 0) == cudaSuccess);
  CHECK(cudaMemPoolTrimTo(pool, 0) == cudaSuccess);
  std::uint64_t threshold = ~std::uint64_t{0};
  CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold) == cudaSuccess);
  std::size_t free_before = 0, free_now = 0, total = 0;
  CHECK(cudaMemGetInfo(&free_before, &total) == cudaSuccess);
  CHECK(total == simt::faults().total_memory);
  const auto reserved = [&] {
    std::uint64_t bytes = 0;
    CHECK(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &bytes) == cudaSuccess);
    return bytes;
  };
  void* p = nullptr;
  REQUIRE(cudaMallocAsync(&p, 1000, stream) == cudaSuccess);
  CHECK(reserved() == 1000);
  CHECK(cudaFreeAsync(p, stream) == cudaSuccess);
  CHECK(reserved() == 1000);
  CHECK(cudaMemGetInfo(&free_now, &total) == cudaSuccess);
  CHECK(free_now == free_before - 1000);
  CHECK(cudaMemPoolTrimTo(pool, 0) == cudaSuccess);
  CHECK(cudaMemGetInfo(&free_now, &total) == cudaSuccess);
  CHECK(free_now == free_before);
}

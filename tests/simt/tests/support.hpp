#pragma once
// What the emulator's own tests share.

#include <simt/faults.hpp>
#include <simt/options.hpp>

#include <string>
#include <vector>

#include "../../../kernels/ptx.cuh"
#include "../../support/catch.hpp"

namespace test {

namespace cuda = minitrain::cuda;

/// An array in device memory.
template <class T>
class Array {
 public:
  explicit Array(std::size_t count) : count_(count) {
    cuda::check(cudaMalloc(&data_, count * sizeof(T)), "cudaMalloc");
  }
  explicit Array(const std::vector<T>& values) : Array(values.size()) {
    cuda::check(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() { static_cast<void>(cudaFree(data_)); }

  T* data() const { return data_; }
  std::vector<T> get() const {
    std::vector<T> values(count_);
    cuda::check(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
    return values;
  }

 private:
  T* data_ = nullptr;
  std::size_t count_;
};

/// Options for a test; its end restores those of the environment.
class OptionScope {
 public:
  explicit OptionScope(const simt::Options& wanted) { simt::options() = wanted; }
  OptionScope(const OptionScope&) = delete;
  OptionScope& operator=(const OptionScope&) = delete;
  ~OptionScope() { simt::options() = before_; }

 private:
  simt::Options before_ = simt::options();
};

/// The order of threads and of streams, at once or deferred; what else there is, as the environment has it.
inline simt::Options order(std::uint64_t seed, bool defer = false) {
  simt::Options o = simt::options();
  o.seed = seed;
  o.defer = defer;
  return o;
}

/// A stream, destroyed at the end.
class Stream {
 public:
  explicit Stream(unsigned flags = cudaStreamNonBlocking) {
    cuda::check(cudaStreamCreateWithFlags(&stream_, flags), "cudaStreamCreateWithFlags");
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { static_cast<void>(cudaStreamDestroy(stream_)); }
  operator cudaStream_t() const { return stream_; }
  operator cuda::Stream() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// An event, destroyed at the end.
class Event {
 public:
  explicit Event(unsigned flags = cudaEventDefault) {
    cuda::check(cudaEventCreateWithFlags(&event_, flags), "cudaEventCreateWithFlags");
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { static_cast<void>(cudaEventDestroy(event_)); }
  operator cudaEvent_t() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Pinned memory of the host.
template <class T>
class Pinned {
 public:
  explicit Pinned(std::size_t count) { cuda::check(cudaMallocHost(&data_, count * sizeof(T)), "cudaMallocHost"); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned() { static_cast<void>(cudaFreeHost(data_)); }
  T* data() const { return data_; }
  T& operator[](std::size_t i) const { return data_[i]; }

 private:
  T* data_ = nullptr;
};

/// x[i] = a x[i] + b: what a chain of them gives depends on their order.
__global__ inline void affine(int* x, int a, int b) { x[threadIdx.x] = a * x[threadIdx.x] + b; }
inline void launch_affine(const Array<int>& x, int a, int b, cudaStream_t stream) {
  cuda::launch(affine, 1, 32, 0, stream, x.data(), a, b);
}

/// What a failure says; empty when `f` does not fail.
template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

}  // namespace test

// Events, a copy and cuBLAS; see event_timer.hpp.
#include "event_timer.hpp"

#include "../../kernels/context.cuh"

#if defined(MINITRAIN_BENCHMARK_CUBLAS)
#include <cublas_v2.h>
#endif

#include <algorithm>
#include <vector>

namespace bench {

using minitrain::cuda::check;

struct EventTimer::Events {
  explicit Events(const minitrain::Cuda& device) : stream(device.context()->stream()) {
    check(cudaEventCreate(&begin), "an event");
    check(cudaEventCreate(&end), "an event");
  }
  ~Events() {
    static_cast<void>(cudaEventDestroy(begin));
    static_cast<void>(cudaEventDestroy(end));
  }
  cudaStream_t stream;
  cudaEvent_t begin = nullptr, end = nullptr;
};

EventTimer::EventTimer(const minitrain::Cuda& device) : events_(std::make_unique<Events>(device)) {}
EventTimer::~EventTimer() = default;

void EventTimer::start() { check(cudaEventRecord(events_->begin, events_->stream), "start of a measurement"); }

double EventTimer::stop() {
  check(cudaEventRecord(events_->end, events_->stream), "end of a measurement");
  check(cudaEventSynchronize(events_->end), "a measurement");
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, events_->begin, events_->end), "a measurement");
  return 1e-3 * static_cast<double>(milliseconds);
}

namespace {

/// Median seconds of seven calls, after one that does not count.
template <class F>
double median_seconds(const minitrain::Cuda& device, F&& f) {
  EventTimer timer(device);
  f();
  std::vector<double> times(7);
  for (double& time : times) {
    timer.start();
    f();
    time = timer.stop();
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

#if defined(MINITRAIN_BENCHMARK_CUBLAS)

void check_cublas(cublasStatus_t status) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw minitrain::DeviceError(minitrain::ErrorCode::device_unavailable, {"cuBLAS: ", cublasGetStatusString(status)});
}

double sgemm_flops(const minitrain::Cuda& device, std::size_t n) {
  const minitrain::Shape shape{n, n};
  minitrain::Tensor<float, minitrain::Cuda> a(device, shape), b(device, shape), c(device, shape);
  const float one = 1, zero = 0;
  const int size = static_cast<int>(n);
  cublasHandle_t handle = nullptr;
  check_cublas(cublasCreate(&handle));
  check_cublas(cublasSetStream(handle, device.context()->stream()));
  check_cublas(cublasSetMathMode(handle, CUBLAS_PEDANTIC_MATH));
  const double seconds = median_seconds(device, [&] {
    check_cublas(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, size, size, size, &one, a.data(), size, b.data(), size,
                             &zero, c.data(), size));
  });
  check_cublas(cublasDestroy(handle));
  return 2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n) / seconds;
}

#else

double sgemm_flops(const minitrain::Cuda&, std::size_t) { return 0; }

#endif

}  // namespace

Ceilings measure_ceilings(const minitrain::Cuda& device, std::size_t bytes, std::size_t n) {
  minitrain::Tensor<std::byte, minitrain::Cuda> from(device, minitrain::Shape{bytes}), to(device, from.shape());
  const double seconds = median_seconds(device, [&] {
    check(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, device.context()->stream()),
          "a copy");
  });
  return {2.0 * static_cast<double>(bytes) / seconds, sgemm_flops(device, n)};
}

}  // namespace bench

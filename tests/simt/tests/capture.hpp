#pragma once
// What the tests of captures and graphs share.

#include "support.hpp"

namespace test {

/// A captured graph in both forms.
struct Captured {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  explicit Captured(cudaStream_t origin) {
    cuda::check(cudaStreamEndCapture(origin, &graph), "cudaStreamEndCapture");
    cuda::check(cudaGraphInstantiate(&executable, graph), "cudaGraphInstantiate");
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  ~Captured() {
    static_cast<void>(cudaGraphExecDestroy(executable));
    static_cast<void>(cudaGraphDestroy(graph));
  }
};

inline void begin(cudaStream_t stream, cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal) {
  cuda::check(cudaStreamBeginCapture(stream, mode), "cudaStreamBeginCapture");
}

inline cudaStreamCaptureStatus status_of(cudaStream_t stream) {
  cudaStreamCaptureStatus status{};
  CHECK(cudaStreamIsCapturing(stream, &status) == cudaSuccess);
  return status;
}

/// Ends a capture that has gone wrong, and says how.
inline cudaError_t end(cudaStream_t stream) {
  cudaGraph_t graph = nullptr;
  const auto e = cudaStreamEndCapture(stream, &graph);
  CHECK(graph == nullptr);
  static_cast<void>(cudaGetLastError());
  return e;
}

}  // namespace test

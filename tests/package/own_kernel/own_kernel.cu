// An optimizer of the user's own, with a kernel for the GPU: the library's headers under nvcc, the library's kernels
// from minitrain::cuda, and the bits of the same optimizer on the CPU.
#include <minitrain/cuda.hpp>
#include <minitrain/trainer.hpp>

#include <cstdio>
#include <cstring>
#include <type_traits>

namespace mt = minitrain;

__global__ void sign_descent(float* parameters, const float* gradients, float rate, std::size_t count) {
  const std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) parameters[i] -= rate * static_cast<float>((gradients[i] > 0) - (gradients[i] < 0));
}

struct SignDescent {
  double learning_rate = 1e-2;

  void check() const {}
  static const char* name() { return "SignDescent"; }
  static std::size_t moments() { return 0; }
  static const char* moment_name(std::size_t) { return ""; }

  template <class T, class Device>
  void update(const Device& device, const mt::UpdateStep<T, Device>& step) const {
    const std::size_t count = step.parameters.size();
    const T rate = static_cast<T>(step.learning_rate);
    if constexpr (std::is_same_v<Device, mt::Cuda>) {
      // On the device's own stream, so that it comes after the backward pass, and what follows after it.
      const auto stream = static_cast<cudaStream_t>(device.stream());
      const auto blocks = static_cast<unsigned>((count + 255) / 256);
      sign_descent<<<blocks, 256, 0, stream>>>(step.parameters.data(), step.gradient_sums.data(), rate, count);
      if (const cudaError_t status = cudaGetLastError(); status != cudaSuccess) {
        throw mt::DeviceError(mt::ErrorCode::device_unavailable, {"SignDescent: ", cudaGetErrorString(status)});
      }
    } else {
      for (std::size_t i = 0; i < count; ++i) {
        const T g = step.gradient_sums[i];
        step.parameters[i] -= rate * static_cast<T>((g > 0) - (g < 0));
      }
    }
  }
};

template <class Device>
mt::Tensor<float> trained(const Device& device, const mt::Dataset& data) {
  const mt::Sequential model{mt::Dense{5, 17}, mt::Tanh{}, mt::Dense{17, 3}};
  mt::Trainer trainer{device, model, mt::SoftmaxCrossEntropy{}, SignDescent{}, {.epochs = 2, .batch_size = 16}};
  trainer.fit(data);
  return trainer.parameters();
}

int main() try {
  const mt::Dataset data = mt::synthetic_classification({.samples = 67, .features = 5, .classes = 3, .seed = 1});
  const mt::Tensor<float> expected = trained(mt::Cpu{}, data);
  const mt::Tensor<float> got = trained(mt::Cuda{0}, data);
  if (std::memcmp(got.data(), expected.data(), expected.size() * sizeof(float)) == 0) return 0;
  std::puts("the GPU's parameters differ");
  return 1;
} catch (const mt::DeviceError& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 5;
}

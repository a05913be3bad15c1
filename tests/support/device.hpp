#pragma once
// The device of a test that is for any device. Such a file is compiled for the CPU, and once more, with
// MINITRAIN_TEST_CUDA, into the tests of the CUDA device.

#if defined(MINITRAIN_TEST_CUDA)

#include <minitrain/cuda.hpp>

namespace test {
using Device = minitrain::Cuda;
inline Device device() { return Device{0}; }
}  // namespace test

#else

#include <minitrain/cpu.hpp>

namespace test {
using Device = minitrain::Cpu;
inline Device device() { return Device{{.threads = 1}}; }
}  // namespace test

#endif

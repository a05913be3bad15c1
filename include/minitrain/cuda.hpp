#pragma once
// The CUDA device and all its operations. Needs no CUDA toolkit to compile; link minitrain::cuda.

#include <minitrain/cuda/device.hpp>
#include <minitrain/cuda/memory.hpp>
#include <minitrain/cuda/ops.hpp>

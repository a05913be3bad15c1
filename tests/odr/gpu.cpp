// The object that trains on a GPU; linked with the kernels or with the stub. No compiler but nvcc has seen the kernels.
#include <minitrain/cuda.hpp>

#include "train.hpp"

minitrain::Tensor<float> GPU_PART(const minitrain::Dataset& data) { return odr::trained(minitrain::Cuda{0}, data); }

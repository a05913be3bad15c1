// All of minitrain::cuda in one file, for builds without our CMake:
//
//   nvcc -arch=native -std=c++20 -O3 -ftz=true -fmad=false -I include -c kernels/minitrain_cuda.cu -o minitrain_cuda.o
//   libraries="-L$CUDA/lib64 -Wl,-rpath,$CUDA/lib64 -lcublasLt -lcudart_static -ldl -lrt -pthread"
//   g++ -std=c++20 -O2 -I include program.cpp minitrain_cuda.o $libraries
//
// CUDA is the toolkit's folder, /usr/local/cuda perhaps. Without a GPU in this machine name its architecture in place
// of native: sm_90 for an H100 or H200. Code for an older one runs on a newer one, but without its tensor-core modes.
#include "activation.cu"
#include "adam8bit.cu"
#include "copy.cu"
#include "dense.cu"
#include "device.cu"
#include "dropout.cu"
#include "fill.cu"
#include "gather.cu"
#include "gemm.cu"
#include "gemm_choice.cu"
#include "gemm_mma.cu"
#include "gradient.cu"
#include "layer_norm.cu"
#include "library_gemm.cu"
#include "loss.cu"
#include "norm.cu"
#include "optimizer.cu"
#include "order.cu"
#include "range.cu"
#include "row_stream.cu"
#include "softmax.cu"
#include "softmax_cross_entropy.cu"
#include "step_queue.cu"
#include "tensor_optimizer.cu"

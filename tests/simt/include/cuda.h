#pragma once
// Of the driver's API: primary contexts made current. Found by name, as a program without the driver's library does.

enum CUresult { CUDA_SUCCESS = 0, CUDA_ERROR_INVALID_VALUE = 1, CUDA_ERROR_INVALID_CONTEXT = 201 };
using CUdevice = int;
using CUcontext = struct CUctx_st*;

#pragma once
// Stands in for the CUDA toolkit's header when kernels run on the CPU: the vocabulary that kernels and launchers use,
// and no more. Put this folder first on the include path of the emulated build, and of nothing else.

#define MINITRAIN_SIMT 1  // how launch.cuh and ptx.cuh tell the two builds apart

#include <simt/arithmetic.hpp>
#include <simt/builtins.hpp>
#include <simt/collectives.hpp>
#include <simt/kernel.hpp>
#include <simt/runtime_api.hpp>

#pragma once
// The CPU device and all its operations.

#include <minitrain/cpu/adam8bit.hpp>
#include <minitrain/cpu/dense.hpp>
#include <minitrain/cpu/device.hpp>
#include <minitrain/cpu/dropout.hpp>
#include <minitrain/cpu/elementwise.hpp>
#include <minitrain/cpu/gather.hpp>
#include <minitrain/cpu/initial.hpp>
#include <minitrain/cpu/gradient.hpp>
#include <minitrain/cpu/layer_norm.hpp>
#include <minitrain/cpu/loss.hpp>
#include <minitrain/cpu/memory.hpp>
#include <minitrain/cpu/micro_batch.hpp>
#include <minitrain/cpu/norm.hpp>
#include <minitrain/cpu/optimizer.hpp>
#include <minitrain/cpu/permute.hpp>
#include <minitrain/cpu/softmax.hpp>
#include <minitrain/cpu/tensor_optimizer.hpp>

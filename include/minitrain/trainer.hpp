#pragma once
// The door: everything that trains on a CPU. No dependency but the C++20 standard library and threads.

#include <minitrain/cpu.hpp>
#include <minitrain/data/csv.hpp>
#include <minitrain/data/idx.hpp>
#include <minitrain/data/loader.hpp>
#include <minitrain/data/split.hpp>
#include <minitrain/data/synthetic.hpp>
#include <minitrain/nn/activations.hpp>
#include <minitrain/nn/dense.hpp>
#include <minitrain/nn/dropout.hpp>
#include <minitrain/nn/layer_norm.hpp>
#include <minitrain/nn/losses.hpp>
#include <minitrain/nn/mlp.hpp>
#include <minitrain/nn/sequential.hpp>
#include <minitrain/nn/softmax.hpp>
#include <minitrain/nn/summary.hpp>
#include <minitrain/optim/adagrad.hpp>
#include <minitrain/optim/adam.hpp>
#include <minitrain/optim/adamw.hpp>
#include <minitrain/optim/groups.hpp>
#include <minitrain/optim/rmsprop.hpp>
#include <minitrain/optim/sgd.hpp>
#include <minitrain/train/estimate.hpp>
#include <minitrain/train/plan.hpp>
#include <minitrain/train/trainer.hpp>

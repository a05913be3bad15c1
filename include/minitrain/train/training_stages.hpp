#pragma once
// training_stages: how much of a network runs in training.

#include <minitrain/nn/network.hpp>
#include <minitrain/train/objective.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// Stages that run in training: all, but for a last softmax that the loss takes over.
template <class T, class Device>
std::size_t training_stages(const Network<T, Device>& network, const Objective<T, Device>& objective) {
  return network.stages() - (network.ends_in_softmax() && objective.is_softmax_cross_entropy() ? 1 : 0);
}

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// The numbers that every sample of a softmax cross-entropy needs.

#include <minitrain/config.hpp>

#include <cstddef>

namespace minitrain::inline MINITRAIN_ABI {

/// q_c = w_c·(kept·[c = label] + spread).
template <class T>
struct SoftmaxFactors {
  T kept;           // 1 - label smoothing
  T spread;         // label smoothing / classes
  T spread_weight;  // spread·(sum of the class weights w)

  SoftmaxFactors(double label_smoothing, std::size_t classes, T class_weight_sum)
      : kept(T(1 - label_smoothing)),
        spread(T(label_smoothing / static_cast<double>(classes))),
        spread_weight(spread * class_weight_sum) {}
};

}  // namespace minitrain::inline MINITRAIN_ABI

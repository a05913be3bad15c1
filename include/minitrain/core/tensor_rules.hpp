#pragma once
// Optimizers whose step of a tensor depends on norms of all of it: LAMB, LARS, Adafactor.

#include <minitrain/core/gradient_norm.hpp>
#include <minitrain/core/optimizer_factors.hpp>

namespace minitrain::inline MINITRAIN_ABI {

/// m += (1 - beta1)·(g - m),  v = beta2·v + (1 - beta2)·g², over all elements; then for each tensor, with
/// u = m/(1 - beta1^step) / (sqrt(v/(1 - beta2^step)) + epsilon) + weight_decay·p,
/// p -= learning_rate·(‖p‖/‖u‖)·u, where the ratio is 1 if one of the norms is 0, and for a vector unless
/// adapts_vectors.
///   lamb_update(device, LambRule, UpdateStep)          moments: m, v
struct LambRule {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-6;
  double weight_decay = 0;
  bool adapts_vectors = true;
};

/// For each tensor, with r = trust·‖p‖ / (‖g‖ + weight_decay·‖p‖ + epsilon), where r is 1 if one of the norms is 0, and
/// for a vector unless adapts_vectors: d = learning_rate·r·(g + weight_decay·p); with momentum b = momentum·b + d and b
/// in place of d, or with Nesterov's d + momentum·b; p -= d.
///   lars_update(device, LarsRule, UpdateStep)          moments: b if momentum > 0
struct LarsRule {
  double momentum = 0.9;
  bool nesterov = false;
  double trust = 0.001;
  double epsilon = 0;
  double weight_decay = 0;
  bool adapts_vectors = true;
};

/// See optim/adafactor.hpp, which has the formula.
///   adafactor_update(device, AdafactorRule, UpdateStep) moments: row means of all matrices, column means of all
///   matrices,
///                                                       squares of all vectors, then m if beta1 > 0
struct AdafactorRule {
  double rate = 0;   // rho, which times the scale of the tensor is its learning rate
  double blend = 1;  // 1 - beta2 of this step
  double epsilon1 = 1e-30;
  double epsilon2 = 1e-3;
  double clip_threshold = 1;
  double beta1 = 0;
  double weight_decay = 0;  // times the learning rate
  bool scales_with_parameters = true;
};

// --- how many scalars of state Adafactor needs ----------------------------------------------------------------------

/// Scalars of Adafactor's first three moments for the tensors before one, or for all.
struct AdafactorPlace {
  std::size_t row = 0, column = 0, vector = 0;

  constexpr void pass(const ParameterTensor& tensor) noexcept {
    if (tensor.is_vector()) {
      vector += tensor.size();
    } else {
      row += tensor.rows;
      column += tensor.columns;
    }
  }
};

/// The order of a sum along columns: chunks of so many rows, each in order, and then the chunks in order.
struct ColumnSquares {
  static constexpr std::size_t chunk = 256;
  static constexpr std::size_t chunks(std::size_t rows) noexcept { return (rows + chunk - 1) / chunk; }
};

// --- the numbers that each element needs, rounded once from double --------------------------------------------------

/// Moves the moments of LAMB and leaves the parameters.
struct LambMomentsForm {
  static constexpr int moments = 2;
};
template <class T>
struct LambFactors {
  T forget, beta2, remember;  // 1 - beta1, beta2, 1 - beta2
  T scale;
};

template <Momentum Kind>
struct LarsForm {
  static constexpr int moments = Kind == Momentum::none ? 0 : 1;
};
template <class T>
struct LarsFactors {
  T rate, scale, momentum, weight_decay;
};

/// Moves the squares of a vector and leaves the parameters.
struct AdafactorVectorForm {
  static constexpr int moments = 1;
};
template <class T>
struct AdafactorVectorFactors {
  T blend, epsilon, scale;
};

// --- directions: u as a function of the element, before it is known how far to go -----------------------------------

template <class T>
struct LambDirection {
  const T *p, *m, *v;
  T mean_correction, root_correction, epsilon, weight_decay;
};
/// g·scale / sqrt(row·column / mean of rows), by factors of both.
template <class T>
struct FactoredDirection {
  const T *g, *row_factors, *column_factors;
  std::size_t columns;
  T scale;
};
/// g·scale / sqrt(v)
template <class T>
struct VectorDirection {
  const T *g, *v;
  T scale;
};
template <class T>
struct GradientDirection {
  const T* g;
};

/// p = keep·p - rate·u, or m = beta1·m + (1 - beta1)·rate·u and p = keep·p - m.
template <class T>
struct AlongFactors {
  T rate, keep, beta1, forget;
};

// --- rates: how far to go, from the sums of squares pp of p and uu of u, in double ----------------------------------

struct LambRate {
  double learning_rate;
};
/// uu is that of the gradient sum.
struct LarsRate {
  double learning_rate, trust, epsilon, weight_decay;
};
struct AdafactorRate {
  double rate, epsilon2, clip_threshold, count;
  bool scales_with_parameters;
};

template <class T>
LambDirection<T> lamb_direction(const LambRule& rule, const ParameterTensor& tensor, std::size_t step, const T* p,
                                const T* m, const T* v) {
  return {p,
          m,
          v,
          T(1 / (1 - detail::power(rule.beta1, step))),
          T(1 / std::sqrt(1 - detail::power(rule.beta2, step))),
          detail::at_least_normal<T>(rule.epsilon),
          T(tensor.decay_of(rule.weight_decay))};
}
template <class T>
LambFactors<T> lamb_factors(const LambRule& rule, double scale) {
  return {T(1 - rule.beta1), T(rule.beta2), T(1 - rule.beta2), T(scale)};
}
template <class T>
LarsFactors<T> lars_factors(const LarsRule& rule, const ParameterTensor& tensor, double rate, double scale) {
  return {T(rate), T(scale), T(rule.momentum), T(tensor.decay_of(rule.weight_decay))};
}
template <class T>
AlongFactors<T> lamb_along(double rate) {
  return {T(rate), T(1), T(0), T(1)};
}
/// Weight decay is apart from the gradient and by the learning rate itself, as in torch.optim.Adafactor.
template <class T>
AlongFactors<T> adafactor_along(const AdafactorRule& rule, const ParameterTensor& tensor, double learning_rate,
                                double rate) {
  const double decay = tensor.decay_of(rule.weight_decay);
  return {T(rate), T(std::fma(-learning_rate * tensor.learning_rate_factor, decay, 1.0)), T(rule.beta1),
          T(1 - rule.beta1)};
}
inline AdafactorRate adafactor_rate(const AdafactorRule& rule, const ParameterTensor& tensor) {
  return {rule.rate * tensor.learning_rate_factor, rule.epsilon2, rule.clip_threshold,
          static_cast<double>(tensor.size()), rule.scales_with_parameters};
}

/// f(tensor) for every tensor of a step that has elements.
template <class T, class Device, class F>
void for_each_tensor(const UpdateStep<T, Device>& step, const F& f) {
  if (step.tensors.empty()) {
    if (!step.parameters.empty()) f(ParameterTensor{.columns = step.parameters.size()});
    return;
  }
  for (const ParameterTensor& tensor : step.tensors) {
    if (tensor.size() > 0) f(tensor);
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI

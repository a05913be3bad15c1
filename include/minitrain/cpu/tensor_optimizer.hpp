#pragma once
// lamb_update, lars_update, adafactor_update on the CPU: tensor by tensor, sums of squares in the order of
// SumOfSquaresOrder and ColumnSquares.

#include <minitrain/core/tensor_rules.hpp>
#include <minitrain/cpu/norm.hpp>
#include <minitrain/cpu/optimizer.hpp>

#define MINITRAIN_KERNELS <minitrain/cpu/tensor_optimizer.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

template <class T, class Direction>
void fill_direction(const Cpu& device, const Direction& d, std::size_t begin, std::size_t end, T* u) {
  MINITRAIN_DISPATCH(device.isa(), T, fill_direction<T>(d, begin, end, u));
}
template <class T, bool Moves>
void step_along(const Cpu& device, const AlongFactors<T>& f, std::size_t count, const T* u, T* p, T* m) {
  MINITRAIN_DISPATCH(device.isa(), T, step_along<T, Moves>(f, count, u, p, m));
}
template <class T>
void column_squares(const Cpu& device, const T* g, std::size_t rows, std::size_t columns, std::size_t begin,
                    std::size_t end, double* sums) {
  MINITRAIN_DISPATCH(device.isa(), T, column_squares<T>(g, rows, columns, begin, end, sums));
}

/// Σ u² over `count` elements of the direction.
template <class T, class Direction>
double squares_of(const Cpu& device, const Direction& d, std::size_t count) {
  constexpr std::size_t chunk = SumOfSquaresOrder::chunk;
  const std::size_t chunks = SumOfSquaresOrder::chunks(count);
  double* const sums = device.scratch<double>(0, chunks);
  device.parallel(chunks, 1, 8.0 * static_cast<double>(count), [&](std::size_t begin, std::size_t end) {
    alignas(64) T u[chunk];
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t first = i * chunk, last = std::min(count, first + chunk);
      fill_direction<T>(device, d, first, last, u);
      sums[i] = sum_in_lanes<true>(device, static_cast<const T*>(u), last - first);
    }
  });
  return chunks == 1 ? sums[0] : sum_in_lanes<false>(device, static_cast<const double*>(sums), chunks);
}
/// Σ x²
template <class T>
double squares_of(const Cpu& device, const T* x, std::size_t count) {
  double sum = 0;
  sum_of_squares(device, View<const T, Cpu>(x, Shape{count}), View<double, Cpu>(&sum, Shape{1}));
  return sum;
}

/// p along the direction; m: null, or a moment of the steps.
template <class T, class Direction>
void run_along(const Cpu& device, const Direction& d, const AlongFactors<T>& f, std::size_t count, T* p, T* m) {
  constexpr std::size_t piece = 1024;
  device.parallel(count, piece, 16.0 * static_cast<double>(count), [&](std::size_t begin, std::size_t end) {
    alignas(64) T u[piece];
    for (std::size_t i = begin; i < end; i += piece) {
      const std::size_t last = std::min(end, i + piece);
      fill_direction<T>(device, d, i, last, u);
      if (m != nullptr) {
        step_along<T, true>(device, f, last - i, u, p + i, m + i);
      } else {
        step_along<T, false>(device, f, last - i, u, p + i, m);
      }
    }
  });
}

/// Moves row and column means of a matrix on and leaves the factors of its direction: sqrt(mean of rows / row) and
/// 1 / sqrt(column).
template <class T>
void adafactor_means(const Cpu& device, const AdafactorRule& rule, double scale, const ParameterTensor& t, const T* g,
                     T* row_means, T* column_means, T* row_factors, T* column_factors) {
  const double work = 2.0 * static_cast<double>(t.size());
  const auto rows = static_cast<double>(t.rows), columns = static_cast<double>(t.columns);
  device.parallel(t.rows, 1, work, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const double sum = sum_in_lanes<true>(device, g + i * t.columns, t.columns);
      row_means[i] = T(
          baseline::blended_square(static_cast<double>(row_means[i]), rule.blend, sum, scale, columns, rule.epsilon1));
    }
  });
  const double mean = sum_in_lanes<false>(device, static_cast<const T*>(row_means), t.rows) / rows;
  for (std::size_t i = 0; i < t.rows; ++i) {
    row_factors[i] = T(std::sqrt(mean / static_cast<double>(row_means[i])));
  }
  constexpr std::size_t piece = 16;
  device.parallel(t.columns, piece, work, [&](std::size_t begin, std::size_t end) {
    for (std::size_t first = begin; first < end; first += piece) {
      const std::size_t last = std::min(end, first + piece);
      double sums[piece];
      column_squares<T>(device, g, t.rows, t.columns, first, last, sums);
      for (std::size_t j = first; j < last; ++j) {
        const double square = baseline::blended_square(static_cast<double>(column_means[j]), rule.blend,
                                                       sums[j - first], scale, rows, rule.epsilon1);
        column_means[j] = T(square);
        column_factors[j] = T(1 / std::sqrt(square));
      }
    }
  });
}

/// The tensor in each slab of a step whose moments are all one scalar for each parameter.
template <class T>
UpdateStep<T, Cpu> only(const ParameterTensor& tensor, UpdateStep<T, Cpu> step, std::array<View<T, Cpu>, 2>& moments) {
  const Shape shape{tensor.size()};
  step.parameters = {step.parameters.data() + tensor.offset, shape};
  step.gradient_sums = {step.gradient_sums.data() + tensor.offset, shape};
  for (std::size_t i = 0; i < step.moments.size(); ++i) moments[i] = {step.moments[i].data() + tensor.offset, shape};
  step.moments = std::span(moments).first(step.moments.size());
  return step;
}

}  // namespace cpu

/// See LambRule.
template <class T>
void lamb_update(const Cpu& device, const LambRule& rule, const UpdateStep<T, Cpu>& step) {
  cpu::run_form(device, LambMomentsForm{}, lamb_factors<T>(rule, step.gradient_scale), step);
  for_each_tensor(step, [&](const ParameterTensor& t) {
    const std::size_t at = t.offset, count = t.size();
    T* const p = step.parameters.data() + at;
    const auto d = lamb_direction<T>(rule, t, step.step, p, step.moments[0].data() + at, step.moments[1].data() + at);
    double rate = step.learning_rate * t.learning_rate_factor;
    if (rule.adapts_vectors || !t.is_vector()) {
      const double pp = cpu::squares_of(device, static_cast<const T*>(p), count);
      rate = cpu::baseline::rate_of(LambRate{rate}, pp, cpu::squares_of<T>(device, d, count), 1.0);
    }
    cpu::run_along<T>(device, d, lamb_along<T>(rate), count, p, nullptr);
  });
}

/// See LarsRule.
template <class T>
void lars_update(const Cpu& device, const LarsRule& rule, const UpdateStep<T, Cpu>& step) {
  for_each_tensor(step, [&](const ParameterTensor& t) {
    std::array<View<T, Cpu>, 2> moments;
    const UpdateStep<T, Cpu> part = cpu::only(t, step, moments);
    double rate = step.learning_rate * t.learning_rate_factor;
    if (rule.adapts_vectors || !t.is_vector()) {
      const double pp = cpu::squares_of<T>(device, static_cast<const T*>(part.parameters.data()), t.size());
      const double gg = cpu::squares_of<T>(device, part.gradient_sums.data(), t.size());
      rate = cpu::baseline::rate_of(LarsRate{rate, rule.trust, rule.epsilon, t.decay_of(rule.weight_decay)}, pp, gg,
                                    step.gradient_scale);
    }
    const auto f = lars_factors<T>(rule, t, rate, step.gradient_scale);
    if (rule.momentum == 0) return cpu::run_form(device, LarsForm<Momentum::none>{}, f, part);
    if (rule.nesterov) return cpu::run_form(device, LarsForm<Momentum::nesterov>{}, f, part);
    cpu::run_form(device, LarsForm<Momentum::classic>{}, f, part);
  });
}

/// See AdafactorRule.
template <class T>
void adafactor_update(const Cpu& device, const AdafactorRule& rule, const UpdateStep<T, Cpu>& step) {
  AdafactorPlace place;
  for_each_tensor(step, [&](const ParameterTensor& t) {
    T* const p = step.parameters.data() + t.offset;
    const T* const g = step.gradient_sums.data() + t.offset;
    T* const m = rule.beta1 > 0 ? step.moments[3].data() + t.offset : nullptr;
    const auto go = [&](const auto& direction) {
      const double pp = cpu::squares_of(device, static_cast<const T*>(p), t.size());
      const double uu = cpu::squares_of<T>(device, direction, t.size());
      const double rate = cpu::baseline::rate_of(adafactor_rate(rule, t), pp, uu, 1.0);
      cpu::run_along<T>(device, direction, adafactor_along<T>(rule, t, step.learning_rate, rate), t.size(), p, m);
    };
    if (t.is_vector()) {
      T* const v = step.moments[2].data() + place.vector;
      const View<T, Cpu> moment[] = {{v, Shape{t.size()}}};
      UpdateStep<T, Cpu> part = step;
      part.parameters = {p, Shape{t.size()}};
      part.gradient_sums = {g, Shape{t.size()}};
      part.moments = moment;
      const AdafactorVectorFactors<T> f{T(rule.blend), T(rule.epsilon1), T(step.gradient_scale)};
      cpu::run_form(device, AdafactorVectorForm{}, f, part);
      go(VectorDirection<T>{g, v, T(step.gradient_scale)});
    } else {
      T* const factors = device.template scratch<T>(3, t.rows + t.columns);
      cpu::adafactor_means(device, rule, step.gradient_scale, t, g, step.moments[0].data() + place.row,
                           step.moments[1].data() + place.column, factors, factors + t.rows);
      go(FactoredDirection<T>{g, factors, factors + t.rows, t.columns, T(step.gradient_scale)});
    }
    place.pass(t);
  });
}

}  // namespace minitrain::inline MINITRAIN_ABI

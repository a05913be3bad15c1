#pragma once
// dense_forward, dense_backward_input, dense_backward_weights on the CPU.

#include <minitrain/cpu/elementwise.hpp>
#include <minitrain/cpu/gemm.hpp>

#include <limits>

#define MINITRAIN_KERNELS <minitrain/cpu/dense.inl>
#include <minitrain/cpu/for_each_isa.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace cpu {

template <class T>
void dots_on(Isa isa, const T* x, const T* w, std::size_t M, std::size_t K, T bias, bool relu, T* y) {
  const T floor = T(relu ? 0 : -std::numeric_limits<double>::infinity());
  MINITRAIN_DISPATCH(isa, T, dots<T>(x, w, M, K, bias, floor, y));
}

template <class T>
void outer_on(Isa isa, const T* a, const T* b, const T* gate, T* c, std::size_t M, std::size_t N) {
  MINITRAIN_DISPATCH(isa, T, outer<T>(a, b, gate, c, M, N));
}

template <class T>
void one_output_gradients_on(Isa isa, const T* x, const T* dy, std::size_t M, std::size_t N, std::size_t stride,
                             bool add, T* dw, T* db) {
  MINITRAIN_DISPATCH(isa, T, one_output_gradients<T>(x, dy, M, N, stride, add, dw, db));
}

template <class T>
void add_rows_on(Isa isa, const T* x, std::size_t M, std::size_t N, std::size_t stride, bool add, T* sums) {
  MINITRAIN_DISPATCH(isa, T, add_rows<T>(x, M, N, stride, add, sums));
}

}  // namespace cpu

/// y[B, out] = f(x[B, in]·W[in, out] + b[out]), without b when it is empty. For f with derivative_from_output(). The
/// sum over inputs starts from b; with one output it is Vec<T>::lanes partial sums, and b comes last.
template <class T>
void dense_forward(const Cpu& device, const View<const T>& x, const View<const T>& w, const View<const T>& b,
                   const Activation& f, const View<T>& y) {
  const std::size_t rows = y.rows(), in = w.rows(), out = w.columns();
  const bool relu = f.kind == ActivationKind::relu;
  if (out == 1) {
    const T bias = b.empty() ? T(0) : *b.data();
    device.parallel(rows, 16, 2.0 * static_cast<double>(x.size()), [&](std::size_t begin, std::size_t end) {
      cpu::dots_on(device.isa(), x.data() + begin * in, w.data(), end - begin, in, bias, relu, y.data() + begin);
    });
  } else {
    GemmProblem<T> p;
    p.M = rows, p.N = out, p.K = in;
    p.a = x.data(), p.a_row = in;
    p.b = w.data(), p.b_row = out;
    p.c = y.data(), p.c_row = out;
    p.start = b.empty() ? GemmStart::zero : GemmStart::bias;
    p.bias = b.data();
    p.relu = relu;
    gemm(device, p);
  }
  if (f.kind != ActivationKind::identity && !relu) activation_forward(device, f, View<const T>(y), y);
}

/// dx[B, in] = (dy[B, out]·Wᵀ)·f'(z), where x[B, in] = f(z) is the output of the layer before.
template <class T>
void dense_backward_input(const Cpu& device, const View<const T>& dy, const View<const T>& w, const Activation& f,
                          const View<const T>& x, const View<T>& dx) {
  const std::size_t in = w.rows(), out = w.columns();
  const bool relu = f.kind == ActivationKind::relu;
  const T* const gate = relu ? x.data() : nullptr;
  if (out == 1) {
    device.parallel(dx.rows(), 16, 2.0 * static_cast<double>(dx.size()), [&](std::size_t begin, std::size_t end) {
      cpu::outer_on(device.isa(), dy.data() + begin, w.data(), relu ? gate + begin * in : nullptr,
                    dx.data() + begin * in, end - begin, in);
    });
  } else {
    GemmProblem<T> p;
    p.M = dx.rows(), p.N = in, p.K = out;
    p.a = dy.data(), p.a_row = out;
    p.b = w.data(), p.b_row = 1, p.b_column = out;
    p.c = dx.data(), p.c_row = in;
    p.gate = gate;
    gemm(device, p);
  }
  if (f.kind != ActivationKind::identity && !relu) {
    activation_backward(device, f, View<const T>(), x, View<const T>(dx), dx);
  }
}

/// dW[in, out] = Σ xᵀ·dy and db[out] = Σ dy over the rows (samples), in their order; nothing for db when it is empty.
/// `add`: the sums start from what dW and db hold, so that the sums over parts of a batch are those over the batch.
template <class T>
void dense_backward_weights(const Cpu& device, const View<const T>& x, const View<const T>& dy, const View<T>& dw,
                            const View<T>& db, bool add) {
  const std::size_t rows = x.rows(), in = dw.rows(), out = dw.columns();
  if (out == 1) {
    device.parallel(in, 64, 2.0 * static_cast<double>(x.size()), [&](std::size_t begin, std::size_t end) {
      T* const bias = begin == 0 && !db.empty() ? db.data() : nullptr;
      cpu::one_output_gradients_on(device.isa(), x.data() + begin, dy.data(), rows, end - begin, in, add,
                                   dw.data() + begin, bias);
    });
    return;
  }
  if (!db.empty()) {
    device.parallel(out, 64, static_cast<double>(dy.size()), [&](std::size_t begin, std::size_t end) {
      cpu::add_rows_on(device.isa(), dy.data() + begin, rows, end - begin, out, add, db.data() + begin);
    });
  }
  GemmProblem<T> p;
  p.M = in, p.N = out, p.K = rows;
  p.a = x.data(), p.a_row = 1, p.a_column = in;
  p.b = dy.data(), p.b_row = out;
  p.c = dw.data(), p.c_row = out;
  p.start = add ? GemmStart::add : GemmStart::zero;
  gemm(device, p);
}

}  // namespace minitrain::inline MINITRAIN_ABI

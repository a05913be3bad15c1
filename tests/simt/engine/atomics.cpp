// Atomics, as one compare-and-swap loop. With a shuffled order another thread may go on right after one.

#include "worker.hpp"

#include <simt/kernel.hpp>
#include <simt/options.hpp>

#include <algorithm>
#include <atomic>
#include <type_traits>

namespace simt {

namespace {

template <class T>
void tell_checker(const engine::Worker& w, T* address, const void* code) {
  auto* const checker = engine::checker();
  if (checker != nullptr && w.running != nullptr) checker->access(*w.running, address, sizeof(T), true, true, code);
}

template <class T>
T combined(Rmw op, T old, T operand) {
  switch (op) {
    case Rmw::add:
      return static_cast<T>(old + operand);
    case Rmw::min:
      return std::min(old, operand);
    case Rmw::max:
      return std::max(old, operand);
    case Rmw::exchange:
      return operand;
    default:
      if constexpr (std::is_integral_v<T>) {
        if (op == Rmw::bit_and) return old & operand;
        return op == Rmw::bit_or ? old | operand : old ^ operand;
      }
      return operand;
  }
}

}  // namespace

template <class T>
T atomic_rmw(Rmw op, T* address, T operand) {
  const engine::Inside inside;
  engine::Worker& w = inside.worker;
  tell_checker(w, address, __builtin_return_address(0));
  std::atomic_ref<T> atomic(*address);
  T old = atomic.load();
  while (!atomic.compare_exchange_strong(old, combined(op, old, operand))) {
  }
  if (options().seed > 1 && w.running != nullptr && w.next_random() % 8 == 0) yield();
  return old;
}

template <class T>
T atomic_cas(T* address, T expected, T desired) {
  const engine::Inside inside;
  tell_checker(inside.worker, address, __builtin_return_address(0));
  if (!std::atomic_ref<T>(*address).compare_exchange_strong(expected, desired)) yield();  // perhaps it spins
  return expected;
}

template int atomic_rmw(Rmw, int*, int);
template unsigned atomic_rmw(Rmw, unsigned*, unsigned);
template unsigned long long atomic_rmw(Rmw, unsigned long long*, unsigned long long);
template float atomic_rmw(Rmw, float*, float);
template double atomic_rmw(Rmw, double*, double);
template int atomic_cas(int*, int, int);
template unsigned atomic_cas(unsigned*, unsigned, unsigned);
template unsigned long long atomic_cas(unsigned long long*, unsigned long long, unsigned long long);

}  // namespace simt

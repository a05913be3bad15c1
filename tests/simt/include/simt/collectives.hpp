#pragma once
// CUDA's names for barriers, fences, shuffles and votes.

#include <simt/builtins.hpp>
#include <simt/kernel.hpp>

#include <atomic>

inline void __syncthreads(simt::Site s = simt::Site::current()) { simt::block_barrier(s); }
inline int __syncthreads_count(int p, simt::Site s = simt::Site::current()) {
  return simt::block_barrier_reduce(simt::BarrierOp::count, p, s);
}
inline int __syncthreads_and(int p, simt::Site s = simt::Site::current()) {
  return simt::block_barrier_reduce(simt::BarrierOp::all, p, s);
}
inline int __syncthreads_or(int p, simt::Site s = simt::Site::current()) {
  return simt::block_barrier_reduce(simt::BarrierOp::any, p, s);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, simt::Site s = simt::Site::current()) {
  simt::warp_barrier(mask, s);
}
inline void __threadfence() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  simt::yield();
}
inline void __threadfence_block() { std::atomic_signal_fence(std::memory_order_seq_cst); }
inline void __nanosleep(unsigned) { simt::yield(); }
inline void __trap(simt::Site s = simt::Site::current()) { simt::trap(s); }
unsigned __activemask() = delete;  // says nothing that a program may rely on: pass an explicit mask

template <class T>
T __shfl_sync(unsigned mask, T v, int lane, int width = 32, simt::Site s = simt::Site::current()) {
  simt::shuffle(simt::Shuffle::idx, mask, &v, sizeof v, lane, width, s);
  return v;
}
template <class T>
T __shfl_xor_sync(unsigned mask, T v, int lanes, int width = 32, simt::Site s = simt::Site::current()) {
  simt::shuffle(simt::Shuffle::bfly, mask, &v, sizeof v, lanes, width, s);
  return v;
}
template <class T>
T __shfl_down_sync(unsigned mask, T v, unsigned delta, int width = 32, simt::Site s = simt::Site::current()) {
  simt::shuffle(simt::Shuffle::down, mask, &v, sizeof v, static_cast<int>(delta), width, s);
  return v;
}
template <class T>
T __shfl_up_sync(unsigned mask, T v, unsigned delta, int width = 32, simt::Site s = simt::Site::current()) {
  simt::shuffle(simt::Shuffle::up, mask, &v, sizeof v, static_cast<int>(delta), width, s);
  return v;
}
inline unsigned __ballot_sync(unsigned mask, int p, simt::Site s = simt::Site::current()) {
  return simt::vote(simt::Vote::ballot, mask, p, s);
}
inline int __all_sync(unsigned mask, int p, simt::Site s = simt::Site::current()) {
  return static_cast<int>(simt::vote(simt::Vote::all, mask, p, s));
}
inline int __any_sync(unsigned mask, int p, simt::Site s = simt::Site::current()) {
  return static_cast<int>(simt::vote(simt::Vote::any, mask, p, s));
}
template <class T>
unsigned __match_any_sync(unsigned mask, T v, simt::Site s = simt::Site::current()) {
  return simt::match_any(mask, &v, sizeof v, s);
}

#pragma once
// What a running kernel asks of the engine.

#include <simt/site.hpp>

#include <cstddef>
#include <cstdint>

namespace simt {

// --- barriers and warp collectives ----------------------------------------------------------------------------------

void block_barrier(Site);
enum class BarrierOp { count, all, any };
int block_barrier_reduce(BarrierOp, int predicate, Site);
void grid_barrier(Site);
void warp_barrier(unsigned mask, Site);
void yield();  // lets another thread go on

enum class Shuffle { up, down, bfly, idx };
void shuffle(Shuffle, unsigned mask, void* value, std::size_t bytes, int operand, int width, Site);
enum class Vote { ballot, all, any };
unsigned vote(Vote, unsigned mask, int predicate, Site);
unsigned match_any(unsigned mask, const void* value, std::size_t bytes, Site);

// --- shared memory --------------------------------------------------------------------------------------------------

void* shared_static(const void* key, std::size_t bytes, std::size_t align, const char* name);
void* shared_dynamic();

/// One key per declaration and template instantiation: a closure's type is unique.
template <class Array, class Tag>
[[gnu::always_inline]] inline Array& shared_variable(Tag, const char* name, std::size_t align) {
  static constexpr char key = 0;
  return *static_cast<Array*>(
      shared_static(&key, sizeof(Array), align > alignof(Array) ? align : alignof(Array), name));
}

// --- tensor cores and asynchronous copies, with the register layouts of the PTX ISA ---------------------------------

void mma_m16n8k16_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const float (&c)[4], Site);
void mma_m16n8k16_f16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const float (&c)[4], Site);
void mma_m16n8k8_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2], const float (&c)[4], Site);
float round_to_tf32(float);
void ldmatrix(unsigned* registers, int count, bool transposed, const void* row, Site);
void cp_async(void* shared, const void* global, int bytes, int source_bytes);
void cp_async_commit();
void cp_async_wait(int groups_in_flight);

// --- atomics, also between blocks on different threads of the operating system -------------------------------------

enum class Rmw { add, min, max, exchange, bit_and, bit_or, bit_xor };
template <class T>
T atomic_rmw(Rmw, T* address, T operand);
template <class T>
T atomic_cas(T* address, T expected, T desired);
extern template int atomic_rmw(Rmw, int*, int);
extern template unsigned atomic_rmw(Rmw, unsigned*, unsigned);
extern template unsigned long long atomic_rmw(Rmw, unsigned long long*, unsigned long long);
extern template float atomic_rmw(Rmw, float*, float);
extern template double atomic_rmw(Rmw, double*, double);
extern template int atomic_cas(int*, int, int);
extern template unsigned atomic_cas(unsigned*, unsigned, unsigned);
extern template unsigned long long atomic_cas(unsigned long long*, unsigned long long, unsigned long long);

// --- conversions ----------------------------------------------------------------------------------------------------

std::uint16_t float_to_half(float);  // to nearest, ties to even
float half_to_float(std::uint16_t);

[[noreturn]] void trap(Site);

}  // namespace simt

// adam8bit_update: the step of adam_update on moments of one byte; see cpu/adam8bit.hpp and core/dynamic_code.hpp.
// Bytes per element: 16, and 16 for each 256 of them. FLOPs per element: about 30, a square root and three divisions
// among them, and 16 comparisons to find the codes. Bound by memory on GPUs whose shared memory keeps up with the
// searches.
//
// A block of threads takes a block of elements, one each. The numbers of the codes are in shared memory, where each
// thread searches the place of its m and v between them; the largest magnitudes meet as bits, whose order is that of
// numbers that are not negative, with NaN above all.
#include "optimizer.cuh"

#include <minitrain/cuda/ops.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

using cuda::Lane;
using cuda::QueuedScale;

constexpr unsigned code_threads = DynamicCode::block;
constexpr unsigned code_warps = code_threads / 32;

/// The largest of all threads of the block, in each of them.
__device__ inline unsigned largest_bits(unsigned bits, unsigned* of_warps) {
#pragma unroll
  for (int away = 16; away > 0; away /= 2) {
    const unsigned other = __shfl_xor_sync(cuda::all_lanes, bits, away);
    bits = other > bits ? other : bits;
  }
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = bits;
  __syncthreads();
#pragma unroll
  for (unsigned i = 0; i < code_warps; ++i) bits = of_warps[i] > bits ? of_warps[i] : bits;
  return bits;
}

/// DynamicCode::place(): how many borders between `numbers` lie below x, in [0, 1], or 0 if it is NaN.
__device__ inline unsigned place_of(float x, const float* numbers, unsigned top) {
  unsigned place = 0;
  for (unsigned step = 128; step > 0; step /= 2) {
    const unsigned next = place + step;
    if (next <= top && x > cuda::between(numbers[next - 1], numbers[next])) place = next;
  }
  return place;
}

__device__ inline float relative(float size, float largest) { return largest > 0.0f ? __fdiv_rn(size, largest) : 0.0f; }

template <bool L2>
__global__ void __launch_bounds__(code_threads)
    adam8bit_kernel(AdamFactors<float> f, const cuda::StepState* replay, const QueuedScale queued, double forget,
                    double root_square_weight, std::size_t count, float* parameters, const float* gradients,
                    std::uint8_t* m_codes, std::uint8_t* v_codes, float* largest) {
  MINITRAIN_SHARED(float, m_numbers, [256]);
  MINITRAIN_SHARED(float, v_numbers, [256]);
  MINITRAIN_SHARED(unsigned, m_largest, [code_warps]);
  MINITRAIN_SHARED(unsigned, v_largest, [code_warps]);
  if (queued.leaves_all()) return;
  if (replay != nullptr) f = replay->factors().adam;
  queued.apply<L2>(f, forget, root_square_weight);
  m_numbers[threadIdx.x] = cuda::signed_number(threadIdx.x);
  v_numbers[threadIdx.x] = cuda::unsigned_number(threadIdx.x);
  __syncthreads();
  for (std::size_t block = blockIdx.x; block * code_threads < count; block += gridDim.x) {
    const std::size_t i = block * code_threads + threadIdx.x;
    Lane m{0.0f}, v{0.0f};
    if (i < count) {
      m = Lane{m_numbers[m_codes[i]]} * Lane{largest[2 * block]};
      v = Lane{v_numbers[v_codes[i]]} * Lane{largest[2 * block + 1]};
      Lane p{parameters[i]};
      cuda::adam_element<L2>(f, p, Lane{gradients[i]}, m, v);
      parameters[i] = p.v;
    }
    const float m_size = abs(m).v, v_size = abs(v).v;
    const float m_most = __uint_as_float(largest_bits(__float_as_uint(m_size), m_largest));
    const float v_most = __uint_as_float(largest_bits(__float_as_uint(v_size), v_largest));
    if (i < count) {
      const unsigned place = place_of(relative(m_size, m_most), m_numbers + 127, 128);
      m_codes[i] = static_cast<std::uint8_t>(m.v < 0.0f ? 127 - (place < 127 ? place : 127) : 127 + place);
      v_codes[i] = static_cast<std::uint8_t>(place_of(relative(v_size, v_most), v_numbers, 255));
    }
    __syncthreads();  // all have read the largest, old and new
    if (threadIdx.x == 0) {
      largest[2 * block] = m_most;
      largest[2 * block + 1] = v_most;
    }
  }
}

template <bool L2>
void run_adam8bit(const Cuda& device, const AdamRule& rule, const AdamFactors<float>& f,
                  const UpdateStep<float, Cuda>& s, const ParameterTensor& t, float* largest) {
  const std::size_t blocks = code_blocks(t.size());
  cuda::launch(adam8bit_kernel<L2>, cuda::striding_blocks(device, blocks, 1), dim3(code_threads), 0,
               device.context()->stream(), f, device.context()->replay(), QueuedScale{s.queued_scale.data()},
               1 - rule.beta1, std::sqrt(1 - rule.beta2), t.size(), s.parameters.data() + t.offset,
               s.gradient_sums.data() + t.offset, reinterpret_cast<std::uint8_t*>(s.moments[0].data()) + t.offset,
               reinterpret_cast<std::uint8_t*>(s.moments[1].data()) + t.offset, largest);
}

}  // namespace

void adam8bit_update(const Cuda& device, const AdamRule& rule, const UpdateStep<float, Cuda>& step) {
  if (step.parameters.empty()) return;
  // Steps with groups are never planned: the factors of all tensors are one.
  if (device.context()->plan(adam_factors<float>(rule, step.learning_rate, step.gradient_scale, step.step))) return;
  float* largest = step.moments[2].data();
  for_each_tensor(step, [&](const ParameterTensor& t) {
    AdamRule own = rule;
    own.weight_decay = t.decay_of(rule.weight_decay);
    const auto f =
        adam_factors<float>(own, step.learning_rate * t.learning_rate_factor, step.gradient_scale, step.step);
    if (own.has_l2()) {
      run_adam8bit<true>(device, own, f, step, t, largest);
    } else {
      run_adam8bit<false>(device, own, f, step, t, largest);
    }
    largest += 2 * code_blocks(t.size());
  });
}

}  // namespace minitrain::inline MINITRAIN_ABI

// Tensor cores, ldmatrix, cp.async, conversions and the arithmetic of kernels.

#include "support.hpp"

#include <cmath>
#include <limits>
#include <random>

using namespace test;
using Bits = std::vector<unsigned short>;

namespace {

// Layouts as CuTe writes them (mma_traits_sm80.hpp, SM80_16x8x16_F32BF16BF16F32_TN and SM80_16x8x8_F32TF32TF32F32_TN):
// an offset into the column-major matrix from the lane and from the number of the value.
constexpr unsigned a_offset(unsigned lane, unsigned v) {  // m + 16 k
  return lane % 4 * 32 + lane / 4 + v % 2 * 16 + v / 2 % 2 * 8 + v / 4 * 128;
}
constexpr unsigned b_offset(unsigned lane, unsigned v) {  // n + 8 k
  return lane % 4 * 16 + lane / 4 + v % 2 * 8 + v / 2 * 64;
}
constexpr unsigned c_offset(unsigned lane, unsigned v) {  // m + 16 n
  return lane % 4 * 32 + lane / 4 + v % 2 * 16 + v / 2 * 8;
}
constexpr unsigned a_offset_tf32(unsigned lane, unsigned v) {
  return lane % 4 * 16 + lane / 4 + v % 2 * 8 + v / 2 * 64;
}
constexpr unsigned b_offset_tf32(unsigned lane, unsigned v) { return lane % 4 * 8 + lane / 4 + v * 32; }

template <bool Half>
__global__ void product_16_bit(const unsigned short* a, const unsigned short* b, float* c) {
  const unsigned lane = threadIdx.x;
  unsigned ra[4], rb[2];
  float rc[4];
  for (unsigned r = 0; r < 4; ++r) ra[r] = a[a_offset(lane, 2 * r)] | unsigned{a[a_offset(lane, 2 * r + 1)]} << 16;
  for (unsigned r = 0; r < 2; ++r) rb[r] = b[b_offset(lane, 2 * r)] | unsigned{b[b_offset(lane, 2 * r + 1)]} << 16;
  for (unsigned i = 0; i < 4; ++i) rc[i] = c[c_offset(lane, i)];
  if constexpr (Half) {
    cuda::ptx::mma_m16n8k16_f16(rc, ra, rb, rc);
  } else {
    cuda::ptx::mma_m16n8k16_bf16(rc, ra, rb, rc);
  }
  for (unsigned i = 0; i < 4; ++i) c[c_offset(lane, i)] = rc[i];
}

__global__ void product_tf32(const float* a, const float* b, float* c) {
  const unsigned lane = threadIdx.x;
  float ra[4], rb[2], rc[4];
  for (unsigned r = 0; r < 4; ++r) ra[r] = a[a_offset_tf32(lane, r)];
  for (unsigned r = 0; r < 2; ++r) rb[r] = b[b_offset_tf32(lane, r)];
  for (unsigned i = 0; i < 4; ++i) rc[i] = c[c_offset(lane, i)];
  cuda::ptx::mma_m16n8k8_tf32(rc, ra, rb, rc);
  for (unsigned i = 0; i < 4; ++i) c[c_offset(lane, i)] = rc[i];
}

// c + a b, in column-major matrices, exact for the small whole numbers of these tests.
std::vector<float> product(const std::vector<float>& a, const std::vector<float>& b, std::vector<float> c,
                           std::size_t depth) {
  for (std::size_t m = 0; m < 16; ++m) {
    for (std::size_t n = 0; n < 8; ++n) {
      for (std::size_t k = 0; k < depth; ++k) c[m + 16 * n] += a[m + 16 * k] * b[n + 8 * k];
    }
  }
  return c;
}

std::vector<float> whole_numbers(std::size_t count, unsigned seed) {
  std::mt19937 g(seed);
  std::vector<float> v(count);
  for (auto& x : v) x = static_cast<float>(static_cast<int>(g() % 17) - 8);
  return v;
}

}  // namespace

TEST_CASE("fragments of mma.sync in 16 bits are those of CuTe") {
  const OptionScope options(order(GENERATE(0, 1, 5)));
  const auto a = whole_numbers(256, 1), b = whole_numbers(128, 2), c = whole_numbers(128, 3);
  const bool half = GENERATE(false, true);
  Bits bits_a, bits_b;
  for (const float x : a) bits_a.push_back(half ? __float2half_rn(x).bits : __float2bfloat16_rn(x).bits);
  for (const float x : b) bits_b.push_back(half ? __float2half_rn(x).bits : __float2bfloat16_rn(x).bits);
  const Array<unsigned short> da(bits_a), db(bits_b);
  const Array<float> dc(c);
  cuda::launch(half ? product_16_bit<true> : product_16_bit<false>, 1, 32, 0, nullptr, da.data(), db.data(), dc.data());
  CHECK(dc.get() == product(a, b, c, 16));
}

TEST_CASE("fragments of mma.sync in tf32 are those of CuTe, and the low 13 bits are not read") {
  auto a = whole_numbers(128, 1), b = whole_numbers(64, 2);
  const auto c = whole_numbers(128, 3), want = product(a, b, c, 8);
  for (auto* v : {&a, &b}) {
    for (auto& x : *v) x = x == 0 ? 0 : __uint_as_float(__float_as_uint(x) | 0x1fffu);
  }
  const Array<float> da(a), db(b), dc(c);
  cuda::launch(product_tf32, 1, 32, 0, nullptr, da.data(), db.data(), dc.data());
  CHECK(dc.get() == want);
}

namespace {

template <bool Transposed>
__global__ void load_matrices(unsigned* out) {
  MINITRAIN_SHARED_ALIGNED(16, unsigned short, tile, [32][8]);
  for (unsigned c = 0; c < 8; ++c) tile[threadIdx.x][c] = static_cast<unsigned short>(threadIdx.x * 8 + c);
  __syncwarp();
  unsigned r[4], two[2];
  cuda::ptx::ldmatrix_x4<Transposed>(r, tile[threadIdx.x]);
  cuda::ptx::ldmatrix_x2<Transposed>(two, tile[threadIdx.x % 16]);
  for (unsigned i = 0; i < 4; ++i) out[threadIdx.x * 4 + i] = r[i];
  if (two[0] != r[0] || two[1] != r[1]) __trap();
}

}  // namespace

TEST_CASE("ldmatrix loads rows, transposed columns") {
  const Array<unsigned> plain(128), transposed(128);
  cuda::launch(load_matrices<false>, 1, 32, 0, nullptr, plain.data());
  cuda::launch(load_matrices<true>, 1, 32, 0, nullptr, transposed.data());
  const auto p = plain.get(), t = transposed.get();
  for (unsigned lane = 0; lane < 32; ++lane) {
    for (unsigned m = 0; m < 4; ++m) {
      const unsigned g = lane / 4, q = lane % 4 * 2;
      REQUIRE(p[4 * lane + m] == (((8 * m + g) * 8 + q) | (((8 * m + g) * 8 + q + 1) << 16)));
      REQUIRE(t[4 * lane + m] == (((8 * m + q) * 8 + g) | (((8 * m + q + 1) * 8 + g) << 16)));
    }
  }
}

namespace {

__global__ void pipeline(const float* x, float* y, int tiles) {  // two tiles in flight
  MINITRAIN_SHARED_ALIGNED(16, float, tile, [2][128]);
  const auto fetch = [&](int t) {
    const int left = 4 * (510 - (t * 128 + 4 * static_cast<int>(threadIdx.x)));
    const int bytes = left < 0 ? 0 : left < 16 ? left : 16;
    cuda::ptx::copy_async<16>(&tile[t % 2][4 * threadIdx.x], bytes > 0 ? x + t * 128 + 4 * threadIdx.x : x, bytes);
    cuda::ptx::copy_async_commit();
  };
  fetch(0);
  for (int t = 0; t < tiles; ++t) {
    if (t + 1 < tiles) {
      fetch(t + 1);
      cuda::ptx::copy_async_wait<1>();
    } else {
      cuda::ptx::copy_async_wait<0>();
    }
    __syncthreads();
    for (unsigned i = threadIdx.x; i < 128; i += 32) y[t * 128 + static_cast<int>(i)] = tile[t % 2][127 - i];
    __syncthreads();
  }
}

}  // namespace

TEST_CASE("cp.async fills a pipeline, and the end of a row with zeros") {
  const OptionScope options(order(GENERATE(0, 1, 5)));
  std::vector<float> x(510), want(512);
  for (std::size_t i = 0; i < 510; ++i) x[i] = static_cast<float>(i + 1);
  for (std::size_t i = 0; i < 512; ++i) {
    const std::size_t from = i / 128 * 128 + 127 - i % 128;
    want[i] = from < 510 ? x[from] : 0.0f;
  }
  const Array<float> in(x), out(512);
  cuda::launch(pipeline, 1, 32, 0, nullptr, in.data(), out.data(), 4);
  CHECK(out.get() == want);
}

TEST_CASE("instructions that an older device lacks are reported") {
  const OptionScope options(order(0));
  const simt::FaultScope machine({.compute_major = 7, .compute_minor = 5});
  const Array<float> in(std::vector<float>(510)), out(512);
  CHECK_THROWS_WITH(cuda::launch(pipeline, 1, 32, 0, nullptr, in.data(), out.data(), 4),
                    test::ContainsSubstring("cp.async needs compute capability 8.0"));
}

TEST_CASE("half precision rounds to nearest even") {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {  // every number is its own image
    const float x = simt::half_to_float(static_cast<unsigned short>(bits));
    if (x != x) continue;
    REQUIRE(simt::float_to_half(x) == bits);
  }
  for (unsigned bits = 0; bits < 0x7bff; ++bits) {  // between two neighbours
    const auto low = static_cast<unsigned short>(bits), high = static_cast<unsigned short>(bits + 1);
    const float x = simt::half_to_float(low), y = simt::half_to_float(high), middle = (x + y) / 2;
    REQUIRE(simt::float_to_half(middle) == (bits % 2 == 0 ? low : high));
    REQUIRE(simt::float_to_half(std::nextafter(middle, 0.0f)) == low);
    REQUIRE(simt::float_to_half(std::nextafter(middle, 1e9f)) == high);
  }
  CHECK(simt::float_to_half(65519.996f) == 0x7bff);
  CHECK(simt::float_to_half(65520.0f) == 0x7c00);
  CHECK(simt::float_to_half(-1e30f) == 0xfc00);
  CHECK(std::isinf(simt::half_to_float(0x7c00)));
  CHECK(std::isnan(simt::half_to_float(simt::float_to_half(std::numeric_limits<float>::quiet_NaN()))));
  CHECK(simt::half_to_float(1) == 0x1p-24f);
}

TEST_CASE("bfloat16 rounds to nearest even") {
  for (unsigned bits = 0; bits < 0x7f7f; ++bits) {
    const auto low = static_cast<unsigned short>(bits), high = static_cast<unsigned short>(bits + 1);
    const float middle = __uint_as_float(bits << 16 | 0x8000u);
    REQUIRE(__bfloat16_as_ushort(__float2bfloat16_rn(middle)) == (bits % 2 == 0 ? low : high));
    REQUIRE(__bfloat16_as_ushort(__float2bfloat16_rn(__uint_as_float(bits << 16 | 0x7fffu))) == low);
    REQUIRE(__bfloat16_as_ushort(__float2bfloat16_rn(__uint_as_float(bits << 16 | 0x8001u))) == high);
  }
  CHECK(std::isnan(__bfloat162float(__float2bfloat16_rn(std::numeric_limits<float>::quiet_NaN()))));
  const float2 pair = __bfloat1622float2(__floats2bfloat162_rn(1.5f, -2.0f));
  CHECK(pair.x == 1.5f);
  CHECK(pair.y == -2.0f);
}

TEST_CASE("tf32 rounds to nearest, ties away from zero") {
  const auto rounded = [](unsigned bits) { return __float_as_uint(cuda::ptx::round_to_tf32(__uint_as_float(bits))); };
  CHECK(rounded(0x3f800fffu) == 0x3f800000u);
  CHECK(rounded(0x3f801000u) == 0x3f802000u);
  CHECK(rounded(0xbf801000u) == 0xbf802000u);
  CHECK(rounded(0x3fffffffu) == 0x40000000u);
  CHECK(rounded(0x7f800000u) == 0x7f800000u);
}

namespace {

__global__ void denormals(const float* x, float* y) {
  y[0] = x[0] * x[1];        // 2^-140: flushed
  y[1] = x[2] * 1048576.0f;  // a denormal operand is zero
  y[2] = __fmaf_rn(x[3], x[3], -1.0f);
  y[3] = x[3] * x[3] - 1.0f;  // two roundings
}

}  // namespace

TEST_CASE("kernels flush denormals and do not contract, and host code is as before") {
  const float e = 1.0f + 0x1p-23f;
  const Array<float> in(std::vector<float>{0x1p-70f, 0x1p-70f, 0x1p-140f, e}), out(4);
  cuda::launch(denormals, 1, 1, 0, nullptr, in.data(), out.data());
  const auto y = out.get();
  CHECK(y[0] == 0.0f);
  CHECK(y[1] == 0.0f);
  CHECK(y[2] == 0x1p-22f + 0x1p-46f);
  CHECK(y[3] == 0x1p-22f);
  volatile float small = 0x1p-70f;
  CHECK(small * small > 0.0f);
}

TEST_CASE("bits") {
  CHECK(__umulhi(0xffffffffu, 0xffffffffu) == 0xfffffffeu);
  CHECK(__umul64hi(~0ull, ~0ull) == ~0ull - 1);
  CHECK(__clz(1) == 31);
  CHECK(__clz(0) == 32);
  CHECK(__ffs(8) == 4);
  CHECK(__popc(0xf0f0u) == 8);
  CHECK(__brev(1u) == 0x80000000u);
  CHECK(__funnelshift_l(0x80000000u, 1u, 1) == 3u);
  CHECK(__funnelshift_r(1u, 1u, 1) == 0x80000000u);
  CHECK(__float2int_rn(2.5f) == 2);
}

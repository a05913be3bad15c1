// Barriers, shuffles, votes, atomics: what they do, whatever the order of threads.

#include "support.hpp"

using namespace test;

namespace {

__global__ void shuffles(int* out, int operand, int width) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __shfl_up_sync(~0u, lane, static_cast<unsigned>(operand), width);
  out[32 + lane] = __shfl_down_sync(~0u, lane, static_cast<unsigned>(operand), width);
  out[64 + lane] = __shfl_xor_sync(~0u, lane, operand, width);
  out[96 + lane] = __shfl_sync(~0u, lane, operand, width);
}

}  // namespace

TEST_CASE("shuffles are those of the PTX ISA, section shfl.sync") {
  const OptionScope options(order(GENERATE(0, 1, 5)));
  const Array<int> out(128);
  for (const int width : {1, 2, 8, 32}) {
    for (int b = 0; b < 32; ++b) {
      cuda::launch(shuffles, 1, 32, 0, nullptr, out.data(), b, width);
      std::vector<int> want(128);
      const int segment = 32 - width;
      for (int lane = 0; lane < 32; ++lane) {
        const int low = lane & segment, high = low | (0x1f & ~segment);
        const int from[4] = {lane - b, lane + b, lane ^ b, low | (b & ~segment)};
        const bool ok[4] = {from[0] >= low, from[1] <= high, from[2] <= high, from[3] <= high};
        for (int k = 0; k < 4; ++k) want[static_cast<std::size_t>(32 * k + lane)] = ok[k] ? from[k] : lane;
      }
      REQUIRE(out.get() == want);
    }
  }
}

namespace {

__global__ void votes(unsigned* out) {
  const unsigned lane = threadIdx.x % 32, mask = lane < 16 ? 0xffffu : 0xffff0000u;
  unsigned v;
  if (lane < 16) {
    v = __ballot_sync(mask, lane % 3 == 0);
  } else {
    v = __match_any_sync(mask, static_cast<int>(lane % 2));
  }
  const bool any = __any_sync(mask, lane == 20) != 0, all = __all_sync(mask, lane < 16) != 0;
  out[48 + threadIdx.x] = (any ? 1u : 0u) + (all ? 2u : 0u);
  out[threadIdx.x] = v + 2u * static_cast<unsigned>(__syncthreads_count(threadIdx.x < 40));
  const int some = __syncthreads_or(threadIdx.x == 47), every = __syncthreads_and(threadIdx.x < 47);
  if (threadIdx.x == 0) out[96] = static_cast<unsigned>(some + 2 * every);
}

}  // namespace

TEST_CASE("votes, also of partial warps") {
  const OptionScope options(order(GENERATE(0, 1, 5)));
  const Array<unsigned> out(97);
  cuda::launch(votes, 1, 48, 0, nullptr, out.data());  // the second warp has 16 lanes
  const auto v = out.get();
  CHECK(v[0] == 0x9249u + 80);
  CHECK(v[20] == 0x55550000u + 80);
  CHECK(v[21] == 0xaaaa0000u + 80);
  CHECK(v[33] == 0x9249u + 80);
  CHECK(v[48] == 2);
  CHECK(v[48 + 20] == 1);
  CHECK(v[96] == 1);
}

namespace {

__global__ void reductions(const float* x, float* out, int n) {
  float sum = 0, most = -1e30f;
  const unsigned threads = blockDim.x * blockDim.y, thread = threadIdx.x + blockDim.x * threadIdx.y;
  for (unsigned i = thread; i < static_cast<unsigned>(n); i += threads) {
    sum += x[i];
    most = fmaxf(most, x[i]);
  }
  sum = cuda::block_sum(sum);
  most = cuda::block_max(most);
  sum += cuda::block_sum(0.0f);
  out[2 * thread] = sum;
  out[2 * thread + 1] = most;
}

}  // namespace

TEST_CASE("a block's reduction reaches every thread, with the same bits in any order of threads") {
  std::vector<float> x(1000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 1.0f / static_cast<float>(1 + i * 7 % 1000);
  const Array<float> in(x);
  for (const dim3 block : {dim3(32), dim3(96), dim3(32, 8), dim3(1024)}) {
    std::vector<float> first;
    const auto threads = block.x * block.y;
    for (const std::uint64_t seed : {0, 1, 5}) {
      const OptionScope options(order(seed));
      const Array<float> out(2 * threads);
      cuda::launch(reductions, 1, block, 0, nullptr, in.data(), out.data(), 1000);
      const auto got = out.get();
      for (unsigned t = 0; t < threads; ++t) {
        REQUIRE(got[2 * t] == got[0]);
        REQUIRE(got[2 * t + 1] == 1.0f);
      }
      if (first.empty()) first = got;
      CHECK(got == first);
    }
    CHECK(first[0] == test::Approx(7.485471));
  }
}

namespace {

__global__ void rounds(int* cells, int times, unsigned* counter) {  // every block passes its number round the grid
  const unsigned blocks = gridDim.x;
  for (unsigned k = 0; k < static_cast<unsigned>(times); ++k) {
    const int mine = cells[k % 2 * blocks + blockIdx.x];
    cuda::grid_sync(counter);
    if (threadIdx.x == 0) cells[(k + 1) % 2 * blocks + (blockIdx.x + 1) % blocks] = mine;
    cuda::grid_sync(counter);
  }
}

}  // namespace

TEST_CASE("a cooperative launch keeps all blocks alive") {
  const OptionScope options(order(GENERATE(0, 1, 5)));
  const Array<int> cells(std::vector<int>{1, 2, 3, 4, 5, 0, 0, 0, 0, 0});
  const Array<unsigned> counter(std::vector<unsigned>{0});
  cuda::launch_cooperative(rounds, 5, 64, 0, nullptr, cells.data(), 4, counter.data());
  const auto v = cells.get();
  CHECK(v[0] == 2);
  CHECK(v[3] == 5);
  CHECK(v[4] == 1);
  CHECK(message_of([&] {
          cuda::launch(rounds, 5, 64, 0, nullptr, cells.data(), 4, counter.data());
          cuda::check(cudaDeviceSynchronize(), "wait");
        }).find("not cooperative") != std::string::npos);
}

TEST_CASE("a cooperative launch of more than fits is refused") {
  const Array<int> cells(2 * 1000);
  const Array<unsigned> counter(std::vector<unsigned>{0});
  CHECK_THROWS_WITH(cuda::launch_cooperative(rounds, 1000, 1024, 0, nullptr, cells.data(), 1, counter.data()),
                    test::ContainsSubstring("too many blocks in cooperative launch"));
}

namespace {

__global__ void counters(float* sum, int* locked, int* lock) {
  atomicAdd(sum, 0.5f);
  while (atomicCAS(lock, 0, 1) != 0) {
  }  // lanes of a warp do make progress (sm_70)
  *locked = *locked + 1;
  __threadfence();
  atomicExch(lock, 0);
}

__global__ void bitwise(unsigned* bits, double* sum, unsigned long long* large) {
  atomicOr(&bits[0], 1u << threadIdx.x);
  atomicAnd(&bits[1], ~(1u << threadIdx.x));
  atomicXor(&bits[2], 3u);
  atomicMax(&bits[3], threadIdx.x);
  atomicMin(&bits[4], threadIdx.x + 7);
  atomicAdd(sum, 0.25);
  atomicAdd(large, 1ull << 40);
}

}  // namespace

TEST_CASE("atomics, and the locks that are made of them") {
  const OptionScope options(order(GENERATE(0, 1, 5)));
  const Array<float> sum(std::vector<float>{0});
  const Array<int> locked(std::vector<int>{0}), lock(std::vector<int>{0});
  const auto said =
      message_of([&] { cuda::launch(counters, 4, 64, 0, nullptr, sum.data(), locked.data(), lock.data()); });
  CHECK((said.empty() || said.find("races") != std::string::npos));  // the checker knows no locks
  CHECK(sum.get()[0] == 128.0f);
  CHECK(locked.get()[0] == 256);

  const Array<unsigned> bits(std::vector<unsigned>{0, ~0u, 0, 0, 1000});
  const Array<double> total(std::vector<double>{0});
  const Array<unsigned long long> large(std::vector<unsigned long long>{0});
  cuda::launch(bitwise, 3, 32, 0, nullptr, bits.data(), total.data(), large.data());
  CHECK(bits.get() == std::vector<unsigned>{~0u, 0, 0, 31, 7});
  CHECK(total.get()[0] == 24.0);
  CHECK(large.get()[0] == 96ull << 40);
}

namespace {

__global__ void blocks_on_threads(int* out) {
  MINITRAIN_SHARED(int, value, [64]);
  value[threadIdx.x] = static_cast<int>(blockIdx.x);
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = value[63 - threadIdx.x];
}

}  // namespace

TEST_CASE("blocks run on several threads of the operating system") {
  auto o = order(0);
  o.os_threads = 3;
  const OptionScope options(o);
  const Array<int> out(64 * 50);
  cuda::launch(blocks_on_threads, 50, 64, 0, nullptr, out.data());
  const auto v = out.get();
  for (std::size_t i = 0; i < v.size(); ++i) REQUIRE(v[i] == static_cast<int>(i / 64));
}

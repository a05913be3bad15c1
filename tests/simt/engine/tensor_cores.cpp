// mma.sync and ldmatrix. Products are exact and their sum is rounded once; the hardware rounds more often.

#include "device.hpp"
#include "worker.hpp"

#include <simt/kernel.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace simt {

namespace {

using engine::Op;

/// What a lane brings to a product: its registers of A and of B.
struct Fragments {
  unsigned a[4], b[2];
};

float bf16(unsigned pair, unsigned which) { return std::bit_cast<float>(which == 0 ? pair << 16 : pair & 0xffff0000u); }
float f16(unsigned pair, unsigned which) { return half_to_float(static_cast<std::uint16_t>(pair >> 16 * which)); }
float tf32(unsigned bits) { return std::bit_cast<float>(bits & 0xffffe000u); }  // the hardware reads no more of it

void need_whole_warp(const engine::Warp& w, const char* what) {
  if (w.exists != 0xffffffffu || w.exited != 0) fail(std::string(what) + " needs all 32 lanes of the warp");
}

// Lane 4 g + t: element i of C and D is row g + 8 (i / 2), column 2 t + i % 2. a_at(lanes, row, k) and b_at(lanes, k,
// column) find the factors among what the lanes brought.
template <class A, class B>
void product(int capability, float (&d)[4], const Fragments& mine, const float (&c)[4], unsigned depth, Site site,
             A a_at, B b_at) {
  const engine::Inside inside;
  engine::Worker& w = inside.worker;
  engine::need_capability(capability, "mma.sync of this shape");
  need_whole_warp(w.warp(), "mma.sync");
  const engine::Meeting all = w.meet(Op::mma, 0xffffffffu, &mine, sizeof mine, site);
  const auto lane_of = [&](unsigned lane) {
    Fragments f;
    std::memcpy(&f, all->data[lane], sizeof f);
    return f;
  };
  const unsigned g = w.running->lane / 4, t = w.running->lane % 4;
  float result[4];
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = g + 8 * (i / 2), column = 2 * t + i % 2;
    double sum = c[i];
    for (unsigned k = 0; k < depth; ++k) sum += static_cast<double>(a_at(lane_of, row, k)) * b_at(lane_of, k, column);
    result[i] = static_cast<float>(sum);
  }
  std::copy(result, result + 4, d);
}

// 16-bit elements, two in a register. A: register r is row g + 8 (r % 2), columns 2 t + 8 (r / 2) and the next; B:
// register r is column g, rows 2 t + 8 r and the next.
template <class Element>
void product_16_bit(int capability, float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const float (&c)[4],
                    Site site, Element element) {
  product(
      capability, d, {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, c, 16, site,
      [=](auto& lane_of, unsigned row, unsigned k) {
        return element(lane_of(4 * (row % 8) + k % 8 / 2).a[row / 8 + 2 * (k / 8)], k % 2);
      },
      [=](auto& lane_of, unsigned k, unsigned column) {
        return element(lane_of(4 * column + k % 8 / 2).b[k / 8], k % 2);
      });
}

}  // namespace

void mma_m16n8k16_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const float (&c)[4], Site site) {
  product_16_bit(80, d, a, b, c, site, bf16);
}

void mma_m16n8k16_f16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const float (&c)[4], Site site) {
  product_16_bit(75, d, a, b, c, site, f16);
}

// A: register r is row g + 8 (r % 2), column t + 4 (r / 2); B: register r is column g, row t + 4 r.
void mma_m16n8k8_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2], const float (&c)[4], Site site) {
  Fragments mine;
  for (int r = 0; r < 4; ++r) mine.a[r] = std::bit_cast<unsigned>(a[r]);
  for (int r = 0; r < 2; ++r) mine.b[r] = std::bit_cast<unsigned>(b[r]);
  product(
      80, d, mine, c, 8, site,
      [](auto& lane_of, unsigned row, unsigned k) {
        return tf32(lane_of(4 * (row % 8) + k % 4).a[row / 8 + 2 * (k / 4)]);
      },
      [](auto& lane_of, unsigned k, unsigned column) { return tf32(lane_of(4 * column + k % 4).b[k / 4]); });
}

float round_to_tf32(float x) {
  const auto bits = std::bit_cast<unsigned>(x);
  if ((bits & 0x7f800000u) == 0x7f800000u) return x;
  return std::bit_cast<float>((bits + 0x1000u) & 0xffffe000u);
}

// Lane 4 g + t gets row g, columns 2 t and 2 t + 1 of each 8 x 8 matrix; transposed: column g, rows 2 t and 2 t + 1.
void ldmatrix(unsigned* registers, int count, bool transposed, const void* row, Site site) {
  const engine::Inside inside;
  engine::Worker& w = inside.worker;
  engine::need_capability(75, "ldmatrix");
  need_whole_warp(w.warp(), "ldmatrix");
  const void* const code = __builtin_return_address(0);
  const auto load = [&](engine::Collective& c, engine::Warp& warp) {  // of the whole warp: one instruction
    engine::Thread* const me = w.running;
    for (int l = 0; l < 8 * count; ++l) {
      const std::byte* p = nullptr;
      std::memcpy(&p, c.data[l], sizeof p);
      w.running = warp.lanes[l];
      if (p < me->shared_low || p >= me->shared_high) {
        fail("ldmatrix row is not in shared memory at " + engine::text(site));
      }
      if (reinterpret_cast<std::uintptr_t>(p) % 16 != 0) {
        fail("ldmatrix row is not 16-byte aligned at " + engine::text(site));
      }
      if (auto* const checker = engine::checker()) checker->access(*w.running, p, 16, false, false, code);
      std::memcpy(c.data[l], p, 16);
    }
    w.running = me;
  };
  const engine::Meeting all = w.meet(Op::ldmatrix, 0xffffffffu, &row, sizeof row, site, load);
  const unsigned g = w.running->lane / 4, t = w.running->lane % 4;
  for (unsigned m = 0; m < static_cast<unsigned>(count); ++m) {
    unsigned short element[2];
    for (unsigned j = 0; j < 2; ++j) {
      const unsigned r = transposed ? 2 * t + j : g, column = transposed ? g : 2 * t + j;
      std::memcpy(&element[j], all->data[8 * m + r] + 2 * column, 2);
    }
    registers[m] = element[0] | static_cast<unsigned>(element[1]) << 16;
  }
}

}  // namespace simt

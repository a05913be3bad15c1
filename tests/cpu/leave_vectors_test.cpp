// Who calls a kernel gets the vector registers back as code without AVX wants them, however little is optimised.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O1")
#endif
#include <minitrain/cpu/device.hpp>
#include <minitrain/cpu/elementwise.hpp>
#include <minitrain/cpu/gather.hpp>
#include <minitrain/cpu/permute.hpp>

#include <vector>

#include "support/catch.hpp"

#if MINITRAIN_SIMD_X86
#include <cpuid.h>

namespace mt = minitrain;

namespace {

bool processor_tells() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool xsave = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 27 & 1) != 0;
  return xsave && __get_cpuid_count(13, 1, &a, &b, &c, &d) != 0 && (a >> 2 & 1) != 0;
}

// Whether any upper half of a vector register is in use (Intel, volume 1, 13.6: XINUSE, bits 2 and 6).
__attribute__((target("xsave"))) bool upper_in_use() { return (__builtin_ia32_xgetbv(1) & 0x44u) != 0; }

__attribute__((target("avx"))) void use_upper() {
  asm volatile("vpcmpeqd %%xmm1, %%xmm1, %%xmm1\n\tvinsertf128 $1, %%xmm1, %%ymm1, %%ymm1" ::: "xmm1");
}

}  // namespace

TEST_CASE("kernels leave the vector registers clean") {
  if (!processor_tells() || mt::cpu::best_isa() == mt::Isa::baseline) return;
  use_upper();
  REQUIRE(upper_in_use());
  const std::vector<float> x(1000, 0.5f);
  const std::vector<std::uint8_t> bytes(1000, 7);
  const std::vector<std::uint64_t> rows{1, 3};
  std::vector<float> y(1000);
  std::vector<std::uint64_t> order(1000);
  for (const mt::Isa isa : {mt::Isa::avx2, mt::Isa::best}) {
    const mt::Cpu cpu{{.threads = 1, .isa = isa}};
    const auto f = mt::Activation{.kind = mt::ActivationKind::gelu};
    use_upper();
    mt::cpu::activate_on(cpu.isa(), f, x.data(), y.data(), x.size());
    const bool after_function = upper_in_use();
    use_upper();
    mt::fill_order(cpu, mt::Permutation(100'000, 1), 0, order);
    const bool after_order = upper_in_use();
    use_upper();
    mt::cpu::widen_row(cpu.isa(), bytes.data(), bytes.size(), 1.0f, 0.0f, y.data());
    const bool after_bytes = upper_in_use();
    asm volatile("vzeroupper");
    CHECK(!after_function);
    CHECK(!after_order);
    CHECK(!after_bytes);
  }
}

#endif

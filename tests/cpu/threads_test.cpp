// Parallel regions: every part once, whatever the counts, again and again.

#include <minitrain/cpu/device.hpp>

#include <vector>

#include "support/catch.hpp"

namespace mt = minitrain;

TEST_CASE("parallel covers each index once, at multiples of the grain", "[threads]") {
  for (const std::size_t threads : {1, 2, 3, 7}) {
    const mt::Cpu device{{.threads = threads, .work_per_thread = 1}};
    for (const std::size_t count : {0, 1, 2, 15, 16, 17, 100, 257}) {
      for (const std::size_t grain : {1, 4, 16}) {
        std::vector<int> hits(count, 0);
        std::atomic<std::size_t> parts{0};
        device.parallel(count, grain, 1e9, [&](std::size_t begin, std::size_t end) {
          ++parts;
          if (begin % grain != 0) parts = 1000;
          for (std::size_t i = begin; i < end; ++i) ++hits[i];
        });
        CHECK(std::count(hits.begin(), hits.end(), 1) == static_cast<std::ptrdiff_t>(count));
        CHECK(parts <= threads);
      }
    }
  }
}

TEST_CASE("little work stays on the calling thread", "[threads]") {
  const mt::Cpu device{{.threads = 4}};
  int calls = 0;
  device.parallel(1000, 1, 60'000, [&](std::size_t, std::size_t) { ++calls; });
  CHECK(calls == 1);
}

TEST_CASE("a pool runs region after region, also after it went to sleep", "[threads]") {
  const mt::Cpu device{{.threads = 2, .work_per_thread = 1}};
  std::vector<std::size_t> sums(2, 0);
  for (int round = 0; round < 2000; ++round) {
    device.parallel(2, 1, 1e9, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) sums[i] += i + 1;
    });
    if (round % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(sums == std::vector<std::size_t>{2000, 4000});
}

TEST_CASE("copies of a Cpu are independent devices", "[threads]") {
  const mt::Cpu a{{.threads = 2, .work_per_thread = 1}};
  float* scratch = a.scratch<float>(0, 100);
  const mt::Cpu b = a;
  CHECK(b.scratch<float>(0, 100) != scratch);
  CHECK(a.scratch<float>(0, 50) == scratch);
  CHECK(b.threads() == 2);
}

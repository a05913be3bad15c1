#include <minitrain/cpu/gather.hpp>

#include "support/catch.hpp"

#include <cmath>
#include <limits>
#include <vector>

namespace mt = minitrain;

namespace {

template <class S>
std::vector<S> counting(std::size_t size) {
  std::vector<S> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<S>(i * 7 + 3);
  return values;
}

// Every element of out against the definition; nothing outside of it touched.
template <class S, class T>
void check_gather(const mt::Cpu& device, std::size_t columns, std::size_t count, float scale = 1, float offset = 0) {
  constexpr std::size_t n = 97;
  const std::vector<S> table = counting<S>(n * columns);
  std::vector<std::uint64_t> rows(count), next(count / 2);
  for (std::size_t i = 0; i < count; ++i) rows[i] = (i * 31 + 5) % n;
  for (std::size_t i = 0; i < next.size(); ++i) next[i] = (i * 17 + n - 1) % n;
  const T poison = std::numeric_limits<T>::max();
  std::vector<T> memory(count * columns + 32, poison);
  const mt::RowSource<S> source{mt::View<const S>(table.data(), mt::Shape{n, columns}), scale, offset};
  mt::gather(device, source, rows, next, mt::View<T>(memory.data() + 16, mt::Shape{count, columns}));

  std::size_t wrong = 0;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      const S element = table[rows[i] * columns + j];
      const T expected = std::is_same_v<S, std::uint8_t>
                             ? static_cast<T>(std::fma(scale, static_cast<float>(element), offset))
                             : static_cast<T>(element);
      wrong += memory[16 + i * columns + j] != expected;
    }
  }
  for (std::size_t i = 0; i < 16; ++i) wrong += memory[i] != poison || memory[memory.size() - 1 - i] != poison;
  INFO("columns " << columns << " count " << count);
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("gather copies the rows that were asked for, and nothing else") {
  const mt::Cpu device;
  for (const std::size_t columns : {1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 31, 33, 64, 65, 257, 784}) {
    for (const std::size_t count : {0, 1, 2, 31, 33, 257}) {
      check_gather<float, float>(device, columns, count);
      check_gather<float, double>(device, columns, count);
      check_gather<std::int32_t, std::int32_t>(device, columns, count);
      check_gather<std::uint8_t, std::uint8_t>(device, columns, count);
    }
  }
}

TEST_CASE("bytes become floats, rounded once, whatever the instruction set") {
  for (const mt::Isa isa : {mt::Isa::baseline, mt::Isa::avx2, mt::Isa::avx512}) {
    if (isa > mt::cpu::best_isa()) continue;
    const mt::Cpu device{{.threads = 1, .isa = isa}};
    for (const std::size_t columns : {1, 15, 16, 17, 31, 33, 64, 257, 784}) {
      for (const std::size_t count : {0, 1, 33}) {
        check_gather<std::uint8_t, float>(device, columns, count, 1 / 255.0f, 0);
        check_gather<std::uint8_t, float>(device, columns, count, 0.012345678f, -1.2345678f);
        check_gather<std::uint8_t, float>(device, columns, count, -3.0e-3f, 0.1f);
        check_gather<std::uint8_t, double>(device, columns, count, 0.012345678f, -1.2345678f);
      }
    }
  }
}

TEST_CASE("threads share the rows of a large batch") {
  for (const std::size_t threads : {1, 2, 3, 5}) {
    const mt::Cpu device{{.threads = threads}};
    check_gather<float, float>(device, 784, 1000);
    check_gather<std::uint8_t, float>(device, 784, 1001, 0.5f, 1.0f);
    check_gather<float, float>(device, 3, 50'001);
  }
}

TEST_CASE("gathered labels may be a vector") {
  const std::vector<std::int32_t> labels{5, 6, 7};
  const std::vector<std::uint64_t> rows{2, 0, 2, 1};
  std::vector<std::int32_t> out(4);
  mt::gather(mt::Cpu(), mt::RowSource<std::int32_t>{{labels.data(), mt::Shape{3}}}, rows, {},
             mt::View<std::int32_t>(out.data(), mt::Shape{4}));
  CHECK(out == std::vector<std::int32_t>{7, 5, 7, 6});
}

TEST_CASE("gather refuses a result of another shape") {
  const std::vector<float> table(12);
  const std::vector<std::uint64_t> rows{0, 1};
  std::vector<float> out(12);
  const mt::RowSource<float> source{{table.data(), mt::Shape{4, 3}}};
  for (const mt::Shape& shape : {mt::Shape{2, 2}, mt::Shape{3, 2}, mt::Shape{6}, mt::Shape{3, 3}}) {
    try {
      mt::gather(mt::Cpu(), source, rows, {}, mt::View<float>(out.data(), shape));
      FAIL_CHECK("nothing was thrown");
    } catch (const mt::ShapeError& error) {
      CHECK(error.code() == mt::ErrorCode::shape_mismatch);
      CHECK_THAT(std::string(error.what()), test::ContainsSubstring("2 rows of [4, 3]"));
    }
  }
}

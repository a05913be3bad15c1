#include <minitrain/data/table.hpp>
#include <minitrain/data/table_source.hpp>

#include <cmath>
#include <limits>
#include <numeric>

#include "data/support.hpp"

namespace mt = minitrain;
using mt::ElementType;
using mt::ErrorCode;

namespace {

/// The bytes of the elements, the most significant first where `big_endian`.
template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& elements, bool big_endian) {
  std::vector<std::byte> bytes;
  for (const T& element : elements) {
    std::array<std::byte, sizeof(T)> parts;
    std::memcpy(parts.data(), &element, sizeof(T));
    if (big_endian) std::reverse(parts.begin(), parts.end());
    bytes.insert(bytes.end(), parts.begin(), parts.end());
  }
  return bytes;
}

std::uint32_t bits_of(float x) { return std::bit_cast<std::uint32_t>(x); }

std::vector<float> read(const mt::Table& table, const std::vector<std::uint64_t>& rows) {
  std::vector<float> out(rows.size() * table.columns, -7.0f);
  mt::read_rows(table, rows, out.data(), table.columns);
  return out;
}

/// Elements are read as `expected`, bit for bit: in either byte order, as one row and as a column, packed and with
/// gaps, few of them and so many that bytes are looked up.
template <class T>
void check_elements(ElementType type, const std::vector<T>& elements, const std::vector<float>& expected,
                    float scale = 1, float offset = 0) {
  REQUIRE(elements.size() == expected.size());
  REQUIRE(mt::size_of(type) == sizeof(T));
  for (const bool big_endian : {false, true}) {
    for (const std::size_t gap : {std::size_t{0}, std::size_t{3}}) {
      std::vector<std::byte> bytes(1);  // so that nothing is aligned
      for (const T& element : elements) {
        const auto more = bytes_of(std::vector<T>{element}, big_endian);
        bytes.insert(bytes.end(), more.begin(), more.end());
        bytes.resize(bytes.size() + gap);
      }
      mt::Table row{.data = bytes.data() + 1, .type = type, .big_endian = big_endian, .rows = 1};
      row.columns = elements.size();
      row.column_stride = sizeof(T) + gap;
      row.row_stride = elements.size() * row.column_stride;
      row.scale = scale;
      row.offset = offset;
      mt::Table column = row;
      column.rows = elements.size();
      column.columns = 1;
      column.row_stride = row.column_stride;
      std::vector<std::uint64_t> all(elements.size());
      std::iota(all.begin(), all.end(), std::uint64_t{0});
      const std::vector<float> across = read(row, std::vector<std::uint64_t>(300)), down = read(column, all);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        INFO("element " << i << " of type " << static_cast<int>(type) << ", big-endian " << big_endian << ", gap "
                        << gap << ": wanted " << expected[i] << ", found " << across[i] << " and " << down[i]);
        CHECK(bits_of(across[i]) == bits_of(expected[i]));
        CHECK(bits_of(across[299 * expected.size() + i]) == bits_of(expected[i]));
        CHECK(bits_of(down[i]) == bits_of(expected[i]));
      }
    }
  }
}

constexpr float inf = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("elements of every type are read as the numbers they are, rounded once", "[exactness]") {
  using U16 = std::vector<std::uint16_t>;
  check_elements<std::uint8_t>(ElementType::boolean, {0, 1, 2, 255}, {0, 1, 1, 1});
  check_elements<std::uint8_t>(ElementType::u8, {0, 1, 128, 255}, {0, 1, 128, 255});
  check_elements<std::int8_t>(ElementType::i8, {0, 1, 127, -128, -1}, {0, 1, 127, -128, -1});
  check_elements<std::uint16_t>(ElementType::u16, {0, 258, 65535}, {0, 258, 65535});
  check_elements<std::int16_t>(ElementType::i16, {0, 258, 32767, -32768}, {0, 258, 32767, -32768});
  check_elements<std::uint32_t>(ElementType::u32, {0, 16777217, 16777219, 4294967295u},
                                {0, 16777216, 16777220, 4294967296.0f});
  check_elements<std::int32_t>(ElementType::i32, {-16777217, 2147483647, -2147483647 - 1},
                               {-16777216, 2147483648.0f, -2147483648.0f});
  // 2^60 + 2^36 is half-way between two floats: the 1 makes it more, but is lost where a double comes between.
  constexpr std::uint64_t above_half = (std::uint64_t{1} << 60) + (std::uint64_t{1} << 36) + 1;
  check_elements<std::uint64_t>(ElementType::u64, {0, above_half, ~std::uint64_t{0}},
                                {0, 0x1p60f + 0x1p37f, 18446744073709551616.0f});
  check_elements<std::int64_t>(ElementType::i64,
                               {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(),
                                static_cast<std::int64_t>(above_half)},
                               {-0x1p63f, 0x1p63f, 0x1p60f + 0x1p37f});
  check_elements(ElementType::f16, U16{0x0000, 0x8000, 0x3C00, 0xC000, 0x7BFF, 0x0400, 0x0001, 0x83FF, 0x7C00, 0xFC00},
                 {0, -0.0f, 1, -2, 65504, 0x1p-14f, 0x1p-24f, -1023 * 0x1p-24f, inf, -inf});
  check_elements(ElementType::bf16, U16{0x0000, 0x3F80, 0xC000, 0x0001, 0x7F80, 0x7F7F},
                 {0, 1, -2, 0x1p-133f, inf, 0x1.FEp127f});
  check_elements<float>(ElementType::f32, {0, -0.0f, 1.5f, 1e-45f, 3.4e38f, -inf},
                        {0, -0.0f, 1.5f, 1e-45f, 3.4e38f, -inf});
  check_elements<double>(ElementType::f64, {0.1, -1e-46, 1e39, 16777217.0, 1 + 0x1p-24 + 0x1p-50},
                         {0.1f, -0.0f, inf, 16777216, 1 + 0x1p-23f});
}

TEST_CASE("what is not a number stays so") {
  for (const auto& [type, bits] : {std::pair{ElementType::f16, std::uint16_t{0x7E01}},
                                   {ElementType::f16, 0xFC01},
                                   {ElementType::bf16, 0x7FC0},
                                   {ElementType::bf16, 0xFF81}}) {
    const mt::Table table{.data = reinterpret_cast<const std::byte*>(&bits), .type = type, .rows = 1, .columns = 1};
    CHECK(std::isnan(read(table, {0})[0]));
  }
  // A float keeps its very bits in memory order, whatever they are.
  check_elements<std::uint32_t>(ElementType::f32, {0x7FC00123u, 0xFFC00001u},
                                {std::bit_cast<float>(0x7FC00123u), std::bit_cast<float>(0xFFC00001u)});
  const double nan = std::nan("");
  const mt::Table table{
      .data = reinterpret_cast<const std::byte*>(&nan), .type = ElementType::f64, .rows = 1, .columns = 1};
  CHECK(std::isnan(read(table, {0})[0]));
}

TEST_CASE("scale and offset apply in double", "[exactness]") {
  const auto at = [](double x) { return static_cast<float>(static_cast<double>(1 / 255.0f) * x + 0.1f); };
  check_elements<std::uint8_t>(ElementType::u8, {0, 1, 77, 255}, {at(0), at(1), at(77), at(255)}, 1 / 255.0f, 0.1f);
  check_elements<std::int8_t>(ElementType::i8, {-128, 0, 127}, {at(-128), at(0), at(127)}, 1 / 255.0f, 0.1f);
  check_elements<std::uint8_t>(ElementType::boolean, {0, 9}, {-1, 1}, 2, -1);
  check_elements<std::int64_t>(ElementType::i64, {1000001}, {at(1000001)}, 1 / 255.0f, 0.1f);
  check_elements<float>(ElementType::f32, {3, -1}, {7, -1}, 2, 1);
}

TEST_CASE("rows of floats of every length are copied, and nothing behind them") {
  constexpr std::uint64_t rows = 40;
  for (std::size_t columns = 0; columns <= 40; ++columns) {
    const std::size_t stride = columns + 2;
    std::vector<float> numbers(rows * columns + 1);
    std::iota(numbers.begin(), numbers.end(), 1.0f);
    mt::Table table{.data = reinterpret_cast<const std::byte*>(numbers.data()), .rows = rows, .columns = columns};
    table.row_stride = columns * sizeof(float);
    table.column_stride = sizeof(float);
    std::vector<std::uint64_t> order(rows);
    for (std::uint64_t i = 0; i < rows; ++i) order[i] = i * 7 % rows;
    std::vector<float> out(rows * stride, -1);
    mt::read_rows(table, order, out.data(), stride);
    bool right = true;
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < stride; ++j) {
        right &= out[i * stride + j] == (j < columns ? numbers[order[i] * columns + j] : -1.0f);
      }
    }
    INFO(columns << " columns");
    CHECK(right);
  }
}

TEST_CASE("columns of a table are a table") {
  const std::vector<std::int16_t> numbers{1, 2, 3, 4, 5, 6};
  mt::Table table{.data = reinterpret_cast<const std::byte*>(numbers.data()), .type = ElementType::i16, .rows = 2};
  table.columns = 3;
  table.row_stride = 6;
  table.column_stride = 2;
  CHECK(read(table.column_range(1, 2), {1, 0}) == std::vector<float>{5, 6, 2, 3});
  CHECK(read(table.column_range(1, 0), {1, 0}).empty());
}

TEST_CASE("a table source checks labels as they are read, and numbers when asked to") {
  const std::vector<float> x{1, 2, inf, 4};
  const std::vector<double> y{0, 1, 1.5, 3e9};
  const auto table = [](const auto& numbers, ElementType type) {
    mt::Table result{.data = reinterpret_cast<const std::byte*>(numbers.data()), .type = type, .rows = numbers.size()};
    result.columns = 1;
    result.row_stride = result.column_stride = mt::size_of(type);
    return result;
  };
  const auto source = [&](std::size_t classes, mt::NonFinite policy) {
    return mt::Dataset(std::make_shared<const mt::TableSource>(table(x, ElementType::f32), table(y, ElementType::f64),
                                                               classes, policy));
  };
  const mt::Dataset kept = source(std::size_t{1} << 31, mt::NonFinite::keep);
  CHECK(kept.size() == 4);
  CHECK(kept.feature(2, 0) == inf);
  CHECK(kept.label(1) == 1);
  const auto code = ErrorCode::label_out_of_range;
  test::check_error<mt::DataError>(
      code, [&] { kept.label(2); }, "sample 2 has label 1.5");
  test::check_error<mt::DataError>(
      code, [&] { kept.label(3); }, "sample 3 has label 3e+09");
  const mt::Dataset two = source(1, mt::NonFinite::keep);
  test::check_error<mt::DataError>(
      code, [&] { two.label(1); }, "sample 1 has label 1", "from 0 to 0");
  const mt::Dataset checked = source(0, mt::NonFinite::error);
  CHECK(checked.feature(3, 0) == 4);
  test::check_error<mt::DataError>(
      ErrorCode::non_finite, [&] { checked.feature(2, 0); }, "feature 0 of sample 2 is inf");

  test::check_error<mt::DataError>(
      ErrorCode::count_mismatch,
      [&] { mt::TableSource(table(x, ElementType::f32), table(std::vector<double>{1}, ElementType::f64), 0, {}); },
      "4 rows of features", "1 rows of targets");
}

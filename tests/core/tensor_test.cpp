// Shapes, views and tensors: what they hold, and what they refuse.

#include <minitrain/cpu/device.hpp>

#include <cstdint>

#include "support/catch.hpp"

namespace mt = minitrain;
using test::ContainsSubstring;

/// AddressSanitizer ends a program that asks for too much memory, unless it is told to let operator new say no.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

static_assert(std::is_trivially_copyable_v<mt::View<float>>, "views cross into kernels");
static_assert(std::is_trivially_copyable_v<mt::Shape>);
static_assert(!std::is_copy_constructible_v<mt::Tensor<float>>, "copies are asked for by name");
static_assert(std::is_nothrow_move_constructible_v<mt::Tensor<float>>);
static_assert(std::is_convertible_v<mt::View<float>, mt::View<const float>>);
static_assert(!std::is_convertible_v<mt::View<const float>, mt::View<float>>);

TEST_CASE("a shape has rank 1 to 4 and at most 2^58 elements", "[core]") {
  CHECK(mt::Shape{2, 3, 4}.size() == 24);
  CHECK(mt::Shape{2, 3, 4}.rows() == 2);
  CHECK(mt::Shape{2, 3, 4}.columns() == 12);
  CHECK(mt::Shape{5}.columns() == 1);
  CHECK(mt::Shape{0, 7}.empty());
  CHECK(mt::Shape{3, 4} == mt::Shape::matrix(3, 4));
  CHECK(mt::Shape{3, 4} != mt::Shape{4, 3});
  CHECK(mt::to_string(mt::Shape{32, 784}) == "[32, 784]");
  CHECK_THROWS_AS((mt::Shape{1, 1, 1, 1, 1}), mt::ShapeError);
  CHECK_THROWS_AS((mt::Shape(nullptr, 0)), mt::ShapeError);
  const std::size_t huge = std::size_t{1} << 40;
  CHECK_THROWS_WITH((mt::Shape{huge, huge}), ContainsSubstring("2^58"));
}

TEST_CASE("a tensor is aligned, zero-filled, movable and cloned by name", "[core]") {
  for (const std::size_t n : {0, 1, 31, 33, 257}) {
    mt::Tensor<float> t(mt::Shape{n, 3});
    CHECK(reinterpret_cast<std::uintptr_t>(t.data()) % 64 == 0);
    CHECK(t.size() == 3 * n);
    for (const float v : t) CHECK(v == 0.0f);
    if (n > 0) t(n - 1, 2) = 5;
    const mt::Tensor<float> copy = t.clone();
    CHECK(copy == t);
    const mt::Tensor<float> moved = std::move(t);
    CHECK(moved == copy);
    CHECK(t.size() == 0);
  }
  mt::Tensor<double> t(mt::Shape{2, 2}, {1, 2, 3, 4});
  CHECK(t(1, 0) == 3);
  CHECK_THROWS_AS(mt::Tensor<double>(mt::Shape{2, 2}, {1, 2, 3}), mt::ShapeError);
  t.reshape(mt::Shape{4});
  CHECK(t[3] == 4);
  CHECK_THROWS_AS(t.reshape(mt::Shape{5}), mt::ShapeError);
  CHECK(t.shape() == mt::Shape{4});
}

TEST_CASE("rows of a view are checked", "[core]") {
  const mt::Tensor<float> t(mt::Shape{3, 2}, {1, 2, 3, 4, 5, 6});
  const auto middle = t.view().rows(1, 2);
  CHECK(middle.shape() == mt::Shape{2, 2});
  CHECK(middle(0, 0) == 3);
  CHECK_THROWS_AS(t.view().rows(2, 2), mt::ShapeError);
  CHECK_THROWS_AS(t.view().rows(4, 0), mt::ShapeError);
}

TEST_CASE("memory that is not there is a DeviceError", "[core]") {
  CHECK_THROWS_AS(mt::Tensor<float>(mt::Shape{std::size_t{1} << 55}), mt::DeviceError);
}

TEST_CASE("a Cpu refuses options outside their range", "[cpu]") {
  CHECK_THROWS_AS(mt::Cpu(mt::CpuOptions{.threads = 5000}), mt::OptionError);
  CHECK_THROWS_AS(mt::Cpu(mt::CpuOptions{.work_per_thread = 0}), mt::OptionError);
  CHECK(mt::Cpu(mt::CpuOptions{.threads = 3}).threads() == 3);
  CHECK(mt::Cpu{}.threads() >= 1);
}

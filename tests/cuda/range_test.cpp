#include "cuda/support.hpp"

using namespace test;

namespace {

/// first_outside on both devices, with wrong elements in several places.
template <class T>
void check_range(const Cuda& gpu, T low, T high, const std::vector<T>& wrong) {
  const Cpu cpu({.threads = 1});
  const auto found = [&](const Tensor<T>& host) {
    const auto x = on(gpu, host);
    const std::size_t at = first_outside(gpu, in(x), static_cast<double>(low), static_cast<double>(high));
    CHECK(at == first_outside(cpu, in(host), static_cast<double>(low), static_cast<double>(high)));
    return at;
  };
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{33}, many_blocks * 256 + 700}) {
    CAPTURE(size);
    Tensor<T> host({size});
    for (std::size_t i = 0; i < size; ++i) host[i] = i % 2 == 0 ? low : high;
    CHECK(found(host) == size);
    for (const T value : wrong) {
      for (std::size_t at = size; at > 0; at /= 3) {  // from the last to the first, each before those found so far
        host[at - 1] = value;
        CHECK(found(host) == at - 1);
      }
      for (std::size_t i = 0; i < size; ++i) host[i] = i % 2 == 0 ? low : high;
    }
  }
}

}  // namespace

TEST_CASE("The first element outside a range is found on both devices", "[bad input]") {
  const Cuda gpu{0};
  check_range<std::int32_t>(gpu, 0, 9, {-1, 10, std::numeric_limits<std::int32_t>::min()});
  check_range<float>(gpu, 0.0f, 1.0f, {-1e-6f, 1.0000001f, infinity, not_a_number});
}

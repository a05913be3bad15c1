// What a program learns that asks for a GPU of a library built without CUDA.

#include <minitrain/with_device.hpp>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace mt = minitrain;

TEST_CASE("a library built without CUDA says so, and never takes the CPU instead", "[bad input]") {
  std::string why;
  mt::cuda::device_count(&why);
  if (why.find("built without CUDA") == std::string::npos) {
    SUCCEED("this one is built with CUDA");
    return;
  }
  test::check_error<mt::DeviceError>(
      mt::ErrorCode::device_unavailable, [] { mt::Cuda{0}; }, "built without CUDA", "MINITRAIN_CUDA=ON", "Cpu{}");
  CHECK_THROWS_AS(mt::with_device("cuda", [](const auto&) {}), mt::DeviceError);
  mt::with_device("auto", [](const auto& device, const std::string& reason) {
    CHECK(mt::describe_device(device).substr(0, 3) == "CPU");
    CHECK_THAT(reason, test::ContainsSubstring("built without CUDA"));
  });
}

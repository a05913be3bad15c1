// Batches gathered on the GPU are those gathered on the CPU, and a run sees the same samples in the same order.

#include <minitrain/cpu/gather.hpp>

#include "cuda/support.hpp"

#include <numeric>

namespace {

using test::on;

template <class S, class T>
void check_gather(const minitrain::Tensor<S>& host, std::size_t count, float scale = 1, float offset = 0) {
  CAPTURE(host.rows(), host.columns(), count);
  std::vector<std::uint64_t> rows(count + 3);  // of which the first three are passed over
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = (i * 7919 + 3) % host.rows();
  test::check_same_bits(minitrain::Cuda{0}, [&](const auto& device, test::Results& results) {
    using Device = std::remove_cvref_t<decltype(device)>;
    const auto table = on(device, host);
    minitrain::RowSource<S, Device> source;
    source.table = table.view();
    source.scale = scale;
    source.offset = offset;
    minitrain::Tensor<T, Device> out(device, {count, host.columns()});
    if constexpr (std::is_same_v<Device, minitrain::Cpu>) {
      gather(device, source, std::span<const std::uint64_t>(rows).subspan(3), {}, out.view());
    } else {
      minitrain::Tensor<std::uint64_t, Device> order(device, {rows.size()});
      copy_from_host(device, rows.data(), order.view());
      gather(device, source, minitrain::cuda::Rows{order.data(), 3, count}, out.view());
    }
    results.add("rows", device, out.view());
  });
}

}  // namespace

TEST_CASE("Gathered rows on the GPU are those on the CPU", "[exactness]") {
  using minitrain::Shape, minitrain::Tensor;
  for (const std::size_t columns : {1, 2, 10, 31, 257}) {
    Tensor<std::uint8_t> bytes(Shape{40, columns});
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37);
    Tensor<std::int32_t> labels(Shape{40, columns});
    std::iota(labels.begin(), labels.end(), -5);
    for (const std::size_t count : {0, 1, 33, 100}) {
      check_gather<float, float>(test::mixed(Shape{40, columns}, columns), count);
      check_gather<std::int32_t, std::int32_t>(labels, count);
      check_gather<std::uint8_t, float>(bytes, count, 1.0f / 255, -0.5f);
    }
  }
}

TEST_CASE("gather on the GPU refuses a result of another shape") {
  const minitrain::Cuda device{0};
  const auto table = on(device, test::uniform({4, 3}, 1));
  minitrain::RowSource<float, minitrain::Cuda> source;
  source.table = table.view();
  minitrain::Tensor<float, minitrain::Cuda> out(device, {2, 2});
  CHECK_THROWS_AS(gather(device, source, minitrain::cuda::Rows{nullptr, 0, 2}, out.view()), minitrain::ShapeError);
}

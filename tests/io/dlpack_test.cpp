#include <minitrain/cpu.hpp>
#include <minitrain/io/dlpack_import.hpp>

#if __has_include(<dlpack/dlpack.h>)
#include <dlpack/dlpack.h>
#endif

#include <cstring>

#include "support/errors.hpp"
#include "support/python.hpp"

namespace mt = minitrain;
namespace dl = minitrain::dlpack;
using mt::ErrorCode;

namespace {

/// What another library exports: numbers 0, 1, 2, ... and how often it was told that they are no longer wanted.
template <class M>
struct Foreign {
  std::vector<float> numbers;
  std::vector<std::int64_t> shape, strides;
  int deleted = 0;
  M managed{};

  explicit Foreign(std::vector<std::int64_t> extents) : numbers(64), shape(std::move(extents)) {
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
    auto& tensor = managed.dl_tensor;
    tensor.data = numbers.data();
    tensor.device.device_type = static_cast<decltype(tensor.device.device_type)>(1);
    tensor.ndim = static_cast<std::int32_t>(shape.size());
    tensor.dtype.code = 2;
    tensor.dtype.bits = 32;
    tensor.dtype.lanes = 1;
    tensor.shape = shape.data();
    managed.manager_ctx = this;
    managed.deleter = [](M* self) { ++static_cast<Foreign*>(self->manager_ctx)->deleted; };
    if constexpr (dl::is_versioned<M>) managed.version.major = 1;
  }
};

/// The names of dlpack.h, for machines without it.
namespace theirs {
enum DLDeviceType { kDLCPU = 1 };
struct DLDevice {
  DLDeviceType device_type;
  std::int32_t device_id;
};
struct DLDataType {
  std::uint8_t code, bits;
  std::uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t *shape, *strides;
  std::uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor* self);
};
}  // namespace theirs

}  // namespace

#ifdef DLPACK_VERSION
static_assert(sizeof(dl::ManagedTensor) == sizeof(DLManagedTensor) && sizeof(dl::Tensor) == sizeof(DLTensor));
static_assert(offsetof(dl::ManagedTensor, deleter) == offsetof(DLManagedTensor, deleter));
static_assert(offsetof(dl::Tensor, dtype) == offsetof(DLTensor, dtype) &&
              offsetof(dl::Tensor, shape) == offsetof(DLTensor, shape) &&
              offsetof(dl::Tensor, byte_offset) == offsetof(DLTensor, byte_offset));
static_assert(int{dl::cuda} == int{kDLCUDA} && int{dl::cuda_host} == int{kDLCUDAHost} &&
              int{dl::cuda_managed} == int{kDLCUDAManaged});
using Official = DLManagedTensor;
#else
using Official = theirs::DLManagedTensor;
#endif
// Of version 1.0: the flags and the tensor lie behind what later versions may not move.
static_assert(offsetof(dl::ManagedTensorVersioned, manager_ctx) == 8 &&
              offsetof(dl::ManagedTensorVersioned, deleter) == 16 &&
              offsetof(dl::ManagedTensorVersioned, flags) == 24 &&
              offsetof(dl::ManagedTensorVersioned, dl_tensor) == 32 && sizeof(dl::ManagedTensorVersioned) == 80);
static_assert(sizeof(dl::Tensor) == 48 && sizeof(dl::ManagedTensor) == 64);

TEMPLATE_TEST_CASE("a tensor given away is what it was, until its deleter is called", "[io]", dl::ManagedTensor,
                   dl::ManagedTensorVersioned, Official, theirs::DLManagedTensor) {
  mt::Tensor<float> tensor(mt::Shape{2, 1, 3}, {1, 2, 3, 4, 5, 6});
  const float* const data = tensor.data();
  TestType* const managed = mt::to_dlpack<TestType>(std::move(tensor));
  CHECK(tensor.data() == nullptr);
  const auto& given = managed->dl_tensor;
  CHECK(given.data == data);
  CHECK(given.byte_offset == 0);
  CHECK(static_cast<int>(given.device.device_type) == 1);
  CHECK(given.device.device_id == 0);
  CHECK(given.ndim == 3);
  CHECK(std::vector<std::int64_t>(given.shape, given.shape + 3) == std::vector<std::int64_t>{2, 1, 3});
  CHECK(std::vector<std::int64_t>(given.strides, given.strides + 3) == std::vector<std::int64_t>{3, 3, 1});
  CHECK((given.dtype.code == 2 && given.dtype.bits == 32 && given.dtype.lanes == 1));
  if constexpr (dl::is_versioned<TestType>) CHECK((managed->version.major == 1 && managed->flags == 0));
  {
    mt::DlpackTensor<float> back(managed);
    CHECK(back.view().data() == data);
    CHECK(back.view().shape() == mt::Shape{2, 1, 3});
    back.view()[5] = 7;
    mt::DlpackTensor<float> moved(std::move(back));
    CHECK(moved.view()[5] == 7);
    CHECK(back.view().empty());
  }  // AddressSanitizer sees what is not deleted, or twice
}

TEST_CASE("what is shared is held until the deleter is called, and read-only where it is const", "[io]") {
  const auto owner = std::make_shared<mt::Tensor<double>>(mt::Shape{2, 2});
  auto* const written = mt::share_dlpack<dl::ManagedTensor>(owner->view(), owner);
  auto* const read = mt::share_dlpack(std::as_const(*owner).view(), owner, {dl::cpu, 0});
  CHECK(owner.use_count() == 3);
  CHECK(read->flags == dl::read_only);
  test::check_error<mt::DataError>(
      ErrorCode::unsupported, [&] { mt::DlpackTensor<double> t(read); }, "read-only");
  CHECK(owner.use_count() == 3);  // a refusal takes nothing
  { const mt::DlpackTensor<const double> taken(read); }
  CHECK(owner.use_count() == 2);
  written->deleter(written);
  CHECK(owner.use_count() == 1);
}

TEMPLATE_TEST_CASE("another library's tensor is seen, and given back once", "[io]", dl::ManagedTensor,
                   dl::ManagedTensorVersioned, Official) {
  Foreign<TestType> foreign({3, 4});
  SECTION("without strides") {}
  SECTION("with those of rows one behind another") {
    foreign.strides = {4, 1};
    foreign.managed.dl_tensor.strides = foreign.strides.data();
  }
  SECTION("with any where an axis has one element") {
    foreign.shape = {1, 12, 1};
    foreign.strides = {99, 1, -5};
    foreign.managed.dl_tensor.shape = foreign.shape.data();
    foreign.managed.dl_tensor.strides = foreign.strides.data();
    foreign.managed.dl_tensor.ndim = 3;
  }
  foreign.managed.dl_tensor.byte_offset = 8;
  {
    const mt::DlpackTensor<const float> tensor(&foreign.managed);
    CHECK(tensor.view().size() == 12);
    CHECK(tensor.view()[0] == 2);
    CHECK(tensor.view()[11] == 13);
    CHECK(foreign.deleted == 0);
  }
  CHECK(foreign.deleted == 1);
  foreign.managed.deleter = nullptr;
  { const mt::DlpackTensor<float> tensor(&foreign.managed); }
}

TEST_CASE("scalars and empty tensors come over", "[io]") {
  Foreign<dl::ManagedTensor> scalar({}), empty({0, 5});
  CHECK(mt::DlpackTensor<float>(&scalar.managed).view().shape() == mt::Shape{1});
  empty.managed.dl_tensor.data = nullptr;
  CHECK(mt::DlpackTensor<float>(&empty.managed).view().shape() == mt::Shape{0, 5});
}

TEST_CASE("a tensor that does not fit is refused and stays where it was", "[io]") {
  Foreign<dl::ManagedTensorVersioned> foreign({3, 4});
  auto& tensor = foreign.managed.dl_tensor;
  const auto refused = [&](ErrorCode code, const char* words) {
    test::check_error<mt::DataError>(
        code, [&] { mt::DlpackTensor<const float> t(&foreign.managed); }, "DLPack: ", words);
    CHECK(foreign.deleted == 0);
  };
  SECTION("version") {
    foreign.managed.version.major = 2;
    refused(ErrorCode::unsupported, "version 2.0");
  }
  SECTION("device") {
    tensor.device.device_type = dl::cuda;
    refused(ErrorCode::device_unavailable, "type 2, wanted type 1");
    CHECK(mt::DlpackTensor<const float>(&foreign.managed, dl::cuda).view().size() == 12);
  }
  SECTION("type") {
    tensor.dtype.bits = 64;
    refused(ErrorCode::unknown_dtype, "code 2 with 64 bits and 1 lanes, wanted code 2 with 32");
    tensor.dtype.bits = 32;
    tensor.dtype.lanes = 4;
    refused(ErrorCode::unknown_dtype, "4 lanes");
  }
  SECTION("rank") {
    foreign.shape = {1, 1, 1, 1, 1};
    tensor.shape = foreign.shape.data();
    tensor.ndim = 5;
    refused(ErrorCode::bad_shape, "5 axes");
  }
  SECTION("extent") {
    foreign.shape[0] = -1;
    refused(ErrorCode::bad_shape, "axis 0 has -1");
    foreign.shape = {std::int64_t{1} << 40, std::int64_t{1} << 40};
    tensor.shape = foreign.shape.data();
    refused(ErrorCode::overflow, "2^58");
  }
  SECTION("strides") {
    foreign.strides = {1, 3};
    tensor.strides = foreign.strides.data();
    refused(ErrorCode::unsupported, "tensor [3, 4]");
  }
  SECTION("alignment") {
    tensor.byte_offset = 2;
    refused(ErrorCode::bad_offsets, "address");
    tensor.byte_offset = 0;
    tensor.data = nullptr;
    refused(ErrorCode::bad_offsets, "address");
  }
}

TEST_CASE("NumPy and PyTorch take our tensors, and we take theirs", "[io]") {
#ifdef MINITRAIN_DLPACK_EXCHANGE
  for (const std::string module : {"numpy", "torch"}) {
    const std::string python = test::python_with("numpy, " + module);
    if (python.empty()) continue;
    CHECK(test::run_python(python, __FILE__, "dlpack_interop.py", MINITRAIN_DLPACK_EXCHANGE, module));
  }
#else
  WARN("skipped: built without tests/io/dlpack_exchange.cpp");
#endif
}

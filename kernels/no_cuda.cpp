// minitrain::cuda without CUDA: the same symbols, and one sentence. A program that trains on a CPU never comes here;
// one that asks for a GPU learns from its constructor that this build has none.
#include <minitrain/cuda.hpp>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

[[noreturn]] void refuse() {
  throw DeviceError(ErrorCode::device_unavailable,
                    "Cuda: minitrain was built without CUDA (MINITRAIN_CUDA=OFF): configure it with MINITRAIN_CUDA=ON "
                    "where there is a CUDA Toolkit, or train on Cpu{}");
}

}  // namespace

/// No Cuda is ever made, so nothing below runs; it is there to link.
class Cuda::Context {};

Cuda::Cuda(const CudaOptions&) { refuse(); }
int Cuda::index() const noexcept { return 0; }
const std::string& Cuda::name() const noexcept {
  static const std::string none;
  return none;
}
Math Cuda::math() const noexcept { return Math::fp32; }
bool Cuda::exact() const noexcept { return true; }
void Cuda::Memory::deallocate(void*, std::size_t) const noexcept {}
void* Cuda::allocate(std::size_t) const { refuse(); }
std::size_t Cuda::allocated_bytes() const noexcept { return 0; }
std::size_t Cuda::peak_allocated_bytes() const noexcept { return 0; }
void* Cuda::stream() const noexcept { return nullptr; }
void Cuda::synchronize() const { refuse(); }
Cuda::Scope Cuda::arithmetic_scope() const { refuse(); }
Cuda::Scope::Scope(int, Context*) { refuse(); }
Cuda::Scope::~Scope() {}

namespace cuda {

void copy_from_host(const Cuda&, const void*, void*, std::size_t) { refuse(); }
void copy_to_host(const Cuda&, const void*, void*, std::size_t) { refuse(); }
void fill_zero(const Cuda&, void*, std::size_t) { refuse(); }
int device_count(std::string* why) {
  if (why != nullptr) *why = "minitrain was built without CUDA (MINITRAIN_CUDA=OFF)";
  return 0;
}

}  // namespace cuda

Cuda::RowOrder::RowOrder(const Cuda&, std::size_t, std::span<const std::uint64_t>, bool) { refuse(); }
void Cuda::RowOrder::fill(const Cuda&, const std::optional<Permutation>&) { refuse(); }

struct Cuda::RowStream::State {};
Cuda::RowStream::RowStream(const Cuda&) { refuse(); }
Cuda::RowStream::RowStream(RowStream&&) noexcept = default;
Cuda::RowStream& Cuda::RowStream::operator=(RowStream&&) noexcept = default;
Cuda::RowStream::~RowStream() = default;
const void* Cuda::RowStream::stage_bytes(const Cuda&, const void*, std::size_t, std::span<const std::uint64_t>) {
  refuse();
}
const void* Cuda::RowStream::stage_pinned(const Cuda&, const void*, std::size_t) { refuse(); }
void Cuda::RowStream::wait() { refuse(); }
Cuda::PinnedMemory::PinnedMemory(const Cuda&, std::size_t) { refuse(); }
Cuda::PinnedMemory::PinnedMemory(PinnedMemory&&) noexcept = default;
Cuda::PinnedMemory& Cuda::PinnedMemory::operator=(PinnedMemory&&) noexcept = default;
Cuda::PinnedMemory::~PinnedMemory() = default;
bool keeps_resident(const Cuda&, std::size_t) { refuse(); }

struct Cuda::StepQueue::State {};
Cuda::StepQueue::StepQueue(const Cuda&) { refuse(); }
Cuda::StepQueue::StepQueue(StepQueue&&) noexcept = default;
Cuda::StepQueue& Cuda::StepQueue::operator=(StepQueue&&) noexcept = default;
Cuda::StepQueue::~StepQueue() = default;
std::size_t Cuda::StepQueue::size() const noexcept { return 0; }
std::size_t Cuda::StepQueue::replayed() const noexcept { return 0; }
void Cuda::StepQueue::close(const Cuda&, const View<double, Cuda>&, double, OnNonFinite, std::size_t) { refuse(); }
void Cuda::StepQueue::set_skipped_in_row(const Cuda&, std::uint64_t) { refuse(); }
void Cuda::StepQueue::clip_values(const Cuda&, const View<float, Cuda>&, const View<const double, Cuda>&, double) {
  refuse();
}
bool Cuda::StepQueue::is_recorded(std::size_t) const noexcept { return false; }
bool Cuda::StepQueue::scales_loss(const Cuda&) noexcept { return false; }
void Cuda::StepQueue::scale_loss(const Cuda&, const View<float, Cuda>&) { refuse(); }
double Cuda::StepQueue::loss_scale(const Cuda&) const { refuse(); }
std::array<double, 2> Cuda::StepQueue::loss_scale_state(const Cuda&) const { refuse(); }
void Cuda::StepQueue::set_loss_scale_state(const Cuda&, const std::array<double, 2>&) { refuse(); }
View<const double, Cuda> Cuda::StepQueue::scale() const noexcept { return {}; }
std::vector<std::array<double, 4>> Cuda::StepQueue::take(const Cuda&) { refuse(); }
void Cuda::StepQueue::forget_graphs(const Cuda&) { refuse(); }
Cuda::StepQueue::Way Cuda::StepQueue::prepare(const Cuda&, const Step&) { refuse(); }
Cuda::StepQueue::Way Cuda::StepQueue::prepare_launch(const Cuda&) { refuse(); }
std::size_t Cuda::StepQueue::begin_capture(const Cuda&, const Step&) { refuse(); }
bool Cuda::StepQueue::end_capture(const Cuda&, bool) { refuse(); }
void Cuda::StepQueue::begin_plan(const Cuda&, const Step&) { refuse(); }
void Cuda::StepQueue::cancel_plan(const Cuda&) noexcept {}
void Cuda::StepQueue::end_plan(const Cuda&) { refuse(); }

std::string describe_device(const Cuda&) { refuse(); }
std::size_t split_granule(const Cuda&) { refuse(); }
std::string describe_choices(const Cuda&) { refuse(); }
bool all_finite(const Cuda&, const View<const float, Cuda>&) { refuse(); }
std::size_t free_bytes(const Cuda&) { refuse(); }
Traffic traffic(const Cuda&) { refuse(); }
std::size_t choose_micro_batch(const Cuda&, std::size_t, std::size_t, std::size_t) { refuse(); }

void activation_forward(const Cuda&, const Activation&, cuda::Input, cuda::Output) { refuse(); }
void activation_backward(const Cuda&, const Activation&, cuda::Input, cuda::Input, cuda::Input, cuda::Output) {
  refuse();
}
void dense_forward(const Cuda&, cuda::Input, cuda::Input, cuda::Input, const Activation&, cuda::Output) { refuse(); }
void dense_backward_input(const Cuda&, cuda::Input, cuda::Input, const Activation&, cuda::Input, cuda::Output) {
  refuse();
}
void dense_backward_weights(const Cuda&, cuda::Input, cuda::Input, cuda::Output, cuda::Output, bool) { refuse(); }
void softmax_forward(const Cuda&, cuda::Input, cuda::Output) { refuse(); }
void softmax_backward(const Cuda&, cuda::Input, cuda::Input, cuda::Output) { refuse(); }
void mean_squared_error(const Cuda&, const LossArguments<float, Cuda>&) { refuse(); }
void huber_loss(const Cuda&, double, const LossArguments<float, Cuda>&) { refuse(); }
void binary_cross_entropy_with_logits(const Cuda&, const LossArguments<float, Cuda>&) { refuse(); }
void softmax_cross_entropy(const Cuda&, double, const LossArguments<float, Cuda>&) { refuse(); }
void layer_norm_forward(const Cuda&, double, cuda::Input, cuda::Input, cuda::Input, cuda::Output, cuda::Output) {
  refuse();
}
void layer_norm_backward(const Cuda&, cuda::Input, cuda::Input, cuda::Input, cuda::Input, cuda::Output, cuda::Output,
                         cuda::Output, bool) {
  refuse();
}
void clip_values(const Cuda&, const View<float, Cuda>&, const View<const double, Cuda>&, double, const double*) {
  refuse();
}
void add_gradient_squares(const Cuda&, cuda::Input, cuda::Input, bool, const View<double, Cuda>&) { refuse(); }
void dropout_forward(const Cuda&, const DropoutKey&, double, cuda::Input, cuda::Output) { refuse(); }
void dropout_backward(const Cuda&, const DropoutKey&, double, cuda::Input, cuda::Output) { refuse(); }
void sum_of_squares(const Cuda&, const View<const float, Cuda>&, const View<double, Cuda>&) { refuse(); }
std::size_t first_outside(const Cuda&, const View<const float, Cuda>&, double, double) { refuse(); }
std::size_t first_outside(const Cuda&, const View<const std::int32_t, Cuda>&, double, double) { refuse(); }
void fill_initial(const Cuda&, const InitialValues&, cuda::Output) { refuse(); }
void sgd_update(const Cuda&, const SgdRule&, const UpdateStep<float, Cuda>&) { refuse(); }
void adam_update(const Cuda&, const AdamRule&, const UpdateStep<float, Cuda>&) { refuse(); }
void rmsprop_update(const Cuda&, const RmspropRule&, const UpdateStep<float, Cuda>&) { refuse(); }
void adagrad_update(const Cuda&, const AdagradRule&, const UpdateStep<float, Cuda>&) { refuse(); }
void average_update(const Cuda&, const AverageRule&, const UpdateStep<float, Cuda>&) { refuse(); }
void adam8bit_update(const Cuda&, const AdamRule&, const UpdateStep<float, Cuda>&) { refuse(); }
void lamb_update(const Cuda&, const LambRule&, const UpdateStep<float, Cuda>&) { refuse(); }
void lars_update(const Cuda&, const LarsRule&, const UpdateStep<float, Cuda>&) { refuse(); }
void adafactor_update(const Cuda&, const AdafactorRule&, const UpdateStep<float, Cuda>&) { refuse(); }
void gather(const Cuda&, const RowSource<float, Cuda>&, const cuda::Rows&, const View<float, Cuda>&) { refuse(); }
void gather(const Cuda&, const RowSource<std::uint8_t, Cuda>&, const cuda::Rows&, const View<float, Cuda>&) {
  refuse();
}
void gather(const Cuda&, const RowSource<std::int32_t, Cuda>&, const cuda::Rows&, const View<std::int32_t, Cuda>&) {
  refuse();
}
void gather(const Cuda&, const RowSource<float, Cuda>&, const RowSource<float, Cuda>&, const cuda::Rows&,
            const View<float, Cuda>&, const View<float, Cuda>&) {
  refuse();
}
void gather(const Cuda&, const RowSource<float, Cuda>&, const RowSource<std::int32_t, Cuda>&, const cuda::Rows&,
            const View<float, Cuda>&, const View<std::int32_t, Cuda>&) {
  refuse();
}
void gather(const Cuda&, const RowSource<std::uint8_t, Cuda>&, const RowSource<float, Cuda>&, const cuda::Rows&,
            const View<float, Cuda>&, const View<float, Cuda>&) {
  refuse();
}
void gather(const Cuda&, const RowSource<std::uint8_t, Cuda>&, const RowSource<std::int32_t, Cuda>&, const cuda::Rows&,
            const View<float, Cuda>&, const View<std::int32_t, Cuda>&) {
  refuse();
}

}  // namespace minitrain::inline MINITRAIN_ABI

// step_queue.  Ends a step on the GPU: totals of the slot = totals, totals = 0, scale = clipped_gradient_scale(totals),
// slot + 1; once a loss or a sum of squares is not finite, no later step changes the parameters. 96 bytes, one thread:
// bound by latency, a microsecond that replaces a round trip to the host. And the graphs of steps: captured, planned,
// launched.
//
// Math::fp16: dy = dy·loss scale, 8 bytes per element, bound by memory. The loss scale begins at 65,536; a gradient
// past the range of fp16 skips the step and halves it, 2,000 steps without one double it. Source: Micikevicius et al.,
// "Mixed precision training", ICLR 2018.
#include "context.cuh"

#include <minitrain/cuda/ops.hpp>

#include <algorithm>
#include <optional>

namespace minitrain::inline MINITRAIN_ABI {
namespace {

static_assert(cuda::queue_capacity == Cuda::StepQueue::capacity);
static_assert(sizeof(cuda::PlannedStep) == Cuda::StepQueue::planned_step_bytes);
static_assert(sizeof(cuda::StepState) == Cuda::StepQueue::state_bytes);

/// As clipped_gradient_scale() does on the host.
__device__ inline double clipped_scale(double weight, double squares, double clip_norm) {
  if (clip_norm == 0.0) return __ddiv_rn(1.0, weight);
  const double factor = __ddiv_rn(clip_norm, __dadd_rn(__ddiv_rn(__dsqrt_rn(squares), weight), 1e-6));
  return __ddiv_rn(factor < 1.0 ? factor : 1.0, weight);
}

/// NaN and infinity are the numbers that differ from themselves by something.
__device__ inline bool finite(double x) { return x - x == 0.0; }

constexpr double first_loss_scale = 65536, least_loss_scale = 1, largest_loss_scale = 16777216;
constexpr std::uint64_t steps_to_double = 2000;

__global__ void close_step_kernel(double* totals, cuda::StepState* state, cuda::LossScale* scaler, double clip_norm,
                                  OnNonFinite action, std::uint64_t most_skipped) {
  double* const result = state->totals[state->slot];
  const double loss = totals[0], weight = totals[1], squares = totals[3];
  const double loss_scale = scaler != nullptr ? scaler->scale : 1.0;
  // Where the loss scale cannot be blamed, a gradient that is not finite is an error.
  const bool overflow = finite(loss) && !finite(squares) && loss_scale > least_loss_scale;
  const bool weightless = finite(loss) && !(weight > 0.0);
  const bool bad = !finite(loss) || (!finite(squares) && !overflow);
  const bool pardoned = bad && action == OnNonFinite::skip && ++state->skipped_in_row <= most_skipped;
  if (bad && !pardoned && action != OnNonFinite::ignore) state->stopped = 1.0;
  if (!bad && !overflow && !weightless) state->skipped_in_row = 0;
  const bool stopped = state->stopped != 0.0, skip = overflow || weightless || pardoned;
  result[0] = pardoned ? __ddiv_rn(0.0, 0.0) : loss;  // the host counts it as one that is not finite
  result[1] = weight;
  result[2] = totals[2];
  result[3] = skip && !stopped ? -1.0 : __ddiv_rn(squares, __dmul_rn(loss_scale, loss_scale));
  totals[0] = totals[1] = totals[2] = totals[3] = 0.0;
  state->scale = clipped_scale(__dmul_rn(weight, loss_scale), squares, clip_norm);
  state->leaves_all = stopped || skip ? 1.0 : 0.0;
  ++state->slot;
  if (skip) ++state->skipped;
  if (scaler == nullptr || stopped || weightless || pardoned) return;
  scaler->clean = overflow ? 0 : scaler->clean + 1;
  if (overflow) scaler->scale = loss_scale / 2;
  if (scaler->clean == steps_to_double) {
    scaler->clean = 0;
    if (loss_scale < largest_loss_scale) scaler->scale = loss_scale * 2;
  }
}

__global__ void begin_loss_scale_kernel(cuda::LossScale* scaler) {
  scaler->scale = first_loss_scale;
  scaler->clean = 0;
}

__global__ void __launch_bounds__(256) scale_loss_kernel(const cuda::LossScale* scaler, float* dy, std::size_t count) {
  const float scale = static_cast<float>(scaler->scale);
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    dy[i] = __fmul_rn(dy[i], scale);
  }
}

/// A graph that can be launched, and the step that it was captured with.
class Graph {
 public:
  /// Nothing where the graph cannot be made ready to be launched, for want of memory perhaps.
  static std::optional<Graph> of(cudaGraph_t graph, const Cuda::StepQueue::Step& step, const Traffic& copies) {
    Graph result(step, copies);
    cudaError_t status = cudaGraphGetNodes(graph, nullptr, &result.nodes_);
    if (status == cudaSuccess) status = cudaGraphInstantiate(&result.executable_, graph, 0);
    static_cast<void>(cudaGraphDestroy(graph));
    if (status == cudaSuccess) return result;
    static_cast<void>(cudaGetLastError());
    return std::nullopt;
  }
  Graph(Graph&& other) noexcept
      : executable_(std::exchange(other.executable_, nullptr)),
        nodes_(other.nodes_),
        step_(other.step_),
        copies_(other.copies_) {}
  /// One that still runs is freed when it has run.
  ~Graph() {
    if (executable_ != nullptr) static_cast<void>(cudaGraphExecDestroy(executable_));
  }

  void launch(const Cuda& device) const {
    device.context()->check(cudaGraphLaunch(executable_, cuda::stream_of(device)), "launch of a step's graph");
    device.context()->copied(copies_);
  }
  std::size_t nodes() const noexcept { return nodes_; }
  const Cuda::StepQueue::Step& step() const noexcept { return step_; }

 private:
  Graph(const Cuda::StepQueue::Step& step, const Traffic& copies) : step_(step), copies_(copies) {}

  cudaGraphExec_t executable_ = nullptr;
  std::size_t nodes_ = 0;
  Cuda::StepQueue::Step step_;
  Traffic copies_;  // of one launch
};

/// What is known of the steps of so many samples.
struct Recording {
  std::size_t samples = 0;
  std::uint64_t scratch_moves = 0;  // when it was captured
  std::optional<Graph> one, many;   // many: `copies` steps in a row
  std::size_t copies = 1;
  std::size_t replayed = 0;
  bool cannot_capture = false, cannot_capture_many = false;
};

constexpr std::size_t most_recordings = 4;  // full batches, the last of an epoch, and what changes on the way
constexpr std::size_t most_nodes = 1024;    // of a graph of many steps
constexpr std::size_t worth_copying = 4;    // launches' worth of steps, before many are put into one graph

}  // namespace

struct Cuda::StepQueue::State {
  explicit State(const Cuda& device) : gpu(device), memory(device, Shape{sizeof(cuda::StepState) / sizeof(double)}) {
    if (!scales_loss(device)) return;
    scale_memory = Tensor<double, Cuda>(device, Shape{sizeof(cuda::LossScale) / sizeof(double)});
    const auto scope = device.arithmetic_scope();
    cuda::launch(begin_loss_scale_kernel, dim3(1), dim3(1), 0, cuda::stream_of(device), scaler());
  }

  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    const cuda::QuietScope scope(gpu);
    recordings.clear();
  }

  /// Null where losses are not scaled.
  cuda::LossScale* scaler() noexcept { return reinterpret_cast<cuda::LossScale*>(scale_memory.data()); }
  cuda::StepState* on_gpu() noexcept { return reinterpret_cast<cuda::StepState*>(memory.data()); }
  std::size_t most_pending() const noexcept { return current->many ? current->copies : most_planned; }

  /// Launches what is planned.
  void flush(const Cuda& device) {
    if (steps.empty()) return;
    const std::size_t count = steps.size(), first = size - count;
    const bool together = current->many && count == current->copies;
    const Graph& graph = together ? *current->many : *current->one;
    for (std::size_t i = 0; i < count; ++i) {
      plan[i].samples_ahead = steps[i].position - graph.step().position;
      plan[i].steps_ahead = steps[i].number - graph.step().number;
    }
    std::size_t launched = 0;
    try {
      const auto scope = device.arithmetic_scope();
      device.context()->upload(plan.data(), count, on_gpu()->plan + first);
      while (launched < count) {
        graph.launch(device);
        launched += together ? count : 1;
      }
    } catch (...) {
      size = first + launched;  // the rest was not done
      steps.clear();
      throw;
    }
    steps.clear();
    device.context()->replayed(count);
    current->replayed += count;
    replayed += count;
  }

  Recording* find(std::size_t samples) {
    const auto at = std::find_if(recordings.begin(), recordings.end(), [&](auto& r) { return r.samples == samples; });
    return at == recordings.end() ? nullptr : &*at;
  }

  Cuda gpu;
  Tensor<double, Cuda> memory;        // a cuda::StepState
  Tensor<double, Cuda> scale_memory;  // a cuda::LossScale
  std::size_t size = 0, replayed = 0;
  bool capturing = false;
  std::vector<Recording> recordings;
  Recording* current = nullptr;  // of the steps below
  std::vector<Step> steps;       // planned and not launched
  Step captured;
  std::array<cuda::PlannedStep, most_planned> plan;  // theirs
};

Cuda::StepQueue::StepQueue(const Cuda& device) : state_(std::make_unique<State>(device)) {
  state_->recordings.reserve(most_recordings);
  state_->steps.reserve(most_planned);
}
Cuda::StepQueue::StepQueue(StepQueue&&) noexcept = default;
Cuda::StepQueue& Cuda::StepQueue::operator=(StepQueue&&) noexcept = default;
Cuda::StepQueue::~StepQueue() = default;

std::size_t Cuda::StepQueue::size() const noexcept { return state_->size; }
std::size_t Cuda::StepQueue::replayed() const noexcept { return state_->replayed; }

void Cuda::StepQueue::clip_values(const Cuda& device, const View<float, Cuda>& sums,
                                  const View<const double, Cuda>& totals, double limit) {
  const cuda::LossScale* const scaler = state_->scaler();
  minitrain::clip_values(device, sums, totals, limit, scaler != nullptr ? &scaler->scale : nullptr);
}

void Cuda::StepQueue::set_skipped_in_row(const Cuda& device, std::uint64_t steps) {
  cuda::copy_from_host(device, &steps, &state_->on_gpu()->skipped_in_row, sizeof steps);
}

void Cuda::StepQueue::close(const Cuda& device, const View<double, Cuda>& totals, double clip_norm, OnNonFinite action,
                            std::size_t most_skipped) {
  cuda::launch(close_step_kernel, dim3(1), dim3(1), 0, cuda::stream_of(device), totals.data(), state_->on_gpu(),
               state_->scaler(), clip_norm, action, static_cast<std::uint64_t>(most_skipped));
  if (!state_->capturing) ++state_->size;
}

bool Cuda::StepQueue::scales_loss(const Cuda& device) noexcept { return device.math() == Math::fp16; }

void Cuda::StepQueue::scale_loss(const Cuda& device, const View<float, Cuda>& dy) {
  if (state_->scaler() == nullptr || dy.empty()) return;
  cuda::launch(scale_loss_kernel, dim3(cuda::blocks_for(dy.size(), 256, 4096)), dim3(256), 0, cuda::stream_of(device),
               state_->scaler(), dy.data(), dy.size());
}

double Cuda::StepQueue::loss_scale(const Cuda& device) const {
  double scale = 1;
  if (state_->scaler() != nullptr) cuda::copy_to_host(device, &state_->scaler()->scale, &scale, sizeof scale);
  return scale;
}

std::array<double, 2> Cuda::StepQueue::loss_scale_state(const Cuda& device) const {
  cuda::LossScale state{1, 0};
  if (state_->scaler() != nullptr) cuda::copy_to_host(device, state_->scaler(), &state, sizeof state);
  return {state.scale, static_cast<double>(state.clean)};
}

void Cuda::StepQueue::set_loss_scale_state(const Cuda& device, const std::array<double, 2>& state) {
  const cuda::LossScale wanted{state[0], static_cast<std::uint64_t>(state[1])};
  if (state_->scaler() != nullptr) cuda::copy_from_host(device, &wanted, state_->scaler(), sizeof wanted);
}

bool Cuda::StepQueue::is_recorded(std::size_t samples) const noexcept {
  const Recording* const r = state_->find(samples);
  return r != nullptr && r->one;
}

View<const double, Cuda> Cuda::StepQueue::scale() const noexcept { return {&state_->on_gpu()->scale, Shape{2}}; }

std::vector<std::array<double, 4>> Cuda::StepQueue::take(const Cuda& device) {
  State& s = *state_;
  s.flush(device);
  std::vector<std::array<double, 4>> results(s.size);
  cuda::copy_to_host(device, s.on_gpu()->totals, results.data(), results.size() * sizeof results[0]);
  cuda::fill_zero(device, s.on_gpu(), offsetof(cuda::StepState, totals));
  s.size = 0;
  return results;
}

void Cuda::StepQueue::forget_graphs(const Cuda& device) {
  state_->flush(device);
  state_->current = nullptr;
  state_->recordings.clear();
}

Cuda::StepQueue::Way Cuda::StepQueue::prepare_launch(const Cuda& device) {
  state_->flush(device);
  return Way::launch;
}

Cuda::StepQueue::Way Cuda::StepQueue::prepare(const Cuda& device, const Step& step) {
  State& s = *state_;
  Recording* r = s.find(step.samples);
  if (r == nullptr) {
    if (s.recordings.size() == most_recordings) forget_graphs(device);
    s.flush(device);
    s.recordings.push_back({.samples = step.samples});
    return Way::launch;
  }
  if (r != s.current) s.flush(device);
  s.current = r;
  if (r->cannot_capture) return Way::launch;
  if (const std::uint64_t moves = device.context()->scratch_moves(); r->scratch_moves != moves) {
    s.flush(device);
    r->one.reset();
    r->many.reset();
    r->scratch_moves = moves;
  }
  const bool copy =
      r->one && !r->many && !r->cannot_capture_many && r->copies > 1 && r->replayed >= worth_copying * r->copies;
  if (r->one && !copy) return Way::replay;
  s.flush(device);
  return Way::capture;
}

std::size_t Cuda::StepQueue::begin_capture(const Cuda& device, const Step& step) {
  State& s = *state_;
  s.captured = step;
  device.context()->begin_capture(s.on_gpu());
  s.capturing = true;
  return s.current->one ? s.current->copies : 1;
}

bool Cuda::StepQueue::end_capture(const Cuda& device, bool whole) {
  State& s = *state_;
  Recording& r = *s.current;
  s.capturing = false;
  cudaGraph_t captured = device.context()->end_capture();
  if (captured != nullptr && !whole) static_cast<void>(cudaGraphDestroy(std::exchange(captured, nullptr)));
  std::optional<Graph> graph =
      captured != nullptr ? Graph::of(captured, s.captured, device.context()->captured()) : std::nullopt;
  if (!graph) {
    (r.one ? r.cannot_capture_many : r.cannot_capture) = true;
  } else if (r.one) {
    r.many.emplace(std::move(*graph));
  } else {
    r.copies = std::clamp<std::size_t>(most_nodes / std::max<std::size_t>(graph->nodes(), 1), 1, most_planned);
    r.one.emplace(std::move(*graph));
  }
  return r.one.has_value();
}

void Cuda::StepQueue::begin_plan(const Cuda& device, const Step& step) {
  State& s = *state_;
  device.context()->plan_into(&s.plan[s.steps.size()]);
  s.steps.push_back(step);
}

void Cuda::StepQueue::cancel_plan(const Cuda& device) noexcept {
  device.context()->plan_into(nullptr);
  state_->steps.pop_back();
}

void Cuda::StepQueue::end_plan(const Cuda& device) {
  State& s = *state_;
  device.context()->plan_into(nullptr);
  ++s.size;
  if (s.steps.size() >= s.most_pending() || s.size == capacity) s.flush(device);
}

}  // namespace minitrain::inline MINITRAIN_ABI

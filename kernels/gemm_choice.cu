// Who computes a matrix product: our own kernels, or, on a device that is not exact, whatever was fastest when the
// shape first came: own kernel, cuBLASLt with a fused epilogue, cuBLASLt and kernels of ours after it, each with the
// algorithms that the library proposes. Timed with events, on outputs of its own, since a weight gradient adds to what
// is there.
#include "library_gemm.cuh"

#include <minitrain/cuda/ops.hpp>

#include <algorithm>
#include <compare>
#include <cstdint>
#include <map>

namespace minitrain::inline MINITRAIN_ABI::cuda {
namespace {

void own_gemm(const Cuda& device, Product product, const GemmArguments& g) {
  if (device.math() == Math::fp32) return gemm_fp32(device, product, g);
  gemm_mma(device, device.math(), product, g);
}

bool is_capturing(const Cuda& device) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  device.context()->check(cudaStreamIsCapturing(stream_of(device), &status), "whether a stream is being captured");
  return status != cudaStreamCaptureStatusNone;
}

class Event {
 public:
  Event() { check(cudaEventCreate(&event_), "Cuda: an event"); }
  ~Event() { static_cast<void>(cudaEventDestroy(event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  cudaEvent_t get() const noexcept { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Microseconds of one run on an otherwise empty stream, the best of two rounds of three, after one to warm up.
template <class Run>
float time_of(const Cuda& device, Run run) {
  const Event begin, end;
  run();
  float best = 0;
  for (int round = 0; round < 2; ++round) {
    device.context()->check(cudaEventRecord(begin.get(), stream_of(device)), "Cuda: timing");
    for (int i = 0; i < 3; ++i) run();
    device.context()->check(cudaEventRecord(end.get(), stream_of(device)), "Cuda: timing");
    device.context()->check(cudaEventSynchronize(end.get()), "Cuda: timing");
    float milliseconds = 0;
    device.context()->check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "Cuda: timing");
    if (round == 0 || milliseconds < best) best = milliseconds;
  }
  return best * 1000 / 3;
}

/// Outputs to try a product on, given back afterwards.
class Trial {
 public:
  Trial(const Cuda& device, const GemmArguments& g)
      : c_(device, Shape{g.M, g.N}), sums_(device, Shape{g.column_sums != nullptr ? g.N : 0}), arguments_(g) {
    arguments_.c = c_.data();
    if (g.column_sums != nullptr) arguments_.column_sums = sums_.data();
  }
  const GemmArguments& arguments() const noexcept { return arguments_; }

 private:
  Tensor<float, Cuda> c_, sums_;
  GemmArguments arguments_;
};

}  // namespace

/// What has been chosen on one device.
class GemmChoices {
 public:
  explicit GemmChoices(Cuda::Context& context) : library_(context) {}

  void run(const Cuda& device, Product product, const GemmArguments& g) {
    const Key key = key_of(product, g);
    auto found = choices_.find(key);
    if (found == choices_.end()) {
      if (is_capturing(device)) return own_gemm(device, product, g);  // no timing, and so no choice, in a graph
      found = choices_.emplace(key, choose(device, product, g)).first;
    }
    const Choice& choice = found->second;
    if (choice.plan == nullptr) return own_gemm(device, product, g);
    choice.plan->run(device, g, choice.algorithm);
  }

  std::string describe() const {
    constexpr const char* names[] = {"y = x*W ", "dx = dy*W' ", "dW = x'*dy "};
    std::string text;
    for (const auto& [key, choice] : choices_) {
      text += joined({names[key.product], key.M, "x", key.N, "x", key.K});
      if (key.start == static_cast<int>(Start::bias)) text += ", bias";
      if (key.start == static_cast<int>(Start::add)) text += ", added";
      if (key.epilogue == static_cast<int>(Epilogue::relu)) text += ", relu";
      if (key.epilogue == static_cast<int>(Epilogue::gate)) text += ", relu gradient";
      if (key.sums) text += ", bias gradient";
      text += choice.plan == nullptr ? ": own kernel"
              : choice.plan->fused() ? ": cuBLASLt, fused epilogue"
                                     : ": cuBLASLt";
      text += joined({", ", rounded(choice.microseconds), " us of ", choice.tried, " tried (own kernel ",
                      rounded(choice.own_microseconds), " us)\n"});
    }
    return text;
  }

 private:
  struct Key {
    int product;
    std::size_t M, N, K;
    int start, epilogue;
    bool sums;
    std::uint32_t aligned;
    auto operator<=>(const Key&) const = default;
  };
  struct Choice {
    std::unique_ptr<LibraryPlan> plan;  // null: our own kernel
    std::size_t algorithm = 0, tried = 1;
    float microseconds = 0, own_microseconds = 0;
  };

  static double rounded(float microseconds) { return static_cast<int>(microseconds * 10 + 0.5f) / 10.0; }

  static Key key_of(Product product, const GemmArguments& g) {
    return {.product = static_cast<int>(product),
            .M = g.M,
            .N = g.N,
            .K = g.K,
            .start = static_cast<int>(g.start),
            .epilogue = static_cast<int>(g.epilogue),
            .sums = g.column_sums != nullptr,
            .aligned = alignment_of(g)};
  }

  Choice choose(const Cuda& device, Product product, const GemmArguments& g) {
    Choice best;
    try {
      const Trial trial(device, g);
      const GemmArguments& t = trial.arguments();
      best.own_microseconds = best.microseconds = time_of(device, [&] { own_gemm(device, product, t); });
      for (const bool fused : {true, false}) {
        if (!fused || LibraryPlan::can_fuse(product, g)) try_library(device, product, g, t, fused, best);
      }
    } catch (const DeviceError& error) {
      if (error.code() != ErrorCode::out_of_memory) throw;  // else what has been tried so far
    }
    return best;
  }

  /// The plan is made for the pointers that it will run with: those of the trial may be aligned better.
  void try_library(const Cuda& device, Product product, const GemmArguments& g, const GemmArguments& trial, bool fused,
                   Choice& best) {
    auto plan = std::make_unique<LibraryPlan>(library_, device.math(), product, g, fused);
    bool keep = false;
    for (std::size_t i = 0; i < plan->algorithms(); ++i) {
      float microseconds = 0;
      try {
        microseconds = time_of(device, [&] { plan->run(device, trial, i); });
      } catch (const DeviceError&) {
        continue;  // it does not run after all, or finds no memory; a GPU that has failed says so at the next launch
      }
      ++best.tried;
      if (microseconds >= best.microseconds) continue;
      best.microseconds = microseconds;
      best.algorithm = i;
      keep = true;
    }
    if (keep) best.plan = std::move(plan);
  }

  Library library_;
  std::map<Key, Choice> choices_;
};

void gemm(const Cuda& device, Product product, const GemmArguments& g) {
  if (device.exact() || g.M == 0 || g.N == 0 || g.K == 0) return own_gemm(device, product, g);
  std::shared_ptr<GemmChoices>& choices = device.context()->gemm_choices();
  if (choices == nullptr) {
    if (is_capturing(device)) return own_gemm(device, product, g);
    choices = std::make_shared<GemmChoices>(*device.context());
  }
  choices->run(device, product, g);
}

}  // namespace minitrain::inline MINITRAIN_ABI::cuda

namespace minitrain::inline MINITRAIN_ABI {

std::string describe_choices(const Cuda& device) {
  const auto& choices = device.context()->gemm_choices();
  if (device.exact()) return "products: own kernels\n";
  return choices == nullptr ? "products: none chosen yet\n" : choices->describe();
}

}  // namespace minitrain::inline MINITRAIN_ABI

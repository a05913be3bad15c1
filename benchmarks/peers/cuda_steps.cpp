// minitrain's time per optimizer step on a GPU, one JSON line per workload:
//
//   cuda_steps NAME SECONDS [MATH [library]] WORKLOAD...      cuda_steps minitrain 1 S1:10000:32 S4:128
//
// MATH is fp32 (also where none is named), tf32, bf16 or fp16; `library` allows cuBLASLt.
//
// A step is what fit() does in one, as in minitrain_steps; a time is that of an epoch over its steps, since nobody
// waits for a single one. The first epochs, in which memory is allocated, do not count.
#include <minitrain/cuda.hpp>

#include "workloads.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

static void measure(const char* peer, const std::string& text, const minitrain::Cuda& device, double seconds) {
  const peers::Workload workload = peers::parse_workload(text);
  const minitrain::Dataset data = peers::make_data(workload);
  minitrain::Trainer trainer = peers::make_trainer(workload, device);
  std::vector<double> times;
  double spent = 0;
  const auto on_epoch = [&](const minitrain::EpochRecord& epoch) {
    if (epoch.epoch < 2) return;
    times.push_back(epoch.seconds / static_cast<double>(epoch.steps));
    spent += epoch.seconds;
    if (spent >= seconds && times.size() >= 3) trainer.request_stop();
  };
  trainer.fit(data, {.on_epoch = on_epoch});
  std::sort(times.begin(), times.end());
  std::printf("{\"peer\":\"%s\",\"wl\":\"%s\",\"N\":%zu,\"B\":%zu,\"us\":%.4f,\"best\":%.4f,\"epochs\":%zu}\n", peer,
              workload.name.c_str(), workload.samples, workload.batch, 1e6 * times[times.size() / 2], 1e6 * times[0],
              times.size());
  std::fflush(stdout);
}

int main(int argc, char** argv) try {
  if (argc < 4 || !(std::atof(argv[2]) > 0)) {
    std::fprintf(stderr,
                 "usage: cuda_steps NAME SECONDS [fp32|tf32|bf16|fp16 [library]] WORKLOAD...   (S1:10000:32 S3:32 "
                 "S4:128 S5:32 S6:256)\n");
    return 2;
  }
  int next = 3;
  minitrain::CudaOptions options;
  for (const auto math : {minitrain::Math::fp32, minitrain::Math::tf32, minitrain::Math::bf16, minitrain::Math::fp16}) {
    if (next != 3 || std::string_view(argv[next]) != to_string(math)) continue;
    options.math = math;
    ++next;
  }
  if (next < argc && std::string_view(argv[next]) == "library") {
    options.exact = false;
    ++next;
  }
  const minitrain::Cuda device{options};
  for (; next < argc; ++next) measure(argv[1], argv[next], device, std::atof(argv[2]));
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}

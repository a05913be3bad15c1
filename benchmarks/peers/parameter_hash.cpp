// A hash of the bits that a model ends with, one JSON line per workload; a run on a GPU twice and on the CPU gives one:
//
//   parameter_hash DEVICE EPOCHS WORKLOAD...      parameter_hash cuda 2 S1:10000:32 S4:128
#include <minitrain/with_device.hpp>

#include "workloads.hpp"

#include <bit>
#include <cstdio>
#include <cstdlib>

template <class Device>
static void train(const char* name, std::size_t epochs, const std::string& text, const Device& device) {
  const peers::Workload workload = peers::parse_workload(text);
  const minitrain::Dataset data = peers::make_data(workload);
  minitrain::Trainer trainer = peers::make_trainer(workload, device);
  trainer.fit(data, {.on_epoch = [&](const minitrain::EpochRecord& epoch) {
                if (epoch.epoch + 1 == epochs) trainer.request_stop();
              }});
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, of words
  for (const float p : trainer.parameters()) hash = (hash ^ std::bit_cast<std::uint32_t>(p)) * 0x100000001b3;
  std::printf("{\"wl\":\"%s\",\"device\":\"%s\",\"steps\":%zu,\"hash\":\"%016llx\"}\n", text.c_str(), name,
              trainer.steps(), static_cast<unsigned long long>(hash));
  std::fflush(stdout);
}

int main(int argc, char** argv) try {
  if (argc < 4 || std::atoi(argv[2]) < 1) {
    std::fprintf(stderr, "usage: parameter_hash DEVICE EPOCHS WORKLOAD...   (S1:10000:32 S3:32 S4:128 S5:32 S6:256)\n");
    return 2;
  }
  const auto epochs = static_cast<std::size_t>(std::atoi(argv[2]));
  minitrain::with_device(argv[1], [&](const auto& device) {
    for (int i = 3; i < argc; ++i) train(argv[1], epochs, argv[i], device);
  });
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}

// The sweep of examples/03_batch_size for its network 10-64-1, as compare_sweep asks for it: writes the data into FILE,
// then reads "BATCH EPOCHS" lines and answers each with a line of JSON.
//
//   minitrain_sweep FILE SAMPLES THREADS
//
// FILE: features [N, 10], then targets [N], float32. A run is a new network, trained for so many epochs; its time is
// that of the whole of fit(): order, gathering, all steps, the short last one too.
#include <minitrain/trainer.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>

namespace mt = minitrain;

static mt::Dataset write_data(const char* path, std::size_t samples) {
  const mt::Dataset data = mt::synthetic_regression({.samples = samples, .features = 10, .seed = 1});
  std::ofstream file(path, std::ios::binary);
  const auto write = [&](const std::vector<float>& values) {
    file.write(reinterpret_cast<const char*>(values.data()),
               static_cast<std::streamsize>(values.size() * sizeof(float)));
  };
  write(data.storage().features);
  write(data.storage().targets);
  file.close();
  if (!file) throw mt::DataError(mt::ErrorCode::io_error, std::string(path) + ": cannot write the data");
  return data;
}

int main(int argc, char** argv) try {
  if (argc != 4 || std::atoi(argv[2]) < 1 || std::atoi(argv[3]) < 1) {
    std::fprintf(stderr, "usage: minitrain_sweep FILE SAMPLES THREADS\n");
    return 2;
  }
  const mt::Dataset data = write_data(argv[1], static_cast<std::size_t>(std::atoi(argv[2])));
  const mt::Cpu device{{.threads = static_cast<std::size_t>(std::atoi(argv[3]))}};
  std::printf("{\"ready\": true, \"version\": \"%s\"}\n", MINITRAIN_VERSION);
  std::fflush(stdout);
  for (std::size_t batch = 0, epochs = 0; std::cin >> batch >> epochs;) {
    mt::Trainer trainer{device,
                        mt::Mlp{.widths = {10, 64, 1}},
                        mt::MeanSquaredError{},
                        mt::Adam{.learning_rate = 1e-3f},
                        {.epochs = epochs, .batch_size = batch, .seed = 1}};
    const auto start = std::chrono::steady_clock::now();
    const mt::History history = trainer.fit(data);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("{\"batch\": %zu, \"seconds\": %.9g, \"steps\": %zu, \"loss\": %.6g}\n", batch, seconds,
                history.steps(), history.epochs.back().training.loss);
    std::fflush(stdout);
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}

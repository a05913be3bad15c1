// The noise scale on Fashion-MNIST, estimated from batches while it trains, beside the one of all 60,000 gradients.

#include <minitrain/data/combine.hpp>
#include <minitrain/data/idx_gz.hpp>
#include <minitrain/trainer.hpp>

#include <cmath>
#include <cstdio>

#include "data/support.hpp"
#include "support/catch.hpp"

namespace mt = minitrain;

namespace {

const mt::Sequential model{mt::Dense{784, 128}, mt::ReLU{}, mt::Dense{128, 10}};

/// One step over all samples, of which each gradient is looked at.
mt::NoiseScale exact(const mt::Dataset& data, const std::string& weights) {
  mt::Trainer trainer{mt::Cpu{},
                      model,
                      mt::SoftmaxCrossEntropy{},
                      mt::SGD{.learning_rate = 0},
                      {.batch_size = data.size(), .micro_batch_size = 1000, .noise_scale_every = 1}};
  trainer.load_weights(weights);
  trainer.fit(data);
  return trainer.noise_scale();
}

}  // namespace

TEST_CASE("the noise scale of Fashion-MNIST is within 15 % of the exact one", "[train]") {
  const std::string root = test::data_directory() + "/fashion-mnist/";
  if (test::data_directory().empty() || !mt::detail::file_exists(root + "train-images-idx3-ubyte.gz")) {
    WARN("skipped: set MINITRAIN_DATA to a directory with fashion-mnist");
    return;
  }
  const mt::Dataset data = mt::load_idx_gz(root + "train-images-idx3-ubyte.gz", root + "train-labels-idx1-ubyte.gz");
  const std::string weights = "noise_scale_real_test.safetensors";
  mt::Trainer trained{
      mt::Cpu{}, model, mt::SoftmaxCrossEntropy{}, mt::SGD{.learning_rate = 0.1}, {.batch_size = 64, .seed = 1}};
  trained.fit(mt::take(data, 64 * 300));
  trained.save_weights(weights);
  const mt::NoiseScale truth = exact(data, weights);
  // Batches of 64 of an epoch, at parameters that stand still.
  mt::Trainer still{mt::Cpu{},
                    model,
                    mt::SoftmaxCrossEntropy{},
                    mt::SGD{.learning_rate = 0},
                    {.batch_size = 64, .seed = 2, .noise_scale_every = 1}};
  still.load_weights(weights);
  still.fit(data);
  std::remove(weights.c_str());
  const mt::NoiseScale estimate = still.noise_scale();
  WARN("exact " << truth.value << ", estimated " << estimate.value << " (" << estimate.low << " to " << estimate.high
                << ") from batches of 64");
  CHECK(std::abs(estimate.value / truth.value - 1) < 0.15);
  CHECK(estimate.low < truth.value);
  CHECK(truth.value < estimate.high);
}

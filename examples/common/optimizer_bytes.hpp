#pragma once
// optimizer_bytes(): what optimizers remember, by plan(), by formulas and by what is allocated.

#include <minitrain/optim/adafactor.hpp>
#include <minitrain/optim/adagrad.hpp>
#include <minitrain/optim/adam8bit.hpp>
#include <minitrain/optim/lamb.hpp>
#include <minitrain/optim/rmsprop.hpp>
#include <minitrain/train/plan.hpp>
#include <minitrain/trainer.hpp>

#include "allocated.hpp"

#include <string>
#include <vector>

namespace examples {

struct OptimizerBytes {
  std::string name;
  std::string formula;  // bytes per fp32 parameter
  double parameters = 0, planned = 0, expected = 0, measured = 0;
};

/// Of a network whose tensors are all multiples of 16, so that no padding is between them.
inline std::vector<OptimizerBytes> optimizer_bytes(const minitrain::Mlp& model) {
  namespace mt = minitrain;
  const mt::Cpu device{{.threads = 1}};
  const mt::TrainerOptions options{.batch_size = 16, .micro_batch_size = 16};
  // By the widths alone: matrices [n, m] and biases [m].
  double parameters = 0, factored = 0, blocks = 0;
  for (std::size_t i = 0; i + 1 < model.widths.size(); ++i) {
    const std::size_t n = model.widths[i], m = model.widths[i + 1];
    parameters += static_cast<double>(n * m + m);
    factored += static_cast<double>(n + m + m);
    blocks += static_cast<double>((n * m + 255) / 256 + (m + 255) / 256);
  }
  const auto allocated_by = [&](const auto& optimizer) {
    const std::uint64_t before = allocated(device);
    const mt::Trainer trainer{device, model, mt::SoftmaxCrossEntropy{}, optimizer, options};
    return static_cast<double>(allocated(device) - before);
  };
  const double without = allocated_by(mt::SGD{});
  std::vector<OptimizerBytes> all;
  const auto add = [&](const char* name, const char* formula, double expected, const auto& optimizer) {
    const mt::MemoryPlan plan = mt::plan(model, mt::SoftmaxCrossEntropy{}, optimizer, options, device);
    all.push_back(
        {name, formula, parameters, static_cast<double>(plan.moments), expected, allocated_by(optimizer) - without});
  };
  add("SGD", "0", 0, mt::SGD{});
  add("SGD with momentum", "4", 4 * parameters, mt::SGD{.momentum = 0.9});
  add("RMSprop", "4", 4 * parameters, mt::RMSprop{});
  add("Adagrad", "4", 4 * parameters, mt::Adagrad{});
  add("Adam", "8", 8 * parameters, mt::Adam{});
  add("AdamW", "8", 8 * parameters, mt::AdamW{});
  add("LAMB", "8", 8 * parameters, mt::LAMB{});
  add("Adam8bit", "2 + 8/256", 2 * parameters + 8 * blocks, mt::Adam8bit{});
  add("Adafactor", "4(n + m)/(nm), vectors 4", 4 * factored, mt::Adafactor{});
  return all;
}

}  // namespace examples

#pragma once
// nets(): small networks of which benchmarks speak, with data to train them on.

#include <minitrain/data/synthetic.hpp>
#include <minitrain/trainer.hpp>

#include "answers.hpp"
#include "real_data.hpp"
#include "samples.hpp"

#include <string>
#include <vector>

namespace examples {

/// A network, and what it is trained for.
struct Net {
  std::string name{};
  std::vector<std::size_t> widths{};
  bool classes = false, adam = true;
  float rate = 1e-3f;       // of learning, the same for every batch size
  double target = 0;        // loss on held-out data
  std::size_t epochs = 20;  // at most, on the way to it
  minitrain::Split data{};  // of the test data, what is looked at on that way
};

inline constexpr std::size_t nets_hold_out = 2'000;

/// Its synthetic data.
inline minitrain::Split synthetic_for(const Net& net, std::size_t samples) {
  const std::size_t features = net.widths.front(), all = samples + nets_hold_out;
  const minitrain::Dataset data =
      net.classes ? minitrain::synthetic_classification(
                        {.samples = all, .features = features, .classes = net.widths.back(), .seed = 1})
                  : minitrain::synthetic_regression({.samples = all, .features = features, .seed = 1});
  return minitrain::split(data,
                          {.test_fraction = static_cast<double>(nets_hold_out) / static_cast<double>(all), .seed = 1});
}

/// Real data in `folder` are for the nets that they suit: classes for the last one, house values for the first two.
/// Where it is empty, and for the others, data are synthetic. `quick`: fewer of them.
inline std::vector<Net> nets(const std::string& folder, bool quick) {
  std::vector<Net> all{{.widths = {10, 1}, .adam = false, .rate = 0.03f, .target = 0.28},
                       {.widths = {10, 64, 1}, .target = 0.01, .epochs = 60},
                       {.widths = {100, 16, 2}, .classes = true, .target = 0.02, .epochs = 40},
                       {.widths = {784, 128, 10}, .classes = true, .target = 0.6}};
  const DataKind kind = kind_of(folder);
  minitrain::Split real;
  if (kind != DataKind::synthetic)
    real = load_data(folder).parts, real.test = samples_from(real.test, 0, nets_hold_out);
  for (Net& net : all) {
    const bool last = &net == &all.back();
    if (kind == DataKind::housing ? !net.classes : kind != DataKind::synthetic && last) {
      net.data = real;
      net.widths.front() = real.train.feature_columns(), net.widths.back() = outputs_for(real.train);
    } else {
      net.data = synthetic_for(net, !last ? 100'000 : quick ? 5'000 : 20'000);
    }
    for (const std::size_t width : net.widths) net.name += (net.name.empty() ? "" : "-") + std::to_string(width);
    net.name += net.adam ? ", Adam" : ", SGD";
  }
  if (kind == DataKind::optdigits) all.back().target = 0.2, all.back().epochs = 60;
  if (kind == DataKind::housing) {
    all[0].rate = 0.003f, all[0].target = 0.5;
    all[1].target = 0.35;
  }
  return all;
}

/// Returns f(model, loss, optimizer).
template <class F>
auto with_parts(const Net& net, const F& f) {
  const minitrain::Mlp model{.widths = net.widths};
  if (net.classes) return f(model, minitrain::SoftmaxCrossEntropy{}, minitrain::Adam{.learning_rate = net.rate});
  if (net.adam) return f(model, minitrain::MeanSquaredError{}, minitrain::Adam{.learning_rate = net.rate});
  return f(model, minitrain::MeanSquaredError{}, minitrain::SGD{.learning_rate = net.rate});
}
template <class Device>
minitrain::Trainer<float, Device> make_trainer(const Net& net, const Device& device,
                                               const minitrain::TrainerOptions& options) {
  return with_parts(net,
                    [&](const auto&... parts) { return minitrain::Trainer<float, Device>(device, parts..., options); });
}

}  // namespace examples

#pragma once
// nets(): small networks of which benchmarks speak, with data to train them on.

#include <minitrain/data/synthetic.hpp>
#include <minitrain/trainer.hpp>

#include "find_data.hpp"

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace examples {

/// A network, and what it is trained for.
struct Net {
  std::string name;
  std::vector<std::size_t> widths;
  bool classes = false, adam = true;
  float rate = 1e-3f;       // of learning, the same for every batch size
  double target = 0;        // loss on held-out data
  std::size_t epochs = 20;  // at most, on the way to it
  minitrain::Split data{};  // of the test data, what is looked at on that way
};

/// The images in `folder` are for the one that takes images; where it is empty, and for the others, data are synthetic.
/// `quick`: fewer of them.
inline std::vector<Net> nets(const std::string& folder, bool quick) {
  std::vector<Net> all{
      {.name = "10-1, SGD", .widths = {10, 1}, .adam = false, .rate = 0.03f, .target = 0.28},
      {.name = "10-64-1, Adam", .widths = {10, 64, 1}, .target = 0.01, .epochs = 60},
      {.name = "100-16-2, Adam", .widths = {100, 16, 2}, .classes = true, .target = 0.02, .epochs = 40},
      {.name = "784-128-10, Adam", .widths = {784, 128, 10}, .classes = true, .target = 0.6}};
  constexpr std::size_t held_out = 2'000;
  for (Net& net : all) {
    const std::size_t features = net.widths.front(), samples = features < 784 ? 100'000 : quick ? 5'000 : 20'000;
    if (features == 784 && !folder.empty()) {
      net.data = load_images(folder);
      std::vector<std::uint64_t> first(held_out);
      std::iota(first.begin(), first.end(), std::uint64_t{0});
      net.data.test = net.data.test.subset(first);
      continue;
    }
    const minitrain::Dataset data =
        net.classes
            ? minitrain::synthetic_classification(
                  {.samples = samples + held_out, .features = features, .classes = net.widths.back(), .seed = 1})
            : minitrain::synthetic_regression({.samples = samples + held_out, .features = features, .seed = 1});
    const double share = static_cast<double>(held_out) / static_cast<double>(samples + held_out);
    net.data = minitrain::split(data, {.test_fraction = share, .seed = 1});
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

#pragma once
// Data for experiments with classes: real ones, or rows that a random network has sorted.

#include <minitrain/data/sample_random.hpp>
#include <minitrain/data/split.hpp>

#include "real_data.hpp"
#include "samples.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace examples {

struct TaughtOptions {
  std::size_t train = 20'000, test = 5'000;
  std::size_t features = 50, classes = 10;
  std::size_t hidden = 256;  // units of the teacher
  double decay = 1;          // feature j counts as (j + 1)^-decay: the first ones are most of what there is to know
  std::uint64_t seed = 1;
};

/// The class of x [features] ~ N(0, I) is the largest of the outputs V · relu(W·x) of a random network, the
/// teacher, less their means and in units of their deviations, so that all classes are there: no label is wrong, no
/// straight line tells the classes apart, and a network as wide could know them all. Features that count less and less
/// make errors fall as a power of the number of samples, as those of real data do.
inline minitrain::Split taught_classes(const TaughtOptions& o = {}) {
  const std::size_t samples = o.train + o.test;
  std::vector<double> w(o.hidden * o.features), v(o.classes * o.hidden), h(o.hidden);
  minitrain::SampleRandom teacher(o.seed, 0, 0);
  for (std::size_t i = 0; i < w.size(); ++i)
    w[i] = teacher.normal() * std::pow(static_cast<double>(i % o.features + 1), -o.decay);
  for (double& weight : v) weight = teacher.normal();
  std::vector<float> x(samples * o.features);
  std::vector<double> y(samples * o.classes), mean(o.classes), square(o.classes);
  for (std::size_t i = 0; i < samples; ++i) {
    minitrain::SampleRandom random(o.seed, 1, i);
    float* const row = x.data() + i * o.features;
    for (std::size_t j = 0; j < o.features; ++j) row[j] = static_cast<float>(random.normal());
    for (std::size_t k = 0; k < o.hidden; ++k) {
      h[k] = 0;
      for (std::size_t j = 0; j < o.features; ++j) h[k] += w[k * o.features + j] * static_cast<double>(row[j]);
      h[k] = std::max(h[k], 0.0);
    }
    for (std::size_t c = 0; c < o.classes; ++c) {
      double& output = y[i * o.classes + c];
      for (std::size_t k = 0; k < o.hidden; ++k) output += v[c * o.hidden + k] * h[k];
      mean[c] += output / static_cast<double>(samples);
      square[c] += output * output / static_cast<double>(samples);
    }
  }
  std::vector<std::int32_t> labels(samples);
  for (std::size_t i = 0; i < samples; ++i) {
    double* const row = y.data() + i * o.classes;
    for (std::size_t c = 0; c < o.classes; ++c) row[c] = (row[c] - mean[c]) / std::sqrt(square[c] - mean[c] * mean[c]);
    labels[i] = static_cast<std::int32_t>(std::max_element(row, row + o.classes) - row);
  }
  const minitrain::Dataset all(
      {.samples = samples, .features = std::move(x), .labels = std::move(labels), .classes = o.classes});
  std::vector<std::uint64_t> rows(samples);
  for (std::size_t i = 0; i < samples; ++i) rows[i] = i;
  const auto border = rows.begin() + static_cast<std::ptrdiff_t>(o.train);
  return {all.subset({rows.begin(), border}), all.subset({border, rows.end()})};
}

/// The data in `folder`, or, where it is empty, taught_classes().
inline RealData classes_of(const std::string& folder, const TaughtOptions& otherwise = {}) {
  return folder.empty() ? RealData{"synthetic", taught_classes(otherwise)} : load_data(folder);
}

}  // namespace examples

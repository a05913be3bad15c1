#pragma once
// Transforms of tables: Normalize, Standardize and its fit, OneHot, GaussianNoise, CheckFinite. Images are in
// image_transforms.hpp.

#include <minitrain/data/transform.hpp>

#include <cmath>
#include <initializer_list>

namespace minitrain::inline MINITRAIN_ABI {

/// y = (x - mean) / deviation, in double and rounded once. One value for all columns, or k for k equal runs of them:
/// one for each column, or for each channel of an image. Throws ShapeError when k does not divide the columns,
/// OptionError for a deviation of 0 and for what is not finite.
struct Normalize {
  struct Values {
    Values(double value) : values{value} {}
    Values(std::initializer_list<double> list) : values(list) {}
    Values(std::vector<double> list) : values(std::move(list)) {}
    std::vector<double> values;
  };
  Values mean = 0.0;
  Values deviation = 1.0;

  std::size_t columns(std::size_t in) const {
    for (const auto& [name, list] : {std::pair("means", &mean.values), std::pair("deviations", &deviation.values)}) {
      if (list->empty() || in % list->size() != 0) {
        throw ShapeError(ErrorCode::shape_mismatch, {"Normalize: ", list->size(), " ", name, " for ", in,
                                                     " columns: give one, or one for each channel or column"});
      }
      for (const double value : *list) {
        if (std::isfinite(value) && (value != 0 || list == &mean.values)) continue;
        throw OptionError(
            {"Normalize: ", value, " among the ", name, ": give finite ones, and deviations other than 0"});
      }
    }
    return in;
  }
  void operator()(std::span<float> x) const {
    const std::size_t per_mean = x.size() / mean.values.size(), per_deviation = x.size() / deviation.values.size();
    for (std::size_t j = 0, m = 0, d = 0; j < x.size();) {
      const std::size_t end = std::min((m + 1) * per_mean, (d + 1) * per_deviation);
      for (; j < end; ++j)
        x[j] = static_cast<float>((static_cast<double>(x[j]) - mean.values[m]) / deviation.values[d]);
      m += j == (m + 1) * per_mean;
      d += j == (d + 1) * per_deviation;
    }
  }
};

/// y = (x - mean) / deviation with the mean and the deviation (of the samples, not corrected by N - 1) that each column
/// had in the training set; 1 instead of the deviation of a column that was constant. Made by fit_standardize().
struct Standardize {
  std::vector<double> mean, deviation;

  std::size_t columns(std::size_t in) const {
    if (in != mean.size() || in != deviation.size()) {
      throw ShapeError(ErrorCode::shape_mismatch, {"Standardize: fitted to ", mean.size(), " columns, but there are ",
                                                   in, ": fit it to data of the same columns"});
    }
    return in;
  }
  void operator()(std::span<float> x) const {
    for (std::size_t j = 0; j < x.size(); ++j)
      x[j] = static_cast<float>((static_cast<double>(x[j]) - mean[j]) / deviation[j]);
  }
};

/// The means and deviations of the features of a training set, for it and for the test set:
///
///   const Standardize scale = fit_standardize(train);
///   const Dataset x = transform(train, scale), y = transform(test, scale);
///
/// Reads every sample once, in order (of epoch 0 where they vary), whatever holds them to the same bits. Throws
/// DataError: empty_data for an empty set, non_finite with the sample. Source: Welford, Technometrics 1962, in double.
inline Standardize fit_standardize(const Dataset& train) {
  if (train.empty()) throw DataError(ErrorCode::empty_data, "fit_standardize: no samples: give at least one");
  const std::size_t columns = train.feature_columns();
  const std::size_t most = std::clamp<std::size_t>((std::size_t{1} << 20) / columns, 1, 256);  // samples at a time
  std::vector<double> mean(columns), squares(columns);
  std::vector<float> block(most * columns);
  SampleBuffers out;
  out.features = block.data();
  detail::read_in_order(train, most, out, [&](const auto& samples) {
    detail::check_finite("fit_standardize", "feature", {block.data(), samples.size() * columns}, columns,
                         samples.data(), "remove or replace it");
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const double n = static_cast<double>(samples[i] + 1);
      for (std::size_t j = 0; j < columns; ++j) {
        const float x = block[i * columns + j];
        const double before = static_cast<double>(x) - mean[j];
        mean[j] += before / n;
        squares[j] += before * (static_cast<double>(x) - mean[j]);
      }
    }
  });
  for (double& square : squares) square = square > 0 ? std::sqrt(square / static_cast<double>(train.size())) : 1;
  return {std::move(mean), std::move(squares)};
}

/// Column `column`, a whole number c from 0 to categories - 1, becomes `categories` columns in its place: 1 in the
/// c-th, 0 in the others. Throws ShapeError for a column that is not there, OptionError unless there are 1 to 2^31
/// categories; reading throws DataError (label_out_of_range) for another number.
struct OneHot {
  std::size_t column = 0;
  std::size_t categories = 0;

  std::size_t columns(std::size_t in) const {
    if (column >= in) {
      throw ShapeError(ErrorCode::shape_mismatch,
                       {"OneHot: column ", column, ", but there are ", in, ": count columns from 0"});
    }
    if (categories == 0 || categories > detail::most_classes) {
      throw OptionError({"OneHot: ", categories, " categories: ask for 1 to 2^31"});
    }
    return in - 1 + categories;
  }
  void operator()(std::span<const float> in, std::span<float> out) const {
    const float value = in[column];
    const bool fits = value >= 0 && static_cast<double>(value) < static_cast<double>(categories);
    const std::size_t category = fits ? static_cast<std::size_t>(value) : 0;
    if (!fits || static_cast<float>(category) != value) {
      throw DataError(ErrorCode::label_out_of_range, {"OneHot: column ", column, " is ", detail::decimal(value),
                                                      ": wanted a whole number from 0 to ", categories - 1});
    }
    std::copy_n(in.begin(), column, out.begin());
    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(column), categories, 0.0f);
    out[column + category] = 1;
    std::copy(in.begin() + static_cast<std::ptrdiff_t>(column) + 1, in.end(),
              out.begin() + static_cast<std::ptrdiff_t>(column + categories));
  }
};

/// y = x + deviation·z, z of N(0, 1), another one for each number. Throws OptionError unless the deviation is finite
/// and at least 0.
struct GaussianNoise {
  double deviation = 0;

  std::size_t columns(std::size_t in) const {
    if (!(deviation >= 0) || !std::isfinite(deviation)) {
      throw OptionError({"GaussianNoise: deviation ", deviation, ": ask for a finite one of at least 0"});
    }
    return in;
  }
  void operator()(std::span<float> x, SampleRandom& random) const {
    for (float& value : x) {
      // Rounded before the sum, whatever the compiler may contract.
      const auto noise = static_cast<float>(deviation * random.normal());
      value += noise;
    }
  }
};

/// Throws DataError (non_finite), with the sample, for the first NaN or infinity among features and targets: after
/// transforms that may make some, or for data that was read with NonFinite::keep.
struct CheckFinite {
  void operator()(Sample& sample) const {
    const auto check = [&](std::span<const float> values, const char* what) {
      detail::check_finite("CheckFinite", what, values, values.size(), &sample.index, "remove or replace it");
    };
    check(sample.features, "feature");
    check(sample.targets, "target");
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI

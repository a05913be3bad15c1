#pragma once
// Grid: the points of a sweep, each a value on every axis.

#include <minitrain/core/error.hpp>
#include <minitrain/io/text.hpp>

#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// What is varied, and over which values: Axis{"batch_size", {32, 64, 128}}.
struct Axis {
  std::string name;
  std::vector<double> values;
};

/// One point of a Grid: a value on each axis. It outlives the grid that it comes from.
class Point {
 public:
  /// Its number in the grid.
  std::size_t index() const noexcept { return index_; }
  /// In the order of the axes.
  const std::vector<std::string>& names() const noexcept { return *names_; }
  const std::vector<double>& values() const noexcept { return values_; }

  /// The value on an axis. Throws OptionError when there is no such axis.
  double operator[](std::string_view name) const {
    for (std::size_t i = 0; i < names_->size(); ++i) {
      if ((*names_)[i] == name) return values_[i];
    }
    std::string all;
    for (const std::string& known : *names_) all += (all.empty() ? "" : ", ") + detail::io::shown(known);
    throw OptionError({"Point: no axis ", detail::io::quoted(name), ": the grid has ", all});
  }
  /// The same as a whole number. Throws OptionError when it is none in [0, 2^53].
  std::size_t count(std::string_view name) const {
    const double value = (*this)[name];
    if (!(value >= 0 && value <= 0x1p53 && value == std::floor(value))) {
      throw OptionError(
          {"Point: ", detail::io::shown(name), " is ", value, ", but a whole number in [0, 2^53] is asked for"});
    }
    return static_cast<std::size_t>(value);
  }
  /// "batch_size=32 seed=1", with as many digits as tell values apart.
  std::string text() const {
    std::string all;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      all += joined({all.empty() ? "" : " ", (*names_)[i], "=", values_[i]});
    }
    return all;
  }

 private:
  friend class Grid;
  Point(std::shared_ptr<const std::vector<std::string>> names, std::vector<double> values, std::size_t index) noexcept
      : names_(std::move(names)), values_(std::move(values)), index_(index) {}

  std::shared_ptr<const std::vector<std::string>> names_;
  std::vector<double> values_;
  std::size_t index_;
};

/// All combinations of the values of some axes, the last axis varying fastest, or a list of points.
///
///   const Grid grid({{"batch_size", {32, 64, 128}}, {"seed", {0, 1, 2}}});   // 9 points
///   const Grid list({"samples", "features"}, {{100, 10}, {200, 20}});        // 2 points
class Grid {
 public:
  /// Points of one grid at the most: every one of them is a training run, and a slip of the keyboard is not.
  static constexpr std::size_t most_points = std::size_t{1} << 24;

  /// Throws OptionError: no axes, an axis without values or with NaN, a name that is empty or there twice, more than
  /// most_points combinations.
  explicit Grid(std::vector<Axis> axes) : axes_(std::move(axes)) {
    std::vector<std::string> names;
    size_ = axes_.empty() ? 0 : 1;
    for (const Axis& axis : axes_) {
      names.push_back(axis.name);
      if (axis.values.empty()) {
        throw OptionError({"Grid: axis ", detail::io::quoted(axis.name), " has no values: give it one or more"});
      }
      if (axis.values.size() > most_points / size_) {
        throw OptionError({"Grid: more than ", most_points, " points, from axis ", detail::io::quoted(axis.name),
                           " on: take fewer values, or give a list of points"});
      }
      size_ *= axis.values.size();
      check_values(axis.values, axis.name);
    }
    take_names(std::move(names));
  }
  /// One value for each name in every point. Throws OptionError: no names or points, a point with more or fewer values
  /// or with NaN, a name that is empty or there twice, more than most_points.
  Grid(std::vector<std::string> names, std::vector<std::vector<double>> points) : points_(std::move(points)) {
    size_ = points_.size();
    if (size_ == 0 || size_ > most_points) {
      throw OptionError({"Grid: a list of ", size_, " points, but wanted are 1 to ", most_points});
    }
    for (std::size_t i = 0; i < size_; ++i) {
      if (points_[i].size() != names.size()) {
        throw OptionError({"Grid: point ", i, " has ", points_[i].size(), " values for ", names.size(), " names"});
      }
      check_values(points_[i], joined({"point ", i}));
    }
    take_names(std::move(names));
  }

  std::size_t size() const noexcept { return size_; }
  const std::vector<std::string>& names() const noexcept { return *names_; }
  /// Empty for a list of points.
  const std::vector<Axis>& axes() const noexcept { return axes_; }

  /// Throws OptionError when there are not so many.
  Point operator[](std::size_t index) const {
    if (index >= size_) throw OptionError({"Grid: no point ", index, ": there are ", size_});
    if (axes_.empty()) return {names_, points_[index], index};
    std::vector<double> values(axes_.size());
    for (std::size_t i = axes_.size(), rest = index; i-- > 0;) {
      values[i] = axes_[i].values[rest % axes_[i].values.size()];
      rest /= axes_[i].values.size();
    }
    return {names_, std::move(values), index};
  }

 private:
  static void check_values(const std::vector<double>& values, const std::string& owner) {
    for (const double value : values) {
      if (std::isnan(value)) {
        throw OptionError({"Grid: ", detail::io::shown(owner), " has NaN among its values: give it numbers"});
      }
    }
  }

  void take_names(std::vector<std::string> names) {
    if (names.empty()) throw OptionError("Grid: no axes: name what is varied");
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i].empty() || detail::io::utf8_length(names[i]) != names[i].size()) {
        throw OptionError(
            {"Grid: axis ", i, " is called ", detail::io::quoted(names[i]), ": give it a name, in UTF-8"});
      }
      for (std::size_t k = 0; k < i; ++k) {
        if (names[k] == names[i]) {
          throw OptionError(
              {"Grid: two axes are called ", detail::io::quoted(names[i]), ": give each a name of its own"});
        }
      }
    }
    names_ = std::make_shared<const std::vector<std::string>>(std::move(names));
  }

  std::vector<Axis> axes_;                   // or
  std::vector<std::vector<double>> points_;  // a list
  std::size_t size_ = 0;
  std::shared_ptr<const std::vector<std::string>> names_;
};

}  // namespace minitrain::inline MINITRAIN_ABI

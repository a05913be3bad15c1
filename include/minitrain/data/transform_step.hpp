#pragma once
// Transform: what may stand in transform(), and one step of a chain of them. Include transform.hpp, not this file.

#include <minitrain/data/derived_source.hpp>
#include <minitrain/data/sample_random.hpp>

#include <concepts>
#include <type_traits>

namespace minitrain::inline MINITRAIN_ABI {

/// One sample while it is transformed. Features and targets are written in place, and the label set.
struct Sample {
  std::span<float> features{};
  std::span<float> targets{};  // empty for classification and without answers
  std::int32_t label = 0;      // where there are classes
  std::uint64_t index = 0;     // in the set that is transformed
};

namespace detail {

/// F is called as const, for nothing but its effect.
template <class F, class... Arguments>
concept CalledWith =
    std::invocable<const F&, Arguments...> && std::is_void_v<std::invoke_result_t<const F&, Arguments...>>;
/// The same, with or without random numbers.
template <class F, class... Arguments>
concept Changes = CalledWith<F, Arguments..., SampleRandom&> || CalledWith<F, Arguments...>;

template <class T>
concept ChangesFeatures = Changes<T, std::span<float>>;
template <class T>
concept ChangesSample = Changes<T, Sample&>;
template <class T>
concept TellsColumns = requires(const T& t, std::size_t in) {
  { t.columns(in) } -> std::convertible_to<std::size_t>;
};
template <class T>
concept WritesFeatures = TellsColumns<T> && Changes<T, std::span<const float>, std::span<float>>;

/// What a function returns, with or without random numbers.
struct RowFunction {
  template <class F>
  requires(!std::same_as<F, RowFunction> &&
           (std::is_invocable_r_v<std::vector<float>, const F&, std::span<const float>, SampleRandom&> ||
            std::is_invocable_r_v<std::vector<float>, const F&, std::span<const float>>)) RowFunction(F f)
      : is_random(std::invocable<const F&, std::span<const float>, SampleRandom&>),
        call(
            [f = std::move(f)](std::span<const float> in, [[maybe_unused]] SampleRandom& random) -> std::vector<float> {
              if constexpr (std::invocable<const F&, std::span<const float>, SampleRandom&>) {
                return f(in, random);
              } else {
                return f(in);
              }
            }) {}

  bool is_random;
  std::function<std::vector<float>(std::span<const float>, SampleRandom&)> call;
};

}  // namespace detail

/// A function std::vector<float>(std::span<const float>), perhaps with a SampleRandom& after it, as a transform of
/// features to `columns` others. Another size is an error: shape_mismatch, with the sample.
struct Map {
  std::size_t columns;
  detail::RowFunction function;
};

/// One of these, callable as const from several threads, void, with a SampleRandom& as a last parameter or without:
///   t(std::span<float> features)                          changes them in place;
///   t(std::span<const float> in, std::span<float> out)    writes others, t.columns(in.size()) of them;
///   t(Sample& sample)                                     changes features, targets and label in place;
/// or a Map. Any may have a member columns(std::size_t in), called once, which throws ShapeError when the features are
/// not what it can take. One is random when it takes a SampleRandom, unless it has `static constexpr bool random =
/// false`; a set that goes through none that is random does not vary from epoch to epoch.
template <class T>
concept Transform = std::copy_constructible<T> &&
    (std::same_as<T, Map> || detail::ChangesFeatures<T> || detail::WritesFeatures<T> || detail::ChangesSample<T>);

namespace detail {

struct TransformStep {
  std::size_t columns = 0;  // features after it
  bool in_place = true;     // or it writes them to `out`
  bool is_random = false;
  bool is_whole = false;  // it looks at targets and label too
  std::function<void(Sample& sample, std::span<float> out, SampleRandom& random)> apply{};
};

template <class T, class... Arguments>
void call_with(const T& t, [[maybe_unused]] SampleRandom& random, Arguments&&... arguments) {
  if constexpr (CalledWith<T, Arguments..., SampleRandom&>) {
    t(std::forward<Arguments>(arguments)..., random);
  } else {
    t(std::forward<Arguments>(arguments)...);
  }
}

template <class T, class... Arguments>
constexpr bool is_random_transform() {
  if constexpr (requires { T::random; }) {
    return T::random;
  } else {
    return CalledWith<T, Arguments..., SampleRandom&>;
  }
}

template <Transform T>
TransformStep make_step(T t, std::size_t columns, std::size_t number) {
  TransformStep step{.columns = columns};
  if constexpr (TellsColumns<T>) step.columns = t.columns(columns);
  if constexpr (std::same_as<T, Map>) {
    step.columns = t.columns;
    step.in_place = false;
    step.is_random = t.function.is_random;
    step.apply = [t = std::move(t)](Sample& sample, std::span<float> out, SampleRandom& random) {
      const std::vector<float> row = t.function.call(sample.features, random);
      if (row.size() != out.size()) {
        throw DataError(ErrorCode::shape_mismatch, {"Map: the function returned ", row.size(),
                                                    " numbers, but columns is ", out.size(), ": return as many"});
      }
      std::copy(row.begin(), row.end(), out.begin());
    };
  } else if constexpr (ChangesFeatures<T>) {
    step.is_random = is_random_transform<T, std::span<float>>();
    step.apply = [t = std::move(t)](Sample& sample, std::span<float>, SampleRandom& random) {
      call_with(t, random, std::span<float>(sample.features));
    };
  } else if constexpr (WritesFeatures<T>) {
    step.in_place = false;
    step.is_random = is_random_transform<T, std::span<const float>, std::span<float>>();
    step.apply = [t = std::move(t)](Sample& sample, std::span<float> out, SampleRandom& random) {
      call_with(t, random, std::span<const float>(sample.features), std::span<float>(out));
    };
  } else {
    step.is_whole = true;
    step.is_random = is_random_transform<T, Sample&>();
    step.apply = [t = std::move(t)](Sample& sample, std::span<float>, SampleRandom& random) {
      Sample own = sample;  // where its spans point is not for the transform to decide
      call_with(t, random, own);
      sample.label = own.label;
    };
  }
  if (step.columns == 0) {
    throw ShapeError(ErrorCode::bad_shape, {"transform: number ", number, " leaves no features: keep at least one"});
  }
  if (step.columns > most_columns) {
    throw ShapeError(ErrorCode::bad_shape, {"transform: number ", number, " makes ", step.columns,
                                            " features: ask for at most ", most_columns});
  }
  if (step.in_place && step.columns != columns) {
    throw ShapeError(ErrorCode::shape_mismatch,
                     {"transform: number ", number, " changes ", columns, " features in place, but its columns() is ",
                      step.columns, ": write them to a second span"});
  }
  return step;
}

}  // namespace detail

}  // namespace minitrain::inline MINITRAIN_ABI

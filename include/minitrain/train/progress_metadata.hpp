#pragma once
// What a run remembers of itself beside its parameters and counts, as text in the metadata of a state.

#include <minitrain/io/text.hpp>
#include <minitrain/train/run_progress.hpp>

#include <array>
#include <charconv>
#include <span>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// Numbers with single spaces between them, in so many digits that they come back as they were.
template <std::size_t N>
std::string number_line(const std::array<double, N>& numbers) {
  std::string text;
  for (const double number : numbers) text += joined({text.empty() ? "" : " ", number});
  return text;
}

/// And back. Throws DataError (bad_header) when they are not N numbers.
template <std::size_t N>
std::array<double, N> parse_number_line(std::string_view text, const std::string& path, const char* key) {
  std::array<double, N> numbers{};
  const char *at = text.data(), *const end = at + text.size();
  for (std::size_t i = 0; i < N; ++i) {
    if (i > 0 && (at == end || *at++ != ' ')) at = end + 1;
    const auto [next, error] =
        at <= end ? std::from_chars(at, end, numbers[i]) : std::from_chars_result{end, std::errc::invalid_argument};
    if (error != std::errc()) {
      throw DataError(ErrorCode::bad_header, {io::shown(path), ": ", N, " numbers wanted in \"", key, "\", found ",
                                              io::quoted(text), ": save the state again"});
    }
    at = next;
  }
  if (at != end) {
    throw DataError(ErrorCode::bad_header, {io::shown(path), ": more than ", N, " numbers in \"", key, "\""});
  }
  return numbers;
}

inline std::array<double, 15> numbers_of(const EpochRecord& e) noexcept {
  const auto real = [](std::size_t n) { return static_cast<double>(n); };
  return {real(e.epoch),     e.finished ? 1.0 : 0.0, real(e.steps),
          e.training.loss,   e.training.accuracy,    real(e.training.samples),
          e.validation.loss, e.validation.accuracy,  real(e.validation.samples),
          e.seconds,         e.samples_per_second,   real(e.batch_size),
          e.learning_rate,   e.noise_scale,          real(e.left_out)};
}
inline EpochRecord epoch_of(const std::array<double, 15>& n) noexcept {
  const auto count = [](double x) { return x >= 0 && x < 0x1p53 ? static_cast<std::size_t>(x) : 0; };
  return {.epoch = count(n[0]),
          .finished = n[1] != 0,
          .steps = count(n[2]),
          .left_out = count(n[14]),
          .training = {n[3], n[4], count(n[5])},
          .validation = {n[6], n[7], count(n[8])},
          .seconds = n[9],
          .samples_per_second = n[10],
          .batch_size = count(n[11]),
          .learning_rate = n[12],
          .noise_scale = n[13]};
}

}  // namespace detail

/// (key, value), for the metadata of a state.
using ProgressMetadata = std::vector<std::pair<std::string, std::string>>;

inline ProgressMetadata progress_metadata(const RunProgress& p) {
  const auto real = [](std::size_t n) { return static_cast<double>(n); };
  ProgressMetadata metadata{{"minitrain.run.first_epoch", std::to_string(p.first)}};
  std::string history;
  for (const EpochRecord& epoch : p.history) {
    history += (history.empty() ? "" : "; ") + detail::number_line(detail::numbers_of(epoch));
  }
  if (!history.empty()) metadata.emplace_back("minitrain.run.history", history);
  const BestEpoch &plateau = p.plateau.best, &best = p.best;
  metadata.emplace_back("minitrain.run.plateau",
                        detail::number_line(std::array{plateau.value, real(plateau.epoch), real(plateau.since),
                                                       real(p.plateau.cooling), p.plateau.factor}));
  metadata.emplace_back("minitrain.run.best",
                        detail::number_line(std::array{best.value, real(best.epoch), real(best.since)}));
  const NoiseScaleEstimator::State& noise = p.noise.state();
  metadata.emplace_back("minitrain.run.noise",
                        detail::number_line(std::array{noise.weight, noise.weight_squares, noise.signal, noise.noise,
                                                       noise.signal_signal, noise.noise_noise, noise.signal_noise}));
  metadata.emplace_back("minitrain.run.data", p.data);
  metadata.emplace_back("minitrain.run.skipped", std::to_string(p.skipped_in_row));
  if (p.window) metadata.emplace_back("minitrain.run.window", "1");
  if (p.validates) metadata.emplace_back("minitrain.run.validation", "1");
  return metadata;
}

/// Sets what is in the metadata; what is not, as in older states, stays as it is. Throws DataError (bad_header).
inline void read_progress_metadata(std::span<const std::pair<std::string, std::string>> metadata,
                                   const std::string& path, RunProgress& p) {
  const auto count = [](double x) { return x >= 0 && x < 0x1p53 ? static_cast<std::size_t>(x) : 0; };
  for (const auto& pair : metadata) {
    const std::string &key = pair.first, &text = pair.second;  // clang 14 captures no structured bindings
    const auto line = [&]<std::size_t N>(std::array<double, N>& numbers) {
      numbers = detail::parse_number_line<N>(text, path, key.c_str());
    };
    std::array<double, 1> one{};
    if (key == "minitrain.run.first_epoch") {
      line(one);
      p.first = count(one[0]);
    } else if (key == "minitrain.run.skipped") {
      line(one);
      p.skipped_in_row = count(one[0]);
    } else if (key == "minitrain.run.data") {
      p.data = text;
    } else if (key == "minitrain.run.window") {
      p.window = true;
    } else if (key == "minitrain.run.validation") {
      p.validates = true;
    } else if (key == "minitrain.run.plateau") {
      std::array<double, 5> n{};
      line(n);
      p.plateau = {.best = {n[0], count(n[1]), count(n[2])}, .cooling = count(n[3]), .factor = n[4]};
    } else if (key == "minitrain.run.best") {
      std::array<double, 3> n{};
      line(n);
      p.best = {n[0], count(n[1]), count(n[2])};
    } else if (key == "minitrain.run.noise") {
      std::array<double, 7> n{};
      line(n);
      p.noise.set_state({n[0], n[1], n[2], n[3], n[4], n[5], n[6]});
    } else if (key == "minitrain.run.history") {
      p.history.clear();
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find("; ", at), text.size());
        p.history.push_back(detail::epoch_of(
            detail::parse_number_line<15>(std::string_view(text).substr(at, end - at), path, key.c_str())));
        at = end + 2;
      }
    }
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// Transforms of images: RandomCrop, RandomFlip, RandomErase. A row of features is an image of channels x height x width
// numbers, as PyTorch flattens one: pixel (y, x) of channel c is number (c·height + y)·width + x.

#include <minitrain/data/transform.hpp>

namespace minitrain::inline MINITRAIN_ABI {

namespace detail {

/// Throws ShapeError unless rows are such images.
inline std::size_t image_columns(const char* who, std::size_t channels, std::size_t height, std::size_t width,
                                 std::size_t in) {
  // Divided, for a product could overflow.
  const bool fits = channels != 0 && height != 0 && width != 0 && in % channels == 0 && in / channels % height == 0 &&
                    in / channels / height == width;
  if (fits) return in;
  throw ShapeError(ErrorCode::shape_mismatch,
                   {who, ": images of channels x height x width = ", channels, " x ", height, " x ", width,
                    ", but there are ", in, " columns: give the sizes of the images"});
}

inline void check_probability(const char* who, double probability) {
  if (probability >= 0 && probability <= 1) return;
  throw OptionError({who, ": probability ", probability, ": ask for 0 to 1"});
}

}  // namespace detail

/// The image in a frame of `padding` pixels of value `fill`, cut out again height x width from a random place: shifted
/// by -padding to padding in either direction, all shifts equally likely. Throws ShapeError when the columns are not
/// such images, OptionError for a padding of more than 2^30.
struct RandomCrop {
  std::size_t height = 0, width = 0, channels = 1;
  std::size_t padding = 4;
  float fill = 0;

  std::size_t columns(std::size_t in) const {
    if (padding > std::size_t{1} << 30) throw OptionError({"RandomCrop: padding ", padding, ": ask for 0 to 2^30"});
    return detail::image_columns("RandomCrop", channels, height, width, in);
  }
  void operator()(std::span<const float> in, std::span<float> out, SampleRandom& random) const {
    const std::size_t top = random.below(2 * padding + 1), left = random.below(2 * padding + 1);
    // Column x of the result is column x + left - padding of the image, where that is one.
    const std::size_t begin = std::min(width, padding - std::min(padding, left));
    const std::size_t end = width - std::min(width, left - std::min(left, padding));
    std::fill(out.begin(), out.end(), fill);
    for (std::size_t c = 0; c < channels && begin < end; ++c) {
      for (std::size_t y = 0; y < height; ++y) {
        if (y + top < padding || y + top - padding >= height) continue;
        const std::size_t from = (c * height + y + top - padding) * width + (begin + left - padding);
        std::copy_n(in.data() + from, end - begin, out.data() + (c * height + y) * width + begin);
      }
    }
  }
};

/// The mirror image, left to right, with this probability. Throws ShapeError when the columns are not such images,
/// OptionError for a probability outside [0, 1].
struct RandomFlip {
  std::size_t height = 0, width = 0, channels = 1;
  double probability = 0.5;

  std::size_t columns(std::size_t in) const {
    detail::check_probability("RandomFlip", probability);
    return detail::image_columns("RandomFlip", channels, height, width, in);
  }
  void operator()(std::span<float> image, SampleRandom& random) const {
    if (!(random.uniform() < probability)) return;
    for (; !image.empty(); image = image.subspan(width))
      std::reverse(image.begin(), image.begin() + static_cast<std::ptrdiff_t>(width));
  }
};

/// With this probability, a square of size x size pixels becomes `fill` in all channels. Its centre is any pixel, so
/// that what is past the border is missing. Throws ShapeError when the columns are not such images, OptionError for a
/// probability outside [0, 1]. Source: DeVries and Taylor, "Improved regularization of convolutional neural networks
/// with cutout", arXiv 1708.04552.
struct RandomErase {
  std::size_t height = 0, width = 0, channels = 1;
  std::size_t size = 8;
  double probability = 0.5;
  float fill = 0;

  std::size_t columns(std::size_t in) const {
    detail::check_probability("RandomErase", probability);
    return detail::image_columns("RandomErase", channels, height, width, in);
  }
  void operator()(std::span<float> image, SampleRandom& random) const {
    if (!(random.uniform() < probability)) return;
    const auto [top, bottom] = range(random.below(height), height);
    const auto [left, right] = range(random.below(width), width);
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t y = top; y < bottom; ++y) {
        float* const row = image.data() + (c * height + y) * width;
        std::fill(row + left, row + right, fill);
      }
    }
  }

 private:
  /// The part of [centre - size/2, centre - size/2 + size) in [0, extent).
  std::pair<std::size_t, std::size_t> range(std::size_t centre, std::size_t extent) const noexcept {
    const std::size_t after = std::min(size - size / 2, extent - centre);
    return {centre - std::min(centre, size / 2), centre + after};
  }
};

}  // namespace minitrain::inline MINITRAIN_ABI

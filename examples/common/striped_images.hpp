#pragma once
// Images of 256 x 256 x 3 bytes that nobody has to keep: made one by one, written to an IDX file or not.

#include <minitrain/data/generated.hpp>
#include <minitrain/data/sample_random.hpp>

#include "temporary_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace examples {

inline constexpr std::size_t image_side = 256, image_bytes = image_side * image_side * 3, image_classes = 10;
inline constexpr float image_scale = 2 / 255.0f, image_offset = -1;  // of a feature: from -1 to 1

/// Image number i, [256, 256, 3], and its class: stripes of a direction of the class's own, 12 brighter or darker than
/// grey, under noise of deviation 37, so that no few pixels tell what it is.
inline std::int32_t make_image(std::uint64_t i, std::uint8_t* pixels) {
  constexpr std::array<std::array<std::size_t, 2>, image_classes> direction{
      {{1, 0}, {0, 1}, {1, 1}, {2, 1}, {1, 2}, {3, 1}, {1, 3}, {3, 2}, {2, 3}, {3, 3}}};
  minitrain::SampleRandom random(1, 0, i);
  const auto label = static_cast<std::size_t>(random.below(image_classes));
  const auto [across, down] = direction[label];
  std::uint32_t bits = 0;
  for (std::size_t y = 0, at = 0; y < image_side; ++y) {
    for (std::size_t x = 0; x < image_side; ++x) {
      const int stripe = ((across * x + down * y) >> 5) % 2 == 0 ? 52 : 76;  // the mean of the noise is 64
      for (std::size_t channel = 0; channel < 3; ++channel, ++at) {
        bits = at % 4 == 0 ? random.bits() : bits >> 8;
        pixels[at] = static_cast<std::uint8_t>(stripe + static_cast<int>(bits % 256) / 2);
      }
    }
  }
  return static_cast<std::int32_t>(label);
}

/// Images first, first + 1, ..., made whenever they are read.
inline minitrain::Dataset made_images(std::uint64_t first, std::uint64_t count) {
  const auto make = [first](std::uint64_t i, minitrain::SampleBuffers out) {
    std::vector<std::uint8_t> pixels(image_bytes);
    *out.labels = make_image(first + i, pixels.data());
    for (std::size_t k = 0; k < image_bytes; ++k) {
      out.features[k] =
          static_cast<float>(static_cast<double>(image_scale) * pixels[k] + static_cast<double>(image_offset));
    }
  };
  return minitrain::generated({.feature_columns = image_bytes, .classes = image_classes}, count, make);
}

/// Writes two IDX files of as many images, and calls progress(images done). Throws minitrain::DataError (io_error),
/// also before it begins where the disk has no room for them.
template <class F>
void write_images(const std::string& images_path, const std::string& labels_path, std::uint64_t count, F&& progress) {
  const auto fail = [](const std::string& path, const std::string& why) {
    throw minitrain::DataError(minitrain::ErrorCode::io_error, path + ": " + why);
  };
  const std::uint64_t room = std::filesystem::space(std::filesystem::absolute(images_path).parent_path()).available;
  if (room < count * (image_bytes + 1) + (std::uint64_t{64} << 20)) {
    fail(images_path, std::to_string(count) + " images want " + std::to_string(count * image_bytes / 1'000'000) +
                          " MB of the disk, which has " + std::to_string(room / 1'000'000) +
                          " MB left: give another folder with --keep DIR, or take --no-file");
  }
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;
  const auto open = [&](const std::string& path, const std::vector<std::size_t>& extents) {
    File file(std::fopen(path.c_str(), "wb"));
    std::vector<std::uint8_t> header{0, 0, 8, static_cast<std::uint8_t>(extents.size())};
    for (const std::size_t extent : extents) {
      for (int shift = 24; shift >= 0; shift -= 8) header.push_back(static_cast<std::uint8_t>(extent >> shift));
    }
    if (!file || std::fwrite(header.data(), 1, header.size(), file.get()) != header.size())
      fail(path, std::strerror(errno));
    return file;
  };
  File images = open(images_path, {count, image_side, image_side, 3}), labels = open(labels_path, {count});
  std::vector<std::uint8_t> pixels(image_bytes);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::uint8_t>(make_image(i, pixels.data()));
    if (std::fwrite(pixels.data(), 1, image_bytes, images.get()) != image_bytes)
      fail(images_path, std::strerror(errno));
    if (std::fputc(label, labels.get()) == EOF) fail(labels_path, std::strerror(errno));
    progress(i + 1);
  }
  for (const auto& [file, path] : {std::pair(images.get(), images_path), std::pair(labels.get(), labels_path)}) {
    if (std::fflush(file) != 0) fail(path, std::strerror(errno));
  }
}

/// The two files of as many images in a folder, or, where that is empty, where temporary files are; they go when the
/// object does, unless kept. Files that were kept are taken as they are.
class ImageFiles {
 public:
  std::string images = {}, labels = {};

  /// Throws what write_images() and progress(images done) throw.
  template <class F>
  ImageFiles(const std::string& folder, std::uint64_t count, bool keep, F&& progress) : keep_(keep) {
    if (folder.empty()) temporary_.emplace();
    const std::string name = folder.empty() ? temporary_->path() : folder + "/striped-" + std::to_string(count);
    images = name + "-images-idx4-ubyte", labels = name + "-labels-idx1-ubyte";
    if (keep && std::filesystem::exists(labels)) return;
    try {
      write_images(images, labels, count, progress);
    } catch (...) {
      remove();
      throw;
    }
  }
  ImageFiles(const ImageFiles&) = delete;
  ImageFiles& operator=(const ImageFiles&) = delete;
  ~ImageFiles() {
    if (!keep_) remove();
  }

 private:
  void remove() const {
    for (const std::string& path : {images, labels}) std::remove(path.c_str());
  }

  bool keep_;
  std::optional<TemporaryFile> temporary_;  // whose name they have
};

/// The first images of such files in memory, as bytes: what one does before data are too large for it. Throws
/// std::bad_alloc, minitrain::DataError (io_error).
inline minitrain::Dataset load_images_whole(const std::string& images_path, const std::string& labels_path,
                                            std::uint64_t count) {
  minitrain::DatasetParts parts{
      .samples = count, .scale = image_scale, .offset = image_offset, .classes = image_classes};
  std::vector<std::uint8_t> labels(count);
  parts.bytes.resize(count * image_bytes);
  const auto read = [](const std::string& path, long header, std::vector<std::uint8_t>& bytes) {
    std::FILE* const file = std::fopen(path.c_str(), "rb");
    const bool whole = file != nullptr && std::fseek(file, header, SEEK_SET) == 0 &&
                       std::fread(bytes.data(), 1, bytes.size(), file) == bytes.size();
    if (file != nullptr) std::fclose(file);
    if (!whole) throw minitrain::DataError(minitrain::ErrorCode::io_error, path + ": cannot be read to its end");
  };
  read(images_path, 20, parts.bytes);
  read(labels_path, 8, labels);
  parts.labels.assign(labels.begin(), labels.end());
  return minitrain::Dataset(std::move(parts));
}

}  // namespace examples

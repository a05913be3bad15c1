#pragma once
// Real data that an experiment is given as a folder: which of four sets it is, by the files there, and the set itself.

#include <minitrain/data/csv.hpp>
#include <minitrain/data/read_all.hpp>
#include <minitrain/data/split.hpp>
#include <minitrain/data/transforms.hpp>
#include <minitrain/io/crc32c.hpp>

#include "find_data.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

namespace examples {

/// The files of Fashion-MNIST and MNIST have the same names.
enum class DataKind { synthetic, images, optdigits, housing };

/// Of the data in `folder`; synthetic where no folder is named, nothing where none of them is there.
inline std::optional<DataKind> find_kind(const std::string& folder) {
  const auto has = [&](const char* file) { return access((folder + "/" + file).c_str(), R_OK) == 0; };
  if (folder.empty()) return DataKind::synthetic;
  if (has_images(folder)) return DataKind::images;
  if (has("optdigits.tra")) return DataKind::optdigits;
  if (has("housing.csv")) return DataKind::housing;
  return std::nullopt;
}

/// The same. Throws DataError where none of them is there.
inline DataKind kind_of(const std::string& folder) {
  if (const auto kind = find_kind(folder)) return *kind;
  throw minitrain::DataError(
      minitrain::ErrorCode::io_error,
      folder +
          ": wanted a folder with the four files of Fashion-MNIST or MNIST, with optdigits.tra and optdigits.tes, " +
          "or with housing.csv of California housing, found none of these: tools/fetch_data --help says where to get " +
          "them, and checks them");
}

/// The files that are read of the data in `folder`.
inline std::vector<std::string> files_of(const std::string& folder) {
  const DataKind kind = kind_of(folder);
  if (kind == DataKind::optdigits) return {folder + "/optdigits.tra", folder + "/optdigits.tes"};
  if (kind == DataKind::housing) return {folder + "/housing.csv"};
  std::vector<std::string> files;
  for (const char* name :
       {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
    const std::string path = folder + "/" + name;
    files.push_back(access(path.c_str(), R_OK) == 0 ? path : path + ".gz");
  }
  return files;
}

/// "Fashion-MNIST", "MNIST" or "images": by the first labels.
template <class Labels>
std::string name_of_images(const Labels& labels) {
  constexpr std::array<int, 10> fashion{9, 0, 0, 3, 0, 2, 7, 2, 5, 5}, digits{5, 0, 4, 1, 9, 2, 1, 3, 1, 4};
  const auto begins = [&](const auto& first) {
    return labels.size() == 60'000 && std::equal(first.begin(), first.end(), labels.begin());
  };
  return begins(fashion) ? "Fashion-MNIST" : begins(digits) ? "MNIST" : "images";
}

/// "optdigits (crc32c 1a2b3c4d)", of the bytes of the files, wherever the folder lies; "synthetic" where none is named.
/// Throws DataError.
inline std::string identity_of(const std::string& folder) {
  const DataKind kind = kind_of(folder);
  if (kind == DataKind::synthetic) return "synthetic";
  const std::vector<std::string> files = files_of(folder);
  std::uint32_t crc = 0;
  std::vector<std::byte> bytes(1 << 20);
  for (const std::string& path : files) {
    const minitrain::ReadFile file(path);
    for (std::uint64_t at = 0; at < file.size();) {
      const std::size_t count = file.read_some(at, bytes);
      if (count == 0) break;  // it has become shorter
      crc = minitrain::crc32c(std::span(bytes).first(count), crc);
      at += count;
    }
  }
  const std::string name = kind == DataKind::optdigits ? "optdigits"
                           : kind == DataKind::housing ? "California housing"
                                                       : name_of_images(read_idx(files[1]).values);
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", static_cast<unsigned>(crc));
  return name + " (crc32c " + digits + ")";
}

/// Images of 8 x 8 numbers from 0 to 16, kept as bytes that stand for 0 to 1. Throws DataError.
inline minitrain::Dataset load_digits(const std::string& path) {
  const minitrain::Dataset table = minitrain::load_csv(path, {.target = "64", .classes = 10, .header = false});
  const minitrain::DatasetParts& read = table.storage();
  minitrain::DatasetParts parts{
      .samples = read.samples, .scale = 1 / 16.0f, .labels = read.labels, .classes = read.classes};
  for (const float x : read.features) {
    if (!(x >= 0 && x <= 16) || x != std::floor(x)) {
      throw minitrain::DataError(minitrain::ErrorCode::bad_number,
                                 {path, ": wanted whole numbers from 0 to 16, found ", static_cast<double>(x),
                                  ": take the file as published"});
    }
    parts.bytes.push_back(static_cast<std::uint8_t>(x));
  }
  return minitrain::Dataset(std::move(parts));
}

/// Median house values in units of 100,000 dollars by eight numbers and the place, a fifth of them to test on. Numbers
/// are in deviations from their means over the training part; blanks are filled with the mean of their column. Throws
/// DataError.
inline minitrain::Split load_housing(const std::string& path) {
  constexpr std::size_t numbers = 8;
  const minitrain::Dataset table = minitrain::load_csv(
      path, {.target = "median_house_value",
             .features = {"longitude", "latitude", "housing_median_age", "total_rooms", "total_bedrooms", "population",
                          "households", "median_income", "ocean_proximity"},
             .categorical = {{"ocean_proximity"}},
             .missing = minitrain::Missing::fill_mean});
  minitrain::DatasetParts parts = table.storage();
  for (float& value : parts.targets) value /= 100'000;
  const minitrain::Split rows = minitrain::split(minitrain::Dataset(std::move(parts)), {.seed = 1});
  minitrain::Standardize scale = minitrain::fit_standardize(rows.train);
  // The columns of places stay 0 and 1: the 1 of one that five rows have would be 64 deviations.
  std::fill(scale.mean.begin() + numbers, scale.mean.end(), 0);
  std::fill(scale.deviation.begin() + numbers, scale.deviation.end(), 1);
  return {minitrain::read_all(minitrain::transform(rows.train, scale)),
          minitrain::read_all(minitrain::transform(rows.test, scale))};
}

/// What an experiment trains and tests on, in memory.
struct RealData {
  std::string name;
  minitrain::Split parts;
};

/// The data in `folder`, which must be there. Throws DataError.
inline RealData load_data(const std::string& folder) {
  const DataKind kind = kind_of(folder);
  if (kind == DataKind::housing) return {"California housing", load_housing(folder + "/housing.csv")};
  if (kind == DataKind::optdigits) {
    return {"optdigits", {load_digits(folder + "/optdigits.tra"), load_digits(folder + "/optdigits.tes")}};
  }
  minitrain::Split parts = load_folder(folder);
  const std::string name = name_of_images(parts.train.storage().labels);
  return {name, std::move(parts)};
}

}  // namespace examples

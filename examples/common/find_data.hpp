#pragma once
// load_images(): Fashion-MNIST, MNIST and their kin, wherever they lie.

#include <minitrain/data/idx.hpp>

// Compressed files need zlib, here and when linking (-lz, or minitrain::zlib).
#if __has_include(<zlib.h>)
#include <minitrain/data/idx_gz.hpp>
#endif

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace examples {

#if __has_include(<zlib.h>)
inline minitrain::Split load_folder(const std::string& folder) { return minitrain::load_mnist_gz(folder); }
inline minitrain::IdxArray read_idx(const std::string& path) { return minitrain::read_idx_gz(path); }
#else
inline minitrain::Split load_folder(const std::string& folder) { return minitrain::load_mnist(folder); }
inline minitrain::IdxArray read_idx(const std::string& path) { return minitrain::read_idx(path); }
#endif

inline bool has_images(const std::string& folder) {
  return access((folder + "/train-images-idx3-ubyte").c_str(), R_OK) == 0 ||
         access((folder + "/train-images-idx3-ubyte.gz").c_str(), R_OK) == 0;
}

/// The training and test images in `folder`; where it is empty, in the first that has them of $MINITRAIN_DATA, its
/// fashion-mnist, data/fashion-mnist and ../shared/data/fashion-mnist. Throws DataError.
inline minitrain::Split load_images(const std::string& folder) {
  if (!folder.empty()) {
    if (has_images(folder)) return load_folder(folder);
    throw minitrain::DataError(
        minitrain::ErrorCode::io_error,
        folder + ": wanted a folder with the four Fashion-MNIST or MNIST files, found no " +
            "training images there: tools/fetch_data --help says where to get them, and checks them");
  }
  std::vector<std::string> places{"data/fashion-mnist", "../shared/data/fashion-mnist"};
  if (const char* place = std::getenv("MINITRAIN_DATA"); place != nullptr) {
    places.insert(places.begin(), {place, place + std::string("/fashion-mnist")});
  }
  for (const std::string& place : places) {
    if (has_images(place)) return load_folder(place);
  }
  throw minitrain::DataError(minitrain::ErrorCode::io_error,
                             "no images here: give the folder of the four Fashion-MNIST files with --data DIR or in "
                             "MINITRAIN_DATA (tools/fetch_data --help says where to get them)");
}

}  // namespace examples

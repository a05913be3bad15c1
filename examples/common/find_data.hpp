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

inline minitrain::Split load_folder(const std::string& folder) {
#if __has_include(<zlib.h>)
  return minitrain::load_mnist_gz(folder);
#else
  return minitrain::load_mnist(folder);
#endif
}

/// The training and test images in `folder`; where it is empty, in the first that has them of $MINITRAIN_DATA, its
/// fashion-mnist, data/fashion-mnist and ../shared/data/fashion-mnist. Throws DataError.
inline minitrain::Split load_images(const std::string& folder) {
  if (!folder.empty()) return load_folder(folder);
  std::vector<std::string> places{"data/fashion-mnist", "../shared/data/fashion-mnist"};
  if (const char* place = std::getenv("MINITRAIN_DATA"); place != nullptr) {
    places.insert(places.begin(), {place, place + std::string("/fashion-mnist")});
  }
  for (const std::string& place : places) {
    for (const char* name : {"/train-images-idx3-ubyte", "/train-images-idx3-ubyte.gz"}) {
      if (access((place + name).c_str(), R_OK) == 0) return load_folder(place);
    }
  }
  throw minitrain::DataError(minitrain::ErrorCode::io_error,
                             "no images here: give the folder of the four Fashion-MNIST files with --data DIR or in "
                             "MINITRAIN_DATA (tools/fetch_data --help says where to get them)");
}

}  // namespace examples

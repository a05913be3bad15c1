#include <minitrain/data/idx_gz.hpp>

#include <sys/stat.h>

#include <cmath>

#include "data/support.hpp"

namespace mt = minitrain;
using mt::ErrorCode;

namespace {

const std::string plain("\0\0\10\2\0\0\0\3\0\0\0\2abcdef", 18);

std::string compressed(std::string_view content) {
  const test::TemporaryFile file("");
  ::gzFile out = ::gzopen(file.path().c_str(), "wb");
  REQUIRE(out != nullptr);
  REQUIRE(::gzwrite(out, content.data(), static_cast<unsigned>(content.size())) == static_cast<int>(content.size()));
  REQUIRE(::gzclose(out) == Z_OK);
  std::string bytes(1 << 20, '\0');
  std::FILE* const in = std::fopen(file.path().c_str(), "rb");
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), in));
  std::fclose(in);
  return bytes;
}

template <class... Part>
void check_refused(ErrorCode code, std::string_view content, const Part&... parts) {
  const test::TemporaryFile file(content);
  test::check_error<mt::DataError>(
      code, [&] { mt::read_idx_gz(file.path()); }, file.path(), parts...);
}

}  // namespace

TEST_CASE("a compressed IDX file is the uncompressed one") {
  for (const std::string& content : {plain, compressed(plain)}) {
    const test::TemporaryFile file(content);
    const auto array = mt::read_idx_gz(file.path());
    CHECK(array.extents == std::vector<std::size_t>{3, 2});
    CHECK(std::string(array.values.begin(), array.values.end()) == "abcdef");
  }
}

TEST_CASE("compressed images and labels make a data set") {
  const test::TemporaryFile images(compressed(plain));
  const test::TemporaryFile labels(compressed(std::string_view("\0\0\10\1\0\0\0\3\2\0\1", 11)));
  const auto data = mt::load_idx_gz(images.path(), labels.path(), {.scale = 1});
  CHECK(data.size() == 3);
  CHECK(data.feature(2, 1) == 'f');
  CHECK(data.classes() == 3);
}

TEST_CASE("every truncation of a compressed file is refused") {
  const std::string whole = compressed(plain);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const test::TemporaryFile file(whole.substr(0, size));
    INFO("size " << size);
    test::check_error<mt::DataError>(ErrorCode::truncated, [&] { mt::read_idx_gz(file.path()); });
  }
}

TEST_CASE("damage to a compressed file is noticed") {
  const std::string whole = compressed(plain);
  std::string damaged = whole;
  damaged[damaged.size() - 6] ^= 1;  // the checksum
  check_refused(ErrorCode::checksum_mismatch, damaged, "gzip: damaged");
  // Any bit behind the ten bytes of header: noticed, or one of the few that pad the last byte of data and mean nothing.
  std::size_t harmless = 0;
  for (std::size_t at = 10; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      const test::TemporaryFile file(damaged);
      try {
        const auto array = mt::read_idx_gz(file.path());
        INFO("byte " << at << " bit " << bit);
        CHECK(array.extents == std::vector<std::size_t>{3, 2});
        CHECK(std::string(array.values.begin(), array.values.end()) == "abcdef");
        ++harmless;
      } catch (const mt::DataError&) {
      }
    }
  }
  CHECK(harmless < 8);
}

TEST_CASE("what is wrong inside of a compressed file is refused as outside") {
  check_refused(ErrorCode::truncated, compressed(plain.substr(0, 17)), "17 of 18 bytes");
  check_refused(ErrorCode::trailing_bytes, compressed(plain + "g"), "18 bytes");
  check_refused(ErrorCode::bad_magic, compressed("PK and so on"), "not an IDX file");
  check_refused(ErrorCode::bad_magic, compressed(compressed(plain)), "file is gzip");
  check_refused(ErrorCode::truncated, compressed(""), "0 of 4 bytes");
  test::check_error<mt::DataError>(
      ErrorCode::io_error, [] { mt::read_idx_gz("/nonexistent/x.gz"); }, "No such file");
  test::check_error<mt::DataError>(
      ErrorCode::io_error, [] { mt::read_idx_gz("/tmp"); }, "found a directory: name a file in it");
}

TEST_CASE("the four files of MNIST are found, compressed or not") {
  const test::TemporaryFile place("");
  const std::string directory = place.path() + ".d";
  REQUIRE(::mkdir(directory.c_str(), 0700) == 0);
  const auto write = [&](const char* name, std::string_view content) {
    std::FILE* const file = std::fopen((directory + "/" + name).c_str(), "wb");
    REQUIRE(file != nullptr);
    REQUIRE(std::fwrite(content.data(), 1, content.size(), file) == content.size());
    std::fclose(file);
  };
  write("train-images-idx3-ubyte", plain);
  write("train-labels-idx1-ubyte.gz", compressed(std::string_view("\0\0\10\1\0\0\0\3\2\0\1", 11)));
  write("t10k-images-idx3-ubyte.gz", compressed(std::string_view("\0\0\10\2\0\0\0\1\0\0\0\2xy", 14)));
  write("t10k-labels-idx1-ubyte", std::string_view("\0\0\10\1\0\0\0\1\1", 9));
  const auto [train, test] = mt::load_mnist_gz(directory, {.scale = 1});
  CHECK(train.size() == 3);
  CHECK(test.size() == 1);
  CHECK(test.classes() == 3);
  CHECK(test.feature(0, 1) == 'y');
  test::check_error<mt::DataError>(
      ErrorCode::bad_magic, [&] { mt::load_mnist(directory); }, "_gz", "train-labels-idx1-ubyte.gz");
  for (const char* const name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
                                 "t10k-labels-idx1-ubyte"}) {
    std::remove((directory + "/" + name).c_str());
  }
  ::rmdir(directory.c_str());
}

TEST_CASE("Fashion-MNIST and MNIST have the means and deviations that are published") {
  const std::string root = test::data_directory();
  struct Published {
    const char* name;
    double mean, deviation;
  };
  for (const Published& set :
       {Published{"fashion-mnist", 0.286041, 0.353024}, Published{"mnist", 0.130660, 0.308108}}) {
    const std::string directory = root + "/" + set.name;
    if (root.empty() || !mt::detail::file_exists(directory)) {
      WARN("skipped: set MINITRAIN_DATA to a directory with " << set.name);
      continue;
    }
    const auto [train, test] = mt::load_mnist_gz(directory);
    CHECK(train.size() == 60'000);
    CHECK(test.size() == 10'000);
    CHECK(train.feature_columns() == 784);
    CHECK(train.classes() == 10);
    std::uint64_t sum = 0, squares = 0;
    for (const std::uint64_t byte : train.storage().bytes) sum += byte, squares += byte * byte;
    const double count = static_cast<double>(train.storage().bytes.size());
    const double mean = static_cast<double>(sum) / count / 255;
    CHECK(std::abs(mean - set.mean) < 1e-6);
    CHECK(std::abs(std::sqrt(static_cast<double>(squares) / count / 255 / 255 - mean * mean) - set.deviation) < 1e-6);
    std::vector<int> counts(10);
    for (std::size_t i = 0; i < test.size(); ++i) ++counts[static_cast<std::size_t>(test.label(i))];
    if (std::string_view(set.name) == "fashion-mnist") CHECK(counts == std::vector<int>(10, 1000));
  }
}

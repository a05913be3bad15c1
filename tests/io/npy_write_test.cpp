#include <minitrain/cpu.hpp>
#include <minitrain/data/npy.hpp>

#include <fstream>

#include "io/support.hpp"
#include "support/errors.hpp"
#include "support/python.hpp"

namespace mt = minitrain;

namespace {

/// The smallest and the largest number, and what lies between.
template <class T>
T value_at(std::size_t i) {
  using Limits = std::numeric_limits<T>;
  if (i == 0) return Limits::lowest();
  if (i == 1) return Limits::max();
  return static_cast<T>(i % 101);
}

template <class T>
void write_all_shapes(const test::Folder& folder, const std::string& type, std::ofstream& list) {
  for (const mt::Shape& shape : {mt::Shape{1}, mt::Shape{7}, mt::Shape{0}, mt::Shape{3, 5}, mt::Shape{0, 4},
                                 mt::Shape{31, 1}, mt::Shape{2, 3, 4}, mt::Shape{2, 1, 3, 33}, mt::Shape{257, 2}}) {
    const auto numbers = std::make_unique<T[]>(shape.size() + 1);
    for (std::size_t i = 0; i < shape.size(); ++i) numbers[i] = value_at<T>(i);
    const std::string path =
        folder / (type + std::to_string(shape.rank()) + "_" + std::to_string(shape.size()) + ".npy");
    mt::write_npy(path, mt::View<const T>(numbers.get(), shape));
    list << path << ' ' << type;
    for (std::size_t axis = 0; axis < shape.rank(); ++axis) list << ' ' << shape[axis];
    list << '\n';
    // Our own reader finds the same.
    const mt::Table table = mt::map_npy_table(path);
    CHECK(table.rows == shape.rows());
    CHECK(table.columns == shape.columns());
    REQUIRE(table.file->bytes().size() >= shape.size() * sizeof(T));
    CHECK(std::memcmp(table.data, numbers.get(), shape.size() * sizeof(T)) == 0);
    CHECK((table.data - table.file->bytes().data()) % 64 == 0);
  }
  const std::string path = folder / (type + "_scalar.npy");
  mt::write_npy(path, value_at<T>(1));
  list << path << ' ' << type << '\n';
}

}  // namespace

TEST_CASE("NumPy and our reader read arrays of every type and rank that we write", "[io]") {
  const test::Folder folder;
  const std::string listing = folder / "list.txt";
  std::ofstream list(listing);
  write_all_shapes<float>(folder, "f4", list);
  write_all_shapes<double>(folder, "f8", list);
  write_all_shapes<std::int8_t>(folder, "i1", list);
  write_all_shapes<std::int16_t>(folder, "i2", list);
  write_all_shapes<std::int32_t>(folder, "i4", list);
  write_all_shapes<std::int64_t>(folder, "i8", list);
  write_all_shapes<std::uint8_t>(folder, "u1", list);
  write_all_shapes<std::uint16_t>(folder, "u2", list);
  write_all_shapes<std::uint32_t>(folder, "u4", list);
  write_all_shapes<std::uint64_t>(folder, "u8", list);
  write_all_shapes<bool>(folder, "b1", list);
  list.close();
  const std::string python = test::python_with("numpy");
  if (!python.empty()) CHECK(test::run_python(python, __FILE__, "npy_write_interop.py", listing));
}

TEST_CASE("the header of an array is what the format says, whatever its length", "[io]") {
  const std::size_t wide[] = {std::size_t{1} << 40, std::size_t{1} << 30, 123'456'789, 1};
  for (std::size_t rank = 0; rank <= 4; ++rank) {
    const std::string header = mt::detail::io::npy_header("<f4", std::span(wide).first(rank));
    CHECK(header.size() % 64 == 0);
    CHECK(header.back() == '\n');
    CHECK(static_cast<unsigned char>(header[8]) + 256 * static_cast<unsigned char>(header[9]) ==
          static_cast<int>(header.size()) - 10);
  }
  const std::string scalar = mt::detail::io::npy_header("|u1", {});
  CHECK(scalar.substr(0, 10) == std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  CHECK(scalar.substr(10).starts_with("{'descr': '|u1', 'fortran_order': False, 'shape': (), }  "));
  CHECK_THAT(mt::detail::io::npy_header("<f8", std::span(wide).subspan(3)),
             test::ContainsSubstring("'shape': (1,), }"));
}

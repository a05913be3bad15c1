#include <minitrain/data/csv.hpp>

#include "data/support.hpp"

namespace mt = minitrain;

namespace {

// Path of a real data file; empty, with a word about it, where there is none.
std::string real_file(const char* name) {
  const std::string root = test::data_directory(), path = root + "/" + name;
  if (!root.empty() && mt::detail::file_exists(path)) return path;
  WARN("skipped: set MINITRAIN_DATA to a directory with " << name);
  return {};
}

}  // namespace

TEST_CASE("California housing: 207 blanks are refused, dropped or filled") {
  const std::string path = real_file("california/housing.csv");
  if (path.empty()) return;
  mt::CsvOptions options{.target = "median_house_value", .ignore = {"ocean_proximity"}};
  const auto load = [&] { return mt::load_csv(path, options); };
  test::check_error<mt::DataError>(mt::ErrorCode::bad_number, load, "line 292:", "column 'total_bedrooms'", "empty");

  options.missing = mt::Missing::drop_row;
  const mt::Dataset dropped = load();
  CHECK(dropped.size() == 20'640 - 207);
  double sum = 0;
  for (std::size_t i = 0; i < dropped.size(); ++i) sum += dropped.feature(i, 4);

  options.missing = mt::Missing::fill_mean;
  const mt::Dataset filled = load();
  CHECK(filled.size() == 20'640);
  CHECK(filled.feature_columns() == 8);
  CHECK(filled.feature(0, 0) == -122.23f);
  CHECK(filled.target(0) == 452600);
  CHECK(filled.feature(290, 4) == test::Approx(sum / 20'433).epsilon(1e-6));

  options.ignore = {};
  test::check_error<mt::DataError>(mt::ErrorCode::bad_number, load, "line 2:", "'NEAR BAY' is not a number");
}

TEST_CASE("optdigits: 64 numbers from 0 to 16 and a digit") {
  struct Part {
    const char* name;
    std::size_t samples;
  };
  for (const Part& part : {Part{"optdigits/optdigits.tra", 3823}, Part{"optdigits/optdigits.tes", 1797}}) {
    const std::string path = real_file(part.name);
    if (path.empty()) continue;
    const auto data = mt::load_csv(path, {.target = "64", .classes = 10, .header = false});
    CHECK(data.size() == part.samples);
    CHECK(data.feature_columns() == 64);
    const auto& features = data.storage().features;
    CHECK(*std::min_element(features.begin(), features.end()) == 0);
    CHECK(*std::max_element(features.begin(), features.end()) == 16);
    std::vector<int> counts(10);
    for (std::size_t i = 0; i < data.size(); ++i) ++counts[static_cast<std::size_t>(data.label(i))];
    CHECK(*std::min_element(counts.begin(), counts.end()) > 150);
  }
}

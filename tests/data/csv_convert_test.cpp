#include <minitrain/data/csv_convert.hpp>

#include <cstring>

#include <sys/wait.h>

#include "data/support.hpp"
#include "io/support.hpp"

namespace mt = minitrain;
using mt::Categorical;
using mt::ErrorCode;
using mt::Missing;

namespace {

// Converting, then opening, gives what loading gives, in every bit, and the names.
void check_same(const std::string& csv, const mt::CsvOptions& options) {
  const test::Folder folder;
  const std::string path = folder / "x.rows";
  const mt::CsvTable loaded = mt::load_csv_table(csv, options);
  CHECK(mt::convert_csv(csv, path, options) == loaded.data.size());
  const mt::Dataset rows = mt::open_row_file(path, {.non_finite = mt::NonFinite::keep});
  REQUIRE(rows.size() == loaded.data.size());
  REQUIRE(rows.shape() == loaded.data.shape());
  CHECK(mt::row_file_layout(path) == loaded.layout);
  CHECK(folder.count() == 1);

  const std::size_t n = rows.size();
  std::vector<std::uint64_t> all(n);
  for (std::size_t i = 0; i < n; ++i) all[i] = i;
  std::vector<float> features(n * rows.feature_columns()), targets(n * rows.target_columns());
  std::vector<std::int32_t> labels(rows.is_classification() ? n : 0);
  rows.read({}, all,
            {features.data(), targets.empty() ? nullptr : targets.data(), labels.empty() ? nullptr : labels.data()});
  const auto same = [](const auto& a, const auto& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0);
  };
  CHECK(same(features, loaded.data.storage().features));
  CHECK(same(targets, loaded.data.storage().targets));
  CHECK(labels == loaded.data.storage().labels);
}

// Bytes of memory that the process has had at most; 0 where the system does not say.
std::size_t peak_memory() {
  const std::string status = test::read_all("/proc/self/status");
  const std::size_t at = status.find("VmHWM:");
  return at == std::string::npos ? 0 : std::stoul(status.substr(at + 6)) << 10;
}

}  // namespace

TEST_CASE("a CSV file becomes a row file of the same numbers") {
  const test::TemporaryFile file(
      "a,c,b,y,z,kind\n1,red,0.1,1e-3,2,cat\n,blue,0.2,3,4,dog\n3,red,-0,5e-45,6,ant\n4,,0.7,7,8,cat\nnan,blue,,9,1,"
      "dog\n");
  const mt::CsvOptions none{.unknown = mt::UnknownCategory::none};
  for (const Missing missing : {Missing::drop_row, Missing::fill_mean, Missing::fill_value}) {
    mt::CsvOptions options = none;
    options.missing = missing;
    options.fill = 0.3f;
    options.categorical = {{"c"}, {"kind", Categorical::integer}};
    options.target = "y";
    check_same(file.path(), options);
    options.target = "kind";
    check_same(file.path(), options);
    options.target = {};
    options.targets = {"z", "y"};
    check_same(file.path(), options);
    options.features = {"b", "c", "a"};
    options.categorical = {{"c", Categorical::integer}};
    check_same(file.path(), options);
    options.encoding = {.categories = {{"c", {"red", "green"}}}, .means = {{"a", 17}}};
    check_same(file.path(), options);
  }
}

TEST_CASE("labels, numbers without names, what is not finite") {
  const test::TemporaryFile file("1;2;nan\n3;0;-inf\n5;1;7\n");
  check_same(file.path(),
             {.target = "1", .classes = 3, .non_finite = mt::NonFinite::keep, .header = false, .separator = ';'});
}

TEST_CASE("more rows than are held at a time") {
  std::string text = "a,b,y\n";
  for (int i = 0; i < 40'000; ++i)
    text += std::to_string(i) + "," + (i % 7 == 0 ? "" : std::to_string(i * 0.1)) + ",1\n";
  const test::TemporaryFile file(text);
  check_same(file.path(), {.target = "y", .missing = Missing::fill_mean});
}

TEST_CASE("California housing and digits: converted, they are what load_csv makes of them") {
  const std::string root = test::data_directory();
  if (root.empty() || !mt::detail::file_exists(root + "/california/housing.csv") ||
      !mt::detail::file_exists(root + "/optdigits/optdigits.tra")) {
    WARN("skipped: set MINITRAIN_DATA to a directory with california/housing.csv and optdigits/optdigits.tra");
    return;
  }
  mt::CsvOptions options{.target = "median_house_value", .categorical = {{"ocean_proximity"}}};
  options.missing = Missing::fill_mean;
  check_same(root + "/california/housing.csv", options);
  options.missing = Missing::drop_row;
  options.categorical[0].as = Categorical::integer;
  options.target = "ocean_proximity";
  check_same(root + "/california/housing.csv", options);
  check_same(root + "/optdigits/optdigits.tra", {.target = "64", .classes = 10, .header = false});
}

TEST_CASE("a file that cannot be converted leaves nothing behind, and what was there as it was") {
  const test::Folder folder;
  const std::string rows = folder / "x.rows";
  test::write_all(rows, "what was there");
  std::string long_text = "a,y\n";
  for (int i = 0; i < 50'000; ++i) long_text += "1,2\n";
  const auto refused = [&](ErrorCode code, const std::string& text, const mt::CsvOptions& options, const char* part) {
    const test::TemporaryFile file(text);
    test::check_error<mt::DataError>(
        code, [&] { mt::convert_csv(file.path(), rows, options); }, file.path(), part);
    CHECK(folder.count() == 1);
    CHECK(test::read_all(rows) == "what was there");
  };
  const mt::CsvOptions plain{.target = "y"};
  refused(ErrorCode::ragged_row, "a,y\n1,2\n3\n", plain, "line 3: expected 2 fields, got 1");
  refused(ErrorCode::unsupported, "a,y\n1,2222\n", {.target = "y", .line_limit = 3}, "line 2:");
  refused(ErrorCode::bad_number, long_text + "1e999,2\n", plain, "line 50002: column 'a'");
  refused(ErrorCode::non_finite, "a,y\ninf,2\n", plain, "line 2:");
  refused(ErrorCode::truncated, "a,y\n1,2\n\"3,4\n", plain, "line 3:");
  refused(ErrorCode::empty_data, "a,y\n", plain, "no rows of numbers");
  refused(ErrorCode::empty_data, "a,y\n", {.target = "y", .categorical = {{"a"}}}, "no rows of numbers");
  refused(ErrorCode::empty_data, "a,y\n,2\n,1\n", {.target = "y", .missing = Missing::drop_row}, "no rows of numbers");
  refused(ErrorCode::empty_data, "a,b,y\n1,,2\n", {.target = "y", .missing = Missing::fill_mean}, "column 'b'");
}

TEST_CASE("a CSV file is not replaced by its own row file") {
  const test::TemporaryFile file("a,y\n1,2\n");
  const auto convert = [&](const std::string& to) {
    return [&file, to] { mt::convert_csv(file.path(), to, {.target = "y"}); };
  };
  test::check_error<mt::OptionError>(ErrorCode::invalid_argument, convert(file.path()), "is the CSV file itself");
  test::check_error<mt::OptionError>(ErrorCode::invalid_argument, convert("/tmp/.." + file.path()), "is the CSV file");
  CHECK(test::read_all(file.path()) == "a,y\n1,2\n");
  test::check_error<mt::OptionError>(
      ErrorCode::invalid_argument, [&] { mt::convert_csv(file.path(), "/tmp/x", {}); },
      "convert_csv: CsvOptions::target");
  test::check_error<mt::OptionError>(
      ErrorCode::invalid_argument,
      [&] { mt::convert_csv(file.path(), "/tmp/x", {.target = "y", .classes = 20'000'000}); }, "20000000 classes");
}

TEST_CASE("names that are not UTF-8 are refused by name") {
  const test::TemporaryFile file(
      "gr\xF6\xDF"
      "e,y\n1,2\n");
  CHECK(mt::load_csv(file.path(), {.target = "y"}).size() == 1);
  test::check_error<mt::DataError>(
      ErrorCode::bad_header, [&] { mt::convert_csv(file.path(), "/tmp/x", {.target = "y"}); }, "'gr\\xf6\\xdfe'",
      "not UTF-8");
}

TEST_CASE("a million rows take no more memory than some") {
  std::string text = "a,y\n";
  constexpr std::size_t rows = 1'000'000;
  for (std::size_t i = 0; i < rows; ++i) text += i % 3 == 0 ? "1,2\n" : i % 3 == 1 ? ",3\n" : "2,4\n";
  const test::Folder folder;
  test::write_all(folder / "x.csv", text);
  text = {};
#if defined(__SANITIZE_ADDRESS__)
  constexpr std::size_t allowed = 64 << 20;  // AddressSanitizer keeps what was freed for a while
#else
  constexpr std::size_t allowed = 4 << 20;
#endif
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::size_t before = peak_memory();
    std::uint64_t written = 0;
    try {
      written = mt::convert_csv(folder / "x.csv", folder / "x.rows", {.target = "y", .missing = Missing::fill_mean});
    } catch (...) {
    }
    const std::size_t peak = peak_memory();
    ::_exit(written != rows ? 1 : peak - before > allowed ? 2 : 0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);  // 1: not all rows; 2: more memory
  CHECK(mt::open_row_file(folder / "x.rows").size() == rows);
}

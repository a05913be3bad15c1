#include <minitrain/data/row_file.hpp>
#include <minitrain/io/safetensors.hpp>

#include <cmath>
#include <cstring>
#include <numeric>

#include "data/support.hpp"
#include "io/support.hpp"

namespace mt = minitrain;
using mt::ErrorCode;

namespace {

using Floats = std::vector<float>;
using Names = std::vector<std::string>;
using test::read_all;
using test::write_all;

mt::Dataset regression() {
  return mt::Dataset(mt::DatasetParts{.samples = 3, .features = {1, 2, 3, 4, 5, 6}, .targets = {7, 8, 9}});
}
mt::Dataset classification() {
  return mt::Dataset(mt::DatasetParts{.samples = 3, .features = {1, 2, 3, 4, 5, 6}, .labels = {2, 0, 1}, .classes = 3});
}

// Everything of a data set, features then answers of each sample.
Floats numbers_of(const mt::Dataset& data) {
  Floats numbers;
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (std::size_t j = 0; j < data.feature_columns(); ++j) numbers.push_back(data.feature(i, j));
    for (std::size_t j = 0; j < data.target_columns(); ++j) numbers.push_back(data.target(i, j));
    if (data.is_classification()) numbers.push_back(static_cast<float>(data.label(i)));
  }
  return numbers;
}

template <class... Part>
void check_refused(ErrorCode code, const std::string& path, const Part&... parts) {
  test::check_error<mt::DataError>(
      code, [&] { mt::open_row_file(path); }, path, parts...);
  test::check_error<mt::DataError>(
      code, [&] { mt::row_file_layout(path); }, path, parts...);
}

using Metadata = std::vector<std::pair<std::string, std::string>>;

// Metadata of two features and a target, some of it replaced.
Metadata metadata_with(const Metadata& changes = {}) {
  Metadata all{
      {"answers", "1"}, {"class_names", "[]"}, {"classes", "0"}, {"columns", R"(["a","b","y"])"}, {"row_file", "1"}};
  for (auto& [key, value] : all) {
    for (const auto& [changed, to] : changes) {
      if (changed == key) value = to;
    }
  }
  std::erase_if(all, [](const auto& pair) { return pair.second == "(none)"; });
  return all;
}

}  // namespace

TEST_CASE("a data set is written to a row file and read from there") {
  const test::Folder folder;
  const std::string path = folder / "x.rows";
  mt::write_row_file(path, regression());
  const auto data = mt::open_row_file(path);
  CHECK(!data.in_memory());
  CHECK(data.size() == 3);
  CHECK(data.shape() == mt::SampleShape{.feature_columns = 2, .target_columns = 1});
  CHECK(numbers_of(data) == Floats{1, 2, 7, 3, 4, 8, 5, 6, 9});
  CHECK(data.bytes() == read_all(path).size());
  CHECK(mt::row_file_layout(path) == mt::RowLayout{.features = {"0", "1"}, .targets = {"target"}});

  mt::write_row_file(path, classification(),
                     {.features = {"wid\"th", "h\xC3\xA4he\n"}, .targets = {"kind"}, .class_names = {"a", "", "[c]"}});
  const auto kinds = mt::open_row_file(path);
  CHECK(kinds.classes() == 3);
  CHECK(numbers_of(kinds) == Floats{1, 2, 2, 3, 4, 0, 5, 6, 1});
  const mt::RowLayout layout = mt::row_file_layout(path);
  CHECK(layout.features == Names{"wid\"th", "h\xC3\xA4he\n"});
  CHECK(layout.targets == Names{"kind"});
  CHECK(layout.class_names == Names{"a", "", "[c]"});
  CHECK(numbers_of(data) == Floats{1, 2, 7, 3, 4, 8, 5, 6, 9});  // the old file, while somebody has it
}

TEST_CASE("several targets, no answers, subsets, and a file that is written from itself") {
  const test::Folder folder;
  const std::string path = folder / "x.rows";
  mt::write_row_file(path, mt::Dataset(mt::DatasetParts{.samples = 2, .features = {1, 2}, .targets = {3, 4, 5, 6}}));
  CHECK(numbers_of(mt::open_row_file(path)) == Floats{1, 3, 4, 2, 5, 6});
  CHECK(mt::row_file_layout(path).targets == Names{"target 0", "target 1"});
  mt::write_row_file(path, mt::open_row_file(path).subset({1, 0, 1}));
  CHECK(numbers_of(mt::open_row_file(path)) == Floats{2, 5, 6, 1, 3, 4, 2, 5, 6});
  mt::write_row_file(path, mt::Dataset(mt::DatasetParts{.samples = 2, .features = {1, 2}}));
  CHECK(!mt::open_row_file(path).has_answers());
  CHECK(numbers_of(mt::open_row_file(path)) == Floats{1, 2});
}

TEST_CASE("rows one after another, in pieces of any size") {
  const test::Folder folder;
  Floats all(2 * 40'000);  // more than is buffered
  std::iota(all.begin(), all.end(), 0.0f);
  for (const std::size_t piece : {std::size_t{2}, std::size_t{1000}, std::size_t{65'534}, all.size()}) {
    INFO(piece);
    mt::RowFileWriter writer(folder / "x.rows", {.features = {"a"}, .targets = {"y"}});
    for (std::size_t at = 0; at < all.size(); at += piece)
      writer.append(std::span(all).subspan(at, std::min(piece, all.size() - at)));
    CHECK(writer.rows() == all.size() / 2);
    writer.close();
    const mt::SafetensorsFile file(folder / "x.rows");  // which compares the checksums
    REQUIRE(file.tensors().size() == 1);
    CHECK(file.tensors()[0].name == "rows");
    CHECK(file.tensors()[0].shape == std::vector<std::size_t>{all.size() / 2, 2});
    CHECK(std::memcmp(file.tensors()[0].bytes.data(), all.data(), all.size() * sizeof(float)) == 0);
    CHECK(mt::open_row_file(folder / "x.rows").target(all.size() / 2 - 1) == all.back());
  }
  CHECK(folder.count() == 1);
}

TEST_CASE("rows begin at a multiple of 64 bytes") {
  const test::Folder folder;
  for (std::size_t length = 0; length < 70; length += 7) {
    mt::write_row_file(folder / "x.rows", regression(), {.features = {std::string(length, 'x'), "b"}});
    const std::string bytes = read_all(folder / "x.rows");
    CHECK((bytes.size() - 9 * sizeof(float)) % 64 == 0);
  }
}

TEST_CASE("a writer that is not closed leaves nothing behind, and what was there as it was") {
  const test::Folder folder;
  const std::string path = folder / "x.rows";
  { mt::RowFileWriter writer(path, {.features = {"a"}}); }
  CHECK(folder.count() == 0);
  write_all(path, "what was there");
  {
    mt::RowFileWriter writer(path, {.features = {"a"}});
    writer.append(Floats(100'000));
    CHECK(folder.count() == 2);
    CHECK(read_all(path) == "what was there");
  }
  {
    mt::RowFileWriter writer(path, {.features = {"a"}});
    test::check_error<mt::DataError>(
        ErrorCode::empty_data, [&] { writer.close(); }, "x.rows", "no rows");
  }
  const mt::Dataset labels(mt::DatasetParts{
      .samples = 2, .features = {1, NAN}, .labels = {0, 1}, .classes = 2, .non_finite = mt::NonFinite::keep});
  mt::write_row_file(folder / "nan.rows", labels);
  test::check_error<mt::DataError>(ErrorCode::non_finite, [&] {  // read while it is written
    mt::write_row_file(path, mt::open_row_file(folder / "nan.rows"));
  });
  CHECK(folder.count() == 2);
  CHECK(read_all(path) == "what was there");
  CHECK(std::isnan(mt::open_row_file(folder / "nan.rows", {.non_finite = mt::NonFinite::keep}).feature(1, 0)));
}

TEST_CASE("a closed writer takes nothing more") {
  const test::Folder folder;
  mt::RowFileWriter writer(folder / "x.rows", {.features = {"a"}});
  writer.append(Floats{1});
  writer.close();
  test::check_error<mt::OptionError>(
      ErrorCode::invalid_argument, [&] { writer.append(Floats{1}); }, "is closed");
  test::check_error<mt::OptionError>(
      ErrorCode::invalid_argument, [&] { writer.close(); }, "is closed");
}

TEST_CASE("half a row and a wrong label are refused, and nothing of them is appended") {
  const test::Folder folder;
  mt::RowFileWriter writer(folder / "x.rows", {.features = {"a"}, .targets = {"kind"}, .classes = 3});
  writer.append(Floats{5, 2});
  test::check_error<mt::DataError>(
      ErrorCode::count_mismatch,
      [&] {
        writer.append(Floats{1, 2, 3});
      },
      "3 numbers for rows of 2");
  for (const float label : {-1.0f, 3.0f, 0.5f, NAN, INFINITY, -0.5f, 1e30f}) {
    INFO(label);
    test::check_error<mt::DataError>(
        ErrorCode::label_out_of_range,
        [&] {
          writer.append(Floats{1, 0, 2, label});
        },
        "row 2 has label", "from 0 to 2");
  }
  writer.close();
  CHECK(numbers_of(mt::open_row_file(folder / "x.rows")) == Floats{5, 2});
}

TEST_CASE("layouts that contradict themselves are refused before there is a file") {
  const test::Folder folder;
  const auto refused = [&](const mt::RowLayout& layout, const char* part) {
    test::check_error<mt::OptionError>(
        ErrorCode::invalid_argument, [&] { mt::RowFileWriter(folder / "x.rows", layout); }, "x.rows", part);
    CHECK(folder.count() == 0);
  };
  refused({}, "no features");
  refused({.features = {"a"}, .classes = 2}, "labels in 0 columns");
  refused({.features = {"a"}, .targets = {"y", "z"}, .classes = 2}, "labels in 2 columns");
  refused({.features = {"a"}, .targets = {"y"}, .classes = 2, .class_names = {"one"}}, "1 names of 2 classes");
  refused({.features = {"a"}, .targets = {"y"}, .classes = 16'777'217}, "16777217 classes");
  mt::RowFileWriter(folder / "x.rows", {.features = {"a"}, .targets = {"y"}, .classes = 16'777'216});
  test::check_error<mt::DataError>(
      ErrorCode::bad_header, [&] { mt::RowFileWriter(folder / "x.rows", {.features = {"a\xE4"}}); }, "'a\\xe4'",
      "not UTF-8");
  test::check_error<mt::DataError>(
      ErrorCode::io_error, [&] { mt::RowFileWriter(folder / "no/x.rows", {.features = {"a"}}); }, "No such file");
  test::check_error<mt::DataError>(
      ErrorCode::io_error, [&] { mt::RowFileWriter(folder / "", {.features = {"a"}}); }, "a directory");
  test::check_error<mt::DataError>(
      ErrorCode::count_mismatch, [&] { mt::write_row_file(folder / "x.rows", regression(), {.features = {"a"}}); },
      "a layout of 1 features, 1 answers and 0 classes for a data set of 2, 1 and 0");
  CHECK(folder.count() == 0);
}

TEST_CASE("a row file cut short anywhere is refused, and one with more behind it") {
  const test::Folder folder;
  const std::string path = folder / "x.rows";
  mt::write_row_file(path, classification(), {.class_names = {"a", "b", "c"}});
  const std::string whole = read_all(path);
  REQUIRE(whole.size() < 1000);
  std::size_t opened = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_all(path, whole.substr(0, size));
    try {
      mt::open_row_file(path);
      ++opened;
    } catch (const mt::DataError& error) {
      const bool truncated = error.code() == ErrorCode::truncated || error.code() == ErrorCode::bad_offsets;
      if (!truncated) FAIL_CHECK(size << ": " << error.what());
    }
  }
  CHECK(opened == 0);
  write_all(path, whole.substr(0, 5));
  check_refused(ErrorCode::truncated, path, "byte 5: the file ends here");
  write_all(path, whole.substr(0, 100));
  check_refused(ErrorCode::truncated, path, "byte 100: the file ends here, inside of its header");
  write_all(path, whole.substr(0, whole.size() - 1));
  check_refused(ErrorCode::bad_offsets, path, "cut short");
  write_all(path, whole + "\n");
  check_refused(ErrorCode::trailing_bytes, path, "1 bytes follow");
}

TEST_CASE("a changed bit in the header is noticed, or changes nothing") {
  const test::Folder folder;
  const std::string path = folder / "x.rows";
  mt::write_row_file(path, classification(), {.class_names = {"a", "b", "c"}});
  const std::string whole = read_all(path);
  const auto numbers = numbers_of(mt::open_row_file(path));
  const auto layout = mt::row_file_layout(path);
  const std::size_t header = whole.size() - 9 * sizeof(float);
  std::size_t unnoticed = 0, wrong = 0;
  for (std::size_t bit = 0; bit < 8 * header; bit += 9) {  // another of each byte
    std::string changed = whole;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
    write_all(path, changed);
    try {
      wrong += numbers_of(mt::open_row_file(path)) != numbers || mt::row_file_layout(path) != layout;
      ++unnoticed;
    } catch (const mt::DataError&) {
    }
  }
  CHECK(wrong == 0);
  CHECK(unnoticed <= 8);  // the name of the checksum itself
  std::string changed = whole;
  changed.back() ^= 1;
  write_all(path, changed);
  test::check_error<mt::DataError>(
      ErrorCode::checksum_mismatch, [&] { mt::SafetensorsFile file(path); }, "'rows'");
}

TEST_CASE("other files are told apart from row files") {
  const test::Folder folder;
  const std::string path = folder / "x";
  const char* const what_to_do = "not a row file: convert_csv and write_row_file make one";
  write_all(path, "");
  check_refused(ErrorCode::truncated, path, "byte 0");
  for (const std::string_view text : {"a,b,y\n1,2,3\n", "\x1F\x8B\x08\x00\x00\x00\x00\x00\x00\x03",
                                      "\x93NUMPY\x01\x00v\x00{", "\x08\x00\x00\x00\x00\x00\x00\x00        "}) {
    write_all(path, text.size() < 12 ? std::string(text) + std::string(8, '\0') : std::string(text));
    check_refused(ErrorCode::bad_magic, path, what_to_do);
  }
  const Floats numbers{1, 2, 3};
  const mt::NamedTensor tensor{"rows", "F32", {1, 3}, std::as_bytes(std::span(numbers))};
  mt::write_safetensors(path, {&tensor, 1});
  check_refused(ErrorCode::bad_magic, path, "a safetensors file, but not a row file");
  check_refused(ErrorCode::io_error, folder / "nowhere", "No such file");
  check_refused(ErrorCode::io_error, "/dev/zero", "a character device");
}

TEST_CASE("row files of other programs: right when tensor and metadata fit together") {
  const test::Folder folder;
  const std::string path = folder / "x.rows";
  const Floats numbers{1, 2, 3, 4, 5, 6};
  const auto bytes = std::as_bytes(std::span(numbers));
  const mt::NamedTensor good{"rows", "F32", {2, 3}, bytes};
  const auto write = [&](const Metadata& metadata, std::span<const mt::NamedTensor> tensors) {
    mt::write_safetensors(path, tensors, metadata);
  };
  write(metadata_with(), {&good, 1});
  CHECK(numbers_of(mt::open_row_file(path)) == numbers);

  const auto refused = [&](ErrorCode code, const Metadata& changes, const char* part) {
    write(metadata_with(changes), {&good, 1});
    check_refused(code, path, part);
  };
  refused(ErrorCode::unsupported, {{"row_file", "2"}}, "version '2', but this program reads 1");
  refused(ErrorCode::bad_header, {{"columns", "(none)"}}, "no 'columns'");
  refused(ErrorCode::bad_header, {{"columns", "a,b,y"}}, "metadata columns: byte 0: expected [");
  refused(ErrorCode::bad_header, {{"columns", R"(["a","b","y"]])"}}, "text behind the last ]");
  refused(ErrorCode::count_mismatch, {{"columns", R"(["a","b"])"}}, "rows of 3 numbers, 2 names");
  refused(ErrorCode::count_mismatch, {{"answers", "3"}}, "3 columns of answers");
  refused(ErrorCode::bad_number, {{"answers", "-1"}}, "'answers' is '-1'");
  refused(ErrorCode::bad_number, {{"classes", "2x"}}, "'classes' is '2x'");
  refused(ErrorCode::count_mismatch, {{"classes", "2"}, {"answers", "2"}}, "2 classes");
  refused(ErrorCode::count_mismatch, {{"classes", "16777217"}}, "16777217 classes");
  refused(ErrorCode::count_mismatch, {{"classes", "2"}, {"class_names", R"(["x"])"}}, "1 names of classes");

  const std::array<double, 3> wide{1, 2, 3};
  const mt::NamedTensor other{"more", "F32", {2, 3}, bytes}, flat{"rows", "F32", {6}, bytes},
      doubles{"rows", "F64", {1, 3}, std::as_bytes(std::span(wide))}, none{"rows", "F32", {0, 3}, {}};
  const auto check_tensors = [&](ErrorCode code, std::vector<mt::NamedTensor> tensors, const char* part) {
    write(metadata_with(), tensors);
    check_refused(code, path, part);
  };
  check_tensors(ErrorCode::bad_shape, {good, other}, "found 2 tensors");
  check_tensors(ErrorCode::bad_shape, {other}, "found 'more' of F32 [2,3]");
  check_tensors(ErrorCode::bad_shape, {flat}, "found 'rows' of F32 [6]");
  check_tensors(ErrorCode::bad_shape, {doubles}, "found 'rows' of F64 [1,3]");
  check_tensors(ErrorCode::empty_data, {none}, "holds no rows");
  // Labels are checked when they are read.
  write(metadata_with({{"classes", "6"}}), {&good, 1});
  test::check_error<mt::DataError>(
      ErrorCode::label_out_of_range, [&] { mt::open_row_file(path).label(1); }, path + ": sample 1 has label 6");
}

TEST_CASE("a file shortened while it is open is noticed") {
  const test::Folder folder;
  mt::write_row_file(folder / "x.rows", regression());
  const auto data = mt::open_row_file(folder / "x.rows");
  data.source()->check();
  REQUIRE(::truncate((folder / "x.rows").c_str(), 100) == 0);
  test::check_error<mt::DataError>(
      ErrorCode::truncated, [&] { data.source()->check(); }, "shortened");
}

TEST_CASE("Hugging Face's safetensors reads row files") {
  if (std::system("python3 -c 'import numpy, safetensors' 2>/dev/null") != 0) {
    WARN("not run: python3 has no numpy and safetensors");
    return;
  }
  const test::Folder folder;
  mt::write_row_file(folder / "x.rows", classification(),
                     {.features = {"a\"\xC3\xA4", "b"}, .class_names = {"x", "y", "z"}});
  test::write_all(folder / "read.py",
                  "import json, sys\n"
                  "from safetensors import safe_open\n"
                  "with safe_open(sys.argv[1], framework='np') as file:\n"
                  "    rows, metadata = file.get_tensor('rows'), file.metadata()\n"
                  "assert rows.tolist() == [[1, 2, 2], [3, 4, 0], [5, 6, 1]], rows\n"
                  "assert json.loads(metadata['columns']) == ['a\"\\u00e4', 'b', 'label'], metadata\n"
                  "assert json.loads(metadata['class_names']) == ['x', 'y', 'z'], metadata\n"
                  "assert (metadata['answers'], metadata['classes']) == ('1', '3'), metadata\n");
  CHECK(std::system(("python3 '" + (folder / "read.py") + "' '" + (folder / "x.rows") + "'").c_str()) == 0);
}

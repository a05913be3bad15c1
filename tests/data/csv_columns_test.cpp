// Columns of text, of targets and of choice.

#include <minitrain/data/csv.hpp>

#include <cmath>

#include "data/support.hpp"

namespace mt = minitrain;
using mt::Categorical;
using mt::ErrorCode;

namespace {

using Floats = std::vector<float>;
using Names = std::vector<std::string>;

mt::CsvTable load(std::string_view text, const mt::CsvOptions& options) {
  const test::TemporaryFile file(text);
  return mt::load_csv_table(file.path(), options);
}
Floats features(const mt::CsvTable& table) { return table.data.storage().features; }
Floats targets(const mt::CsvTable& table) { return table.data.storage().targets; }
std::vector<std::int32_t> labels(const mt::CsvTable& table) { return table.data.storage().labels; }

template <class... Part>
void check_refused(ErrorCode code, std::string_view text, const mt::CsvOptions& options, const Part&... parts) {
  test::check_error<mt::DataError>(
      code, [&] { load(text, options); }, parts...);
}
template <class... Part>
void check_options(std::string_view text, const mt::CsvOptions& options, const Part&... parts) {
  test::check_error<mt::OptionError>(
      ErrorCode::invalid_argument, [&] { load(text, options); }, parts...);
}

constexpr std::string_view houses = "x,sea,y\n1,near,10\n2,\"in, land\",20\n3,near,30\n4, far ,40\n";

}  // namespace

TEST_CASE("a column of text becomes a column for each category, in the order of their bytes") {
  const auto table = load(houses, {.target = "y", .categorical = {{"sea"}}});
  CHECK(features(table) == Floats{1, 0, 0, 1, 2, 0, 1, 0, 3, 0, 0, 1, 4, 1, 0, 0});
  CHECK(targets(table) == Floats{10, 20, 30, 40});
  CHECK(table.layout.features == Names{"x", "sea=far", "sea=in, land", "sea=near"});
  CHECK(table.layout.targets == Names{"y"});
  CHECK(table.layout.classes == 0);
  CHECK(table.encoding.categories == std::vector<mt::CsvCategories>{{"sea", {"far", "in, land", "near"}}});
}

TEST_CASE("or a column of whole numbers") {
  const auto table = load(houses, {.target = "y", .categorical = {{"sea", Categorical::integer}}});
  CHECK(features(table) == Floats{1, 2, 2, 1, 3, 2, 4, 0});
  CHECK(table.layout.features == Names{"x", "sea"});
  // Not the order of the numbers that the texts may be, nor of any language.
  const auto odd =
      load("a,y\n10,0\n9,0\nb,0\nA,0\n\xC3\xA4,0\n", {.target = "y", .categorical = {{"a", Categorical::integer}}});
  CHECK(features(odd) == Floats{0, 1, 3, 2, 4});
}

TEST_CASE("a test set is encoded as the training set was") {
  mt::CsvOptions options{.target = "y", .categorical = {{"sea"}}};
  options.encoding = load(houses, options).encoding;
  const auto table = load("x,sea,y\n7,far,1\n", options);
  CHECK(features(table) == Floats{7, 1, 0, 0});
  CHECK(table.encoding == options.encoding);

  const std::string_view unknown = "x,sea,y\n7,far,1\n8,island,2\n";
  check_refused(ErrorCode::label_out_of_range, unknown, options, "line 3:", "column 'sea'",
                "'island' is none of the categories 'far', 'in, land', 'near'", "UnknownCategory::none");
  options.unknown = mt::UnknownCategory::none;
  CHECK(features(load(unknown, options)) == Floats{7, 1, 0, 0, 8, 0, 0, 0});
  options.categorical[0].as = Categorical::integer;
  CHECK(features(load(unknown, options)) == Floats{7, 0, 8, -1});
}

TEST_CASE("categories in an order of one's own") {
  mt::CsvOptions options{.target = "y",
                         .categorical = {{"size", Categorical::integer}},
                         .encoding = {.categories = {{"size", {"small", "medium", "large"}}}}};
  CHECK(features(load("size,y\nlarge,1\nsmall,2\n", options)) == Floats{2, 0});
  options.encoding.categories[0].names = {"a", "b", "a"};
  check_options("size,y\na,1\n", options, "column 'size'", "category 'a' twice");
  options.encoding.categories[0].names = {};
  check_options("size,y\na,1\n", options, "column 'size' has no categories");
}

TEST_CASE("classes with names: numbered in order, the names kept") {
  mt::CsvOptions options{.target = "kind", .categorical = {{"kind", Categorical::integer}}};
  const auto table = load("a,kind\n1,versicolor\n2,setosa\n3,virginica\n4,setosa\n", options);
  CHECK(labels(table) == std::vector<std::int32_t>{1, 0, 2, 0});
  CHECK(table.data.classes() == 3);
  CHECK(table.layout.class_names == Names{"setosa", "versicolor", "virginica"});
  CHECK(table.layout.classes == 3);
  CHECK(table.layout.targets == Names{"kind"});

  options.encoding = table.encoding;
  const auto test = load("a,kind\n1,virginica\n", options);
  CHECK(labels(test) == std::vector<std::int32_t>{2});
  CHECK(test.data.classes() == 3);
  options.unknown = mt::UnknownCategory::none;  // of features only
  check_refused(ErrorCode::label_out_of_range, "a,kind\n1,rose\n", options, "line 2:", "column 'kind'",
                "'rose' is none of the classes 'setosa', 'versicolor', 'virginica'");
  check_refused(ErrorCode::bad_number, "a,kind\n1,\n", options, "line 2:", "the target is missing");
}

TEST_CASE("several targets, in their own order") {
  const auto table = load("a,y,b,z\n1,2,3,4\n5,6,7,8\n", {.targets = {"z", "y"}});
  CHECK(features(table) == Floats{1, 3, 5, 7});
  CHECK(targets(table) == Floats{4, 2, 8, 6});
  CHECK(table.data.target_columns() == 2);
  CHECK(table.layout.targets == Names{"z", "y"});
  CHECK(table.data.target(1, 1) == 6);
  check_refused(ErrorCode::bad_number, "a,y,z\n1,2,3\n4,5,\n", {.targets = {"y", "z"}}, "line 3:", "column 'z'",
                "target is missing");
}

TEST_CASE("the features that are asked for, in that order, and others may be anything") {
  const std::string_view text = "name,a,y,b\nred,1,2,3\n,4,5,6\n";
  const auto table = load(text, {.target = "y", .features = {"b", "a"}});
  CHECK(features(table) == Floats{3, 1, 6, 4});
  CHECK(table.layout.features == Names{"b", "a"});
  CHECK(load(text, {.target = "y", .features = {"b"}, .missing = mt::Missing::drop_row}).data.size() == 2);
  check_refused(ErrorCode::missing_column, text, {.target = "y", .features = {"c"}}, "no column 'c'", "'name', 'a'");
  check_options(text, {.target = "y", .features = {"a", "y"}}, "'y' is both target and feature");
  check_options(text, {.target = "y", .features = {"a", "a"}}, "'a' is both feature and feature");
  check_options(text, {.target = "y", .ignore = {"name"}, .features = {"a"}}, "ignore and features are both set");
}

TEST_CASE("files without names: columns are called by their numbers everywhere") {
  const auto table = load(
      "1,red,5,x\n2,blue,6,y\n",
      {.target = "3", .features = {"1", "0"}, .categorical = {{"1"}, {"3", Categorical::integer}}, .header = false});
  CHECK(features(table) == Floats{0, 1, 1, 1, 0, 2});
  CHECK(labels(table) == std::vector<std::int32_t>{0, 1});
  CHECK(table.layout.features == Names{"1=blue", "1=red", "0"});
}

TEST_CASE("missing numbers become a constant") {
  const auto table =
      load("a,b,y\n1,,5\nNA,2,6\nnan,?,7\n", {.target = "y", .missing = mt::Missing::fill_value, .fill = -1.5f});
  CHECK(features(table) == Floats{1, -1.5f, -1.5f, 2, -1.5f, -1.5f});
  const mt::CsvOptions zero{.target = "y", .missing = mt::Missing::fill_value};
  CHECK(features(load("a,y\n,5\n", zero)) == Floats{0});
  check_refused(ErrorCode::bad_number, "a,y\n1,\n", zero, "line 2:", "column 'y'", "the target is missing");
  mt::CsvOptions none{.target = "y", .missing = mt::Missing::fill_value, .fill = NAN};
  check_options("a,y\n,5\n", none, "CsvOptions::fill is nan", "NonFinite::keep");
  none.non_finite = mt::NonFinite::keep;
  CHECK(std::isnan(features(load("a,y\n,5\n", none))[0]));
}

TEST_CASE("a test set's columns are taken by name, in the training set's order") {
  mt::CsvOptions options{.target = "y", .ignore = {"id"}};
  options.encoding = load("id,a,b,y\n0,1,2,3\n", options).encoding;
  CHECK(options.encoding.features == std::vector<std::string>{"a", "b"});
  CHECK(features(load("b,y,more,id,a\n20,3,7,0,1\n", options)) == Floats{1, 20});
  options.ignore = {};
  CHECK(features(load("b,y,more,a\n20,3,text,1\n", options)) == Floats{1, 20});
  check_refused(ErrorCode::missing_column, "b,y\n20,3\n", options, "no column 'a'");
  options.features = {"b"};  // who says so himself is heard
  CHECK(features(load("a,b,y\n1,20,3\n", options)) == Floats{20});
}

TEST_CASE("the classes of a target of text need no choice") {
  CHECK(load("a,y\n1,no\n2,yes\n", {.target = "y", .categorical = {{"y"}}}).data.classes() == 2);
}

TEST_CASE("a missing number becomes the training set's mean") {
  mt::CsvOptions options{.target = "y", .missing = mt::Missing::fill_mean};
  const auto train = load("a,b,y\n1,1,5\n2,,6\n6,3,7\n", options);
  CHECK(features(train) == Floats{1, 1, 2, 2, 6, 3});
  CHECK(train.encoding == mt::CsvEncoding{.means = {{"a", 3}, {"b", 2}}, .features = {"a", "b"}});
  options.encoding = train.encoding;
  CHECK(features(load("a,b,y\n,100,5\n", options)) == Floats{3, 100});
  // Of the finite numbers, where others are kept.
  CHECK(features(load("a,y\n1,0\ninf,0\n,0\n4,0\n",
                      {.target = "y", .missing = mt::Missing::fill_mean, .non_finite = mt::NonFinite::keep})) ==
        Floats{1, INFINITY, 2.5f, 4});
  options.encoding.means[0].mean = INFINITY;
  check_options("a,b,y\n,100,5\n", options, "the mean of column 'a' is inf");
}

TEST_CASE("a missing category is refused, drops its row, or is none of them") {
  const std::string_view text = "a,c,y\n1,red,5\n2,,6\n3,NA,7\n4,blue,8\n";
  mt::CsvOptions options{.target = "y", .categorical = {{"c"}}};
  check_refused(ErrorCode::bad_number, text, options, "line 3:", "column 'c'", "empty", "choose Missing::drop_row");
  options.unknown = mt::UnknownCategory::none;  // which allows unknown ones, not missing ones
  check_refused(ErrorCode::bad_number, text, options, "line 3:", "empty");
  options.missing = mt::Missing::drop_row;
  CHECK(features(load(text, options)) == Floats{1, 0, 1, 4, 1, 0});
  for (const auto missing : {mt::Missing::fill_mean, mt::Missing::fill_value}) {
    options.missing = missing;
    options.unknown = mt::UnknownCategory::none;
    CHECK(features(load(text, options)) == Floats{1, 0, 1, 2, 0, 0, 3, 0, 0, 4, 1, 0});
    options.unknown = mt::UnknownCategory::error;
    check_refused(ErrorCode::bad_number, text, options, "line 3:", "column 'c'", "UnknownCategory::none");
  }
}

TEST_CASE("a column of text without any is refused by name") {
  check_refused(
      ErrorCode::empty_data, "c,a,y\n,1,2\nNA,1,2\n",
      {.target = "y", .categorical = {{"c"}}, .unknown = mt::UnknownCategory::none, .missing = mt::Missing::fill_mean},
      "column 'c' has no text", "ignore it");
}

TEST_CASE("rows that are dropped teach nothing") {
  const std::string_view text = "a,c,y\n1,red,5\n,green,6\n4,blue,8\n";
  const auto table =
      load(text, {.target = "y", .categorical = {{"c", Categorical::integer}}, .missing = mt::Missing::drop_row});
  CHECK(features(table) == Floats{1, 1, 4, 0});
  CHECK(table.encoding.categories[0].names == Names{"blue", "red"});
}

TEST_CASE("a column with more categories than the limit is refused where it passes it") {
  mt::CsvOptions options{.target = "y", .categorical = {{"c"}}, .category_limit = 2};
  CHECK(load("c,y\na,1\nb,1\na,1\n", options).data.feature_columns() == 2);
  check_refused(ErrorCode::unsupported, "c,y\na,1\nb,1\na,1\nd,1\n", options, "line 5:", "column 'c'",
                "more than 2 categories", "category_limit");
}

TEST_CASE("what is wrong in the file is found in its order, learning or not") {
  mt::CsvOptions options{.target = "y", .classes = 2, .categorical = {{"c"}}};
  check_refused(ErrorCode::label_out_of_range, "a,c,y\n1,x,1\n2,y,2\n3,z\n", options, "line 3:", "label 2");
  check_refused(ErrorCode::bad_number, "a,c,y\none,x,1\n2,y,2\n", options, "line 2:", "'one' is not a number",
                "CsvOptions::categorical");
  check_refused(ErrorCode::ragged_row, "a,c,y\n1,x,1\n2,y\n", options, "line 3:", "expected 3 fields, got 2");
  check_refused(ErrorCode::empty_data, "a,c,y\n", options, "no rows of numbers");
}

TEST_CASE("options that contradict each other are refused before the file is opened") {
  const auto refused = [](const mt::CsvOptions& options, const char* part) {
    test::check_error<mt::OptionError>(
        ErrorCode::invalid_argument, [&] { mt::load_csv("/nonexistent", options); }, part);
  };
  refused({.target = "y", .targets = {"z"}}, "target and targets are both set");
  refused({.targets = {"y", "z"}, .classes = 2}, "classes is 2, but there are 2 targets");
  refused({.targets = {"y", "z"}, .categorical = {{"z", Categorical::integer}}}, "'z' is one of several");
  refused({.target = "y", .classes = 3, .categorical = {{"y", Categorical::integer}}}, "leave it at 0");
  check_options("c,y\na,1\n", {.target = "y", .categorical = {{"c"}, {"c"}}}, "'c' is categorical twice");
  check_refused(ErrorCode::missing_column, "c,y\na,1\n", {.target = "y", .categorical = {{"d"}}}, "no column 'd'");
}

TEST_CASE("learn_csv reads what is not known yet, and no more") {
  const test::TemporaryFile file("a,c,y\n1,red,5\n,red,6\n");
  mt::CsvOptions options{
      .target = "y", .categorical = {{"c"}}, .unknown = mt::UnknownCategory::none, .missing = mt::Missing::fill_mean};
  const mt::CsvEncoding encoding = mt::learn_csv(file.path(), options);
  CHECK(encoding == mt::CsvEncoding{.categories = {{"c", {"red"}}}, .means = {{"a", 1}}, .features = {"a", "c"}});
  options.encoding = encoding;
  file.write("a,c,y\n1,blue,5\n,red\n");  // ragged, if it is read
  CHECK(mt::learn_csv(file.path(), options) == encoding);
}

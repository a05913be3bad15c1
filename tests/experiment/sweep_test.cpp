// A function at every point of a grid: the same result for any number of workers, errors, stopping, progress.

#include "experiment/support.hpp"

#include <atomic>
#include <barrier>
#include <set>

namespace mt = minitrain;

namespace {

const std::vector<std::string> three{"a", "b", "c"};

mt::Grid grid_of(std::size_t points) {
  std::vector<double> values;
  for (std::size_t i = 0; i < points; ++i) values.push_back(static_cast<double>(i));
  return mt::Grid({{"x", values}});
}

}  // namespace

TEST_CASE("a sweep has the value of every metric at every point", "[threads]") {
  const mt::Grid grid({{"x", {1, 2, 3}}, {"y", {10, 20}}});
  const auto f = [](const mt::Point& p) { return std::vector<double>{p["x"] + p["y"], p["x"] * p["y"]}; };
  const mt::SweepResult result = mt::run_sweep(grid, {"sum", "product"}, f);
  CHECK(result.complete());
  CHECK(result.done() == 6);
  CHECK(result.column("sum") == std::vector<double>{11, 21, 12, 22, 13, 23});
  CHECK(result.column("product") == std::vector<double>{10, 20, 20, 40, 30, 60});
  CHECK(result.value(3, "product") == 40);
  const auto invalid = mt::ErrorCode::invalid_argument;
  test::check_error<mt::OptionError>(
      invalid, [&] { return result.value(6, "sum"); }, "no point 6");
  test::check_error<mt::OptionError>(
      invalid, [&] { return result.value(0, "loss"); }, "'loss'", "sum, product");
  test::check_error<mt::OptionError>(
      invalid, [&] { return result.column("Sum"); }, "'Sum'");
}

TEST_CASE("the result is the same bits for any number of workers, and each point is done once", "[threads]") {
  const mt::Grid grid = grid_of(97);
  std::vector<std::uint64_t> wanted;
  for (const std::size_t workers : {1u, 2u, 7u, 200u, 0u}) {
    std::vector<std::atomic<int>> calls(grid.size());
    const auto f = [&](const mt::Point& point) {
      ++calls[point.index()];
      return test::any_values(point);
    };
    const mt::SweepResult result = mt::run_sweep(grid, three, f, {.workers = workers});
    CHECK(result.complete());
    CHECK(std::ranges::all_of(calls, [](const auto& n) { return n == 1; }));
    if (wanted.empty()) wanted = test::bits_of(result);
    CHECK(test::bits_of(result) == wanted);
  }
}

TEST_CASE("so many points are done at a time as there are workers, and one worker is the thread that calls",
          "[threads]") {
  std::barrier all(4);  // no point ends before four have begun
  std::set<std::thread::id> ids;
  std::mutex mutex;
  const auto together = [&](const mt::Point&) {
    all.arrive_and_wait();
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
    return std::vector<double>{1};
  };
  CHECK(mt::run_sweep(grid_of(8), {"a"}, together, {.workers = 4}).complete());
  CHECK(ids.size() == 4);
  CHECK(ids.contains(std::this_thread::get_id()));
  const auto self = std::this_thread::get_id();
  std::vector<std::size_t> order;
  const auto alone = [&](const mt::Point& point) {
    CHECK(std::this_thread::get_id() == self);
    order.push_back(point.index());
    return std::vector<double>{1};
  };
  CHECK(mt::run_sweep(grid_of(5), {"a"}, alone, {.workers = 1}).complete());
  CHECK(order == std::vector<std::size_t>{0, 1, 2, 3, 4});
}

TEST_CASE("when the function throws, others finish their points and the first exception comes out", "[threads]") {
  const test::Folder folder;
  const std::string journal = folder / "journal";
  const mt::Grid grid = grid_of(100);
  std::atomic<bool> thrown = false;
  std::atomic<int> begun = 0;
  std::barrier both(2);
  const auto f = [&](const mt::Point& point) -> std::vector<double> {
    ++begun;
    if (point.index() < 2) both.arrive_and_wait();
    if (point.index() == 0) {
      thrown = true;
      throw std::range_error("point 0");
    }
    while (!thrown) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // by then the first exception has been heard of
    if (point.index() == 2) throw std::runtime_error("later");
    return test::any_values(point);
  };
  CHECK_THROWS_AS(mt::run_sweep(grid, three, f, {.workers = 2, .journal = journal}), std::range_error);
  CHECK(begun <= 3);
  // Point 1, which was in progress, is kept.
  std::vector<std::size_t> again;
  const auto rest = [&](const mt::Point& point) {
    again.push_back(point.index());
    return test::any_values(point);
  };
  CHECK(mt::run_sweep(grid, three, rest, {.workers = 1, .journal = journal}).complete());
  CHECK(again.size() == 99);
  CHECK(std::ranges::find(again, 1u) == again.end());

  const auto two = [&](const mt::Point& point) -> std::vector<double> {  // the later one is in progress, and throws too
    if (point.index() < 2) both.arrive_and_wait();
    if (point.index() == 0) throw std::range_error("first");
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    throw std::runtime_error("second");
  };
  CHECK_THROWS_AS(mt::run_sweep(grid, three, two, {.workers = 2}), std::range_error);

  const auto number = [](const mt::Point&) -> std::vector<double> { throw 42; };
  CHECK_THROWS_AS(mt::run_sweep(grid, three, number, {.workers = 7}), int);
}

TEST_CASE("what on_progress and stop throw comes out too", "[threads]") {
  const mt::Grid grid = grid_of(10);
  for (const std::size_t workers : {1u, 3u}) {
    mt::SweepOptions options{.workers = workers};
    options.stop = []() -> bool { throw std::logic_error("stop"); };
    CHECK_THROWS_AS(mt::run_sweep(grid, three, test::any_values, options), std::logic_error);
    options.stop = {};
    options.on_progress = [](const mt::SweepProgress& progress) {
      if (progress.done == 4) throw std::logic_error("progress");
    };
    CHECK_THROWS_AS(mt::run_sweep(grid, three, test::any_values, options), std::logic_error);
  }
}

TEST_CASE("a sweep that is told to stop begins no other point", "[threads]") {
  const mt::Grid grid = grid_of(50);
  for (const std::size_t workers : {1u, 4u}) {
    std::size_t asked = 0;  // by one thread at a time, so no atomic
    const auto stop = [&asked] { return ++asked > 10; };
    const mt::SweepResult result = mt::run_sweep(grid, three, test::any_values, {.workers = workers, .stop = stop});
    CHECK(asked == 11);
    CHECK(!result.complete());
    CHECK(result.done() == 10);
    CHECK(result.rows[10].empty());
    CHECK(std::isnan(result.value(10, "c")));
    CHECK(result.value(9, "c") == 3);
    CHECK(std::isnan(result.column("c")[49]));
  }
}

TEST_CASE("progress counts points and estimates what remains", "[threads]") {
  const test::Folder folder;
  const mt::Grid grid = grid_of(6);
  std::vector<mt::SweepProgress> told;
  mt::SweepOptions options{.workers = 1, .journal = folder / "journal"};
  options.on_progress = [&](const mt::SweepProgress& progress) { told.push_back(progress); };
  options.stop = [&] { return told.back().done == 2; };
  mt::run_sweep(grid, three, test::any_values, options);
  REQUIRE(told.size() == 3);
  CHECK((told[0].done == 0 && told[0].of == 6 && std::isnan(told[0].remaining) && told[0].last.empty()));
  CHECK((told[2].done == 2 && told[2].last == "x=1"));
  CHECK(told[2].remaining == test::Approx(told[2].seconds * 2));

  told.clear();
  options.stop = {};
  mt::run_sweep(grid, three, test::any_values, options);
  REQUIRE(told.size() == 5);
  CHECK((told[0].done == 2 && std::isnan(told[0].remaining)));  // how long those took, nobody knows any more
  CHECK((told[1].done == 3 && told[1].last == "x=2"));
  CHECK(told[1].remaining == test::Approx(told[1].seconds * 3));
  CHECK((told[4].done == 6 && told[4].remaining == 0));
  for (std::size_t i = 1; i < told.size(); ++i) CHECK(told[i].seconds >= told[i - 1].seconds);
}

TEST_CASE("sweeps that cannot be are refused", "[threads]") {
  const mt::Grid grid = grid_of(2);
  const auto two = [](const mt::Point&) { return std::vector<double>{1, 2}; };
  const auto invalid = mt::ErrorCode::invalid_argument;
  test::check_error<mt::OptionError>(
      invalid, [&] { mt::run_sweep(grid, {}, two); }, "no metrics");
  test::check_error<mt::OptionError>(
      invalid,
      [&] {
        mt::run_sweep(grid, {"a", ""}, two);
      },
      "''");
  test::check_error<mt::OptionError>(
      invalid,
      [&] {
        mt::run_sweep(grid, {"a", "a"}, two);
      },
      "'a'");
  test::check_error<mt::OptionError>(
      invalid, [&] { mt::run_sweep(grid, {"\xc0"}, two); }, "UTF-8");
  test::check_error<mt::DataError>(
      mt::ErrorCode::count_mismatch, [&] { mt::run_sweep(grid, {"a"}, two, {.workers = 1}); }, "gave 2 values at x=0",
      "1 metrics");
}

TEST_CASE("a function may run a sweep of its own, and need not be copyable", "[threads]") {
  const auto owned = std::make_unique<double>(2);
  const auto outer = [kept = std::make_unique<double>(*owned)](const mt::Point& p) {
    const auto inner = [&](const mt::Point& q) { return std::vector<double>{*kept * p["x"] * q["x"]}; };
    const auto products = mt::run_sweep(grid_of(4), {"product"}, inner, {.workers = 2}).column("product");
    double sum = 0;
    for (const double product : products) sum += product;
    return std::vector<double>{sum};
  };
  CHECK(mt::run_sweep(grid_of(3), {"sum"}, outer, {.workers = 3}).column("sum") == std::vector<double>{0, 12, 24});
}

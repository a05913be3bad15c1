// The journal of a sweep: going on from it, to the same bits, after any crash; and what it refuses.

#include "experiment/support.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <csignal>

namespace mt = minitrain;

namespace {

const std::vector<std::string> three{"a", "b", "c"};

mt::Grid some_grid() { return mt::Grid({{"x", {1, 0.1, -3e300}}, {"a name, with \"quotes\"", {0, 1, 2, 3}}}); }

/// What a sweep gives that nobody has interrupted.
std::vector<std::uint64_t> whole() { return test::bits_of(mt::run_sweep(some_grid(), three, test::any_values)); }

std::size_t lines_of(const std::string& path) {
  return static_cast<std::size_t>(std::ranges::count(test::read_all(path), '\n'));
}

}  // namespace

TEST_CASE("a sweep goes on from its journal, to the same bits, however often and with however many workers",
          "[threads]") {
  const mt::Random random(3, mt::RandomPurpose::test);
  const auto wanted = whole();
  for (std::uint32_t round = 0; round < 20; ++round) {
    const test::Folder folder;
    const std::string journal = folder / "journal.jsonl";
    std::size_t calls = 0, runs = 0;
    mt::SweepResult result;
    do {
      const std::size_t points = random.word(100 * round + runs) % 5;
      std::atomic<std::size_t> now = 0;
      const auto f = [&](const mt::Point& point) {
        ++now;
        return test::any_values(point);
      };
      std::size_t begun = 0;
      const auto stop = [&] { return begun++ == points; };
      result = mt::run_sweep(some_grid(), three, f,
                             {.workers = 1 + runs % 3, .journal = journal, .settings = "epochs=3", .stop = stop});
      calls += now;
      ++runs;
    } while (!result.complete());
    CHECK(calls == 12);
    CHECK(test::bits_of(result) == wanted);
    const std::string text = test::read_all(journal);
    result = mt::run_sweep(some_grid(), three, test::any_values, {.journal = journal, .settings = "epochs=3"});
    CHECK(test::bits_of(result) == wanted);
    CHECK(test::read_all(journal) == text);
  }
}

TEST_CASE("a journal cut at any byte goes on to the same bits and loses no line that was whole", "[threads]") {
  const test::Folder folder;
  const std::string journal = folder / "journal";
  mt::run_sweep(some_grid(), three, test::any_values, {.workers = 1, .journal = journal});
  const std::string text = test::read_all(journal);
  const auto wanted = whole();
  std::size_t different = 0, wrong_count = 0, wrong_text = 0;
  for (std::size_t size = 0; size < text.size(); ++size) {
    test::write_all(journal, std::string_view(text).substr(0, size));
    const auto whole_lines =
        static_cast<std::size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size), '\n'));
    std::size_t calls = 0;
    const auto f = [&](const mt::Point& point) {
      ++calls;
      return test::any_values(point);
    };
    const mt::SweepResult result = mt::run_sweep(some_grid(), three, f, {.workers = 1, .journal = journal});
    different += test::bits_of(result) == wanted ? 0u : 1u;
    wrong_count += calls == 12 - (whole_lines == 0 ? 0 : whole_lines - 1) ? 0u : 1u;
    wrong_text += test::read_all(journal) == text ? 0u : 1u;
  }
  CHECK(text.size() > 500);
  CHECK(different == 0);
  CHECK(wrong_count == 0);
  CHECK(wrong_text == 0);
}

TEST_CASE("a sweep whose process is killed keeps every point that it had finished") {
  const test::Folder folder;
  const std::string journal = folder / "journal";
  const auto slow = [](const mt::Point& point) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return test::any_values(point);
  };
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  std::size_t told = 0, kills = 0, lost = 0;
  for (; kills < 8 && told < 12; ++kills) {
    const pid_t child = ::fork();
    if (child == 0) {
      mt::SweepOptions options{.workers = 2, .journal = journal};
      options.on_progress = [&](const mt::SweepProgress& progress) {
        const auto done = static_cast<unsigned char>(progress.done);
        static_cast<void>(::write(pipe[1], &done, 1) == 1);
      };
      try {
        mt::run_sweep(some_grid(), three, slow, options);
      } catch (...) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    unsigned char done = 0;  // how many were done, as it said just before it was killed
    do {
      REQUIRE(::read(pipe[0], &done, 1) == 1);
    } while (done < told + 2 && done < 12);
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    told = done;
    const std::size_t kept = lines_of(journal) - 1;
    lost += kept < told ? 1u : 0u;
    told = kept;
  }
  ::close(pipe[0]);
  ::close(pipe[1]);
  CHECK(kills >= 2);
  CHECK(lost == 0);
  CHECK(test::bits_of(mt::run_sweep(some_grid(), three, test::any_values, {.journal = journal})) == whole());
}

TEST_CASE("the journal of another sweep is refused, in words, and left as it is", "[threads]") {
  const test::Folder folder;
  const std::string journal = folder / "journal";
  const mt::Grid grid({{"x", {1, 2}}, {"seed", {0}}});
  const auto two = [](const mt::Point&) { return std::vector<double>{1, 2}; };
  mt::run_sweep(grid, {"a", "axes"}, two, {.journal = journal, .settings = "epochs=3 \"\\"});
  const std::string text = test::read_all(journal);
  const auto refused = [&](const mt::Grid& other, const std::vector<std::string>& metrics, const std::string& settings,
                           const auto&... words) {
    test::check_error<mt::DataError>(
        mt::ErrorCode::state_mismatch,
        [&] { mt::run_sweep(other, metrics, two, {.journal = journal, .settings = settings}); }, words...,
        "journal of another sweep", "give this sweep another journal");
    CHECK(test::read_all(journal) == text);
  };
  const std::string same = "epochs=3 \"\\";
  refused(grid, {"a", "axes"}, "epochs=5", "settings: wanted \"epochs=5\", found \"epochs=3 ");
  refused(grid, {"a", "axes"}, same + " ", "settings: wanted");
  refused(grid, {"a", "b"}, same, R"(metrics: wanted ["a","b"], found ["a","axes"]: give)");
  refused(mt::Grid({{"x", {1, 2}}, {"seed", {1}}}), {"a", "axes"}, same,
          R"(axes: wanted {"x":[1,2],"seed":[1]}, found {"x":[1,2],"seed":[0]}: give)");
  refused(mt::Grid({{"x", {1, 2, 3}}, {"seed", {0}}}), {"a", "axes"}, same, R"(axes: wanted {"x":[1,2,3],)");
  refused(mt::Grid({"x", "seed"}, {{1, 0}, {2, 0}}), {"a", "axes"}, same, R"(axes: wanted ["x","seed"], found {"x")");
}

TEST_CASE("the journal of another list of points is refused", "[threads]") {
  const test::Folder folder;
  const std::string journal = folder / "journal";
  const mt::Grid grid({"n", "d"}, {{1, 2}, {3, 4}});
  mt::run_sweep(grid, three, test::any_values, {.journal = journal});
  CHECK(mt::run_sweep(grid, three, test::any_values, {.journal = journal}).complete());
  test::check_error<mt::DataError>(
      mt::ErrorCode::state_mismatch,
      [&] {
        mt::run_sweep(mt::Grid({"n", "d"}, {{1, 2}, {3, 5}}), three, test::any_values, {.journal = journal});
      },
      "points: wanted [[1,2],[3,5]], found [[1,2],[3,4]]: give");
}

TEST_CASE("a list of points whose first line is longer than a million bytes has a journal", "[threads]") {
  const test::Folder folder;
  std::vector<std::vector<double>> points;
  for (int i = 0; i < 70'000; ++i) points.push_back({i + 0.123456789012345});
  const mt::Grid grid({"x"}, points);
  std::size_t begun = 0;
  const auto stop = [&] { return begun++ == 3; };
  mt::SweepOptions options{.workers = 1, .journal = folder / "journal", .stop = stop};
  CHECK(mt::run_sweep(grid, three, test::any_values, options).done() == 3);
  CHECK(test::read_all(folder / "journal").find('\n') > 1u << 20);
  begun = 0;
  CHECK(mt::run_sweep(grid, three, test::any_values, options).done() == 6);
}

TEST_CASE("what is no journal is never touched", "[threads]") {
  const test::Folder folder;
  const std::string path = folder / "file";
  for (const std::string text : {"my only copy\n", "my only copy", "\n", "{\"minitrain_sweep\":2}\n", "{}\n\n"}) {
    test::write_all(path, text);
    test::check_error<mt::DataError>(
        mt::ErrorCode::bad_header, [&] { mt::run_sweep(some_grid(), three, test::any_values, {.journal = path}); },
        "expected the journal of a sweep");
    CHECK(test::read_all(path) == text);
  }
  const auto io = mt::ErrorCode::io_error;
  const auto sweep = [&](const std::string& name) {
    return [&, name] { mt::run_sweep(some_grid(), three, test::any_values, {.journal = name}); };
  };
  test::check_error<mt::DataError>(io, sweep(folder / "no/such/folder"), "No such file");
  test::check_error<mt::DataError>(io, sweep("/dev/null"), "character device");
}

TEST_CASE("a damaged line is refused with its number, not passed over", "[threads]") {
  const test::Folder folder;
  const std::string path = folder / "journal";
  const mt::Grid grid({{"x", {1, 2, 3}}});
  const auto one = [](const mt::Point&) { return std::vector<double>{0.5}; };
  const std::string head = R"({"minitrain_sweep":1,"settings":"","metrics":["y"],"axes":{"x":[1,2,3]}})"
                           "\n";
  const auto sweep = [&] { return mt::run_sweep(grid, {"y"}, one, {.workers = 1, .journal = path}); };
  const std::string good = R"({"point":1,"at":[2],"values":[7]})"
                           "\n";
  test::write_all(path, head + good);
  CHECK(sweep().column("y") == std::vector<double>{0.5, 7, 0.5});
  for (const std::string& line : std::initializer_list<std::string>{
           R"({"point":3,"at":[4],"values":[7]})", R"({"point":0,"at":[2],"values":[7]})",
           R"({"point":0,"at":[1],"values":[7,8]})", R"({"point":0,"at":[1],"values":[]})",
           R"({"point":0,"at":[1],"values":[x]})", R"({"point":0,"at":[1],"values":[nan]})",
           R"({"point":0,"at":[1],"values":[inf]})", R"({"point":0,"at":[1],"values":[1e999]})",
           R"({"point":0,"at":[1],"values":[7]}})", R"({"point":0,"at":[1],"values":[7])", R"({"point":-1)",
           R"({"point":99999999999999999999999,"at":[1],"values":[7]})", "", std::string("\0\0\0", 3)}) {
    INFO(line);
    const std::string text = head + good + line + "\n";
    test::write_all(path, text);
    test::check_error<mt::DataError>(mt::ErrorCode::bad_header, sweep, "line 3 is damaged", "delete the line");
    CHECK(test::read_all(path) == text);
  }
  test::write_all(path, head + good + good);
  test::check_error<mt::DataError>(mt::ErrorCode::duplicate_key, sweep, "line 3", "point 1 is there twice");
}

TEST_CASE("a journal in use is refused", "[threads]") {
  const test::Folder folder;
  const std::string journal = folder / "journal";
  const auto again = [&](const mt::Point& point) {
    mt::run_sweep(some_grid(), three, test::any_values, {.journal = journal});
    return test::any_values(point);
  };
  test::check_error<mt::DataError>(
      mt::ErrorCode::io_error, [&] { mt::run_sweep(some_grid(), three, again, {.workers = 2, .journal = journal}); },
      "in use by another program");
  CHECK(mt::run_sweep(some_grid(), three, test::any_values, {.journal = journal}).complete());  // it is free again
}

TEST_CASE("a sweep that cannot write its journal stops, and what was written before is kept") {
  const test::Folder folder;
  const std::string journal = folder / "journal";
  std::size_t begun = 0;
  const auto stop = [&] { return begun++ == 4; };
  mt::run_sweep(some_grid(), three, test::any_values, {.workers = 1, .journal = journal, .stop = stop});
  const std::string text = test::read_all(journal);

  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{text.size() + 20, before.rlim_max};  // the next line gets in by half
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::string words;
  try {
    mt::run_sweep(some_grid(), three, test::any_values, {.workers = 2, .journal = journal});
  } catch (const mt::DataError& error) {
    words = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  CHECK_THAT(words, test::ContainsSubstring("cannot add a point") && test::ContainsSubstring("File too large"));
  CHECK(test::read_all(journal) == text);
  CHECK(test::bits_of(mt::run_sweep(some_grid(), three, test::any_values, {.journal = journal})) == whole());
}

TEST_CASE("settings of any bytes are told apart", "[threads]") {
  const test::Folder folder;
  const mt::Grid grid({{"x", {1}}});
  const auto one = [](const mt::Point&) { return std::vector<double>{0.5}; };
  const std::string journal = folder / "journal";
  const std::string long_one(1000, 'x');
  for (const std::string& settings : {std::string("\xff\xfe"), std::string("a\nb"), long_one, long_one + "\xff"}) {
    std::filesystem::remove(journal);
    mt::run_sweep(grid, {"y"}, one, {.journal = journal, .settings = settings});
    CHECK(mt::run_sweep(grid, {"y"}, one, {.journal = journal, .settings = settings}).complete());
    const std::string as_long = settings.substr(0, settings.size() - 1) + "\xfd";
    for (const std::string& other : {as_long, settings + "\xfd", settings + "x"}) {
      CHECK_THROWS_AS(mt::run_sweep(grid, {"y"}, one, {.journal = journal, .settings = other}), mt::DataError);
    }
  }
}

// Estimates: of data that is loaded or not, linear in the samples, and leaving nothing behind.

#include <minitrain/data/generated.hpp>
#include <minitrain/trainer.hpp>

#include <chrono>
#include <cmath>
#include <thread>

#include "support/catch.hpp"
#include "train/support.hpp"

namespace mt = minitrain;
using test::ContainsSubstring, test::labelled;

namespace {

const mt::Sequential model{mt::Dense{6, 16}, mt::ReLU{}, mt::Dense{16, 3}};
const mt::Cpu device{{.threads = 1}};
const mt::TrainerOptions options{.epochs = 5, .batch_size = 32};
const mt::SoftmaxCrossEntropy loss;
const mt::Adam adam;

double sum_of_steps(const mt::Probe& probe, double samples) {
  return probe.step_seconds / static_cast<double>(probe.batch_size) * samples;
}

}  // namespace

TEST_CASE("the size of a data set, loaded or written by hand", "[train]") {
  const auto data = labelled(200);
  const mt::DataSize size = mt::size_of(data);
  CHECK(size.samples == 200);
  CHECK(size.shape == mt::SampleShape{.feature_columns = 6, .classes = 3});
  CHECK(size.bytes == data.bytes());
  CHECK(size.memory_bytes() == 200 * 28);
  CHECK(size.file_bytes() == 0);
  CHECK(size.row_bytes() == 28);
  CHECK(size.arrays() == 2);
  CHECK_FALSE(size.subset);
  CHECK(mt::size_of(data.subset({1, 5})).subset);
  CHECK(mt::size_of(data.subset({1, 5})).samples == 2);
  CHECK(mt::size_of(mt::Dataset()).empty());

  const mt::DataSize byhand{.samples = 200, .shape = {.feature_columns = 6, .classes = 3}};
  CHECK(byhand.memory_bytes() == size.memory_bytes());
  const mt::DataSize images{.samples = 10, .shape = {.feature_columns = 784, .classes = 10}, .feature_bytes = 1};
  CHECK(images.memory_bytes() == 7880);
  const mt::DataSize files{
      .samples = 10, .shape = {.feature_columns = 2, .target_columns = 1}, .bytes = 999, .in_memory = false};
  CHECK(files.memory_bytes() == 0);
  CHECK(files.file_bytes() == 999);
  CHECK(files.row_bytes() == 12);
}

TEST_CASE("an estimate is linear in samples and epochs", "[train]") {
  const mt::DataSize size = mt::size_of(labelled());
  const mt::Probe probe = mt::probe(size, model, loss, adam, options, device);
  CHECK(probe.steps > 0);
  CHECK(probe.batch_size == 32);
  CHECK(probe.copy_bandwidth == 0);
  CHECK(std::isfinite(probe.step_seconds));
  CHECK(probe.step_seconds > 0);
  mt::DataSize larger = size;
  larger.samples = 10 * size.samples;
  larger.bytes = 0;
  const auto a = mt::estimate(size, model, loss, adam, options, device, probe);
  const auto b = mt::estimate(larger, model, loss, adam, options, device, probe);
  CHECK(a.steps == 7);
  CHECK(b.steps == 63);
  CHECK(a.seconds_per_epoch > 0);
  CHECK(std::abs(b.seconds_per_epoch / a.seconds_per_epoch - 10) < 1e-9);
  CHECK(std::abs(b.seconds / b.seconds_per_epoch - 5) < 1e-9);
  CHECK(a.seconds_per_step == probe.step_seconds);
  CHECK(a.run == mt::Traffic{});  // on a CPU nothing is moved
  CHECK(b.memory.data_set == 2000 * 28);
}

TEST_CASE("reading goes beside computing, or comes on top of it", "[train]") {
  using mt::detail::overlapped;
  CHECK(overlapped(10, 1, 4, 0, 8) == 14);   // nobody reads ahead
  CHECK(overlapped(10, 1, 4, 1, 1) == 14);   // one core does both
  CHECK(overlapped(10, 1, 4, 1, 2) == 10);   // hidden
  CHECK(overlapped(10, 1, 40, 1, 8) == 40);  // one thread reads too slowly
  CHECK(overlapped(10, 1, 40, 4, 8) == 10);  // four do not
  CHECK(overlapped(10, 1, 40, 4, 2) == 25);  // but they have two cores with the computation
  CHECK(overlapped(10, 2, 10, 4, 2) == 15);
  CHECK(overlapped(10, 0, 20, 4, 2) == 10);  // it is on another device

  const mt::DataSize file{.samples = 1000, .shape = {.feature_columns = 6, .classes = 3}, .in_memory = false};
  const mt::Probe probe{.batch_size = 32, .steps = 1, .step_seconds = 32e-6, .sample_seconds = 1e-5};
  mt::TrainerOptions how = options;
  how.loading.workers = 0;
  const auto e = mt::estimate(file, model, loss, adam, how, device, probe);
  CHECK(e.readers == 0);
  CHECK(std::abs(e.reading_seconds - 1e-2) < 1e-12);
  CHECK(std::abs(e.seconds_per_epoch - 1.1e-2) < 1e-12);
  CHECK(std::abs(e.seconds - 5.5e-2) < 1e-12);
  CHECK_THAT(mt::to_string(e), ContainsSubstring("one thread 0.01 s an epoch; 0 read ahead"));
  how.loading.workers = 3;
  const auto ahead = mt::estimate(file, model, loss, adam, how, device, probe);
  CHECK(ahead.readers == 3);
  CHECK(ahead.seconds_per_epoch ==
        overlapped(sum_of_steps(probe, 1000), 1, ahead.reading_seconds, 3, mt::LoadingOptions::cores()));
  mt::DataSize memory = file;
  memory.in_memory = true;
  CHECK(mt::estimate(memory, model, loss, adam, how, device, probe).reading_seconds == 0);
}

TEST_CASE("a probe of data that is read times its reading, in little time", "[train]") {
  int calls = 0;
  const auto slow =
      mt::generated({.feature_columns = 6, .classes = 3}, 1'000'000, [&](std::uint64_t, const mt::SampleBuffers& out) {
        ++calls;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        std::fill_n(out.features, 6, 0.5f);
        out.labels[0] = 0;
      });
  const mt::Probe probe = mt::probe(slow, model, loss, adam, options, device);
  CHECK(probe.sample_seconds >= 0.01);
  CHECK(calls >= 3);
  CHECK(calls <= 7);
  CHECK(mt::probe(slow.subset({5}), model, loss, adam, options, device).sample_seconds >= 0.01);
  CHECK(mt::probe(labelled(), model, loss, adam, options, device).sample_seconds == 0);
  CHECK(mt::estimate(slow, model, loss, adam, options, device).reading_seconds >= 10'000);
  const auto broken = mt::generated({.feature_columns = 6, .classes = 3}, 100,
                                    [](std::uint64_t, const mt::SampleBuffers&) { throw std::runtime_error("no"); });
  CHECK(test::code_of([&] { mt::estimate(broken, model, loss, adam, options, device); }) ==
        mt::ErrorCode::function_failed);
}

TEST_CASE("an estimate changes nothing that it is given", "[train][exactness]") {
  const auto data = labelled();
  mt::Trainer trainer{device, model, loss, adam, options};
  trainer.fit(data);
  const auto before = trainer.parameters();
  const auto e = mt::estimate(data, model, loss, adam, options, trainer.device());
  CHECK(trainer.parameters() == before);
  CHECK(e.samples == 200);
  CHECK(e.epochs == 5);
  CHECK(e.seconds > 0);
  CHECK_THAT(mt::to_string(e), ContainsSubstring("7 steps an epoch"));
}

TEST_CASE("every loss can be probed, and data kept as bytes", "[train]") {
  const mt::Sequential line{mt::Dense{4, 2}};
  const mt::DataSize numbers{.samples = 1000, .shape = {.feature_columns = 4, .target_columns = 2}};
  for (const double rate : {0.01, 1e6}) {
    CHECK(mt::probe(numbers, line, mt::MeanSquaredError{}, mt::SGD{.learning_rate = rate}, options, device, 0).steps >
          0);
  }
  CHECK(mt::probe(numbers, line, mt::Huber{}, adam, options, device, 0).steps > 0);
  CHECK(mt::probe(numbers, line, mt::BinaryCrossEntropy{}, adam, options, device, 0).steps > 0);
  const mt::DataSize images{.samples = 1000, .shape = {.feature_columns = 6, .classes = 3}, .feature_bytes = 1};
  CHECK(mt::probe(images, model, loss, adam, options, device, 0).steps > 0);
  CHECK(mt::probe<double>(images, model, loss, adam, options, device, 0).steps > 0);
}

TEST_CASE("a probe of a large step makes a smaller one", "[train]") {
  const mt::Sequential wide{mt::Dense{1000, 1000}, mt::Dense{1000, 3}};
  const mt::DataSize size{.samples = 1'000'000, .shape = {.feature_columns = 1000, .classes = 3}};
  const mt::TrainerOptions large{.batch_size = 100'000};
  const mt::Probe probe = mt::probe(size, wide, loss, mt::SGD{}, large, device, 0);
  CHECK(probe.batch_size < 100);
  const auto e = mt::estimate(size, wide, loss, mt::SGD{}, large, device, probe);
  CHECK(e.seconds_per_step > 100 * probe.step_seconds);
}

TEST_CASE("an estimate refuses what a trainer refuses", "[train][bad input]") {
  const mt::DataSize narrow{.samples = 100, .shape = {.feature_columns = 5, .classes = 3}};
  CHECK_THROWS_AS(mt::estimate(narrow, model, loss, adam, options, device), mt::ShapeError);
  const mt::DataSize many{.samples = 100, .shape = {.feature_columns = 6, .classes = 4}};
  CHECK_THROWS_AS(mt::estimate(many, model, loss, adam, options, device), mt::ShapeError);
  const mt::DataSize targets{.samples = 100, .shape = {.feature_columns = 6, .target_columns = 3}};
  CHECK_THROWS_AS(mt::estimate(targets, model, loss, adam, options, device), mt::DataError);
  CHECK(test::code_of([] { mt::estimate(mt::DataSize{}, model, loss, adam, options, device); }) ==
        mt::ErrorCode::empty_data);
}

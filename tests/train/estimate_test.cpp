// Estimates: of data that is loaded or not, linear in the samples, and leaving nothing behind.

#include <minitrain/trainer.hpp>

#include <cmath>

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

// The trainer on host memory: batches made by hand, layers of the user's own, double.

#include <minitrain/trainer.hpp>

#include <cstdio>

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "train/support.hpp"

namespace mt = minitrain;
using test::code_of, test::ContainsSubstring, test::labelled;

namespace {

const mt::Sequential model{mt::Dense{6, 16}, mt::ReLU{}, mt::Dense{16, 3}};
constexpr mt::CpuOptions one_thread{.threads = 1};

}  // namespace

TEST_CASE("a batch made by hand is checked, labels one by one", "[train][bad input]") {
  mt::Trainer trainer{mt::Cpu{one_thread}, model, mt::SoftmaxCrossEntropy{}, mt::SGD{}};
  mt::Tensor<float> x(mt::Shape{4, 6});
  mt::Tensor<std::int32_t> labels(mt::Shape{4}, {0, 2, 3, 1});
  mt::Batch<float> batch;
  batch.features = x.view();
  batch.labels = labels.view();
  CHECK_THROWS_WITH(trainer.accumulate(batch), ContainsSubstring("label 3 of sample 2"));
  CHECK(code_of([&] { trainer.accumulate(batch); }) == mt::ErrorCode::label_out_of_range);
  labels[2] = -1;
  CHECK(code_of([&] { trainer.accumulate(batch); }) == mt::ErrorCode::label_out_of_range);
  batch.labels = mt::View<const std::int32_t>(labels.data(), mt::Shape{3});
  CHECK(code_of([&] { trainer.accumulate(batch); }) == mt::ErrorCode::count_mismatch);
  CHECK(trainer.accumulated() == 0);
  labels[2] = 1;
  batch.labels = labels.view();
  trainer.accumulate(batch);
  CHECK(trainer.accumulated() == 4);
  CHECK_THROWS_AS(trainer.fit(labelled()), mt::OptionError);
  CHECK(trainer.update().samples == 4);
}

TEST_CASE("denormal numbers are the caller's again after a run", "[train]") {
  mt::Trainer trainer{mt::Cpu{one_thread}, model, mt::SoftmaxCrossEntropy{}, mt::SGD{}};
  trainer.fit(labelled(20));
  volatile float tiny = 1e-38f;
  CHECK(tiny / 16 > 0);
}

TEST_CASE("double is a scalar like float", "[train]") {
  const auto data = labelled(100);
  mt::Trainer<double, mt::Cpu> trainer{
      mt::Cpu{one_thread}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{.learning_rate = 0.01}, {.epochs = 5}};
  const double before = trainer.evaluate(data).loss;
  trainer.fit(data);
  CHECK(trainer.evaluate(data).loss < before);
}

namespace {

// y = x, but throws on the way back when told to.
struct Throws : mt::ElementwiseLayer {
  bool* now;
  explicit Throws(bool* flag) : now(flag) {}
  std::string name() const { return "Throws"; }
  template <class T, class Device>
  void forward(const Device&, const mt::ForwardPass<T, Device>& p) const {
    std::copy(p.x.begin(), p.x.end(), p.y.begin());
  }
  template <class T, class Device>
  void backward(const Device&, const mt::BackwardPass<T, Device>& p) const {
    if (*now) throw std::runtime_error("backward");
    std::copy(p.dy.begin(), p.dy.end(), p.dx.begin());
  }
};

}  // namespace

TEST_CASE("an exception while accumulating leaves nothing behind", "[train][bad input]") {
  bool now = false;
  const auto data = labelled(8);
  const auto run = [&](bool fail_first) {
    mt::Trainer trainer{mt::Cpu{one_thread}, mt::Sequential{mt::Dense{6, 3}, Throws{&now}}, mt::SoftmaxCrossEntropy{},
                        mt::SGD{.learning_rate = 0.1}};
    mt::DataLoader<float> loader(data, {.batch_size = 8});
    now = fail_first;
    if (fail_first) CHECK_THROWS_AS(trainer.accumulate(loader.next(0, 0, 8)), std::runtime_error);
    now = false;
    CHECK(trainer.accumulated() == 0);
    trainer.accumulate(loader.next(0, 0, 8));
    trainer.update();
    return trainer.parameters();
  };
  CHECK(run(true) == run(false));
}

TEST_CASE("what would train or load is refused in a callback, and what only looks is not", "[train][bad input]") {
  const auto data = labelled(100);
  mt::Trainer trainer{mt::Cpu{one_thread}, model, mt::SoftmaxCrossEntropy{}, mt::SGD{}, {.batch_size = 32}};
  mt::Trainer quiet{mt::Cpu{one_thread}, model, mt::SoftmaxCrossEntropy{}, mt::SGD{}, {.batch_size = 32}};
  mt::DataLoader<float> loader(data, {.batch_size = 4});
  std::size_t calls = 0;
  trainer.fit(data, {.on_step = [&](const mt::StepEvent&) {
                ++calls;
                CHECK_THROWS_AS(trainer.fit(data), mt::OptionError);
                CHECK_THROWS_AS(trainer.update(), mt::OptionError);
                CHECK_THROWS_AS(trainer.accumulate(loader.next(0, 0, 4)), mt::OptionError);
                CHECK_THROWS_AS(trainer.load("x"), mt::OptionError);
                CHECK_THROWS_AS(trainer.load_weights("x"), mt::OptionError);
                CHECK_THROWS_AS(trainer.end_epoch(), mt::OptionError);
                CHECK_NOTHROW(trainer.save("trainer_host_test.safetensors"));
                trainer.evaluate(data);
                trainer.predict(data);
              }});
  std::remove("trainer_host_test.safetensors");
  quiet.fit(data);
  CHECK(calls == 4);
  CHECK(trainer.parameters() == quiet.parameters());
  CHECK(trainer.fit(data).steps() == 4);
}

TEST_CASE("targets outside what the loss is for are refused", "[train][bad input]") {
  mt::Tensor<float> x(mt::Shape{3, 2}), y(mt::Shape{3, 1}, {0, 1, 5});
  mt::Trainer trainer{mt::Cpu{one_thread}, mt::Sequential{mt::Dense{2, 1}}, mt::BinaryCrossEntropy{}, mt::SGD{}};
  CHECK_THROWS_WITH(trainer.fit(mt::Dataset::regression(x, y)), ContainsSubstring("of sample 2"));
  mt::Batch<float> batch;
  batch.features = x.view();
  batch.targets = y.view();
  CHECK_THROWS_AS(trainer.accumulate(batch), mt::DataError);
  CHECK(trainer.accumulated() == 0);
}

TEST_CASE("one row is predicted as one row", "[train]") {
  mt::Trainer trainer{mt::Cpu{one_thread}, model, mt::SoftmaxCrossEntropy{}, mt::SGD{}};
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const auto one = trainer.predict(mt::View<const float>(values.data(), mt::Shape{6}));
  CHECK(one.shape() == mt::Shape{1, 3});
  CHECK(one == trainer.predict(mt::View<const float>(values.data(), mt::Shape{1, 6})));
}

// Training on data that is read while it is used: the bits of the same data in memory.
#include <minitrain/trainer.hpp>

#include <cstdio>

#include "support/device.hpp"
#include "support/errors.hpp"

namespace mt = minitrain;

namespace {

// The samples of another data set, read when they are wanted.
class Reader : public mt::Source {
 public:
  explicit Reader(const mt::Dataset& data) : data_(data) {}
  std::uint64_t size() const noexcept override { return data_.size(); }
  mt::SampleShape shape() const noexcept override { return data_.shape(); }
  void read(const mt::Reading& reading, std::span<const std::uint64_t> samples,
            const mt::SampleBuffers& out) const override {
    data_.read(reading, samples, out);
  }

 private:
  mt::Dataset data_;
};

mt::Dataset read_when_wanted(const mt::Dataset& data) { return mt::Dataset(std::make_shared<const Reader>(data)); }

const mt::Sequential model{mt::Dense{6, 16}, mt::ReLU{}, mt::Dropout{0.2}, mt::Dense{16, 3}};

auto trainer(std::size_t micro, mt::LoadingOptions loading = {}, std::size_t epochs = 2) {
  return mt::Trainer{test::device(),
                     model,
                     mt::SoftmaxCrossEntropy{},
                     mt::Adam{},
                     {.epochs = epochs, .batch_size = 48, .micro_batch_size = micro, .seed = 3, .loading = loading}};
}

}  // namespace

TEST_CASE("a run on data that is read is the run on data in memory", "[exactness][threads]") {
  const auto data = mt::synthetic_classification({.samples = 1003, .features = 6, .classes = 3, .seed = 1});
  const auto read = read_when_wanted(data);
  auto expected = trainer(0);
  const auto history = expected.fit(data, data);
  for (const std::size_t workers : {0, 1, 2}) {
    for (const std::size_t micro : {0, 7, 48}) {
      auto other = trainer(micro, {.workers = workers, .depth = workers + 2});
      const auto also = other.fit(read, read);
      INFO("workers " << workers << " micro " << micro);
      CHECK(other.parameters() == expected.parameters());
      CHECK(also.epochs.back().training.loss == history.epochs.back().training.loss);
      CHECK(also.epochs.back().validation.loss == history.epochs.back().validation.loss);
      CHECK(other.evaluate(read).accuracy == expected.evaluate(data).accuracy);
      CHECK(other.predict(read) == expected.predict(data));
    }
  }
  auto automatic = trainer(0);
  automatic.fit(read);
  CHECK(automatic.parameters() == expected.parameters());
}

TEST_CASE("a run on data that is read goes on inside an epoch, with other workers", "[exactness][threads]") {
  const auto read =
      read_when_wanted(mt::synthetic_classification({.samples = 500, .features = 6, .classes = 3, .seed = 1}));
  auto whole = trainer(0, {}, 2);
  whole.fit(read);
  const char* const path = "stream_fit_test.safetensors";
  for (const std::size_t stop : {1u, 5u, 11u, 13u}) {  // 11 steps to an epoch
    auto first = trainer(16, {.workers = 2});
    std::size_t epochs = 0;
    first.fit(read, {.on_step = [&](const mt::StepEvent& e) {
                if (e.step != stop) return;
                first.save(path);
                epochs = first.epochs();
                first.request_stop();
              }});
    auto second = trainer(0, {.workers = 1, .depth = 5}, 2 - epochs);
    second.load(path);
    second.fit(read);
    CHECK(second.parameters() == whole.parameters());
  }
  std::remove(path);
}

TEST_CASE("explain says how data that is read will come", "[train]") {
  const auto data = mt::synthetic_classification({.samples = 1003, .features = 6, .classes = 3, .seed = 1});
  const std::string text = trainer(0, {.workers = 2}).explain(read_when_wanted(data));
  CHECK(text.find("samples shuffled; 2 workers read ahead, 18 slots, ") != std::string::npos);
  CHECK(trainer(0).explain(data).find("in the device's memory") != std::string::npos);
}

TEST_CASE("targets that are read are held to the range of the loss", "[bad input]") {
  mt::DatasetParts parts{.samples = 100};
  for (std::size_t i = 0; i < 100; ++i) {
    parts.features.push_back(static_cast<float>(i));
    parts.targets.push_back(i == 77 ? 1.5f : 0.5f);
  }
  const auto read = read_when_wanted(mt::Dataset(std::move(parts)));
  mt::Trainer binary{test::device(),
                     mt::Sequential{mt::Dense{1, 1}},
                     mt::BinaryCrossEntropy{},
                     mt::SGD{},
                     {.loading = {.workers = 1}}};
  test::check_error<mt::DataError>(
      mt::ErrorCode::invalid_argument, [&] { binary.fit(read); }, "target 1.5 of sample 77");
  test::check_error<mt::DataError>(
      mt::ErrorCode::invalid_argument, [&] { binary.evaluate(read); }, "target 1.5 of sample 77");
}

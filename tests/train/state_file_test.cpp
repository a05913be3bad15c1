// Weights and training state in files: PyTorch's names and shapes, exact resume, refusals that change nothing.

#include <minitrain/data/row_file.hpp>
#include <minitrain/data/row_file_writer.hpp>
#include <minitrain/trainer.hpp>

#include <cstdio>
#include <cstring>

#include "support/catch.hpp"
#include "support/device.hpp"
#include "support/errors.hpp"

namespace mt = minitrain;
using test::ContainsSubstring;

namespace {

const mt::Sequential model{mt::Dense{5, 7}, mt::ReLU{}, mt::LayerNorm{7}, mt::Dense{7, 3, false}};

class TemporaryPath {
 public:
  explicit TemporaryPath(const char* name) : path_(std::string("state_file_test_") + name) {
    std::remove(path_.c_str());
  }
  ~TemporaryPath() { std::remove(path_.c_str()); }
  const std::string& get() const { return path_; }

 private:
  std::string path_;
};

mt::Dataset data() { return mt::synthetic_classification({.samples = 90, .features = 5, .classes = 3, .seed = 2}); }

template <class Optimizer = mt::Adam>
auto make(std::uint64_t seed, const Optimizer& optimizer = {}, std::size_t epochs = 2) {
  return mt::Trainer{
      test::device(), model, mt::SoftmaxCrossEntropy{}, optimizer, {.epochs = epochs, .batch_size = 16, .seed = seed}};
}

}  // namespace

TEST_CASE("weights are named and shaped as PyTorch has them", "[state]") {
  const TemporaryPath path("names.safetensors");
  auto trainer = make(1);
  trainer.save_weights(path.get());
  const mt::SafetensorsFile file(path.get());
  REQUIRE(file.tensors().size() == 5);
  REQUIRE(file.find("0.weight") != nullptr);
  CHECK(file.find("0.weight")->shape == std::vector<std::size_t>{7, 5});
  CHECK(file.find("0.bias")->shape == std::vector<std::size_t>{7});
  CHECK(file.find("2.weight")->shape == std::vector<std::size_t>{7});
  CHECK(file.find("3.weight")->shape == std::vector<std::size_t>{3, 7});
  CHECK(file.find("3.bias") == nullptr);
  // parameters() holds W as [in, out]; the file holds its transpose.
  const auto flat = trainer.parameters();
  float transposed[35];
  std::memcpy(transposed, file.find("0.weight")->bytes.data(), sizeof transposed);
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t j = 0; j < 7; ++j) CHECK(transposed[j * 5 + i] == flat[i * 7 + j]);
  }
}

TEST_CASE("weights go from one trainer to another unchanged", "[state]") {
  const TemporaryPath path("roundtrip.safetensors");
  auto a = make(1);
  auto b = make(2);
  a.fit(data());
  CHECK_FALSE(a.parameters() == b.parameters());
  a.save_weights(path.get());
  b.load_weights(path.get());
  CHECK(a.parameters() == b.parameters());
  CHECK(a.predict(data()) == b.predict(data()));
}

TEST_CASE("a run that stops and goes on from its file is the run that never stopped", "[state]") {
  const TemporaryPath path("resume.safetensors");
  const auto check = [&](const auto& optimizer) {
    auto whole = make(7, optimizer, 5);
    whole.fit(data());
    auto first = make(7, optimizer, 2);
    first.fit(data());
    first.save(path.get());
    auto second = make(7, optimizer, 3);
    second.load(path.get());
    CHECK(second.epochs() == 2);
    CHECK(second.steps() == first.steps());
    second.fit(data());
    CHECK(second.parameters() == whole.parameters());
    CHECK(second.steps() == whole.steps());
    // A state file is a weights file too.
    auto weights = make(1, optimizer);
    weights.load_weights(path.get());
    CHECK(weights.parameters() == first.parameters());
  };
  check(mt::Adam{.learning_rate = 0.01});
  check(mt::SGD{.learning_rate = 0.05, .momentum = 0.9});
  check(mt::SGD{.learning_rate = 0.05});
}

TEST_CASE("a run stopped after any step of an epoch goes on as the run that never stopped", "[state][exactness]") {
  const TemporaryPath path("inside.safetensors");
  const auto options = [](std::size_t epochs, std::size_t micro) {
    return mt::TrainerOptions{.epochs = epochs, .batch_size = 16, .micro_batch_size = micro, .seed = 7};
  };
  mt::Trainer whole{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options(3, 0)};
  const auto history = whole.fit(data());
  for (std::size_t stop = 1; stop <= 12; ++stop) {  // 6 steps to an epoch
    mt::Trainer first{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options(3, 5)};
    std::size_t epochs = 0, position = 0;
    first.fit(data(), {.on_step = [&](const mt::StepEvent& e) {
                if (e.step != stop) return;
                first.save(path.get());
                epochs = first.epochs(), position = first.position();
                first.request_stop();
              }});
    CHECK(epochs == (stop - 1) / 6);  // after the last step of an epoch, it is not counted yet
    CHECK(position == std::min<std::size_t>(90, ((stop - 1) % 6 + 1) * 16));
    CHECK(first.epochs() == stop / 6);
    CHECK(first.position() == stop % 6 * 16);
    mt::Trainer second{test::device(), model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options(3 - epochs, 16)};
    second.load(path.get());
    CHECK(second.epochs() == epochs);
    CHECK(second.position() == position);
    const auto rest = second.fit(data());
    INFO("stopped after step " << stop);
    CHECK(second.parameters() == whole.parameters());
    CHECK(second.steps() == whole.steps());
    CHECK(rest.epochs.back().training.loss == history.epochs.back().training.loss);
    const mt::EpochRecord& resumed = rest.epochs.front();
    CHECK(resumed.training.loss == history.epochs[resumed.epoch].training.loss);
    CHECK(resumed.training.accuracy == history.epochs[resumed.epoch].training.accuracy);
    CHECK(resumed.steps == 6);
  }
}

TEST_CASE("a run from a file refuses to go on in an order of another kind", "[state][bad input]") {
  const TemporaryPath path("order.safetensors"), rows("order_rows.safetensors");
  mt::write_row_file(rows.get(), data());
  const mt::Dataset read = mt::open_row_file(rows.get());
  const auto with = [](mt::Mixing mixing) {
    return mt::Trainer{test::device(),
                       model,
                       mt::SoftmaxCrossEntropy{},
                       mt::Adam{},
                       {.batch_size = 16, .loading = {.mixing = mixing}}};
  };
  auto first = with(mt::Mixing::blocks);
  first.fit(read);
  first.save(path.get());
  auto second = with(mt::Mixing::samples);
  second.load(path.get());
  test::check_error<mt::DataError>(
      mt::ErrorCode::count_mismatch, [&] { second.fit(read); }, "the run began with", "blocks", "samples shuffled");
  CHECK(second.parameters() == first.parameters());
  auto third = with(mt::Mixing::blocks);
  third.load(path.get());
  third.fit(read);
  first.fit(read);
  CHECK(third.parameters() == first.parameters());
}

TEST_CASE("a position that cannot be is refused", "[state][bad input]") {
  const TemporaryPath path("position.safetensors");
  auto trainer = make(1);
  trainer.fit(data(), {.on_step = [&](const mt::StepEvent& e) {
                if (e.step == 3) trainer.save(path.get()), trainer.request_stop();
              }});
  const auto change = [&](const char* key, const char* value) {
    const mt::SafetensorsFile file(path.get());
    std::vector<std::pair<std::string, std::string>> metadata;
    for (const char* const known :
         {"minitrain.version", "minitrain.optimizer", "minitrain.steps", "minitrain.seed", "minitrain.epochs",
          "minitrain.epoch.position", "minitrain.epoch.samples", "minitrain.epoch.steps", "minitrain.epoch.loss",
          "minitrain.epoch.weight", "minitrain.epoch.right", "minitrain.epoch.order"}) {
      metadata.emplace_back(known, std::string(key) == known ? value : *file.metadata(known));
    }
    const TemporaryPath changed("position_changed.safetensors");
    mt::write_safetensors(changed.get(), file.tensors(), metadata);
    auto other = make(1);
    test::check_error<mt::DataError>(
        mt::ErrorCode::bad_header, [&] { other.load(changed.get()); }, "position_changed");
    CHECK(other.position() == 0);
  };
  change("minitrain.epoch.position", "91");
  change("minitrain.epoch.position", "-1");
  change("minitrain.epoch.loss", "nan");
  change("minitrain.epoch.loss", "");
}

TEST_CASE("files of float widen into a double model", "[state]") {
  const TemporaryPath path("widen.safetensors");
  auto single = make(1);
  single.save_weights(path.get());
  mt::Trainer<double, mt::Cpu> twice{mt::Cpu{}, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, {.seed = 9}};
  twice.load_weights(path.get());
  const auto a = single.parameters();
  const auto b = twice.parameters();
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(static_cast<double>(a[i]) == b[i]);
  twice.save_weights(path.get());
  CHECK_THROWS_WITH(single.load_weights(path.get()), ContainsSubstring("F64") && ContainsSubstring("F32"));
}

TEST_CASE("a file that does not fit the model changes nothing", "[state][bad input]") {
  const TemporaryPath path("other.safetensors");
  auto trainer = make(1);
  const auto before = trainer.parameters();
  const auto refused = [&](mt::ErrorCode code, const char* words) {
    CAPTURE(words);
    bool thrown = false;
    try {
      trainer.load_weights(path.get());
    } catch (const mt::DataError& error) {
      thrown = true;
      CHECK(error.code() == code);
      CHECK_THAT(error.what(), ContainsSubstring(words));
    }
    CHECK(thrown);
    CHECK(trainer.parameters() == before);
  };
  const auto save = [&](const auto& other) {
    mt::Trainer{test::device(), other, mt::SoftmaxCrossEntropy{}, mt::Adam{}}.save_weights(path.get());
  };
  refused(mt::ErrorCode::io_error, "other.safetensors");
  save(mt::Sequential{mt::Dense{5, 8}, mt::ReLU{}, mt::LayerNorm{8}, mt::Dense{8, 3, false}});
  refused(mt::ErrorCode::shape_mismatch, "[8,5], wanted [7,5]");
  save(mt::Sequential{mt::Dense{5, 7}, mt::ReLU{}, mt::Dense{7, 3, false}});
  refused(mt::ErrorCode::shape_mismatch, "2.weight");
  save(mt::Sequential{mt::Dense{5, 7}, mt::ReLU{}, mt::LayerNorm{7}});
  refused(mt::ErrorCode::missing_tensor, "3.weight");
  save(mt::Sequential{mt::Dense{5, 7}, mt::ReLU{}, mt::LayerNorm{7}, mt::Dense{7, 3}});
  refused(mt::ErrorCode::unexpected_tensor, "3.bias");
}

TEST_CASE("a state wants its own optimizer and its counts", "[state][bad input]") {
  const TemporaryPath path("optimizer.safetensors");
  auto adam = make(1);
  adam.fit(data());
  adam.save(path.get());
  auto sgd = make(2, mt::SGD{.momentum = 0.5});
  const auto before = sgd.parameters();
  CHECK_THROWS_WITH(sgd.load(path.get()), ContainsSubstring("Adam") && ContainsSubstring("SGD"));
  adam.save_weights(path.get());
  CHECK_THROWS_WITH(sgd.load(path.get()), ContainsSubstring("load_weights()"));
  CHECK(sgd.parameters() == before);
  CHECK(sgd.steps() == 0);
}

TEST_CASE("a state of another model, optimizer or seed is refused, and changes nothing", "[state][bad input]") {
  const TemporaryPath path("other_state.safetensors");
  const auto refused = [&](auto& trainer, const char* words) {
    const auto before = trainer.parameters();
    CHECK_THROWS_WITH(trainer.load(path.get()), ContainsSubstring(words));
    CHECK(trainer.parameters() == before);
    CHECK(trainer.epochs() == 0);
  };
  make(3).save(path.get());
  auto other_seed = make(99);
  refused(other_seed, "seed is 3 in the file, 99 here");

  mt::Trainer deep{test::device(), mt::Mlp{.widths = {3, 3, 3}}, mt::MeanSquaredError{}, mt::SGD{}};
  deep.save(path.get());
  mt::Trainer flat{test::device(), mt::Mlp{.widths = {3, 3}}, mt::MeanSquaredError{}, mt::SGD{}};
  refused(flat, "no place for tensor '2.weight'");

  auto momentum = make(1, mt::SGD{.momentum = 0.9});
  momentum.save(path.get());
  auto plain = make(1, mt::SGD{});
  refused(plain, "no place for tensor 'optimizer.momentum_buffer");
}

TEST_CASE("loading weights drops gradients of the old ones", "[state]") {
  const TemporaryPath path("drop.safetensors");
  auto trainer = make(1);
  trainer.save_weights(path.get());
  mt::DataLoader<float, test::Device> loader(data(), {.batch_size = 4}, trainer.device());
  trainer.accumulate(loader.next(0, 0, 4));
  trainer.load_weights(path.get());
  CHECK(trainer.accumulated() == 0);
}

TEST_CASE("weights that are not finite are refused", "[state][bad input]") {
  const TemporaryPath path("nan.safetensors");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float values[3] = {1, nan, 2};
  const mt::NamedTensor tensors[] = {{"0.weight", "F32", {1, 2}, std::as_bytes(std::span(values, 2))},
                                     {"0.bias", "F32", {1}, std::as_bytes(std::span(values + 2, 1))}};
  mt::write_safetensors(path.get(), tensors);
  mt::Trainer trainer{test::device(), mt::Sequential{mt::Dense{2, 1}}, mt::MeanSquaredError{}, mt::SGD{}};
  CHECK_THROWS_WITH(trainer.load_weights(path.get()), ContainsSubstring("not finite"));
}

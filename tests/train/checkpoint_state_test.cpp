// States: bit-exact after every micro-batch, refused with every difference, read from every format there was.

#include "train/checkpoint_run.hpp"

#include "io/support.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"

#include <random>

namespace mt = minitrain;
using mt::ErrorCode;
using test::ContainsSubstring;
using test::Folder;
using test::Run;

namespace {

/// The words of the error that f() throws, which has this code.
template <class F>
std::string refusal(ErrorCode code, F&& f) {
  try {
    f();
  } catch (const mt::Error& error) {
    CHECK(error.code() == code);
    return error.what();
  }
  FAIL_CHECK("nothing was thrown");
  return {};
}

std::string golden(int format) {
  return std::string(MINITRAIN_TESTS) + "/train/golden/state_format_" + std::to_string(format) + ".safetensors";
}

auto golden_trainer(std::size_t epochs) {
  return mt::Trainer{mt::Cpu{{.threads = 1}}, mt::Sequential{mt::Dense{3, 4}, mt::ReLU{}, mt::Dense{4, 2}},
                     mt::SoftmaxCrossEntropy{}, mt::Adam{.learning_rate = 0.01},
                     mt::TrainerOptions{.epochs = epochs, .batch_size = 8, .seed = 5}};
}

mt::Dataset golden_data() {
  return mt::synthetic_classification({.samples = 40, .features = 3, .classes = 2, .seed = 4});
}

/// The file again, with one of its metadata set or, where value is null, without it.
void rewrite(const std::string& path, const std::string& key, const char* value) {
  const mt::SafetensorsFile file(path);
  mt::StateFields metadata(file.metadata().begin(), file.metadata().end());
  std::erase_if(metadata, [&](const auto& pair) { return pair.first == key; });
  if (value != nullptr) metadata.emplace_back(key, value);
  mt::write_safetensors(path, file.tensors(), metadata);
}

}  // namespace

TEST_CASE("a run goes on from a state taken after any micro-batch as if nothing had been", "[state][exactness]") {
  const Folder folder;
  const auto check = [&](auto scalar, const auto& optimizer) {
    using Loop = Run<decltype(scalar), std::decay_t<decltype(optimizer)>>;
    Loop whole(3, optimizer);
    mt::Snapshot snapshot;
    std::size_t in_window = 0;
    for (std::size_t done = 0; done < 25; ++done, whole.advance()) {
      INFO("after " << done << " micro-batches, " << whole.accumulated() << " samples accumulated");
      whole.snapshot(snapshot);
      in_window += whole.accumulated() > 0 ? 1 : 0;
      Loop other(3, optimizer);
      other.advance(done % 4);  // whatever it was doing
      other.restore(snapshot);
      CHECK(other.bytes() == whole.bytes());
      write_snapshot(snapshot, folder / "state");
      Loop reader(3, optimizer);
      reader.advance(5 - done % 4);
      reader.load(folder / "state");
      CHECK(reader.bytes() == whole.bytes());
      Loop twin(3, optimizer);
      twin.restore(snapshot);  // which was turned into the form of a file
      twin.advance(13);
      reader.advance(13);
      Loop never(3, optimizer);
      never.advance(done + 13);
      CHECK(reader.bytes() == never.bytes());
      CHECK(twin.bytes() == never.bytes());
    }
    CHECK(in_window == 16);
  };
  check(float{}, mt::Adam{.learning_rate = 0.01});
  check(float{}, mt::SGD{.learning_rate = 0.1, .momentum = 0.9});
  check(double{}, mt::SGD{.learning_rate = 0.1});
}

TEST_CASE("a trainer saves while samples are accumulated, and goes on to the same bits", "[state][exactness]") {
  const Folder folder;
  const auto make = [] {
    return mt::Trainer{mt::Cpu{{.threads = 1}}, mt::Sequential{mt::Dense{5, 6}, mt::Dropout{0.5}, mt::Dense{6, 3}},
                       mt::SoftmaxCrossEntropy{}, mt::AdamW{}, mt::TrainerOptions{.batch_size = 16, .seed = 7}};
  };
  const auto data = mt::synthetic_classification({.samples = 64, .features = 5, .classes = 3, .seed = 2});
  mt::DataLoader<> loader(data, {.batch_size = 16, .shuffle = false}, mt::Cpu{});
  auto whole = make();
  whole.fit(data);
  whole.accumulate(loader.next(0, 0, 5));
  whole.accumulate(loader.next(0, 5, 3));
  whole.save(folder / "state");
  auto second = make();
  second.load(folder / "state");
  CHECK(second.accumulated() == 8);
  for (auto* trainer : {&whole, &second}) trainer->accumulate(loader.next(0, 8, 7));
  const mt::Evaluation a = whole.update(), b = second.update();
  CHECK(a.samples == 15);
  CHECK(b.samples == 15);
  CHECK(a.loss == b.loss);
  CHECK(a.accuracy == b.accuracy);
  CHECK(whole.parameters() == second.parameters());
}

TEST_CASE("what a caller adds to a state comes back", "[state]") {
  const Folder folder;
  Run<> run;
  mt::Snapshot snapshot;
  run.snapshot(snapshot, {{"schedule.stage", "3"}, {"note", "\"x\"\n"}});
  snapshot.state().value = 0.125;
  write_snapshot(snapshot, folder / "state");
  const mt::Snapshot back =
      read_snapshot(run.core(), run.fields(), mt::SafetensorsFile(folder / "state"), folder / "state");
  CHECK(back.state().metadata == mt::StateFields{{"note", "\"x\"\n"}, {"schedule.stage", "3"}});
  CHECK(back.state().value == 0.125);
  mt::Snapshot again = read_snapshot(run.core(), run.fields(), mt::SafetensorsFile(folder / "state"), folder / "state");
  write_snapshot(again, folder / "again");
  CHECK(test::read_all(folder / "again") == test::read_all(folder / "state"));
  run.snapshot(snapshot, {{"minitrain.note", "x"}});
  CHECK_THROWS_AS(write_snapshot(snapshot, folder / "state"), mt::OptionError);
}

TEST_CASE("a state of another run is refused with every field that differs, unless it is allowed to",
          "[state][bad input]") {
  const Folder folder;
  const std::string path = folder / "state";
  Run<float, mt::Adam> run(3);
  run.advance(4);
  mt::Snapshot snapshot;
  run.snapshot(snapshot);
  snapshot.state().fields.back().second = "other.rows 9x5";
  snapshot.state().fields[snapshot.state().fields.size() - 2].second = "64";
  write_snapshot(snapshot, path);

  Run<float, mt::Adam> other(4, mt::Adam{.learning_rate = 0.5, .beta2 = 0.5});
  const std::string before = other.bytes();
  const std::string words = refusal(ErrorCode::state_mismatch, [&] { other.load(path); });
  CHECK_THAT(words, ContainsSubstring("seed is 3 in the file, 4 here"));
  CHECK_THAT(words, ContainsSubstring("batch_size is 64 in the file, 12 here"));
  CHECK_THAT(words, ContainsSubstring("data is other.rows 9x5 in the file, synthetic 44x5 here"));
  CHECK_THAT(words, ContainsSubstring("optimizer.learning_rate is 0.001 in the file, 0.5 here"));
  CHECK_THAT(words, ContainsSubstring("optimizer.beta2 is 0.999 in the file, 0.5 here"));
  CHECK_THAT(words, !ContainsSubstring("beta1") && !ContainsSubstring("model is"));
  CHECK_THAT(words, ContainsSubstring(
                        R"(.allow = {"optimizer.learning_rate", "optimizer.beta2", "seed", "batch_size", "data"})"));
  CHECK(other.bytes() == before);

  const std::string less = refusal(ErrorCode::state_mismatch, [&] {
    other.load(path, {.allow = {"seed", "batch_size", "optimizer.learning_rate", "optimizer.beta2"}});
  });
  CHECK_THAT(less, ContainsSubstring("data is") && !ContainsSubstring("seed is"));
  other.load(path, {.allow = {"seed", "batch_size", "data", "optimizer.learning_rate", "optimizer.beta2"}});
  CHECK(other.bytes() == run.bytes());
}

TEST_CASE("a state of another model is refused with every tensor that differs", "[state][bad input]") {
  const Folder folder;
  Run<> run(3);
  mt::Snapshot snapshot;
  run.snapshot(snapshot);
  write_snapshot(snapshot, folder / "state");
  Run<> wide(3, {}, 8);
  const std::string words = refusal(ErrorCode::state_mismatch, [&] { wide.load(folder / "state"); });
  CHECK_THAT(words, ContainsSubstring("model is Dense{5, 7}, ReLU, Dropout{0.25}, LayerNorm{7}, Dense{7, 3} in the "
                                      "file, Dense{5, 8}"));
  CHECK_THAT(words, ContainsSubstring("tensor '0.weight' has shape [7,5], wanted [8,5]"));
  CHECK_THAT(words, ContainsSubstring("tensor 'optimizer.exp_avg.0.bias' has shape [7], wanted [8]"));
  const std::string tensors =
      refusal(ErrorCode::shape_mismatch, [&] { wide.load(folder / "state", {.allow = {"model"}}); });
  CHECK_THAT(tensors, ContainsSubstring("tensor '4.weight' has shape [3,7], wanted [3,8]"));
}

TEST_CASE("another optimizer may take over the moments that it shares", "[state]") {
  const Folder folder;
  Run<float, mt::Adam> adam(3);
  adam.advance(6);
  mt::Snapshot snapshot;
  adam.snapshot(snapshot);
  write_snapshot(snapshot, folder / "state");

  Run<float, mt::AdamW> adamw(3);
  CHECK_THAT(refusal(ErrorCode::state_mismatch, [&] { adamw.load(folder / "state"); }),
             ContainsSubstring("optimizer is Adam in the file, AdamW here") && !ContainsSubstring("weight_decay"));
  adamw.load(folder / "state", {.allow = {"optimizer"}});
  CHECK(adamw.bytes() == adam.bytes());

  Run<float, mt::SGD> sgd(3, mt::SGD{.momentum = 0.5});
  CHECK_THAT(refusal(ErrorCode::state_mismatch, [&] { sgd.load(folder / "state"); }),
             ContainsSubstring("no tensor 'optimizer.momentum_buffer.0.weight'") &&
                 ContainsSubstring("no place for tensor 'optimizer.exp_avg.0.weight'"));
  sgd.load(folder / "state", {.allow = {"optimizer"}});
  CHECK(sgd.steps() == adam.steps());
  for (const float value : sgd.core().moments()[0]) CHECK(value == 0);
}

TEST_CASE("a state of another scalar is refused, widens when that is allowed, and never narrows",
          "[state][bad input]") {
  const Folder folder;
  Run<float> narrow(3);
  Run<double> wide(3);
  mt::Snapshot snapshot;
  narrow.snapshot(snapshot);
  write_snapshot(snapshot, folder / "f32");
  CHECK_THAT(refusal(ErrorCode::state_mismatch, [&] { wide.load(folder / "f32"); }),
             ContainsSubstring("scalar is F32 in the file, F64 here"));
  wide.load(folder / "f32", {.allow = {"scalar"}});
  CHECK(wide.core().network().parameters()[1] == static_cast<double>(narrow.core().network().parameters()[1]));
  CHECK_THROWS_AS(wide.restore(snapshot), mt::ShapeError);
  wide.snapshot(snapshot);
  write_snapshot(snapshot, folder / "f64");
  refusal(ErrorCode::state_mismatch, [&] { narrow.load(folder / "f64"); });
  refusal(ErrorCode::unsupported, [&] { narrow.load(folder / "f64", {.allow = {"scalar"}}); });
}

TEST_CASE("a state of a later format is refused, and says so", "[state][bad input]") {
  const Folder folder;
  Run<> run;
  mt::Snapshot snapshot;
  run.snapshot(snapshot);
  write_snapshot(snapshot, folder / "state");
  rewrite(folder / "state", "minitrain.format", "3");
  CHECK_THAT(refusal(ErrorCode::unsupported, [&] { run.load(folder / "state"); }),
             ContainsSubstring("written by format 3, this reads <= 2"));
  rewrite(folder / "state", "minitrain.format", "x");
  refusal(ErrorCode::bad_header, [&] { run.load(folder / "state"); });
}

TEST_CASE("counts of a window that cannot be are refused", "[state][bad input]") {
  const Folder folder;
  const std::string path = folder / "state";
  Run<> run;
  run.advance(1);
  mt::Snapshot snapshot;
  run.snapshot(snapshot);
  const auto refused = [&](const char* key, const char* value, ErrorCode code) {
    write_snapshot(snapshot, path);
    rewrite(path, key, value);
    const std::string before = run.bytes();
    INFO(key);
    refusal(code, [&] { run.load(path); });
    CHECK(run.bytes() == before);
  };
  refused("minitrain.window.loss", nullptr, ErrorCode::bad_header);
  refused("minitrain.window.loss", "inf", ErrorCode::bad_header);
  refused("minitrain.window.samples", "-1", ErrorCode::bad_header);
  refused("minitrain.window.samples", nullptr, ErrorCode::unexpected_tensor);
  refused("minitrain.window.samples", "0", ErrorCode::unexpected_tensor);
  refused("minitrain.loss_scale", "3", ErrorCode::bad_number);
  refused("minitrain.loss_scale", "0", ErrorCode::bad_number);
  refused("minitrain.steps", "99999999999999999", ErrorCode::bad_number);
}

TEST_CASE("states that are not finite are not written, and the file of before stays", "[state][bad input]") {
  const Folder folder;
  const std::string path = folder / "state";
  Run<> run;
  mt::Snapshot snapshot;
  run.snapshot(snapshot);
  write_snapshot(snapshot, path);
  const std::string before = test::read_all(path);
  const auto refused = [&](const char* words) {
    run.snapshot(snapshot);
    CHECK_THAT(refusal(ErrorCode::non_finite, [&] { write_snapshot(snapshot, path); }), ContainsSubstring(words));
    CHECK(test::read_all(path) == before);
  };
  run.core().moments()[1][0] = std::numeric_limits<float>::infinity();
  refused("not all moments are finite: tensor 'optimizer.exp_avg_sq.0.weight'");
  run.core().moments()[1][0] = 0;
  run.core().network().parameters()[0] = std::numeric_limits<float>::quiet_NaN();
  refused("not all parameters are finite: tensor '0.weight'");
}

TEST_CASE("states of the first format are still read", "[state]") {
  auto whole = golden_trainer(3);
  whole.fit(golden_data());
  auto trainer = golden_trainer(2);
  trainer.load(golden(1));  // saved after step 3 of the second epoch, of 5
  CHECK(trainer.epochs() == 1);
  CHECK(trainer.steps() == 8);
  CHECK(trainer.position() == 24);
  trainer.fit(golden_data());
  CHECK(trainer.steps() == 15);
  for (std::size_t i = 0; i < whole.parameters().size(); ++i)
    CHECK(trainer.parameters()[i] == test::Approx(whole.parameters()[i]).epsilon(1e-6));
}

TEST_CASE("states of the second format are read", "[state]") {
  auto whole = golden_trainer(2);
  whole.fit(golden_data());
  mt::DataLoader<> loader(golden_data(), {.batch_size = 8, .shuffle = false}, mt::Cpu{});
  whole.accumulate(loader.next(0, 0, 5));
  auto trainer = golden_trainer(2);
  trainer.load(golden(2));  // saved after two epochs and five samples more
  CHECK(trainer.epochs() == 2);
  CHECK(trainer.accumulated() == 5);
  whole.update();
  trainer.update();
  CHECK(trainer.steps() == 11);
  for (std::size_t i = 0; i < whole.parameters().size(); ++i)
    CHECK(trainer.parameters()[i] == test::Approx(whole.parameters()[i]).epsilon(1e-6));
}

TEST_CASE("a state cut short anywhere, or with any one bit another, is refused and changes nothing",
          "[state][bad input]") {
  const Folder folder;
  const std::string path = folder / "state";
  Run<> run;
  run.advance(2);
  mt::Snapshot snapshot;
  run.snapshot(snapshot);
  write_snapshot(snapshot, path);
  const std::string bytes = test::read_all(path);
  Run<> other;
  const std::string before = other.bytes();
  const auto refused = [&](const std::string& damaged) {
    try {
      other.load(mt::SafetensorsFile::from_bytes(test::bytes_of(damaged), "damaged"), "damaged");
    } catch (const mt::DataError&) {
      return true;
    }
    return false;
  };
  std::size_t cut = 0, flipped = 0;
  for (std::size_t length = 0; length < bytes.size(); ++length) cut += refused(bytes.substr(0, length)) ? 1 : 0;
  CHECK(cut == bytes.size());
  std::mt19937_64 random(1);
  for (int i = 0; i < 10'000; ++i) {
    std::string damaged = bytes;
    const std::size_t bit = random() % (8 * bytes.size());
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    flipped += refused(damaged) ? 1 : 0;
  }
  CHECK(flipped == 10'000);
  CHECK(other.bytes() == before);
  other.load(path);
  CHECK(other.bytes() == run.bytes());
}

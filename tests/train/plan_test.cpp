// The memory plan: the micro-batch that it names fits, and keeps the batch.

#include <minitrain/data/generated.hpp>
#include <minitrain/trainer.hpp>

#include "support/catch.hpp"
#include "train/support.hpp"

namespace mt = minitrain;
using test::ContainsSubstring;

namespace {

const mt::Sequential model{mt::Dense{6, 16}, mt::ReLU{}, mt::Dense{16, 3}};
const mt::Cpu device{{.threads = 1}};

mt::MemoryPlan plan_of(const mt::TrainerOptions& options, std::size_t limit = 0) {
  return mt::plan(model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options, device, mt::size_of(test::labelled()), limit);
}

}  // namespace

TEST_CASE("a plan counts what a network, its optimizer and its batches take", "[train]") {
  const mt::MemoryPlan plan = plan_of({.batch_size = 100, .micro_batch_size = 30});
  CHECK(plan.parameters == 4 * (96 + 16 + 48 + 16));  // each tensor begins on 64 bytes
  CHECK(plan.gradients == plan.parameters);
  CHECK(plan.moments == 2 * plan.parameters);
  CHECK(plan.activations == 4 * (16 + 3 + 2 * 16));
  CHECK(plan.data_set == 200 * 7 * 4);
  CHECK(plan.micro_batch == 30);
  CHECK(plan.accumulations() == 4);
  CHECK(plan.total() == plan.fixed() + 30 * plan.per_sample());
  CHECK(mt::plan(model, {.batch_size = 100}, device).moments == 0);
  CHECK(mt::plan<double>(model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, {}, device).parameters == 2 * plan.parameters);
  const std::string text = mt::to_string(plan);
  CHECK_THAT(text, ContainsSubstring("batch of 100 = 4 micro-batches of 30, "));
  CHECK(text.find("free") == std::string::npos);  // a CPU does not tell
}

TEST_CASE("the largest micro-batch fits into a limit with 5 % to spare, and one more does not", "[train]") {
  const mt::TrainerOptions options{.batch_size = 10'000, .micro_batch_size = mt::automatic};
  const mt::MemoryPlan unlimited = plan_of(options);
  CHECK_FALSE(unlimited.free.has_value());
  CHECK(unlimited.largest_micro_batch() == 10'000);
  for (const std::size_t limit : {20'000, 100'000, 1'000'000}) {
    CAPTURE(limit);
    const mt::MemoryPlan plan = plan_of(options, limit);
    const std::size_t rows = plan.largest_micro_batch();
    REQUIRE(rows > 0);
    const mt::MemoryPlan alone = mt::plan(model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options, device, {}, limit);
    CHECK(plan.micro_batch == alone.micro_batch);  // chosen before there is a data set
    CHECK(alone.micro_batch <= alone.largest_micro_batch());
    CHECK(plan.fixed() + rows * plan.per_sample() <= limit - limit / 20);
    CHECK(plan.fixed() + (rows + 1) * plan.per_sample() > limit - limit / 20);
    CHECK(plan.least_accumulations() == (10'000 + rows - 1) / rows);
    CHECK_THAT(mt::to_string(plan), ContainsSubstring("up to " + std::to_string(rows) + " fit"));
  }
  CHECK(plan_of(options, 5'000).largest_micro_batch() == 0);
  CHECK_THAT(mt::to_string(plan_of(options, 5'000)), ContainsSubstring("no micro-batch fits"));
  CHECK(plan_of(options, 1 << 30).largest_micro_batch() == 10'000);
}

TEST_CASE("a trainer takes the micro-batch of its plan", "[train]") {
  for (const std::size_t micro : {mt::automatic, std::size_t{7}, std::size_t{500}}) {
    const mt::TrainerOptions options{.batch_size = 200, .micro_batch_size = micro};
    const mt::Trainer trainer{device, model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options};
    const std::string rows = "micro-batches of " + std::to_string(plan_of(options).micro_batch);
    CHECK_THAT(trainer.explain(), ContainsSubstring(rows + (micro == mt::automatic ? ", the library" : ", as asked")));
  }
}

TEST_CASE("a plan refuses what a trainer refuses", "[train][bad input]") {
  CHECK_THROWS_AS(plan_of({.batch_size = 0}), mt::OptionError);
  const mt::Sequential wrong{mt::Dense{6, 16}, mt::Dense{15, 3}};
  CHECK_THROWS_AS(mt::plan(wrong, {}, device), mt::ShapeError);
}

TEST_CASE("a plan counts the slots of data that are read while they are used", "[train]") {
  const mt::Dataset data =
      mt::generated({.feature_columns = 6, .classes = 3}, 100'000, [](std::uint64_t i, const mt::SampleBuffers& out) {
        out.features[0] = static_cast<float>(i);
        out.labels[0] = static_cast<std::int32_t>(i % 3);
      });
  const mt::LoadingOptions loadings[] = {{}, {.workers = 0}, {.workers = 2, .depth = 7}};
  for (const mt::LoadingOptions& loading : loadings) {
    for (const std::size_t batch : {1, 100, 1'000'000}) {
      const mt::TrainerOptions options{.batch_size = batch, .loading = loading};
      const mt::MemoryPlan plan =
          mt::plan(model, mt::SoftmaxCrossEntropy{}, mt::Adam{}, options, device, mt::size_of(data));
      const mt::DataLoader<> loader(
          data, {.batch_size = batch, .micro_batch_size = plan.micro_batch, .loading = loading}, device);
      CAPTURE(mt::to_string(plan));
      CHECK(plan.data_set == loader.stats().bytes);
      CHECK_FALSE(plan.resident);
    }
  }
}

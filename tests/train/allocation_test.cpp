// Steady-state training allocates nothing; what is allocated before it is what was planned.

#include <minitrain/data/generated.hpp>
#include <minitrain/trainer.hpp>

#include <cstddef>

#include "support/catch.hpp"
#include "support/counted_heap.hpp"

namespace mt = minitrain;

namespace {

template <class Model, class Loss, class Optimizer>
void check_steady(const Model& model, const Loss& loss, const Optimizer& optimizer, const mt::Dataset& data) {
  for (const std::size_t micro : {0, 7, 64}) {
    mt::Trainer trainer{mt::Cpu{{.threads = 2, .work_per_thread = 1000}},
                        model,
                        loss,
                        optimizer,
                        {.epochs = 4, .batch_size = 64, .micro_batch_size = micro}};
    std::size_t after_first = 0, after_last = 0;
    trainer.fit(data, {.on_epoch = [&](const mt::EpochRecord& e) {
                  if (e.epoch == 0) after_first = test::heap::allocations;
                  after_last = test::heap::allocations;
                }});
    CHECK(after_first > 0);
    CHECK(after_last - after_first == 0);
  }
}

}  // namespace

TEST_CASE("a plan says what is allocated, on the CPU", "[train]") {
  const mt::Cpu device{{.threads = 1}};
  const auto data = mt::synthetic_classification({.samples = 5000, .features = 70, .classes = 10, .seed = 1});
  const mt::Sequential model{mt::Dense{70, 300}, mt::ReLU{},       mt::Dense{300, 33}, mt::GELU{},
                             mt::LayerNorm{33},  mt::Dropout{0.1}, mt::Dense{33, 10}};
  const auto check = [&](const auto& loss, const auto& optimizer, const mt::TrainerOptions& options) {
    const mt::MemoryPlan plan = mt::plan(model, loss, optimizer, options, device, mt::size_of(data));
    CAPTURE(mt::to_string(plan));
    constexpr std::size_t bookkeeping = 16 * 1024;  // names, shapes, stages: whatever their size
    const std::size_t before = test::heap::live;
    mt::Trainer trainer{device, model, loss, optimizer, options};
    const std::size_t taken = test::heap::live - before;
    CHECK(taken >= plan.trainer() + plan.other);
    CHECK(taken <= plan.trainer() + plan.other + bookkeeping);
    CHECK(plan.data_set == data.bytes());

    const mt::DataLoader<> loader(data, {.batch_size = plan.micro_batch}, device);
    const std::size_t batch = test::heap::live - before - taken;
    CHECK(batch >= plan.micro_batch * plan.batch);
    CHECK(batch <= plan.micro_batch * plan.batch + bookkeeping);
  };
  const mt::SoftmaxCrossEntropy weighted{.class_weights = std::vector<double>(10, 2.0)};
  check(mt::SoftmaxCrossEntropy{}, mt::Adam{}, {.batch_size = 1024});
  check(weighted, mt::SGD{.momentum = 0.9}, {.batch_size = 4096, .micro_batch_size = 1000});
  check(mt::SoftmaxCrossEntropy{}, mt::SGD{}, {.batch_size = 300, .micro_batch_size = 5000});
}

TEST_CASE("no allocation after the first epoch", "[train]") {
  const auto labels = mt::synthetic_classification({.samples = 333, .features = 70, .classes = 10, .seed = 1});
  const auto targets = mt::synthetic_regression({.samples = 333, .features = 10, .seed = 1});
  check_steady(mt::Sequential{mt::Dense{70, 128}, mt::ReLU{}, mt::Dense{128, 10}}, mt::SoftmaxCrossEntropy{},
               mt::Adam{}, labels);
  check_steady(mt::Sequential{mt::Dense{70, 33}, mt::GELU{}, mt::LayerNorm{33}, mt::Dropout{0.1}, mt::Dense{33, 10}},
               mt::SoftmaxCrossEntropy{}, mt::SGD{.momentum = 0.9}, labels);
  check_steady(mt::Sequential{mt::Dense{10, 64}, mt::ReLU{}, mt::Dense{64, 1}}, mt::MeanSquaredError{}, mt::AdamW{},
               targets);
  check_steady(mt::Sequential{mt::Dense{10, 1}}, mt::MeanSquaredError{}, mt::SGD{}, targets);
  const auto read = mt::generated({.feature_columns = 10, .target_columns = 1}, 333,
                                  [](std::uint64_t i, const mt::SampleBuffers& out) {
                                    out.features[i % 10] = 1;
                                    out.targets[0] = static_cast<float>(i % 7);
                                  });
  check_steady(mt::Sequential{mt::Dense{10, 1}}, mt::MeanSquaredError{}, mt::SGD{}, read);
}

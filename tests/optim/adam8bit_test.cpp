// Adam with moments of one byte: the codes against their definition, steps against the formula in double with the same
// codes, and against Adam on a problem.

#include "optim/adaptive_checks.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace mt = minitrain;
using test::OptimizerRun;

namespace {

/// create_dynamic_map(signed) of bitsandbytes, in double.
std::vector<double> dynamic_map(bool is_signed) {
  std::vector<double> numbers{0, 1};
  for (int i = 0; i < 7; ++i) {
    const int items = 1 << (is_signed ? i : i + 1);
    const double width = 0.9 / items, scale = std::pow(10.0, i - 6);
    for (int k = 0; k < items; ++k) {
      const double number = scale * ((0.1 + width * k) + (0.1 + width * (k + 1))) / 2;
      numbers.push_back(number);
      if (is_signed) numbers.push_back(-number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

/// The nearest code by looking at all of them. Borders are middles of neighbours as floats, and go to the code nearer
/// to 0.
unsigned nearest(const mt::DynamicCode& c, float x) {
  const auto border = [&](unsigned code) { return (c.numbers[code] + c.numbers[code + 1]) * 0.5f; };
  unsigned code = 0;
  while (code < 255 && (x > border(code) || (x == border(code) && code < c.zero))) ++code;
  return code;
}

const std::vector<mt::Shape> shapes{{17, 31}, {31}, {1}, {3, 257}};

struct Block {
  std::vector<unsigned> codes;
  double largest = 0;
};

/// Adam in double on moments that are codes between steps.
struct Oracle {
  std::vector<double> p;
  std::vector<Block> m, v;

  static std::vector<double> decoded(const mt::DynamicCode& c, const Block& b) {
    std::vector<double> x;
    for (const unsigned code : b.codes) x.push_back(static_cast<double>(c.numbers[code]) * b.largest);
    return x;
  }
  static void encode(const mt::DynamicCode& c, const std::vector<double>& x, Block& b) {
    b.largest = 0;
    for (const double e : x) b.largest = std::max(b.largest, std::abs(e));
    for (std::size_t i = 0; i < x.size(); ++i) {
      b.codes[i] = b.largest > 0 ? nearest(c, static_cast<float>(x[i] / b.largest)) : c.zero;
    }
  }
  template <class O>
  void step(const O& o, const mt::AdamRule& rule, const std::vector<double>& gradients, int t) {
    for (std::size_t b = 0, at = 0; at < p.size(); ++b) {
      std::vector<double> mean = decoded(mt::signed_code, m[b]), square = decoded(mt::unsigned_code, v[b]);
      for (std::size_t i = 0; i < mean.size(); ++i, ++at) {
        double g = gradients[at];
        (rule.decoupled ? p[at] : g) += rule.weight_decay * p[at] * (rule.decoupled ? -o.learning_rate : 1);
        mean[i] += (1 - o.beta1) * (g - mean[i]);
        square[i] = o.beta2 * square[i] + (1 - o.beta2) * g * g;
        p[at] -= o.learning_rate / (1 - std::pow(o.beta1, t)) * mean[i] /
                 (std::sqrt(square[i] / (1 - std::pow(o.beta2, t))) + o.epsilon);
      }
      encode(mt::signed_code, mean, m[b]);
      encode(mt::unsigned_code, square, v[b]);
    }
  }
};

/// Gradients of many magnitudes, whose ratios are not those of small integers: so no moment is as near to one code as
/// to another, where a last digit would decide, and whose squares
/// seldom vanish beside the largest of a block, where m / sqrt(v) magnifies last digits.
double gradient(int i, int t) { return std::sin(1.7 * i + 0.93 * t) * std::pow(10.0, i % 3 - 1); }

template <class O>
void check_formula(const O& optimizer, bool decoupled) {
  OptimizerRun<double, mt::Cpu, O> run(mt::Cpu{{.threads = 1}}, optimizer, shapes);
  std::vector<Oracle> oracles;
  const auto begin = run.parameters();
  std::size_t at = 0;
  for (const auto& t : run.tensors()) {
    Oracle o;
    for (std::size_t i = 0; i < t.size(); ++i) o.p.push_back(begin[at++]);
    for (std::size_t left = t.size(); left > 0; left -= std::min<std::size_t>(left, 256)) {
      const std::size_t size = std::min<std::size_t>(left, 256);
      o.m.push_back({std::vector<unsigned>(size, mt::signed_code.zero), 0});
      o.v.push_back({std::vector<unsigned>(size, mt::unsigned_code.zero), 0});
    }
    oracles.push_back(o);
  }
  for (int t = 1; t <= 100; ++t) {
    run.step([t](std::size_t i) { return gradient(static_cast<int>(i), t); });
  }
  const mt::AdamRule rule{.weight_decay = optimizer.weight_decay, .decoupled = decoupled};
  for (int t = 1; t <= 100; ++t) {
    int n = 0;
    for (Oracle& o : oracles) {
      std::vector<double> g;
      for (std::size_t i = 0; i < o.p.size(); ++i, ++n) g.push_back(gradient(n, t));
      o.step(optimizer, rule, g, t);
    }
  }
  std::vector<double> wanted;
  for (const Oracle& o : oracles) wanted.insert(wanted.end(), o.p.begin(), o.p.end());
  CHECK(test::worst_error(run.parameters(), wanted) < 1e-11);
}

}  // namespace

TEST_CASE("Dynamic codes are those of bitsandbytes") {
  for (const bool is_signed : {true, false}) {
    const auto& code = is_signed ? mt::signed_code : mt::unsigned_code;
    const auto map = dynamic_map(is_signed);
    REQUIRE(map.size() == 256);
    for (std::size_t i = 0; i < 256; ++i) {
      CAPTURE(is_signed, i);
      CHECK(code.numbers[i] == test::Approx(map[i]).epsilon(1e-7));
    }
    CHECK(code.numbers[code.zero] == 0);
    CHECK(code.numbers[code.zero + code.top] == 1);
  }
}

TEST_CASE("The place of a number is that of the nearest code") {
  for (const auto* code : {&mt::signed_code, &mt::unsigned_code}) {
    std::size_t wrong = 0;
    const auto check = [&](float x) { wrong += code->zero + code->place(x) != nearest(*code, x) ? 1 : 0; };
    for (std::uint32_t bits = 0; bits <= 0x3f800000u; bits += 9973) check(std::bit_cast<float>(bits));
    for (unsigned i = code->zero; i < 255; ++i) {  // the borders, and the floats beside them
      const float border = (code->numbers[i] + code->numbers[i + 1]) * 0.5f;
      check(std::nextafter(border, 0.0f));
      check(std::nextafter(border, 2.0f));
      CHECK(code->zero + code->place(border) == i);
      CHECK(code->zero + code->place(code->numbers[i]) == i);
    }
    CHECK(wrong == 0);
    CHECK(code->place(1) == code->top);
    CHECK(code->place(0) == 0);
    CHECK(code->place(std::numeric_limits<float>::quiet_NaN()) == 0);
  }
}

TEST_CASE("Adam8bit and AdamW8bit are the formula in double with the same codes") {
  check_formula(mt::Adam8bit{}, false);
  check_formula(mt::Adam8bit{.weight_decay = 0.1}, false);
  check_formula(mt::AdamW8bit{.learning_rate = 0.01, .weight_decay = 0.1}, true);
}

TEST_CASE("The first step of Adam8bit is that of Adam, to the bit") {
  OptimizerRun<float, mt::Cpu, mt::Adam8bit> bytes(mt::Cpu{{.threads = 1}}, {.weight_decay = 0.1}, shapes);
  OptimizerRun<float, mt::Cpu, mt::Adam> scalars(mt::Cpu{{.threads = 1}}, {.weight_decay = 0.1}, shapes);
  bytes.fixture_steps(1);
  scalars.fixture_steps(1);
  CHECK(test::same_bits(bytes.parameters(), scalars.parameters()));
}

TEST_CASE("Adam8bit gives every size, thread and instruction set the same bits", "[exactness][threads]") {
  const auto check = [](const auto& optimizer) {
    using O = std::decay_t<decltype(optimizer)>;
    for (const std::size_t size : {0u, 1u, 31u, 33u, 255u, 256u, 257u, 20'001u}) {
      const auto after = [&](const mt::CpuOptions& options) {
        OptimizerRun<float, mt::Cpu, O> run(mt::Cpu{options}, optimizer, {{size}, {3, size}, {2, 2}});
        run.fixture_steps(3);
        return run.everything();
      };
      const auto wanted = after({.threads = 1});
      CAPTURE(size);
      CHECK(test::same_bits(after({.threads = 2, .work_per_thread = 1}), wanted));
      CHECK(test::same_bits(after({.threads = 3, .work_per_thread = 1}), wanted));
      if (mt::cpu::best_isa() >= mt::Isa::avx2) {
        CHECK(test::same_bits(after({.threads = 1, .isa = mt::Isa::avx2}), wanted));
      }
    }
  };
  check(mt::AdamW8bit{});
  check(mt::Adam8bit{.weight_decay = 0.1});
  check(mt::without_decay_on_biases(mt::AdamW8bit{}));
}

TEST_CASE("A value that is not finite does not vanish in the codes") {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  OptimizerRun<float, mt::Cpu, mt::Adam8bit> run(mt::Cpu{{.threads = 1}}, {}, {{300}});
  run.step([](std::size_t i) { return i == 7 ? static_cast<double>(nan) : 1.0; });
  run.step([](std::size_t) { return 1.0; });
  const auto p = run.parameters();
  for (std::size_t i = 0; i < p.size(); ++i) {
    CAPTURE(i);
    CHECK(std::isnan(p[i]) == (i < 256));  // all of its block
  }
}

TEST_CASE("Adam8bit learns what Adam learns") {
  const auto data = mt::synthetic_classification({.samples = 2000, .features = 16, .classes = 4, .seed = 11});
  const mt::Sequential model{mt::Dense{16, 64}, mt::ReLU{}, mt::Dense{64, 4}};
  const auto train = [&](const auto& optimizer) {
    mt::Trainer trainer{mt::Cpu{{.threads = 1}},
                        model,
                        mt::SoftmaxCrossEntropy{},
                        optimizer,
                        {.epochs = 10, .batch_size = 50, .seed = 3}};
    const double before = trainer.evaluate(data).loss;
    trainer.fit(data);
    const auto after = trainer.evaluate(data);
    CHECK(after.loss < 0.6 * before);
    return after;
  };
  const auto scalars = train(mt::Adam{}), bytes = train(mt::Adam8bit{});
  CAPTURE(scalars.loss, bytes.loss, scalars.accuracy, bytes.accuracy);
  CHECK(std::abs(bytes.loss - scalars.loss) < 0.1 * scalars.loss);
  CHECK(std::abs(bytes.accuracy - scalars.accuracy) < 0.01);
}

TEST_CASE("Adam8bit takes two bytes for a parameter, and eight for a block") {
  // Codes up to the end of the last of tensors of 35, 7, 7, 7 and 21 elements, whole floats; five blocks of two
  // scalars.
  CHECK(test::state_bytes_of(mt::Adam8bit{}) == 2 * (48 + 16 + 16 + 16 + 24) + 5 * 2 * sizeof(float));
  const mt::Sequential wide{mt::Dense{784, 512, false}};
  const auto plan = mt::plan(wide, mt::SoftmaxCrossEntropy{}, mt::AdamW8bit{}, {}, mt::Cpu{{.threads = 1}});
  CHECK(plan.moments == 784 * 512 * 2 + 784 * 512 / 256 * 8);
  test::check_state_file(mt::Adam8bit{.learning_rate = 0.01});
  test::check_state_file(mt::AdamW8bit{.learning_rate = 0.01});
  test::check_state_file(mt::EMA<mt::AdamW8bit>{});
  CHECK(mt::Adam8bit::moment_name(2) == std::string("absmax"));
}

TEST_CASE("Options of Adam8bit outside their range are refused, each by name") {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), -1.0}) {
    test::check_refused(mt::Adam8bit{.learning_rate = bad}, "Adam8bit: learning_rate is");
    test::check_refused(mt::Adam8bit{.beta1 = bad}, "beta1 is");
    test::check_refused(mt::Adam8bit{.beta2 = bad}, "beta2 is");
    test::check_refused(mt::Adam8bit{.epsilon = bad}, "epsilon is");
    test::check_refused(mt::AdamW8bit{.weight_decay = bad}, "AdamW8bit: weight_decay is");
  }
  test::check_refused(mt::AdamW8bit{.beta1 = 1}, "beta1 is 1");
  test::check_refused(mt::AdamW8bit{.epsilon = 0}, "epsilon is 0");
}

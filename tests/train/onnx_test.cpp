#include <minitrain/data/npy.hpp>
#include <minitrain/train/onnx.hpp>
#include <minitrain/trainer.hpp>

#include "io/support.hpp"
#include "support/errors.hpp"
#include "support/python.hpp"

namespace mt = minitrain;

namespace user {

/// y = 2·x, with a name in ONNX.
struct Twice {
  std::string name() const { return "Twice"; }
  mt::Shape output_shape(const mt::Shape& x) const { return x; }
  template <class T, class Device>
  void forward(const Device&, const mt::ForwardPass<T, Device>& p) const {
    for (std::size_t i = 0; i < p.x.size(); ++i) p.y[i] = 2 * p.x[i];
  }
  template <class T, class Device>
  void backward(const Device&, const mt::BackwardPass<T, Device>& p) const {
    for (std::size_t i = 0; i < p.dx.size(); ++i) p.dx[i] = 2 * p.dy[i];
  }
};
std::string onnx_layer(const Twice&, mt::OnnxLayer& l) { return l.graph.node("Add", {l.x, l.x}); }

/// y = x, of a fixed width, so that it can be a whole model.
struct Through : Twice {
  std::string name() const { return "Through"; }
  std::size_t input_columns() const { return 3; }
};
std::string onnx_layer(const Through&, mt::OnnxLayer& l) { return l.x; }

/// A layer without one.
struct Unknown {
  std::string name() const { return "Unknown{2}"; }
  mt::Shape output_shape(const mt::Shape& x) const { return x; }
  template <class T, class Device>
  void forward(const Device&, const mt::ForwardPass<T, Device>&) const {}
  template <class T, class Device>
  void backward(const Device&, const mt::BackwardPass<T, Device>&) const {}
};

}  // namespace user

namespace {

/// Writes the model after a few steps, what went in and what came out, for the other side.
template <class T = float, mt::Model M, class Loss = mt::MeanSquaredError>
void write(const std::string& path, const M& model, const Loss& loss = {}) {
  const mt::ModelDescription description = mt::describe(model);
  const std::size_t in = description.input_columns(), out = description.output_columns();
  mt::Trainer<T, mt::Cpu> trainer{mt::Cpu{}, model, loss, mt::Adam{.learning_rate = 0.05f}, {.epochs = 3, .seed = 11}};
  if constexpr (std::is_same_v<Loss, mt::MeanSquaredError>) {
    trainer.fit(mt::synthetic_regression({.samples = 100, .features = in, .seed = 3, .targets = out}));
  } else {
    trainer.fit(mt::synthetic_classification({.samples = 100, .features = in, .classes = out, .seed = 3}));
  }
  mt::Tensor<T> x(mt::Shape{257, in});
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(std::sin(static_cast<double>(i * i)) * 3);
  mt::write_onnx(path, model, trainer.parameters());
  mt::write_npy(path + ".x.npy", x.view());
  mt::write_npy(path + ".y.npy", trainer.predict(mt::View<const T>(x)).view());
}

}  // namespace

TEST_CASE("onnxruntime computes what the trainer predicts", "[train]") {
  const test::Folder folder;
  using mt::Dense, mt::LayerNorm, mt::Sequential;
  using enum mt::ActivationKind;
  for (const mt::ActivationKind kind : {identity, relu, leaky_relu, tanh, sigmoid, gelu, silu}) {
    for (const std::size_t n : {1, 31, 33, 257}) {
      const std::string name = "kind" + std::to_string(static_cast<int>(kind)) + "_" + std::to_string(n) + ".onnx";
      write(folder / name, mt::Mlp{.widths = {n, 33, n}, .activation = {kind, 0.25}});
    }
  }
  for (const std::size_t n : {1, 31, 33}) {
    const std::string name = std::to_string(n) + ".onnx";
    write(folder / ("inside" + name), Sequential{Dense{n, 33}, LayerNorm{33, 1e-3}, mt::Softmax{}, mt::Dropout{0.5},
                                                 user::Twice{}, mt::GELU{}, Dense{33, n}});
    // What comes first and last, with no operation at the end.
    write(folder / ("ends" + name), Sequential{mt::Tanh{}, Dense{n, 5}, mt::SiLU{}, mt::Dropout{0.5}});
  }
  write(folder / "classes.onnx", Sequential{Dense{31, 257}, mt::ReLU{}, LayerNorm{257}, Dense{257, 10}, mt::Softmax{}},
        mt::SoftmaxCrossEntropy{});
  write(folder / "plain.onnx", Sequential{Dense{7, 3, false}});
  write(folder / "user.onnx", Sequential{Dense{7, 3}, user::Twice{}});
  write<double>(folder / "double.onnx", Sequential{Dense{10, 33}, mt::Tanh{}, LayerNorm{33}, Dense{33, 2}});
  const mt::Tensor<float> x(mt::Shape{2, 3}, {1, 2, 3, 4, 5, 6});
  const std::string through = folder / "through.onnx";
  mt::write_onnx(through, Sequential{user::Through{}}, mt::Tensor<float>(mt::Shape{0}));
  mt::write_npy(through + ".x.npy", x.view());
  mt::write_npy(through + ".y.npy", x.view());
  const std::string python = test::python_with("numpy, onnx, onnxruntime");
  if (!python.empty()) CHECK(test::run_python(python, __FILE__, "onnx_interop.py", folder / ""));
}

TEST_CASE("what ONNX has no place for is refused, and no file replaced", "[train]") {
  const test::Folder folder;
  const std::string path = folder / "model.onnx";
  test::write_all(path, "old");
  const mt::Sequential model{mt::Dense{3, 2}, mt::ReLU{}, user::Unknown{}};
  mt::Tensor<float> parameters(mt::Shape{8});
  test::check_error<mt::DataError>(
      mt::ErrorCode::unsupported, [&] { mt::write_onnx(path, model, parameters); }, "layer 2, Unknown{2}",
      "onnx_layer()");
  const mt::Sequential known{mt::Dense{3, 2}};
  test::check_error<mt::ShapeError>(
      mt::ErrorCode::count_mismatch, [&] { mt::write_onnx(path, known, mt::Tensor<float>(mt::Shape{9})); },
      "9 parameters, but the model has 8");
  parameters[7] = HUGE_VALF;
  test::check_error<mt::NumericError>(mt::ErrorCode::non_finite, [&] { mt::write_onnx(path, known, parameters); });
  CHECK(test::read_all(path) == "old");
  mt::OnnxGraph graph(4, 1, 1);
  const float value = 0;
  test::check_error<mt::DataError>(
      mt::ErrorCode::overflow,
      [&] {
        graph.array<float>("x", {}, {&value, std::size_t{1} << 29});
      },
      "2 GiB");
}

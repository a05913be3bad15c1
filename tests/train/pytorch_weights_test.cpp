// Weights of every layer to PyTorch's nn.Sequential and back, and the same outputs on both sides.

#include <minitrain/data/npy.hpp>
#include <minitrain/trainer.hpp>

#include <functional>

#include "io/support.hpp"
#include "support/errors.hpp"
#include "support/python.hpp"

namespace mt = minitrain;

namespace {

/// A folder for the other side, and what to do when it has been there.
struct Exchange {
  std::string folder;
  std::function<void()> check;
};

template <class T = float, mt::Model M>
Exchange give(const std::string& folder, const std::string& layers, const M& model) {
  std::filesystem::create_directory(folder);
  test::write_all(folder + "/model.txt", layers);
  const mt::ModelDescription description = mt::describe(model);
  const std::size_t in = description.input_columns(), out = description.output_columns();
  auto trainer = std::make_shared<mt::Trainer<T, mt::Cpu>>(
      mt::Cpu{}, model, mt::MeanSquaredError{}, mt::Adam{.learning_rate = 0.05f}, mt::TrainerOptions{.seed = 5});
  trainer->fit(mt::synthetic_regression({.samples = 100, .features = in, .seed = 3, .targets = out}));
  auto x = std::make_shared<mt::Tensor<T>>(mt::Shape{33, in});
  for (std::size_t i = 0; i < x->size(); ++i) (*x)[i] = static_cast<T>(std::sin(static_cast<double>(i * i)) * 3);
  trainer->save_weights(folder + "/ours.safetensors");
  mt::write_npy(folder + "/x.npy", x->view());
  mt::write_npy(folder + "/y.npy", trainer->predict(mt::View<const T>(*x)).view());
  return {folder, [=] {
            trainer->load_weights(folder + "/theirs.safetensors");
            const mt::Tensor<T> y = trainer->predict(mt::View<const T>(*x));
            const mt::Table wanted = mt::map_npy_table(folder + "/theirs_y.npy");
            REQUIRE((wanted.rows == y.rows() && wanted.columns == y.columns()));
            std::vector<T> numbers(y.size());
            std::memcpy(numbers.data(), wanted.data, numbers.size() * sizeof(T));
            double largest = 0, difference = 0;
            for (std::size_t i = 0; i < y.size(); ++i) {
              largest = std::max(largest, static_cast<double>(std::abs(numbers[i])));
              difference = std::max(difference, static_cast<double>(std::abs(numbers[i] - y[i])));
            }
            CHECK(difference <= 1e-5 * largest);
          }};
}

}  // namespace

TEST_CASE("PyTorch loads our weights and we load its, of every layer, with the same outputs", "[train]") {
  std::string python = test::python_with("torch, safetensors.torch, numpy");
  if (python.empty()) python = test::python_with("safetensors, numpy");  // which knows PyTorch's definitions
  if (python.empty()) return;
  const test::Folder folder;
  using mt::Dense, mt::Sequential;
  const std::vector<Exchange> models{
      give(folder / "mlp", "nn.Linear(31, 33)\nnn.ReLU()\nnn.Linear(33, 257)\nnn.ReLU()\nnn.Linear(257, 1)\n",
           mt::Mlp{.widths = {31, 33, 257, 1}}),
      give(folder / "shapes", "nn.Linear(1, 5, bias=False)\nnn.Tanh()\nnn.LayerNorm(5, eps=1e-3)\nnn.Linear(5, 2)\n",
           Sequential{Dense{1, 5, false}, mt::Tanh{}, mt::LayerNorm{5, 1e-3}, Dense{5, 2}}),
      give(
          folder / "functions",
          "nn.LeakyReLU(0.25)\nnn.Linear(7, 33)\nnn.GELU()\nnn.Dropout(0.5)\nnn.Linear(33, 9)\nnn.SiLU()\nnn.Linear(9, "
          "4)\nnn.Sigmoid()\nnn.Softmax(dim=1)\n",
          Sequential{mt::LeakyReLU{0.25}, Dense{7, 33}, mt::GELU{}, mt::Dropout{0.5}, Dense{33, 9}, mt::SiLU{},
                     Dense{9, 4}, mt::Sigmoid{}, mt::Softmax{}}),
      give<double>(folder / "double", "nn.Linear(10, 33)\nnn.Tanh()\nnn.Linear(33, 3)\n",
                   Sequential{Dense{10, 33}, mt::Tanh{}, Dense{33, 3}}),
  };
  REQUIRE(test::run_python(python, __FILE__, "pytorch_weights.py", models[0].folder, models[1].folder, models[2].folder,
                           models[3].folder));
  for (const Exchange& model : models) {
    INFO(model.folder);
    model.check();
  }
}

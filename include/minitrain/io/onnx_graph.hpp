#pragma once
// OnnxGraph: operations on named values, as a file that ONNX runtimes execute.

#include <minitrain/core/error.hpp>
#include <minitrain/io/protobuf.hpp>
#include <minitrain/io/text.hpp>

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// A whole or real number beside an operation: {"axis", -1}, {"alpha", 0.01f}.
struct OnnxAttribute {
  std::string_view name;
  bool is_whole;
  std::int64_t whole = 0;
  float real = 0;

  OnnxAttribute(std::string_view attribute, int value) : name(attribute), is_whole(true), whole(value) {}
  OnnxAttribute(std::string_view attribute, float value) : name(attribute), is_whole(false), real(value) {}
};

/// One graph from one matrix [batch, columns] to another. Values have names; every function returns that of what it
/// makes. Operators are those of https://onnx.ai/onnx/operators in operator set 17 (LayerNormalization is the newest
/// that the library's layers want), format version 8: ONNX 1.12 of 2022, and what came after it. Field numbers are
/// those of onnx.proto.
class OnnxGraph {
 public:
  static constexpr std::int64_t operator_set = 17, format_version = 8;

  /// `bytes_per_number`: 4 for float, 8 for double.
  OnnxGraph(std::size_t bytes_per_number, std::size_t input_columns, std::size_t output_columns)
      : type_(bytes_per_number == 4 ? 1 : 11), in_(input_columns), out_(output_columns) {}

  /// Operator(inputs), "Gemm" for one.
  std::string node(std::string_view op, std::initializer_list<std::string_view> inputs,
                   std::initializer_list<OnnxAttribute> attributes = {}) {
    Node node{.output = joined({"value_", nodes_.size()}), .rest = {}};
    for (const std::string_view name : inputs) node.rest.text(1, name);
    node.rest.text(3, joined({op, "_", nodes_.size()})).text(4, op);
    for (const OnnxAttribute& attribute : attributes) {
      detail::io::ProtobufMessage content;
      content.text(1, attribute.name);
      if (attribute.is_whole) {
        content.integer(3, attribute.whole).integer(20, 2);
      } else {
        content.real(2, attribute.real).integer(20, 1);
      }
      node.rest.message(5, content);
    }
    nodes_.push_back(std::move(node));
    return nodes_.back().output;
  }

  /// An array of the graph's numbers, row-major, under a name that nothing else has. Throws DataError (overflow) when
  /// the file would pass 2 GiB, which no program reads.
  template <class T>
  std::string array(const std::string& name, std::span<const std::size_t> extents, std::span<const T> values) {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
    size_ += values.size_bytes() + name.size() + 100;
    if (size_ > (std::uint64_t{1} << 31) - (1 << 20)) {
      throw DataError(ErrorCode::overflow,
                      "onnx: more than 2 GiB of parameters, and an ONNX file holds no more: save_weights() writes "
                      "files of any size");
    }
    detail::io::ProtobufMessage tensor;
    for (const std::size_t extent : extents) tensor.integer(1, static_cast<std::int64_t>(extent));
    tensor.integer(2, sizeof(T) == 4 ? 1 : 11).text(8, name);
    tensor.text(9, {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
    arrays_.message(5, tensor);
    return name;
  }
  /// One number, for operators that take it beside a matrix.
  std::string number(double value) {
    const std::string name = joined({"number_", numbers_++});
    const auto narrow = static_cast<float>(value);
    return type_ == 1 ? array<float>(name, {}, {&narrow, 1}) : array<double>(name, {}, {&value, 1});
  }

  /// The file, when `result` is what comes out.
  std::string file(const std::string& result) {
    // The last value takes the output's name; what is no node's has none to take.
    if (nodes_.empty() || nodes_.back().output != result) static_cast<void>(node("Identity", {result}));
    nodes_.back().output = output_name;
    detail::io::ProtobufMessage graph, operators, model;
    for (const Node& node : nodes_) {
      detail::io::ProtobufMessage whole = node.rest;
      graph.message(1, whole.text(2, node.output));
    }
    graph.text(2, "minitrain").append(arrays_);
    graph.message(11, matrix(input_name, in_)).message(12, matrix(output_name, out_));
    operators.text(1, "").integer(2, operator_set);
    model.integer(1, format_version).text(2, "minitrain").text(3, MINITRAIN_VERSION);
    return model.message(7, graph).message(8, operators).bytes();
  }

  static constexpr const char *input_name = "input", *output_name = "output";

 private:
  struct Node {
    std::string output;
    detail::io::ProtobufMessage rest;
  };

  /// A matrix of any number of rows.
  detail::io::ProtobufMessage matrix(std::string_view name, std::size_t columns) const {
    detail::io::ProtobufMessage batch, width, shape, tensor, type, value;
    shape.message(1, batch.text(2, "batch")).message(1, width.integer(1, static_cast<std::int64_t>(columns)));
    type.message(1, tensor.integer(1, type_).message(2, shape));
    return value.text(1, name).message(2, type);
  }

  std::int64_t type_;  // of TensorProto.DataType
  std::size_t in_, out_;
  std::vector<Node> nodes_;
  detail::io::ProtobufMessage arrays_;
  std::uint64_t size_ = 0;
  std::size_t numbers_ = 0;
};

}  // namespace minitrain::inline MINITRAIN_ABI

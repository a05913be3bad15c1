#pragma once
// Protocol buffers, written by hand: what ONNX models and TensorBoard's event files are made of.

#include <minitrain/config.hpp>

#include <bit>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace minitrain::inline MINITRAIN_ABI::detail::io {

/// A message being written: fields one after another, each a key (number·8 + wire type) and a value.
///   varint (wire type 0)   seven bits a byte, lowest first, the highest bit set in all but the last
///   fixed64 (1), fixed32 (5)   little-endian
///   length-delimited (2)   a varint with the size, then texts, bytes or another message
/// https://protobuf.dev/programming-guides/encoding/
class ProtobufMessage {
 public:
  /// int32, int64, enumerations (negative ones as ten bytes, as the format wants them) and bool.
  ProtobufMessage& integer(std::uint32_t field, std::int64_t value) {
    key(field, 0);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  ProtobufMessage& real(std::uint32_t field, float value) {
    key(field, 5);
    fixed(std::bit_cast<std::uint32_t>(value));
    return *this;
  }
  ProtobufMessage& real(std::uint32_t field, double value) {
    key(field, 1);
    fixed(std::bit_cast<std::uint64_t>(value));
    return *this;
  }
  ProtobufMessage& text(std::uint32_t field, std::string_view value) {
    key(field, 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  ProtobufMessage& message(std::uint32_t field, const ProtobufMessage& value) { return text(field, value.bytes_); }

  /// The fields of another message of the same kind, behind those that are here.
  ProtobufMessage& append(const ProtobufMessage& more) {
    bytes_ += more.bytes_;
    return *this;
  }

  const std::string& bytes() const noexcept { return bytes_; }

 private:
  void key(std::uint32_t field, std::uint32_t wire_type) { varint(std::uint64_t{field} << 3 | wire_type); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  template <std::unsigned_integral U>
  void fixed(U value) {
    for (std::size_t i = 0; i < sizeof(U); ++i) bytes_ += static_cast<char>(value >> (8 * i));
  }

  std::string bytes_;
};

}  // namespace minitrain::inline MINITRAIN_ABI::detail::io

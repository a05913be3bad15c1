#pragma once
// Failures of the library are these exceptions (and std::bad_alloc where the standard library finds no memory); a
// message says what was wanted, what was found, what to do.

#include <minitrain/core/text.hpp>

#include <stdexcept>

namespace minitrain::inline MINITRAIN_ABI {

/// What kind of fault it is, for programs; the message is for people.
enum class ErrorCode {
  invalid_argument,    // an option outside its range: batch of zero, learning rate that is not a number, ...
  shape_mismatch,      // two shapes that had to agree do not
  bad_shape,           // a shape that cannot be: rank 0 or past the limit, a negative or overflowing extent
  empty_data,          // a data set or batch with nothing in it
  label_out_of_range,  // a class label outside [0, classes)
  count_mismatch,      // two lists that had to be of one length are not
  non_finite,          // NaN or infinity where a finite number is needed
  io_error,            // the operating system refused; the message holds its words
  truncated,           // the file ends before what it announces
  trailing_bytes,      // the file goes on after what it announces
  bad_magic,           // not a file of the expected format
  bad_header,          // the header breaks the format's rules
  header_too_large,    // the header announces more than the format or the file allows
  duplicate_key,       // one name twice
  unknown_dtype,       // an element type the library does not read
  bad_number,          // text where a number belongs, or a number that is not one the format allows
  overflow,            // a size past what 63 bits hold
  bad_offsets,         // byte ranges that overlap, leave holes or point outside
  size_mismatch,       // bytes and shape disagree
  checksum_mismatch,   // the bytes are not those that were written
  missing_tensor,      // a parameter the file does not hold
  unexpected_tensor,   // a tensor the model has no place for
  unsupported,         // right in the format, but not supported here
  ragged_row,          // a CSV row with more or fewer fields than the header
  missing_column,      // a named column that is not there
  device_unavailable,  // a device that was asked for and is not there
  out_of_memory,       // an allocation that failed
  timed_out,           // what did not come within the time allowed
  state_mismatch,      // a state of another run: its model, optimizer, seed, data or batch size is another
  function_failed,     // a function of the user's that threw; what it threw is nested
};

/// Base of all exceptions thrown by the library. A message is a text, or pieces as joined() takes them:
///   throw DataError(code, {"row ", 3, " is empty"});
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const char* message) : std::runtime_error(message), code_(code) {}
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[gnu::cold, gnu::noinline]] Error(ErrorCode code, std::initializer_list<TextPiece> message)
      : std::runtime_error(joined(message)), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// Shapes that cannot be, or do not fit together.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// Data or a file that is not what it should be.
class DataError : public Error {
 public:
  using Error::Error;
};

/// An option outside its range.
class OptionError : public Error {
 public:
  explicit OptionError(const char* message) : Error(ErrorCode::invalid_argument, message) {}
  explicit OptionError(const std::string& message) : Error(ErrorCode::invalid_argument, message) {}
  explicit OptionError(std::initializer_list<TextPiece> message) : Error(ErrorCode::invalid_argument, message) {}
};

/// A loss, gradient or parameter that is not a finite number.
class NumericError : public Error {
 public:
  explicit NumericError(const char* message) : Error(ErrorCode::non_finite, message) {}
  explicit NumericError(const std::string& message) : Error(ErrorCode::non_finite, message) {}
  explicit NumericError(std::initializer_list<TextPiece> message) : Error(ErrorCode::non_finite, message) {}
};

/// A device that is missing, or failed.
class DeviceError : public Error {
 public:
  using Error::Error;
};

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// Differences: all that keeps a file from being loaded, in one message.

#include <minitrain/io/text.hpp>
#include <minitrain/train/state_fields.hpp>

#include <algorithm>
#include <initializer_list>

namespace minitrain::inline MINITRAIN_ABI {

inline bool allows(const LoadOptions& options, std::string_view name) {
  return std::find(options.allow.begin(), options.allow.end(), name) != options.allow.end();
}

class Differences {
 public:
  /// Fields that both know, but not the options of another optimizer. Throws OptionError for a name to allow that is
  /// none.
  void compare(const StateFields& here, const StateFields& in_file, const LoadOptions& options) {
    bool same_optimizer = true;
    for (const std::string& name : options.allow) {
      const auto is = [&](const auto& field) { return field.first == name; };
      if (name == "data" || std::any_of(here.begin(), here.end(), is) ||
          std::any_of(in_file.begin(), in_file.end(), is))
        continue;
      std::string known = "\"data\"";
      for (const auto& field : here) known += ", \"" + field.first + "\"";
      throw OptionError({"LoadOptions: there is no field ", detail::io::quoted(name), " to allow; there are ", known});
    }
    for (const auto& [name, value] : here) {
      const std::string& wanted = name;
      const auto found =
          std::find_if(in_file.begin(), in_file.end(), [&](auto& field) { return field.first == wanted; });
      if (found == in_file.end() || found->second == value) continue;
      if (name == "optimizer") same_optimizer = false;
      if (!same_optimizer && name.starts_with("optimizer.")) continue;
      if (allows(options, name)) continue;
      add(ErrorCode::state_mismatch,
          {name, " is ", detail::io::shown(found->second), " in the file, ", detail::io::shown(value), " here"});
      fields_ += (fields_.empty() ? "\"" : ", \"") + name + "\"";
    }
  }

  /// The first one gives the error its code.
  void add(ErrorCode code, std::initializer_list<TextPiece> what) {
    if (count_++ == 0) code_ = code;
    if (count_ <= most) text_ += (text_.empty() ? "" : "; ") + joined(what);
  }

  /// Throws DataError when there are any.
  void throw_any(const std::string& path) const {
    if (count_ == 0) return;
    const std::string more = count_ > most ? joined({"; and ", count_ - most, " more"}) : "";
    const std::string allow =
        fields_.empty() ? "" : joined({", or allow what differs, LoadOptions{.allow = {", fields_, "}}"});
    throw DataError(
        code_, {detail::io::shown(path), ": does not fit: ", text_, more,
                ": load a file saved from the same model, optimizer and options", allow, ", or load_weights() alone"});
  }

 private:
  static constexpr std::size_t most = 20;

  std::string text_, fields_;
  std::size_t count_ = 0;
  ErrorCode code_ = ErrorCode::state_mismatch;
};

}  // namespace minitrain::inline MINITRAIN_ABI

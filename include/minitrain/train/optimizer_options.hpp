#pragma once
// optimizer_options: the options of an optimizer as text, so that a run can be compared with the one it goes on with.

#include <minitrain/core/text.hpp>

#include <string>
#include <utility>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// (name, value) of each option. An optimizer of your own may say what its options are,
///   std::vector<std::pair<std::string, std::string>> options() const;
/// of others, the members with the names that optimizers have are taken.
template <class Optimizer>
std::vector<std::pair<std::string, std::string>> optimizer_options(const Optimizer& o) {
  if constexpr (requires { o.options(); }) {
    return o.options();
  } else {
    std::vector<std::pair<std::string, std::string>> list;
    const auto add = [&](const char* name, double value) { list.emplace_back(name, joined({value})); };
    if constexpr (requires { add("", o.learning_rate); }) add("learning_rate", o.learning_rate);
    if constexpr (requires { add("", o.momentum); }) add("momentum", o.momentum);
    if constexpr (requires { add("", o.nesterov); }) add("nesterov", o.nesterov);
    if constexpr (requires { add("", o.alpha); }) add("alpha", o.alpha);
    if constexpr (requires { add("", o.centered); }) add("centered", o.centered);
    if constexpr (requires { add("", o.beta1); }) add("beta1", o.beta1);
    if constexpr (requires { add("", o.beta2); }) add("beta2", o.beta2);
    if constexpr (requires { add("", o.epsilon); }) add("epsilon", o.epsilon);
    if constexpr (requires { add("", o.weight_decay); }) add("weight_decay", o.weight_decay);
    return list;
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI

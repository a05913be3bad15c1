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
    const auto add = [&](const char* name, auto value) {
      list.emplace_back(name, joined({static_cast<double>(value)}));
    };
    if constexpr (requires { static_cast<double>(o.learning_rate); }) add("learning_rate", o.learning_rate);
    if constexpr (requires { static_cast<double>(o.momentum); }) add("momentum", o.momentum);
    if constexpr (requires { static_cast<double>(o.nesterov); }) add("nesterov", o.nesterov);
    if constexpr (requires { static_cast<double>(o.alpha); }) add("alpha", o.alpha);
    if constexpr (requires { static_cast<double>(o.centered); }) add("centered", o.centered);
    if constexpr (requires { static_cast<double>(o.beta1); }) add("beta1", o.beta1);
    if constexpr (requires { static_cast<double>(o.beta2); }) add("beta2", o.beta2);
    if constexpr (requires { static_cast<double>(o.beta2_decay); }) add("beta2_decay", o.beta2_decay);
    if constexpr (requires { static_cast<double>(o.epsilon); }) add("epsilon", o.epsilon);
    if constexpr (requires { static_cast<double>(o.epsilon1); }) add("epsilon1", o.epsilon1);
    if constexpr (requires { static_cast<double>(o.epsilon2); }) add("epsilon2", o.epsilon2);
    if constexpr (requires { static_cast<double>(o.weight_decay); }) add("weight_decay", o.weight_decay);
    if constexpr (requires { static_cast<double>(o.lr_decay); }) add("lr_decay", o.lr_decay);
    if constexpr (requires { static_cast<double>(o.initial_accumulator_value); })
      add("initial_accumulator_value", o.initial_accumulator_value);
    if constexpr (requires { static_cast<double>(o.clip_threshold); }) add("clip_threshold", o.clip_threshold);
    if constexpr (requires { static_cast<double>(o.relative_step); }) add("relative_step", o.relative_step);
    if constexpr (requires { static_cast<double>(o.scale_parameter); }) add("scale_parameter", o.scale_parameter);
    if constexpr (requires { static_cast<double>(o.warmup_init); }) add("warmup_init", o.warmup_init);
    if constexpr (requires { static_cast<double>(o.adapt_biases); }) add("adapt_biases", o.adapt_biases);
    if constexpr (requires { static_cast<double>(o.trust_coefficient); }) add("trust_coefficient", o.trust_coefficient);
    if constexpr (requires { static_cast<double>(o.decay); }) add("decay", o.decay);
    if constexpr (requires { static_cast<double>(o.bias_correction); }) add("bias_correction", o.bias_correction);
    if constexpr (requires { static_cast<double>(o.k); }) add("k", o.k);
    if constexpr (requires { o.list.front().learning_rate_factor; }) {  // groups
      std::string groups;
      for (const auto& group : o.list) {
        groups += joined({groups.empty() ? "" : ", ", group.match.empty() ? "any" : group.match,
                          group.vectors_only ? " (vectors)" : "", " x", group.learning_rate_factor});
        if (group.weight_decay) groups += joined({" decay ", *group.weight_decay});
      }
      list.emplace_back("groups", groups);
    }
    if constexpr (requires { optimizer_options(o.optimizer); }) {
      for (auto& [name, value] : optimizer_options(o.optimizer)) list.emplace_back("inner_" + name, value);
    }
    return list;
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI

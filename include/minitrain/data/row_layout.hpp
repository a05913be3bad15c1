#pragma once
// RowLayout: what the columns of a table of samples are called.

#include <minitrain/core/error.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace minitrain::inline MINITRAIN_ABI {

/// A row is the features, then the answers: several real targets, or one label when `classes` is not 0, or none.
struct RowLayout {
  std::vector<std::string> features = {};     // a name for each column
  std::vector<std::string> targets = {};      // a name for each column of answers, the label's too
  std::size_t classes = 0;                    // 0: real targets, or no answers
  std::vector<std::string> class_names = {};  // of the classes from 0 on; empty when they have none

  std::size_t columns() const noexcept { return features.size() + targets.size(); }

  friend bool operator==(const RowLayout&, const RowLayout&) = default;
};

}  // namespace minitrain::inline MINITRAIN_ABI

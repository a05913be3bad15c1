#pragma once
// name_of(RunStatus): as logs have it.

#include <minitrain/train/history.hpp>

namespace minitrain::inline MINITRAIN_ABI::detail {

inline const char* name_of(RunStatus status) noexcept {
  constexpr const char* names[] = {"finished", "stopped", "early_stopped", "interrupted", "failed"};
  return names[static_cast<int>(status)];
}

}  // namespace minitrain::inline MINITRAIN_ABI::detail

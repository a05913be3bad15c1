#pragma once
// What the engine asks of the device it stands for.

#include <cstddef>

namespace simt::engine {

int compute_capability();                                       // 10 major + minor
std::size_t shared_limit();                                     // of a block, static and dynamic: bytes
void need_capability(int capability, const char* instruction);  // fails the kernel on an older device

}  // namespace simt::engine

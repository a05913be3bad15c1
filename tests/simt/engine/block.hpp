#pragma once
// What a launch consists of while it runs: threads, warps, blocks.

#include "fiber.hpp"

#include <simt/builtins.hpp>
#include <simt/checker.hpp>
#include <simt/site.hpp>

#include <cstdlib>
#include <memory>
#include <vector>

namespace simt::engine {

enum class State : std::uint8_t { ready, block_barrier, warp_collective, grid_barrier, done };
enum class Op { barrier, shuffle_up, shuffle_down, shuffle_xor, shuffle_idx, vote, match, mma, ldmatrix };
const char* name_of(Op);

/// Lanes of a warp that meet: what each brought, until all have come.
struct Collective {
  Op op;
  unsigned mask, arrived;
  int present;  // lanes that have not yet gone on
  Site site;
  alignas(16) std::byte data[32][48];
};

/// An asynchronous copy that a thread has issued.
struct Copy {
  std::byte* to;
  const std::byte* from;
  int bytes, source_bytes;
  bool done;
};

struct Block;

struct Thread : ThreadInfo {
  Fiber fiber;
  uint3 index{};
  Block* owner = nullptr;
  State state = State::ready;
  Site site{};
  const Collective* collective = nullptr;
  std::vector<Copy> open_copies;
  std::vector<std::vector<Copy>> copy_groups;  // oldest first
};

struct Warp {
  Thread* lanes[32] = {};
  unsigned exists = 0, exited = 0;
  std::vector<std::unique_ptr<Collective>> collectives;  // owned here: a fiber that is given up destroys nothing
  std::vector<Collective*> open, idle;
};

struct Free {
  void operator()(std::byte* p) const { std::free(p); }
};

/// A block's shared memory.
struct Slab {
  std::unique_ptr<std::byte[], Free> bytes;
  std::size_t size = 0, used = 0;
};

struct Variable {
  const void* key;
  std::byte* address;
};

struct Block {
  uint3 index{};
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  unsigned alive = 0, waiting = 0;
  std::uint32_t epoch = 0;
  int votes = 0, vote_result = 0, voters = 0;
  Slab slab;
  std::byte* dynamic = nullptr;
  std::size_t static_bytes = 0;
  std::vector<Variable> variables;
};

}  // namespace simt::engine

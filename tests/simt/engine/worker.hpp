#pragma once
// One OS thread's scheduler: runs the threads of a block, or of all blocks of a cooperative launch, in turn.

#include "block.hpp"
#include "launch.hpp"
#include "report.hpp"

#include <exception>

namespace simt::engine {

/// A collective that is complete, for one of its lanes; the last one to go on gives it back.
class Meeting {
 public:
  Meeting(Warp& warp, Collective& c) : warp_(warp), collective_(c) {}
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;
  ~Meeting() {
    if (--collective_.present == 0) warp_.idle.push_back(&collective_);
  }
  const Collective* operator->() const { return &collective_; }

 private:
  Warp& warp_;
  Collective& collective_;
};

struct Worker {
  const Launch* launch = nullptr;
  Fiber scheduler;
  std::vector<Block>* group = nullptr;  // the blocks under way
  Thread* running = nullptr;
  bool inside = true;  // the engine itself runs, not the kernel
  std::vector<Thread*> ready, next;
  StackPool stacks;
  std::vector<Slab> free_slabs;
  std::exception_ptr failure;
  std::uint64_t random = 0;
  unsigned grid_waiting = 0, grid_alive = 0;
  std::uint32_t grid_epoch = 0;

  std::uint64_t next_random() {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random;
  }

  void begin(Block&, uint3 index);
  void end(Block&);
  void run_group(std::vector<Block>&);
  void resume(Thread&);
  void wait(State, Site);  // until somebody wakes the running thread
  void wake(Thread& t) {
    t.state = State::ready;
    next.push_back(&t);
  }
  void exit_thread(Thread&);
  void release_block(Block&);
  void release_grid();
  std::string waiting_list() const;

  Warp& warp() { return running->owner->warps[running->warp]; }
  bool complete(Warp&, Collective&);
  template <class Finish>
  Meeting meet(Op, unsigned mask, const void* data, std::size_t bytes, Site, Finish finish);
  Meeting meet(Op, unsigned mask, const void* data, std::size_t bytes, Site);

 private:
  void begin_shared_memory(Block&);
  Collective& join(Op, unsigned mask, const void* data, std::size_t bytes, Site);
};

Worker& this_worker();
Checker* checker();
std::uint32_t next_serial();

/// Stands at the head of whatever kernels call, so that a checker can tell the kernel's accesses from ours.
struct Inside {
  Worker& worker = this_worker();
  Inside() { worker.inside = true; }
  ~Inside() { worker.inside = false; }
};

/// Joins the lanes of `mask` in one collective operation, or reports why they cannot be joined. The last to come calls
/// `finish` with what all have brought; everybody returns after that.
template <class Finish>
Meeting Worker::meet(Op op, unsigned mask, const void* data, std::size_t bytes, Site site, Finish finish) {
  Warp& w = warp();
  Collective& c = join(op, mask, data, bytes, site);
  if (c.arrived == (c.mask & w.exists & ~w.exited)) {
    finish(c, w);
    complete(w, c);
  } else {
    wait(State::warp_collective, site);
  }
  return {w, c};
}

}  // namespace simt::engine

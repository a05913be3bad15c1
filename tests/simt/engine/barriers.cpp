// Barriers of a block and of a grid. A barrier knows its source line: threads that meet at different ones diverge.

#include "worker.hpp"

#include <simt/kernel.hpp>
#include <simt/options.hpp>

#include <algorithm>

namespace simt {
namespace engine {

void Worker::release_block(Block& b) {
  b.waiting = 0;
  ++b.epoch;
  b.vote_result = b.votes;
  b.voters = static_cast<int>(b.alive);  // some may return before others look at the result
  b.votes = 0;
  for (auto& t : b.threads) {
    t.epoch = b.epoch;
    if (t.state == State::block_barrier && &t != running) wake(t);
  }
}

void Worker::release_grid() {
  grid_waiting = 0;
  ++grid_epoch;
  for (auto& b : *group) {
    for (auto& t : b.threads) {
      t.grid_epoch = grid_epoch;
      if (t.state == State::grid_barrier && &t != running) wake(t);
    }
  }
}

}  // namespace engine

int block_barrier_reduce(BarrierOp op, int predicate, Site site) {
  using namespace engine;
  const Inside inside;
  Worker& w = inside.worker;
  Block& b = *w.running->owner;
  if (b.alive < b.threads.size() && !options().allow_early_exit) {
    fail("waits in __syncthreads at " + text(site) +
         text(" though %zu threads of its block have returned", b.threads.size() - b.alive));
  }
  if (b.waiting > 0) {
    const auto other = std::find_if(b.threads.begin(), b.threads.end(),
                                    [](const Thread& o) { return o.state == State::block_barrier; });
    if (!(other->site == site)) {
      fail("diverges: it waits in __syncthreads at " + text(site) + ", thread " + text(other->index) +
           " in the one at " + text(other->site));
    }
  }
  if (predicate != 0) ++b.votes;
  if (++b.waiting == b.alive) {
    w.release_block(b);
  } else {
    w.wait(State::block_barrier, site);
  }
  const int votes = b.vote_result;
  if (op == BarrierOp::all) return votes == b.voters ? 1 : 0;
  if (op == BarrierOp::any) return votes > 0 ? 1 : 0;
  return votes;
}

void block_barrier(Site site) { block_barrier_reduce(BarrierOp::count, 0, site); }

void grid_barrier(Site site) {
  using namespace engine;
  const Inside inside;
  Worker& w = inside.worker;
  if (!w.launch->cooperative) fail("grid sync at " + text(site) + " in a launch that is not cooperative");
  if (++w.grid_waiting == w.grid_alive) {
    w.release_grid();
  } else {
    w.wait(State::grid_barrier, site);
  }
}

}  // namespace simt

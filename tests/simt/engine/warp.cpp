// Warp collectives wait for the lanes of their mask, which must agree on operation, mask and line.

#include "worker.hpp"

#include <simt/kernel.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace simt {
namespace engine {

const char* name_of(Op op) {
  switch (op) {
    case Op::barrier:
      return "__syncwarp";
    case Op::shuffle_up:
      return "__shfl_up_sync";
    case Op::shuffle_down:
      return "__shfl_down_sync";
    case Op::shuffle_xor:
      return "__shfl_xor_sync";
    case Op::shuffle_idx:
      return "__shfl_sync";
    case Op::vote:
      return "a warp vote";
    case Op::match:
      return "__match_any_sync";
    case Op::mma:
      return "mma.sync";
    default:
      return "ldmatrix";
  }
}

// Ends a collective once every lane of its mask that has not returned is there.
bool Worker::complete(Warp& w, Collective& c) {
  if (c.arrived != (c.mask & w.exists & ~w.exited)) return false;
  if (c.op == Op::barrier) {  // orders memory among the lanes: each learns what all have done
    std::uint32_t known[32] = {};
    for (int l = 0; l < 32; ++l) {
      if ((c.arrived >> l & 1u) == 0) continue;
      const Thread& t = *w.lanes[l];
      for (int k = 0; k < 32; ++k) known[k] = std::max(known[k], t.seen[k]);
      known[l] = std::max(known[l], t.clock);
    }
    for (int l = 0; l < 32; ++l) {
      if ((c.arrived >> l & 1u) == 0) continue;
      std::copy(known, known + 32, w.lanes[l]->seen);
      ++w.lanes[l]->clock;
    }
  }
  c.present = std::popcount(c.arrived);
  for (int l = 0; l < 32; ++l) {
    if ((c.arrived >> l & 1u) != 0 && w.lanes[l] != running) wake(*w.lanes[l]);
  }
  std::erase(w.open, &c);
  return true;
}

Collective& Worker::join(Op op, unsigned mask, const void* data, std::size_t bytes, Site site) {
  Thread& t = *running;
  Warp& w = warp();
  const unsigned me = 1u << t.lane;
  if ((mask & me) == 0) {
    fail(std::string(name_of(op)) + text(" with mask 0x%08x, which leaves out the calling lane %u, at ", mask, t.lane) +
         text(site));
  }
  const auto mine = std::find_if(w.open.begin(), w.open.end(), [&](auto* o) { return (o->mask & me) != 0; });
  Collective* c = nullptr;
  if (mine != w.open.end()) {
    c = *mine;
    if (c->op != op || c->mask != mask || !(c->site == site)) {
      fail(std::string(name_of(op)) + text(" with mask 0x%08x at ", mask) + text(site) +
           text(", while lanes 0x%08x wait for lane %u in ", c->arrived, t.lane) + name_of(c->op) +
           text(" with mask 0x%08x at ", c->mask) + text(c->site));
    }
  } else {
    if (w.idle.empty()) {
      w.collectives.push_back(std::make_unique<Collective>());
      w.idle.push_back(w.collectives.back().get());
    }
    c = w.idle.back();
    w.idle.pop_back();
    c->op = op;
    c->mask = mask;
    c->arrived = 0;
    c->site = site;
    w.open.push_back(c);
  }
  c->arrived |= me;
  std::memcpy(c->data[t.lane], data, bytes);
  t.collective = c;
  return *c;
}

Meeting Worker::meet(Op op, unsigned mask, const void* data, std::size_t bytes, Site site) {
  return meet(op, mask, data, bytes, site, [](Collective&, Warp&) {});
}

}  // namespace engine

using engine::Inside;
using engine::Op;

void warp_barrier(unsigned mask, Site site) {
  const Inside inside;
  const char none = 0;
  inside.worker.meet(Op::barrier, mask, &none, 1, site);
}

void shuffle(Shuffle kind, unsigned mask, void* value, std::size_t bytes, int operand, int width, Site site) {
  const Inside inside;
  engine::Worker& w = inside.worker;
  if (bytes > sizeof(engine::Collective::data[0])) fail("shuffles a value that is too large");
  if (!std::has_single_bit(static_cast<unsigned>(width)) || width > 32)
    fail(engine::text("shuffle of width %d", width));
  const Op op = kind == Shuffle::up     ? Op::shuffle_up
                : kind == Shuffle::down ? Op::shuffle_down
                : kind == Shuffle::bfly ? Op::shuffle_xor
                                        : Op::shuffle_idx;
  const engine::Meeting c = w.meet(op, mask, value, bytes, site);
  const int lane = static_cast<int>(w.running->lane);
  const int first = lane & -width, last = first + width - 1;  // of the lane's segment
  int from = lane;
  switch (kind) {  // out of range means the lane's own value, as in the PTX ISA
    case Shuffle::up:
      from = lane - operand >= first ? lane - operand : lane;
      break;
    case Shuffle::down:
      from = lane + operand <= last ? lane + operand : lane;
      break;
    case Shuffle::bfly:
      from = (lane ^ operand) <= last ? lane ^ operand : lane;
      break;
    case Shuffle::idx:
      from = first | (operand & (width - 1));
      break;
  }
  if (from < 0 || from > 31 || (c->arrived >> from & 1u) == 0) {
    fail(std::string(name_of(op)) +
         engine::text(" with mask 0x%08x reads lane %d, which takes no part, at ", mask, from) + engine::text(site));
  }
  std::memcpy(value, c->data[from], bytes);
}

unsigned vote(Vote kind, unsigned mask, int predicate, Site site) {
  const Inside inside;
  const engine::Meeting c = inside.worker.meet(Op::vote, mask, &predicate, sizeof predicate, site);
  unsigned ballot = 0;
  for (unsigned l = 0; l < 32; ++l) {
    int p = 0;
    if ((c->arrived >> l & 1u) != 0) std::memcpy(&p, c->data[l], sizeof p);
    ballot |= (p != 0 ? 1u : 0u) << l;
  }
  if (kind == Vote::ballot) return ballot;
  return (kind == Vote::any ? ballot != 0 : ballot == c->arrived) ? 1 : 0;
}

unsigned match_any(unsigned mask, const void* value, std::size_t bytes, Site site) {
  const Inside inside;
  const engine::Meeting c = inside.worker.meet(Op::match, mask, value, bytes, site);
  unsigned same = 0;
  for (unsigned l = 0; l < 32; ++l) {
    if ((c->arrived >> l & 1u) != 0) same |= (std::memcmp(c->data[l], value, bytes) == 0 ? 1u : 0u) << l;
  }
  return same;
}

}  // namespace simt

// Graphs: captured work that runs again and again, each node after those it depends on.

#include "call.hpp"

#include <simt/options.hpp>

#include <algorithm>

using namespace simt::runtime;

namespace {

// With seed 0 in the order of the capture, with others in any that the dependencies allow.
void run_nodes(const Nodes& nodes, std::uint64_t& random) {
  const auto seed = simt::options().seed;
  std::set<const CUgraphNode_st*> done;
  while (done.size() < nodes.size()) {
    std::vector<const CUgraphNode_st*> able;
    for (const auto& n : nodes) {
      const bool ready = std::all_of(n->after.begin(), n->after.end(), [&](auto* a) { return done.count(a) != 0; });
      if (done.count(n.get()) == 0 && ready) able.push_back(n.get());
    }
    random = random * 6364136223846793005ull + seed;
    const auto pick = seed == 0 ? 0 : seed == 1 ? able.size() - 1 : (random >> 33) % able.size();
    able[pick]->work();
    if (the_runtime().device_state() != cudaSuccess) return;
    done.insert(able[pick]);
  }
}

}  // namespace

// nodes == nullptr asks for the number only.
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  return call(Needs::device, [=](Runtime& r) {
    const CUgraph_st* const g = r.graphs.find(graph);
    if (g == nullptr || count == nullptr) return cudaErrorInvalidValue;
    if (nodes == nullptr) {
      *count = g->nodes.size();
      return cudaSuccess;
    }
    for (std::size_t i = 0; i < *count; ++i) nodes[i] = i < g->nodes.size() ? g->nodes[i].get() : nullptr;
    *count = std::min(*count, g->nodes.size());
    return cudaSuccess;
  });
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  return call(Needs::device, [=](Runtime&) {
    if (node == nullptr || type == nullptr) return cudaErrorInvalidValue;
    *type = node->type;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* out, cudaGraph_t graph, unsigned long long) {
  return call(Needs::device, [=](Runtime& r) {
    const CUgraph_st* const g = r.graphs.find(graph);
    if (g == nullptr || out == nullptr) return cudaErrorInvalidValue;
    *out = r.executables.add(std::make_unique<CUgraphExec_st>(CUgraphExec_st{g->nodes}));
    return cudaSuccess;
  });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t stream) {
  return call(Needs::device, [=](Runtime& r) {
    if (r.executables.find(executable) == nullptr) return cudaErrorInvalidValue;
    return r.find_stream(stream) != nullptr ? cudaSuccess : cudaErrorInvalidResourceHandle;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return call(Needs::device, [=](Runtime& r) {
    const CUgraphExec_st* const g = r.executables.find(executable);
    CUstream_st* const s = r.find_stream(stream);
    if (g == nullptr) return cudaErrorInvalidValue;
    if (s == nullptr) return cudaErrorInvalidResourceHandle;
    if (const auto e = r.forbid(s->capture != nullptr); e != cudaSuccess) return e;  // child graphs are not emulated
    return r.submit(stream, cudaGraphNodeTypeKernel, [&r, nodes = g->nodes] { run_nodes(nodes, r.random); });
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return call_to_release(
      [=](Runtime& r) { return r.executables.remove(executable) ? cudaSuccess : cudaErrorInvalidValue; });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return call_to_release([=](Runtime& r) { return r.graphs.remove(graph) ? cudaSuccess : cudaErrorInvalidValue; });
}

// Options from the environment.

#include <simt/options.hpp>

#include <cstdlib>

namespace simt {

namespace {

std::uint64_t environment(const char* name, std::uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
}

}  // namespace

Options& options() {
  static Options o = [] {
    Options x;
    x.seed = environment("SIMT_SEED", x.seed);
    x.os_threads = static_cast<unsigned>(environment("SIMT_THREADS", x.os_threads));
    x.preempt = static_cast<unsigned>(environment("SIMT_PREEMPT", x.preempt));
    x.defer = environment("SIMT_DEFER", x.defer ? 1 : 0) != 0;
    return x;
  }();
  return o;
}

}  // namespace simt

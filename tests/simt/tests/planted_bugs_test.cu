// Planted bugs and who must notice them. Each runs in a child process, in several orders; the correct twin must give
// the right answer, the bug must be noticed by the flavour that claims it: by a report, by a sanitizer or by a wrong
// result.

#include "planted_bugs.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

using namespace test;
using Floats = std::vector<float>;

#if defined(__has_feature)
#define SIMT_HAS(feature) __has_feature(feature)
#else
#define SIMT_HAS(feature) 0
#endif

namespace {

#if defined(__SANITIZE_ADDRESS__) || SIMT_HAS(address_sanitizer)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

Floats ramp(std::size_t n, float scale = 1) {
  Floats v(n);
  for (std::size_t i = 0; i < n; ++i) v[i] = scale * static_cast<float>(i + 1);
  return v;
}
Floats reversed(const Floats& v) { return {v.rbegin(), v.rend()}; }

/// The arrays that the cases share: made in the child, so that nothing of one reaches another.
struct Arrays {
  Array<float> x{ramp(64)}, y{64}, x32{ramp(32)}, y32{32};

  template <class... P, class... A>
  bool gives(const Floats& want, void (*kernel)(P...), unsigned grid, unsigned block, A... more) const {
    const bool narrow = want.size() == 32;
    const float* const in = narrow ? x32.data() : x.data();
    cuda::launch(kernel, grid, block, 0, nullptr, in, (narrow ? y32 : y).data(), more...);
    return (narrow ? y32 : y).get() == want;
  }
};

Floats every_fourth() {
  Floats v = ramp(64);
  for (std::size_t i = 0; i < 64; ++i) v[i] = static_cast<float>(i / 4 * 4 + 1);
  return v;
}
Floats sum_at_the_end() {
  Floats v(64, 0.0f);
  v[63] = 2080;
  return v;
}
Floats folded() {  // the first 16 lanes have their sum
  Floats v = ramp(32);
  for (std::size_t i = 0; i < 16; ++i) v[i] = 136;
  return v;
}
Floats doubled() {
  Floats v = ramp(32);
  for (std::size_t i = 0; i < 16; ++i) v[i] *= 2;
  return v;
}

template <bool Bug>
bool lost_update(const Arrays& a) {
  const Array<float> one(Floats{0});
  cuda::launch(planted::lost_update<Bug>, 16, 32, 0, nullptr, static_cast<const float*>(a.x.data()), one.data());
  return one.get() == Floats{136};
}

template <bool Bug>
bool missing_grid_sync(const Arrays& a) {
  const Array<unsigned> counter(std::vector<unsigned>{0});
  cuda::launch_cooperative(planted::missing_grid_sync<Bug>, 2, 32, 0, nullptr, static_cast<const float*>(a.x.data()),
                           a.y.data(), counter.data());
  return a.y.get() == reversed(ramp(64));
}

template <bool Bug>
bool host_pointer(const Arrays& a) {
  const auto host = ramp(64);
  cuda::launch(planted::copy<float>, 1, 64, 0, nullptr, Bug ? host.data() : a.x.data(), a.y.data());
  return a.y.get() == host;
}

template <bool Bug>
bool freed_memory(const Arrays& a) {
  float* p = nullptr;
  cuda::check(cudaMalloc(&p, 256), "cudaMalloc");
  cuda::check(cudaMemcpy(p, a.x.data(), 256, cudaMemcpyDeviceToDevice), "cudaMemcpy");
  if (Bug) cuda::check(cudaFree(p), "cudaFree");
  return a.gives(ramp(64), planted::copy<float>, 1, 64) &&
         (cuda::launch(planted::copy<float>, 1, 64, 0, nullptr, static_cast<const float*>(p), a.y.data()),
          a.y.get() == ramp(64));
}

template <bool Bug>
bool freed_in_stream_order(const Arrays& a) {
  const Stream stream;
  float* p = nullptr;
  cuda::check(cudaMallocAsync(&p, 256, stream), "cudaMallocAsync");
  cuda::launch(planted::copy<float>, 1, 64, 0, stream, static_cast<const float*>(a.x.data()), p);
  if (Bug) cuda::check(cudaFreeAsync(p, stream), "cudaFreeAsync");
  cuda::launch(planted::copy<float>, 1, 64, 0, stream, static_cast<const float*>(p), a.y.data());
  if (!Bug) cuda::check(cudaFreeAsync(p, stream), "cudaFreeAsync");
  cuda::check(cudaStreamSynchronize(stream), "wait");
  return a.y.get() == ramp(64);
}

template <bool Bug>
bool used_before_allocated(const Arrays& a) {  // the memory is there when its own stream has come to it
  simt::options().defer = true;
  const Stream owner, user;
  const Event allocated(cudaEventDisableTiming);
  float* p = nullptr;
  cuda::check(cudaMallocAsync(&p, 256, owner), "cudaMallocAsync");
  cuda::check(cudaEventRecord(allocated, owner), "record");
  if (!Bug) cuda::check(cudaStreamWaitEvent(user, allocated), "wait");
  cuda::launch(planted::copy<float>, 1, 64, 0, user, static_cast<const float*>(a.x.data()), p);
  cuda::launch(planted::copy<float>, 1, 64, 0, user, static_cast<const float*>(p), a.y.data());
  cuda::check(cudaStreamSynchronize(user), "wait");
  cuda::check(cudaFreeAsync(p, user), "cudaFreeAsync");
  return a.y.get() == ramp(64);
}

template <bool Bug>
bool device_pointer_on_host(const Arrays& a) {
  cuda::launch(planted::copy<float>, 1, 64, 0, nullptr, static_cast<const float*>(a.x.data()), a.y.data());
  return (Bug ? a.y.data() : a.y.get().data())[3] == 4;
}

template <bool Bug>
bool missing_synchronise(const Arrays& a) {
  simt::options().defer = true;
  Floats host(64);
  cuda::launch(planted::copy<float>, 1, 64, 0, nullptr, static_cast<const float*>(a.x.data()), a.y.data());
  cuda::check(cudaMemcpyAsync(host.data(), a.y.data(), 256, cudaMemcpyDeviceToHost, nullptr), "copy");
  if (!Bug) cuda::check(cudaDeviceSynchronize(), "wait");
  const bool right = host == ramp(64);
  cuda::check(cudaDeviceSynchronize(), "wait");
  return right;
}

template <bool Bug>
bool missing_event(const Arrays& a) {  // one stream reads what another has written
  simt::options().defer = true;
  const Stream writer, reader;
  const Event written(cudaEventDisableTiming);
  const Array<float> middle(Floats(64, 0.0f));
  cuda::launch(planted::copy<float>, 1, 64, 0, writer, static_cast<const float*>(a.x.data()), middle.data());
  cuda::check(cudaEventRecord(written, writer), "record");
  if (!Bug) cuda::check(cudaStreamWaitEvent(reader, written), "wait");
  cuda::launch(planted::copy<float>, 1, 64, 0, reader, static_cast<const float*>(middle.data()), a.y.data());
  cuda::check(cudaStreamSynchronize(reader), "wait");
  return a.y.get() == ramp(64);
}

template <bool Bug>
bool pinned_source_reused(const Arrays& a) {  // the copy still reads it; pageable memory would have been staged
  simt::options().defer = true;
  float* host = nullptr;
  cuda::check(cudaMallocHost(&host, 256), "cudaMallocHost");
  for (int i = 0; i < 64; ++i) host[i] = static_cast<float>(i + 1);
  cuda::check(cudaMemcpyAsync(a.y.data(), host, 256, cudaMemcpyHostToDevice, nullptr), "copy");
  if (!Bug) cuda::check(cudaStreamSynchronize(nullptr), "wait");
  host[0] = 0;
  return a.y.get() == ramp(64);
}

template <bool Bug>
bool too_much_shared(const Arrays& a) {
  cuda::launch(planted::scratchpad<float>, 1, 64, Bug ? 240u << 10 : 100u << 10, nullptr, a.y.data());
  return a.y.get() == Floats(64, 1.0f);
}

template <bool Bug>
bool grid_too_tall(const Arrays& a) {
  cuda::launch(planted::copy<float>, dim3(1, Bug ? 70000 : 1), 64, 0, nullptr, static_cast<const float*>(a.x.data()),
               a.y.data());
  return a.y.get() == ramp(64);
}

struct Case {
  const char* name;
  bool by_sanitized, by_checked;  // who must notice it, in ascending order of threads and streams ...
  bool any_order;                 // ... the checker in any
  bool (*correct)(const Arrays&), (*bug)(const Arrays&);
};

#define GIVES(name, Bug, want, ...) [](const Arrays& a) { return a.gives(want, planted::name<Bug>, __VA_ARGS__); }
#define KERNEL(name, by_sanitized, by_checked, want, ...) \
  { #name, by_sanitized, by_checked, true, GIVES(name, false, want, __VA_ARGS__), GIVES(name, true, want, __VA_ARGS__) }
// clang-format off
#define SCENE(name, by_sanitized, by_checked) \
  { #name, by_sanitized, by_checked, false, name<false>, name<true> }
// clang-format on

const Case cases[] = {
    KERNEL(missing_barrier, true, true, reversed(ramp(64)), 1, 64),
    KERNEL(missing_second_barrier, true, true, reversed(ramp(64, 3)), 1, 64),
    KERNEL(overwritten_too_early, false, true, sum_at_the_end(), 1, 64),
    KERNEL(missing_syncwarp, true, true, reversed(ramp(32)), 1, 32),
    KERNEL(tile_edge, true, true, ramp(64), 2, 48, 64u),
    KERNEL(shared_overrun, true, true, ramp(64), 1, 64),
    KERNEL(row_overrun, true, true, ramp(64), 1, 64),
    KERNEL(uninitialised_shared, true, true, reversed(ramp(64)), 1, 64),
    KERNEL(uninitialised_maximum, false, true, Floats(64, 64.0f), 1, 64),
    KERNEL(divergent_barrier, true, true, reversed(ramp(64)), 1, 64),
    KERNEL(early_return, true, true, reversed(ramp(32)), 1, 64, 32u),
    KERNEL(shuffle_mask, true, true, folded(), 1, 32),
    KERNEL(shuffle_source, true, true, doubled(), 1, 32),
    KERNEL(misaligned_vector, true, false, Floats(64, 10.0f), 1, 64),
    KERNEL(misaligned_shared, true, false, every_fourth(), 1, 64),
    KERNEL(own_copy_not_awaited, true, true, ramp(64), 1, 64),
    KERNEL(missing_copy_wait, true, true, reversed(ramp(64)), 1, 64),
    KERNEL(host_variable, false, true, ramp(64), 1, 64),
    SCENE(lost_update, false, true),
    SCENE(missing_grid_sync, true, true),
    SCENE(host_pointer, false, true),
    SCENE(freed_memory, true, true),
    SCENE(freed_in_stream_order, true, true),
    SCENE(used_before_allocated, true, true),
    SCENE(device_pointer_on_host, true, false),
    SCENE(missing_synchronise, true, true),
    SCENE(missing_event, true, true),
    SCENE(pinned_source_reused, true, true),
    SCENE(too_much_shared, true, true),
    SCENE(grid_too_tall, true, true),
};

struct Outcome {
  std::string what, said;
};

Outcome outcome(bool (*run)(const Arrays&), std::uint64_t seed) {
  int pipes[2];
  REQUIRE(pipe(pipes) == 0);
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    dup2(pipes[1], 2);
    for (const int s : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGTERM}) std::signal(s, SIG_DFL);  // not Catch's
    int code = 0;
    try {
      simt::options().seed = seed;
      code = run(Arrays{}) ? 0 : 10;
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
      code = 11;
    }
    std::fflush(stderr);
    _exit(code);
  }
  close(pipes[1]);
  Outcome o;
  char buffer[4096];
  for (ssize_t n; (n = read(pipes[0], buffer, sizeof buffer)) > 0;) o.said.append(buffer, static_cast<std::size_t>(n));
  close(pipes[0]);
  int status = 0;
  waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  o.what = o.said.find("AddressSanitizer") != std::string::npos ? "AddressSanitizer"
           : o.said.find("runtime error") != std::string::npos  ? "UBSan"
           : code == 0                                          ? "right"
           : code == 10                                         ? "wrong result"
           : code == 11                                         ? "report"
                                                                : "crash";
  return o;
}

}  // namespace

TEST_CASE("planted bugs are noticed, and their correct twins are not", "[planted]") {
  for (const auto& c : cases) {
    DYNAMIC_SECTION(c.name) {
      for (const std::uint64_t seed : {0, 1, 7}) {
        const auto correct = outcome(c.correct, seed);
        INFO("seed " << seed << "\n" << correct.said);
        REQUIRE(correct.what == "right");
      }
      const bool claimed = sanitized ? c.by_sanitized : c.by_checked;
      for (const std::uint64_t seed : {0, 1, 7}) {
        if (seed > 0 && (sanitized || !c.any_order)) break;
        const auto bug = outcome(c.bug, seed);
        INFO("seed " << seed << "\n" << bug.said);
        if (claimed) CHECK(bug.what != "right");
        CHECK(bug.what != "crash");
        // A report by the emulator says where: a thread or a launch, and the line or the kernel's name.
        if (bug.what == "report") CHECK_THAT(bug.said, test::ContainsSubstring("planted"));
      }
    }
  }
}

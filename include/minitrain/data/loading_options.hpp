#pragma once
// LoadingOptions: how samples that are not in memory are read, and in which order; DataLoaderOptions.

#include <minitrain/io/machine_memory.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>

namespace minitrain::inline MINITRAIN_ABI {

/// What a shuffled epoch mixes. `automatic` is by blocks when the files behind the data are larger than the memory
/// limit, and else by samples: reading single rows of a cold file takes a hundred times as long as reading it.
enum class Mixing {
  automatic,
  samples,  // any sample may come at any time
  blocks,   // stretches of the file are drawn at random, and the samples of some tens of them mixed
};

/// For data that is not in memory; what is in memory is gathered by the device itself, unless workers are asked for.
/// `mixing` and `memory_limit` decide the order of a shuffled epoch; the others never change a bit of any batch.
struct LoadingOptions {
  std::optional<std::size_t> workers = {};  // threads that read ahead; 0: none, whoever wants a batch reads it;
                                            // nothing: one, and more while training has to wait for them
  std::size_t depth = 0;           // slots that are read ahead; 0: two more than workers; up to 16 more, but 16 MiB, of
                                   // small ones; of large ones 64 MiB; a quarter of a memory_limit that is set
  std::uint64_t memory_limit = 0;  // bytes of files in memory at a time, mixed by blocks; by samples the system keeps
                                   // what it has room for; 0: half of what the machine has
  Mixing mixing = Mixing::automatic;
  double deadline = 0;  // seconds to wait for workers before DataError (timed_out); 0: for ever. The error comes out
                        // when the function that is waited for returns: give it a std::stop_token

  /// memory_limit, in bytes.
  std::uint64_t limit() const { return memory_limit != 0 ? memory_limit : machine_memory() / 2; }
  static std::size_t cores() noexcept { return std::max(1u, std::thread::hardware_concurrency()); }
  /// Threads that read ahead at first, and at most.
  std::size_t first_workers() const noexcept { return workers.value_or(cores() > 1 || deadline > 0 ? 1 : 0); }
  std::size_t most_workers() const noexcept { return workers.value_or(std::min<std::size_t>(cores(), 8)); }
  /// Slots of so many bytes. Of small ones many, since a worker that sleeps is woken for half of them at a time; of
  /// large ones few, but one that is used, one that is filled, one that is there.
  std::size_t slots(std::uint64_t bytes) const noexcept {
    if (depth != 0) return depth;
    if (first_workers() == 0) return 1;
    const std::uint64_t each = std::max<std::uint64_t>(bytes, 1), workers_there = most_workers();
    const std::uint64_t wanted = std::clamp((16 << 20) / each, workers_there + 2, workers_there + 16);
    const std::uint64_t most = std::min<std::uint64_t>(64 << 20, memory_limit != 0 ? memory_limit / 4 : 64 << 20);
    return static_cast<std::size_t>(std::clamp<std::uint64_t>(most / each, 3, wanted));
  }

  /// Throws OptionError for an option outside its range.
  void check(const char* who) const {
    constexpr std::size_t most = 256;
    if (workers && *workers > most) throw OptionError({who, ": ", *workers, " workers: ask for 0 to 256"});
    if (depth > most) {
      throw OptionError({who, ": a depth of ", depth, ": ask for 1 to 256, or 0 for the library's choice"});
    }
    if (deadline > 0 && workers == std::size_t{0}) {
      throw OptionError({who, ": a deadline, but no workers to wait for: ask for workers, or for no deadline"});
    }
    if (!(deadline >= 0 && deadline < 1e9)) {
      throw OptionError({who, ": a deadline of ", deadline, " seconds: ask for 0, which is none, to 1e9"});
    }
  }
};

struct DataLoaderOptions {
  std::size_t batch_size = 32;  // 1 to 2^31; of all ranks together
  bool shuffle = false;         // a new order each epoch; else the order of the data set
  std::uint64_t seed = 0;       // of the orders, and of what varies in the samples
  bool drop_last = false;       // leave out a last batch that is not full
  std::size_t rank = 0;         // this loader hands out part `rank` of each batch, of `ranks` parts as equal as can be;
  std::size_t ranks = 1;        // together they are the batch, no sample left out and none twice
  std::size_t micro_batch_size = 0;  // pieces in which batches will be asked for, of next(); 0: whole
  LoadingOptions loading = {};
};

}  // namespace minitrain::inline MINITRAIN_ABI

#pragma once
// Permutation: a shuffle as a function, so that no list of indices is stored and any position can be asked for.

#include <minitrain/core/error.hpp>
#include <minitrain/core/random.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace minitrain::inline MINITRAIN_ABI {

/// A bijection of [0, n) chosen by (seed, epoch): p(0), p(1), ..., p(n - 1) is the order of the samples in that epoch.
///
/// A Feistel network on the cells (l, r) of a table with about sqrt(n) rows and columns, n = l·columns + r: six rounds,
/// each moving one coordinate around by a keyed hash of the other. The table has a few cells more than n; what lands
/// there goes through again. Keys from Philox. Any n from 1 to 2^63, in the same few hundred bytes. Source: Black and
/// Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002.
class Permutation {
 public:
  /// Throws OptionError for n = 0 and n above 2^63.
  constexpr Permutation(std::uint64_t n, std::uint64_t seed, std::uint64_t epoch = 0,
                        RandomPurpose purpose = RandomPurpose::shuffle)
      : n_(n) {
    if (n == 0 || n > std::uint64_t{1} << 63) {
      throw OptionError({"Permutation: of ", n, " elements: ask for 1 to 2^63"});
    }
    std::uint64_t root = 0;
    for (std::uint64_t bit = std::uint64_t{1} << 31; bit != 0; bit >>= 1) {
      if ((root + bit) * (root + bit) <= n) root += bit;
    }
    rows_ = root;
    columns_ = (n + rows_ - 1) / rows_;
    const Random random(seed, purpose, static_cast<std::uint32_t>(epoch));
    rounds_ = n < 1024 ? most_rounds : 6;
    for (std::size_t i = 0; i < rounds_; ++i) {
      // The stream takes the low half of the epoch, the block number the high half.
      const auto words = random.block((epoch >> 32 << 5) + i);
      keys_[i] = {std::uint64_t{words[0]} << 32 | words[1] | 1, std::uint64_t{words[2]} << 32 | words[3]};
    }
  }

  constexpr std::uint64_t size() const noexcept { return n_; }
  constexpr std::uint64_t columns() const noexcept { return columns_; }
  constexpr std::size_t rounds() const noexcept { return rounds_; }
  /// Whether 32-bit words hold all of it: they are then what the function is defined by.
  constexpr bool is_small() const noexcept { return n_ <= std::uint64_t{1} << 31; }

  /// What round `i` does to a cell: `moved` += hash of `fixed`, around `side`.
  template <class Word>
  struct Round {
    Word multiply, add, side;

    constexpr Word operator()(Word moved, Word fixed) const noexcept {
      constexpr int half = sizeof(Word) * 4;
      Word hash = static_cast<Word>(fixed * multiply + add);
      hash = static_cast<Word>((hash ^ (hash >> (half - 1))) * static_cast<Word>(0x9E3779B97F4A7C15u));
      moved = static_cast<Word>(moved + (((hash >> half) * side) >> half));
      return std::min(moved, static_cast<Word>(moved - side));  // one of them is below side, the other wrapped or not
    }
    /// What `moved` was before.
    constexpr Word undo(Word moved, Word fixed) const noexcept {
      const Word shift = static_cast<Word>((*this)(0, fixed));
      return moved >= shift ? static_cast<Word>(moved - shift) : static_cast<Word>(moved + (side - shift));
    }
  };
  /// Even rounds move l, the row; odd ones r, the column.
  template <class Word>
  constexpr Round<Word> round(std::size_t i) const noexcept {
    return {static_cast<Word>(keys_[i].multiply), static_cast<Word>(keys_[i].add),
            static_cast<Word>(i % 2 == 0 ? rows_ : columns_)};
  }

 private:
  // Above its uses: clang 14 evaluates no constant expression with a member template that is defined further down.
  template <class Word>
  constexpr std::uint64_t walk(std::uint64_t i) const noexcept {
    do {
      Word l = static_cast<Word>(i / columns_), r = static_cast<Word>(i % columns_);
      for (std::size_t k = 0; k < rounds_; k += 2) {
        l = round<Word>(k)(l, r);
        r = round<Word>(k + 1)(r, l);
      }
      i = std::uint64_t{l} * columns_ + r;
    } while (i >= n_);
    return i;
  }
  template <class Word>
  constexpr std::uint64_t walk_back(std::uint64_t i) const noexcept {
    do {
      Word l = static_cast<Word>(i / columns_), r = static_cast<Word>(i % columns_);
      for (std::size_t k = rounds_; k > 0; k -= 2) {
        r = round<Word>(k - 1).undo(r, l);
        l = round<Word>(k - 2).undo(l, r);
      }
      i = std::uint64_t{l} * columns_ + r;
    } while (i >= n_);
    return i;
  }

 public:
  /// The element at position i < n.
  constexpr std::uint64_t operator()(std::uint64_t i) const noexcept {
    return is_small() ? walk<std::uint32_t>(i) : walk<std::uint64_t>(i);
  }

  /// The position of element i < n.
  constexpr std::uint64_t position_of(std::uint64_t i) const noexcept {
    return is_small() ? walk_back<std::uint32_t>(i) : walk_back<std::uint64_t>(i);
  }

  /// The elements at positions first, first + 1, ..., first + out.size() - 1, all below n. Devices have a fill_order()
  /// that is several times faster.
  constexpr void fill(std::uint64_t first, std::span<std::uint64_t> out) const noexcept {
    for (std::size_t j = 0; j < out.size(); ++j) out[j] = (*this)(first + j);
  }

 private:
  static constexpr std::size_t most_rounds = 18;
  struct Key {
    std::uint64_t multiply = 1, add = 0;
  };

  std::uint64_t n_, rows_ = 1, columns_ = 1;
  std::size_t rounds_ = 0;
  std::array<Key, most_rounds> keys_{};
};

}  // namespace minitrain::inline MINITRAIN_ABI

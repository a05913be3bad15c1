// Passes of a Permutation over many positions, once per instruction set; see cpu/for_each_isa.hpp.

namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA {

/// One round over a block of cells side by side: a loop of fixed length, which compilers turn into vector instructions.
template <class Word>
MINITRAIN_INLINE void permute_round(const Permutation::Round<Word>& round, Word* moved, const Word* fixed) {
  constexpr int half = sizeof(Word) * 4;
  const Word multiply = round.multiply, add = round.add, side = round.side;
  for (std::size_t j = 0; j < permute_block; ++j) {
    Word hash = fixed[j] * multiply + add;
    hash = (hash ^ (hash >> (half - 1))) * static_cast<Word>(0x9E3779B97F4A7C15u);
    const Word x = moved[j] + (((hash >> half) * side) >> half), y = x - side;
    moved[j] = x < y ? x : y;
  }
}

/// out[j] = permutation(first + j) for at most `permute_block` positions.
template <class Word>
MINITRAIN_TARGET void permute(const Permutation& permutation, std::uint64_t first, std::uint64_t* out,
                              std::size_t count) {
  alignas(64) Word l[permute_block], r[permute_block];
  const Word columns = static_cast<Word>(permutation.columns());
  Word row = static_cast<Word>(first / permutation.columns()),
       column = static_cast<Word>(first % permutation.columns());
  if (columns >= permute_block) {  // at most one new row
    for (std::size_t j = 0; j < permute_block; ++j) {
      const Word x = static_cast<Word>(column + j), y = x - columns;
      r[j] = x < y ? x : y;
      l[j] = row + (x >= columns ? 1 : 0);
    }
  } else {
    for (std::size_t j = 0; j < permute_block; ++j) {
      l[j] = row;
      r[j] = column;
      if (++column == columns) column = 0, ++row;
    }
  }
  for (std::size_t i = 0; i < permutation.rounds(); i += 2) {
    permute_round<Word>(permutation.round<Word>(i), l, r);
    permute_round<Word>(permutation.round<Word>(i + 1), r, l);
  }
  const Word n = static_cast<Word>(permutation.size());
  Word largest = 0;
  for (std::size_t j = 0; j < permute_block; ++j) {
    l[j] = l[j] * columns + r[j];
    largest = l[j] > largest ? l[j] : largest;
  }
  for (std::size_t j = 0; j < count; ++j) out[j] = l[j];
  if (largest >= n) {  // cells behind the last one, at most a row of them, go through again
    for (std::size_t j = 0; j < count; ++j) {
      if (l[j] >= n) out[j] = permutation(l[j]);
    }
  }
}

}  // namespace minitrain::inline MINITRAIN_ABI::MINITRAIN_ISA

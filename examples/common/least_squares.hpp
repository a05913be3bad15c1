#pragma once
// Least squares with as many unknowns as one likes: the solution of smallest norm, and what it errs by.

#include <minitrain/data/sample_random.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <vector>

namespace examples {

/// Rows [n, d] of a matrix X.
struct Rows {
  std::size_t n = 0, d = 0;
  std::vector<double> x = {};

  const double* row(std::size_t i) const { return x.data() + i * d; }
};

/// G = L·Lᵀ in place, the lower half of [n, n]. Throws std::runtime_error when G is not positive definite.
inline void cholesky(std::vector<double>& g, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = g[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= g[i * n + k] * g[j * n + k];
      if (i == j && !(sum > 0)) throw std::runtime_error("cholesky: the matrix is not positive definite");
      g[i * n + j] = i == j ? std::sqrt(sum) : sum / g[j * n + j];
    }
  }
}

/// The solution b of G·b = y in place of y, from cholesky(G).
inline void solve(const std::vector<double>& l, std::size_t n, std::vector<double>& y) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) y[i] -= l[i * n + k] * y[k];
    y[i] /= l[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) y[i] -= l[k * n + i] * y[k];
    y[i] /= l[i * n + i];
  }
}

/// The b that minimises |X·b - y|, and of all those the shortest: Xᵀ(X·Xᵀ)⁻¹y for n < d, else (Xᵀ·X)⁻¹Xᵀy. It is
/// linear in y; gradient descent from 0 converges to it.
class MinimumNorm {
 public:
  explicit MinimumNorm(const Rows& rows) : rows_(rows), few_(rows.n < rows.d), size_(few_ ? rows.n : rows.d) {
    gram_.assign(size_ * size_, 0);
    if (few_) {
      for (std::size_t i = 0; i < size_; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
          for (std::size_t k = 0; k < rows.d; ++k) gram_[i * size_ + j] += rows.row(i)[k] * rows.row(j)[k];
        }
      }
    } else {
      for (std::size_t r = 0; r < rows.n; ++r) {
        for (std::size_t i = 0; i < size_; ++i) {
          for (std::size_t j = 0; j <= i; ++j) gram_[i * size_ + j] += rows.row(r)[i] * rows.row(r)[j];
        }
      }
    }
    cholesky(gram_, size_);
  }

  std::vector<double> operator()(std::vector<double> y) const {
    if (few_) solve(gram_, size_, y);
    std::vector<double> b(rows_.d);
    for (std::size_t i = 0; i < rows_.n; ++i) {
      for (std::size_t k = 0; k < rows_.d; ++k) b[k] += y[i] * rows_.row(i)[k];
    }
    if (!few_) solve(gram_, size_, b);
    return b;
  }

 private:
  const Rows& rows_;
  bool few_;
  std::size_t size_;
  std::vector<double> gram_;
};

/// E|b - beta|² for rows N(0, I), |beta| = 1, y = X·beta + noise·N(0, I):
///   n < d - 1   (1 - n/d) + noise²·n/(d - n - 1)
///   n > d + 1   noise²·d/(n - d - 1)
/// and infinite between. Hastie, Montanari, Rosset, Tibshirani 2019, arXiv:1903.08560; Nakkiran 2019,
/// arXiv:1912.07242.
inline double expected_excess(std::size_t n, std::size_t d, double noise) {
  const auto rows = static_cast<double>(n), columns = static_cast<double>(d);
  if (n + 1 < d) return 1 - rows / columns + noise * noise * rows / (columns - rows - 1);
  if (n > d + 1) return noise * noise * columns / (rows - columns - 1);
  return std::numeric_limits<double>::infinity();
}

/// One draw of all of it, the same for the same number.
struct Regression {
  Rows rows;
  std::vector<double> beta, clean, noise;  // y = clean + s·noise

  Regression(std::size_t n, std::size_t d, std::uint64_t draw)
      : rows{.n = n, .d = d, .x = std::vector<double>(n * d)}, beta(d), clean(n), noise(n) {
    minitrain::SampleRandom random(1, n, draw);
    double square = 0;
    for (double& b : beta) b = random.normal(), square += b * b;
    for (double& b : beta) b /= std::sqrt(square);
    for (double& x : rows.x) x = random.normal();
    for (std::size_t i = 0; i < n; ++i) {
      noise[i] = random.normal();
      for (std::size_t k = 0; k < d; ++k) clean[i] += rows.row(i)[k] * beta[k];
    }
  }

  /// |b - beta|² for each deviation of the noise.
  std::vector<double> excess(const std::vector<double>& deviations) const {
    const MinimumNorm solver(rows);
    const std::vector<double> of_clean = solver(clean), of_noise = solver(noise);
    std::vector<double> result(deviations.size());
    for (std::size_t s = 0; s < deviations.size(); ++s) {
      for (std::size_t k = 0; k < rows.d; ++k) {
        const double error = of_clean[k] + deviations[s] * of_noise[k] - beta[k];
        result[s] += error * error;
      }
    }
    return result;
  }
};

}  // namespace examples

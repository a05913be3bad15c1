#pragma once
// What the tests of the trainer share: data to learn from, and the code of the error that something throws.

#include <minitrain/data/synthetic.hpp>

#include "support/catch.hpp"

namespace test {

inline minitrain::Dataset labelled(std::size_t samples = 200, std::size_t classes = 3) {
  return minitrain::synthetic_classification({.samples = samples, .features = 6, .classes = classes, .seed = 5});
}

template <class F>
minitrain::ErrorCode code_of(F&& f) {
  try {
    f();
  } catch (const minitrain::Error& error) {
    return error.code();
  }
  FAIL("nothing was thrown");
  return {};
}

}  // namespace test

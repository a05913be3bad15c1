// A library without Python, which dlpack_interop.py loads into it: what a program of a user's would hand over and take.

#include <minitrain/cpu.hpp>
#include <minitrain/io/dlpack_import.hpp>

#include <cstdio>
#include <memory>

namespace mt = minitrain;

namespace {

int alive = 0;  // owners of what was given away

/// Counts itself.
struct Owner {
  mt::Tensor<float> tensor;
  explicit Owner(mt::Tensor<float>&& t) : tensor(std::move(t)) { ++alive; }
  ~Owner() { --alive; }
};

/// 0, 1, 2, ... of shape [2, 3, 5].
template <class T>
mt::Tensor<T> counting() {
  mt::Tensor<T> tensor(mt::Shape{2, 3, 5});
  for (std::size_t i = 0; i < tensor.size(); ++i) tensor[i] = static_cast<T>(i);
  return tensor;
}

template <class T>
void* exported(bool versioned) {
  if (versioned) return mt::to_dlpack<mt::dlpack::ManagedTensorVersioned>(counting<T>());
  return mt::to_dlpack(counting<T>());
}

template <class T, class M>
double sum(M* managed) {
  const mt::DlpackTensor<const T> tensor(managed);
  double total = 0;
  for (std::size_t i = 0; i < tensor.view().size(); ++i) {
    total += static_cast<double>(tensor.view()[i]) * static_cast<double>(i + 1);
  }
  return total + 1000 * static_cast<double>(tensor.view().shape().rank());
}

template <class M>
double sum_of(const char* type, M* managed) {
  switch (*type) {
    case 'f':
      return sum<float>(managed);
    case 'd':
      return sum<double>(managed);
    case 'i':
      return sum<std::int32_t>(managed);
    case 'q':
      return sum<std::int64_t>(managed);
    default:
      return sum<std::uint8_t>(managed);
  }
}

}  // namespace

extern "C" {

/// A tensor that is given away.
void* give(const char* type, int versioned) {
  switch (*type) {
    case 'f':
      return exported<float>(versioned != 0);
    case 'd':
      return exported<double>(versioned != 0);
    case 'i':
      return exported<std::int32_t>(versioned != 0);
    case 'q':
      return exported<std::int64_t>(versioned != 0);
    case '?':
      return exported<bool>(versioned != 0);
    default:
      return exported<std::uint8_t>(versioned != 0);
  }
}

/// One that is shared, read-only; how many are held is held_owners().
void* share() {
  auto owner = std::make_shared<Owner>(counting<float>());
  const mt::View<const float> view = std::as_const(owner->tensor).view();
  return mt::share_dlpack(view, std::move(owner));
}
int held_owners() { return alive; }

/// Σ (i + 1)·x_i + 1000·rank of what is taken; or NaN, the error's words, and nothing taken.
double take(const char* type, void* managed, int versioned, char* error, int size) {
  try {
    return versioned != 0 ? sum_of(type, static_cast<mt::dlpack::ManagedTensorVersioned*>(managed))
                          : sum_of(type, static_cast<mt::dlpack::ManagedTensor*>(managed));
  } catch (const mt::Error& caught) {
    std::snprintf(error, static_cast<std::size_t>(size), "%s", caught.what());
    return std::numeric_limits<double>::quiet_NaN();
  }
}
}

// The kernels for any processor, in float and double, and the model of a vector type.
//
// GCC and Clang turn vectors of 16 bytes into whatever the processor has, so this file holds
// nothing of any instruction set.
#include <cmath>

#include "kernel.h"

namespace inpaint {
namespace portable {

// `kLanes` numbers that are treated alike. `kMaxTile` is how many of them, as sums, fit the
// registers together with one factor and one row.
template <class Number>
struct PortableVector {
  using Real = Number;
  typedef Number Native __attribute__((vector_size(16)));
  static constexpr std::int32_t kLanes = 16 / sizeof(Number);
  static constexpr std::int32_t kMaxTile = 12;
  static constexpr std::int32_t kMaxBlock = 8;
  static constexpr std::int32_t kGroup = 1;
  static constexpr std::int32_t kFold = kLanes;

  Native native;

  static PortableVector load(const Number* from) {
    return {*reinterpret_cast<const Native*>(from)};
  }
  static PortableVector broadcast(Number value) { return {Native{} + value}; }
  // Makes the compiler hold a vector in a register; only called where kGroup > 1.
  static void keep(PortableVector&) {}
  static PortableVector zero() { return {Native{}}; }
  void store(Number* to) const { *reinterpret_cast<Native*>(to) = native; }

  friend PortableVector operator+(PortableVector a, PortableVector b) {
    return {a.native + b.native};
  }
  friend PortableVector operator-(PortableVector a, PortableVector b) {
    return {a.native - b.native};
  }
  friend PortableVector operator*(PortableVector a, PortableVector b) {
    return {a.native * b.native};
  }
  // a * b + c, rounded once where the processor can.
  friend PortableVector fma(PortableVector a, PortableVector b, PortableVector c) {
    return {a.native * b.native + c.native};
  }
  // 1 where x > 0, else `otherwise`.
  friend PortableVector step(PortableVector x, PortableVector otherwise) {
    return {x.native > 0 ? Native{} + 1 : otherwise.native};
  }

  // The activations let NaN through, so that a failed restart is noticed.
  friend PortableVector relu(PortableVector x) { return {x.native <= 0 ? Native{} : x.native}; }
  friend PortableVector leaky_relu(PortableVector x, PortableVector slope) {
    return {x.native > 0 ? x.native : x.native * slope.native};
  }
  friend PortableVector tanh(PortableVector x) {
    for (int i = 0; i < kLanes; ++i) x.native[i] = std::tanh(x.native[i]);
    return x;
  }
  // 1 / (1 + exp(-x)) is stable for every x: exp overflows to infinity, which gives 0.
  friend PortableVector sigmoid(PortableVector x) {
    for (int i = 0; i < kLanes; ++i) x.native[i] = 1 / (1 + std::exp(-x.native[i]));
    return x;
  }

  // Lists those lanes that are not zero (NaN included), numbered from `first`, and returns how
  // many they are. May write up to kLanes entries.
  std::int32_t list_nonzero(std::int32_t first, std::int32_t* index) const {
    std::int32_t count = 0;
    for (std::int32_t i = 0; i < kLanes; ++i) {
      index[count] = first + i;
      count += native[i] != 0;
    }
    return count;
  }
  // Lists all lanes, numbered from `first`.
  static void list_all(std::int32_t first, std::int32_t* index) {
    for (std::int32_t i = 0; i < kLanes; ++i) index[i] = first + i;
  }

  // The sum over the lanes.
  Number total() const {
    Number sum = 0;
    for (int i = 0; i < kLanes; ++i) sum += native[i];
    return sum;
  }
  // The sums of kFold vectors over their lanes, in a way that suits the instruction set...
  static PortableVector fold(const PortableVector (&rows)[kFold]) {
    PortableVector sums;
    for (int r = 0; r < kFold; ++r) sums.native[r] = rows[r].total();
    return sums;
  }
  // ... and what is left to be done to turn folded vectors into kLanes sums: nothing here.
  static PortableVector unfold(const Number* from) { return load(from); }
};

#include "fused_kernel.h"

template <class Number>
constexpr Kernel<Number> make_kernel() {
  using V = PortableVector<Number>;
  return {"portable",         V::kLanes,          V::kMaxTile,      V::kMaxBlock,
          workspace_bytes<V>, evaluate<false, V>, evaluate<true, V>};
}

}  // namespace portable

const Kernel<float> kPortableFloat = portable::make_kernel<float>();
const Kernel<double> kPortableDouble = portable::make_kernel<double>();

}  // namespace inpaint

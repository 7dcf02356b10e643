// The kernels for any processor, in float and double, with the reference vector type.
//
// GCC and Clang compile vectors of 16 bytes for any processor, so this file uses no
// particular instruction set.
#include <cmath>

#include "kernel.h"

namespace inpaint {
namespace portable {

// A vector of `kLanes` numbers.
//
//   kMaxTile   Largest number of vectors in a tile: their sums must fit into the registers
//              together with one factor and one row.
//   kMaxBlock  Maximum number of latent vectors per call.
//   kGroup     Latent vectors that the dense kernel processes at once.
//   kFold      Vectors of partial sums that `fold` combines into one.
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
  // Forces the vector into a register; only used if kGroup > 1.
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
  // a * b + c, rounded once if the processor can.
  friend PortableVector fma(PortableVector a, PortableVector b, PortableVector c) {
    return {a.native * b.native + c.native};
  }
  // 1 where x > 0, else `otherwise`.
  friend PortableVector one_if_positive(PortableVector x, PortableVector otherwise) {
    return {x.native > 0 ? Native{} + 1 : otherwise.native};
  }

  // The activations propagate NaN, so that a failed restart is noticed.
  friend PortableVector relu(PortableVector x) { return {x.native <= 0 ? Native{} : x.native}; }
  friend PortableVector leaky_relu(PortableVector x, PortableVector negative_slope) {
    return {x.native > 0 ? x.native : x.native * negative_slope.native};
  }
  friend PortableVector tanh(PortableVector x) {
    for (int i = 0; i < kLanes; ++i) x.native[i] = std::tanh(x.native[i]);
    return x;
  }
  // 1 / (1 + exp(-x)) is stable for every x: where exp overflows to infinity the result is 0.
  friend PortableVector sigmoid(PortableVector x) {
    for (int i = 0; i < kLanes; ++i) x.native[i] = 1 / (1 + std::exp(-x.native[i]));
    return x;
  }

  // Lists the units of all lanes that are not zero (NaN included), the first lane being unit
  // `first_unit`; returns how many. May write up to kLanes entries.
  std::int32_t list_nonzero(std::int32_t first_unit, std::int32_t* index) const {
    std::int32_t listed = 0;
    for (std::int32_t i = 0; i < kLanes; ++i) {
      index[listed] = first_unit + i;
      listed += native[i] != 0;
    }
    return listed;
  }
  // Lists the units of all lanes.
  static void list_all(std::int32_t first_unit, std::int32_t* index) {
    for (std::int32_t i = 0; i < kLanes; ++i) index[i] = first_unit + i;
  }

  // The sum over the lanes.
  Number total() const {
    Number sum = 0;
    for (int i = 0; i < kLanes; ++i) sum += native[i];
    return sum;
  }
  // `fold` combines kFold vectors into one of partial sums over their lanes, arranged as suits
  // the instruction set; `unfold` completes kLanes sums, in order, from folded vectors. Here
  // `fold` already sums up all lanes.
  static PortableVector fold(const PortableVector (&rows)[kFold]) {
    PortableVector sums;
    for (int r = 0; r < kFold; ++r) sums.native[r] = rows[r].total();
    return sums;
  }
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

// The two loops that take nearly all the time: the forward and the backward pass through one
// tile of a layer, for latent vectors that share a list of inputs. Included by fused_kernel.h.

// The units of a layer that take part.
struct UnitList {
  std::int32_t* index;
  std::int32_t size;
};

// The rows of one tile of T vectors. T is a template argument so that loops over it unroll.
template <class V, int T>
struct Tile {
  using Real = typename V::Real;
  static constexpr int size = T;

  Tile(const LayerView<Real>& layer, std::int32_t first_vector)
      : rows(layer.rows + static_cast<std::size_t>(first_vector) * V::kLanes * layer.inputs),
        bias(layer.bias + static_cast<std::size_t>(first_vector) * V::kLanes) {}

  const Real* row(std::int32_t input) const {
    const Real* start = rows + static_cast<std::size_t>(input) * (T * V::kLanes);
    // Keeps the address in one register: x86 processors split an instruction that computes with
    // a memory operand in two if its address is the sum of two registers.
    __asm__("" : "+r"(start));
    return start;
  }

  const Real* rows;  // [inputs][T * lanes]
  const Real* bias;  // [T * lanes]
};

// The value of the k-th listed unit, unit number `index`, from an array over all units ...
template <class Real>
struct ByIndex {
  const Real* units;
  Real operator()(std::int32_t, std::int32_t index) const { return units[index]; }
};
// ... and from an array over the listed units only.
template <class Real>
struct ByListPosition {
  const Real* units;
  Real operator()(std::int32_t k, std::int32_t) const { return units[k]; }
};

// Loads a vector that G computations share. `keep` stops the compiler from loading it again for
// each of them.
template <int G, class V>
inline __attribute__((always_inline)) V load_shared(const typename V::Real* from) {
  V vector = V::load(from);
  if (G > 1) V::keep(vector);
  return vector;
}

// sum[g] += factor[g] * row
template <int G, class V, int T>
inline __attribute__((always_inline)) void add_row(const typename V::Real* row,
                                                   const V (&factor)[G], V (&sum)[G][T]) {
#pragma GCC unroll 32
  for (int v = 0; v < T; ++v) {
    const V weight = load_shared<G, V>(row + v * V::kLanes);
#pragma GCC unroll 32
    for (int g = 0; g < G; ++g) sum[g][v] = fma(factor[g], weight, sum[g][v]);
  }
}

// Forward, for G latent vectors with the same list: outputs = bias + weight x inputs.
// outputs: [G][T * lanes]
template <int G, class V, int T, class Value>
inline __attribute__((always_inline)) void affine(const Tile<V, T> tile, const UnitList inputs,
                                                  const Value (&value)[G],
                                                  typename V::Real* const (&outputs)[G]) {
  // Each addition to a sum waits for the previous one, so narrow tiles use several chains of
  // sums to hide that latency.
  constexpr int kChains = T < 4 ? 4 : 1;
  V sum[kChains][G][T];
#pragma GCC unroll 32
  for (int v = 0; v < T; ++v) {
#pragma GCC unroll 32
    for (int g = 0; g < G; ++g) {
      sum[0][g][v] = V::load(tile.bias + v * V::kLanes);
#pragma GCC unroll 32
      for (int c = 1; c < kChains; ++c) sum[c][g][v] = V::zero();
    }
  }
  const auto add = [&](std::int32_t k, V(&chain)[G][T]) __attribute__((always_inline)) {
    const std::int32_t index = inputs.index[k];
    V factor[G];
#pragma GCC unroll 32
    for (int g = 0; g < G; ++g) factor[g] = V::broadcast(value[g](k, index));
    add_row(tile.row(index), factor, chain);
  };
  std::int32_t k = 0;
  for (; k + kChains <= inputs.size; k += kChains) {
#pragma GCC unroll 32
    for (int c = 0; c < kChains; ++c) add(k + c, sum[c]);
  }
  for (; k < inputs.size; ++k) add(k, sum[0]);
#pragma GCC unroll 32
  for (int v = 0; v < T; ++v) {
#pragma GCC unroll 32
    for (int g = 0; g < G; ++g) {
      V total = sum[0][g][v];
#pragma GCC unroll 32
      for (int c = 1; c < kChains; ++c) total = total + sum[c][g][v];
      total.store(outputs[g] + v * V::kLanes);
    }
  }
}

// Backward, for G latent vectors with the same list: multiplies each listed unit's row with the
// gradient of the tile and adds the products to the unit's partial sums, or overwrites them if
// `overwrite` is set. The partial sums of kFold units share a vector, so that they fit into the
// L1 cache together with the rows.
// gradient: [G][T * lanes], sums: [G][units / kFold][lanes]
template <int G, class V, int T>
inline __attribute__((always_inline)) void pull_back(const Tile<V, T> tile,
                                                     const typename V::Real* const (&gradient)[G],
                                                     const UnitList inputs, bool overwrite,
                                                     typename V::Real* const (&sums)[G]) {
  V factor[G][T];
#pragma GCC unroll 32
  for (int g = 0; g < G; ++g) {
#pragma GCC unroll 32
    for (int v = 0; v < T; ++v) factor[g][v] = V::load(gradient[g] + v * V::kLanes);
  }
  std::size_t offset = 0;
  for (std::int32_t k = 0; k < inputs.size; k += V::kFold) {
    V sum[G][V::kFold];
#pragma GCC unroll 32
    for (int r = 0; r < V::kFold; ++r) {
      const typename V::Real* row = tile.row(inputs.index[k + r]);
#pragma GCC unroll 32
      for (int v = 0; v < T; ++v) {
        const V weight = load_shared<G, V>(row + v * V::kLanes);
#pragma GCC unroll 32
        for (int g = 0; g < G; ++g) {
          sum[g][r] = v == 0 ? factor[g][v] * weight : fma(factor[g][v], weight, sum[g][r]);
        }
      }
    }
#pragma GCC unroll 32
    for (int g = 0; g < G; ++g) {
      const V folded = V::fold(sum[g]);
      const V previous = overwrite ? V::zero() : V::load(sums[g] + offset);
      (previous + folded).store(sums[g] + offset);
    }
    offset += V::kLanes;
  }
}

// Calls `call(tile, first_vector)` for every tile of a layer, from vector `first_vector` on.
template <class V, int T = V::kMaxTile, class Call>
inline void for_each_tile(const LayerView<typename V::Real>& layer, const Call& call,
                          std::int32_t first_vector = 0) {
  if constexpr (T > 0) {
    for (; first_vector + T <= layer.vectors; first_vector += T) {
      call(Tile<V, T>(layer, first_vector), first_vector);
    }
    for_each_tile<V, T - 1>(layer, call, first_vector);
  }
}

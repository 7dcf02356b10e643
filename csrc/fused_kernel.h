// Misfit and gradient of one latent vector in a single pass over the pixels.
//
// Included by one file per instruction set, inside a namespace of its own, after that file
// has defined its vector type; objective_portable.cpp says what such a type must offer.
//
// The idea. S(z) = sum w (x - y)^2 and its gradient need the same rows of the last layer's
// weights. dJ/dx = -(2N/S) (y - x) has one scalar, S, that is known only after the last
// pixel; it is taken out and multiplied in at the end (objective.h). So a tile of pixels is
// brought forward, compared and pulled back at once, while its rows are in the nearest cache.
//
// Lanes are pixels, and one latent vector is treated at a time, so that a ReLU that is off
// costs nothing: the units that are on are collected in a list of (index, value), and only
// their rows are touched, forward and backward. For other activations the list holds all
// units. Every sum has a fixed order, so a result depends on z alone.
//
// The path of one latent vector, with the buffers of `Workspace`:
//
//   z -> list 0 -> [affine -> outputs -> activation -> list i+1] for each hidden layer
//     -> for each tile of pixels: affine -> outputs -> compare -> outputs -> pull_back -> sums
//     -> reduce -> [gradient of list i -> outputs -> pull_back -> sums -> reduce] back to z

// The units that feed a layer: their numbers among its inputs, and their values.
template <class Real>
struct UnitList {
  std::int32_t* index;
  Real* value;
  std::int32_t count;
};

// Scratch memory for one problem: where its parts lie in one block, in numbers of Real.
template <class V>
class Workspace {
 public:
  using Real = typename V::Real;

  Workspace(const MisfitView<Real>& problem, void* memory) : base_(static_cast<Real*>(memory)) {
    std::size_t inputs = 0;
    std::size_t vectors = V::kMaxTile;
    for (std::int32_t i = 0; i < problem.num_layers; ++i) {
      const LayerView<Real>& layer = problem.layers[i];
      inputs = larger(inputs, layer.inputs);
      if (i + 1 < problem.num_layers) vectors = larger(vectors, layer.vectors);
    }
    // Lists are written in whole vectors, so up to a vector beyond their end.
    list_size_ = (inputs / kUnit + 2) * kUnit;
    sums_at_ = 2 * problem.num_layers * list_size_;
    outputs_at_ = sums_at_ + list_size_ * V::kLanes;
    counts_at_ = outputs_at_ + vectors * V::kLanes;
    size_ = counts_at_ + problem.num_layers;
  }

  std::size_t bytes() const { return size_ * sizeof(Real); }

  // The list that feeds layer `i`. An index takes no more room than a number.
  UnitList<Real> list(std::int32_t i) const {
    Real* start = base_ + 2 * i * list_size_;
    return {reinterpret_cast<std::int32_t*>(start), start + list_size_, counts()[i]};
  }
  // Lengths of the lists. [layers]
  std::int32_t* counts() const { return reinterpret_cast<std::int32_t*>(base_ + counts_at_); }
  // Partial sums of each unit of a list. [units][lanes]
  Real* sums() const { return base_ + sums_at_; }
  // Outputs of one tile of pixels, or of a whole hidden layer, or the gradient for them.
  Real* outputs() const { return base_ + outputs_at_; }

 private:
  static constexpr std::size_t kUnit = 16;  // keeps every part aligned to 64 bytes
  static std::size_t larger(std::size_t a, std::size_t b) { return a > b ? a : b; }

  Real* base_;
  std::size_t list_size_;
  std::size_t sums_at_;
  std::size_t outputs_at_;
  std::size_t counts_at_;
  std::size_t size_;
};

// The rows of one tile of T vectors, for its loops to be unrolled.
template <class V, int T>
struct Tile {
  using Real = typename V::Real;
  static constexpr int size = T;

  Tile(const LayerView<Real>& layer, std::int32_t first)
      : rows(layer.rows + static_cast<std::size_t>(first) * V::kLanes * layer.inputs),
        bias(layer.bias + static_cast<std::size_t>(first) * V::kLanes) {}

  const Real* row(std::int32_t input) const {
    return rows + static_cast<std::size_t>(input) * (T * V::kLanes);
  }

  const Real* rows;  // [inputs][T * lanes]
  const Real* bias;  // [T * lanes]
};

// Forward: outputs = bias + weight x inputs. outputs: [T * lanes]
template <class V, int T>
inline void affine(const Tile<V, T>& tile, const UnitList<typename V::Real>& inputs,
                   typename V::Real* outputs) {
  V sum[T];
#pragma GCC unroll 32
  for (int v = 0; v < T; ++v) sum[v] = V::load(tile.bias + v * V::kLanes);
  for (std::int32_t k = 0; k < inputs.count; ++k) {
    const typename V::Real* row = tile.row(inputs.index[k]);
    const V value = V::broadcast(inputs.value[k]);
#pragma GCC unroll 32
    for (int v = 0; v < T; ++v) sum[v] = fma(value, V::load(row + v * V::kLanes), sum[v]);
  }
#pragma GCC unroll 32
  for (int v = 0; v < T; ++v) sum[v].store(outputs + v * V::kLanes);
}

// Backward: adds to each listed unit's partial sums, or sets them where `first`, the products
// of its row with the gradient for the tile. gradient: [T * lanes], sums: [units][lanes]
template <class V, int T>
inline void pull_back(const Tile<V, T>& tile, const typename V::Real* gradient,
                      const UnitList<typename V::Real>& inputs, bool first,
                      typename V::Real* sums) {
  V factor[T];
#pragma GCC unroll 32
  for (int v = 0; v < T; ++v) factor[v] = V::load(gradient + v * V::kLanes);
  for (std::int32_t k = 0; k < inputs.count; ++k) {
    const typename V::Real* row = tile.row(inputs.index[k]);
    V sum = first ? V::zero() : V::load(sums + k * V::kLanes);
#pragma GCC unroll 32
    for (int v = 0; v < T; ++v) sum = fma(factor[v], V::load(row + v * V::kLanes), sum);
    sum.store(sums + k * V::kLanes);
  }
}

// Calls `call(Tile<V, T>, first vector)` for every tile of a layer.
template <class V, int T = V::kMaxTile, class Call>
inline void for_each_tile(const LayerView<typename V::Real>& layer, const Call& call,
                          std::int32_t first = 0) {
  if constexpr (T > 0) {
    for (; first + T <= layer.vectors; first += T) call(Tile<V, T>(layer, first), first);
    for_each_tile<V, T - 1>(layer, call, first);
  }
}

// An activation known to the compiler.
template <Activation kActivation>
struct Known {
  static constexpr Activation value = kActivation;
};

// Calls `call(Known<activation>)`.
template <class Call>
inline void with_activation(Activation activation, const Call& call) {
  switch (activation) {
    case Activation::kNone:
      return call(Known<Activation::kNone>{});
    case Activation::kRelu:
      return call(Known<Activation::kRelu>{});
    case Activation::kLeakyRelu:
      return call(Known<Activation::kLeakyRelu>{});
    case Activation::kTanh:
      return call(Known<Activation::kTanh>{});
    case Activation::kSigmoid:
      return call(Known<Activation::kSigmoid>{});
  }
}

template <class V, Activation kActivation>
inline V activate(V affine, typename V::Real negative_slope) {
  if constexpr (kActivation == Activation::kRelu) return relu(affine);
  if constexpr (kActivation == Activation::kLeakyRelu) {
    return leaky_relu(affine, V::broadcast(negative_slope));
  }
  if constexpr (kActivation == Activation::kTanh) return tanh(affine);
  if constexpr (kActivation == Activation::kSigmoid) return sigmoid(affine);
  return affine;
}

// The slope of an activation, written with its output as in `Dense.backward`.
template <class V, Activation kActivation>
inline V slope(V output, typename V::Real negative_slope) {
  const V one = V::broadcast(1);
  if constexpr (kActivation == Activation::kRelu) return step(output, V::zero());
  if constexpr (kActivation == Activation::kLeakyRelu) {
    return step(output, V::broadcast(negative_slope));
  }
  if constexpr (kActivation == Activation::kTanh) return one - output * output;
  if constexpr (kActivation == Activation::kSigmoid) return output * (one - output);
  return one;
}

// Turns a hidden layer's affine outputs into the list that feeds the next layer. A ReLU's
// zeros are left out: neither they nor their gradients, which are zero too, are needed.
template <class V>
inline std::int32_t collect(const LayerView<typename V::Real>& layer,
                            const typename V::Real* outputs,
                            const UnitList<typename V::Real>& list) {
  std::int32_t count = 0;
  with_activation(layer.activation, [&](auto known) {
    for (std::int32_t v = 0; v < layer.vectors; ++v) {
      const V affine = V::load(outputs + v * V::kLanes);
      const V output = activate<V, decltype(known)::value>(affine, layer.negative_slope);
      const std::int32_t number = v * V::kLanes;
      if constexpr (decltype(known)::value == Activation::kRelu) {
        count += output.append_nonzero(number, list.index + count, list.value + count);
      } else {
        output.append_all(number, list.index + number, list.value + number);
        count = layer.outputs;  // leaves the padding out
      }
    }
  });
  return count;
}

// Brings a latent vector to the list that feeds the pixels; fills the lists of all layers.
template <class V>
inline UnitList<typename V::Real> hidden_forward(const MisfitView<typename V::Real>& problem,
                                                 const typename V::Real* z,
                                                 const Workspace<V>& work) {
  work.counts()[0] = problem.layers[0].inputs;
  UnitList<typename V::Real> inputs = work.list(0);
  for (std::int32_t i = 0; i < inputs.count; ++i) {
    inputs.index[i] = i;
    inputs.value[i] = z[i];
  }
  for (std::int32_t i = 0; i + 1 < problem.num_layers; ++i) {
    const LayerView<typename V::Real>& layer = problem.layers[i];
    for_each_tile<V>(layer, [&](const auto& tile, std::int32_t first) {
      affine(tile, inputs, work.outputs() + first * V::kLanes);
    });
    work.counts()[i + 1] = collect<V>(layer, work.outputs(), work.list(i + 1));
    inputs = work.list(i + 1);
  }
  return inputs;
}

// Compares `count` vectors of pixels, from vector `first` on, with the target. Their misfit is
// returned; where `kGradient`, half its gradient for the affine outputs replaces those.
template <bool kGradient, class V>
inline V compare(const MisfitView<typename V::Real>& problem, std::int32_t first,
                 std::int32_t count, typename V::Real* outputs) {
  const LayerView<typename V::Real>& layer = problem.layers[problem.num_layers - 1];
  const typename V::Real* target = problem.target + static_cast<std::size_t>(first) * V::kLanes;
  const typename V::Real* weight = problem.weight + static_cast<std::size_t>(first) * V::kLanes;
  V misfit = V::zero();
  with_activation(layer.activation, [&](auto known) {
    for (std::int32_t i = 0; i < count * V::kLanes; i += V::kLanes) {
      constexpr Activation kActivation = decltype(known)::value;
      const V pixel = activate<V, kActivation>(V::load(outputs + i), layer.negative_slope);
      const V residual = pixel - V::load(target + i);
      const V weighted = residual * V::load(weight + i);
      misfit = fma(weighted, residual, misfit);
      if constexpr (kGradient) {
        (weighted * slope<V, kActivation>(pixel, layer.negative_slope)).store(outputs + i);
      }
    }
  });
  return misfit;
}

// Adds up the lanes of each unit's partial sums, in place: sums[k] for the k-th unit.
template <class V>
inline void reduce(typename V::Real* sums, std::int32_t count) {
  for (std::int32_t k = 0; k < count; k += V::kLanes) {
    V::transpose_sum(sums + static_cast<std::size_t>(k) * V::kLanes).store(sums + k);
  }
}

// Turns the gradient for a hidden layer's listed units (`sums`) into that for all its affine
// outputs (`outputs`).
template <class V>
inline void spread(const LayerView<typename V::Real>& layer, const UnitList<typename V::Real>& list,
                   const Workspace<V>& work) {
  for (std::int32_t v = 0; v < layer.vectors; ++v) V::zero().store(work.outputs() + v * V::kLanes);
  with_activation(layer.activation, [&](auto known) {
    // A listed ReLU is on: its slope is 1.
    if constexpr (decltype(known)::value == Activation::kRelu) return;
    for (std::int32_t k = 0; k < list.count; k += V::kLanes) {
      const V output = V::load(list.value + k);
      const V factor = slope<V, decltype(known)::value>(output, layer.negative_slope);
      (factor * V::load(work.sums() + k)).store(work.sums() + k);
    }
  });
  for (std::int32_t k = 0; k < list.count; ++k) work.outputs()[list.index[k]] = work.sums()[k];
}

template <class V>
typename V::Real misfit(const MisfitView<typename V::Real>& problem, const typename V::Real* z,
                        void* memory) {
  const Workspace<V> work(problem, memory);
  const UnitList<typename V::Real> inputs = hidden_forward<V>(problem, z, work);
  V sum = V::zero();
  for_each_tile<V>(problem.layers[problem.num_layers - 1],
                   [&](const auto& tile, std::int32_t first) {
                     affine(tile, inputs, work.outputs());
                     sum = sum + compare<false, V>(problem, first, tile.size, work.outputs());
                   });
  return sum.total();
}

template <class V>
typename V::Real misfit_and_gradient(const MisfitView<typename V::Real>& problem,
                                     const typename V::Real* z, typename V::Real* half_gradient,
                                     void* memory) {
  const Workspace<V> work(problem, memory);
  UnitList<typename V::Real> inputs = hidden_forward<V>(problem, z, work);
  V sum = V::zero();
  for_each_tile<V>(problem.layers[problem.num_layers - 1],
                   [&](const auto& tile, std::int32_t first) {
                     affine(tile, inputs, work.outputs());
                     sum = sum + compare<true, V>(problem, first, tile.size, work.outputs());
                     pull_back(tile, work.outputs(), inputs, first == 0, work.sums());
                   });
  reduce<V>(work.sums(), inputs.count);
  for (std::int32_t i = problem.num_layers - 2; i >= 0; --i) {
    const LayerView<typename V::Real>& layer = problem.layers[i];
    spread<V>(layer, inputs, work);
    inputs = work.list(i);
    for_each_tile<V>(layer, [&](const auto& tile, std::int32_t first) {
      pull_back(tile, work.outputs() + first * V::kLanes, inputs, first == 0, work.sums());
    });
    reduce<V>(work.sums(), inputs.count);
  }
  for (std::int32_t i = 0; i < inputs.count; ++i) half_gradient[i] = work.sums()[i];
  return sum.total();
}

template <class V>
std::size_t workspace_bytes(const MisfitView<typename V::Real>& problem) {
  return Workspace<V>(problem, nullptr).bytes();
}

// Misfit and gradient of one latent vector in a single pass over the pixels.
//
// Included by one file per instruction set, inside a namespace of its own, after that file
// has defined `Vector` types; see objective_portable.cpp for what such a type must offer.
//
// The idea. S(z) = sum w (x - y)^2 and its gradient need the same rows of the last layer's
// weights. dJ/dx = -(2N/S) (y - x) has one scalar, S, that is known only after the last
// pixel; it is taken out and multiplied in at the end (objective.h). So a tile of pixels is
// brought forward, compared and pulled back at once, its pixels never leaving the registers
// and its rows still in the nearest cache.
//
// Lanes are pixels, and one latent vector is treated at a time, so that a ReLU that is off
// costs nothing: the units that are on are collected in a list of (index, value), and only
// their rows are touched, forward and backward. For other activations the list holds all
// units. Every sum has a fixed order, so a result depends on z alone.

// The units of a layer that take part: at most `inputs` of the layer that they feed.
template <class Real>
struct UnitList {
  std::int32_t* index;  // [inputs, padded]
  Real* value;          // [inputs, padded]
  std::int32_t count;
};

inline std::int32_t round_up(std::int32_t size, std::int32_t unit) {
  return (size + unit - 1) / unit * unit;
}

// Scratch memory, carved out of one block. `sums` holds a vector of partial sums for each
// listed unit, `gradient` the gradient for all outputs of a layer.
template <class V>
struct Workspace {
  using Real = typename V::Real;

  // Lengths of the parts for a problem, in units of Real (an index takes no more room).
  struct Sizes {
    std::size_t list;
    std::size_t sums;
    std::size_t gradient;
  };

  static Sizes sizes(const MisfitView<Real>& problem) {
    std::int32_t inputs = 0;
    std::int32_t vectors = 0;
    for (std::int32_t i = 0; i < problem.num_layers; ++i) {
      const LayerView<Real>& layer = problem.layers[i];
      if (layer.inputs > inputs) inputs = layer.inputs;
      if (i + 1 < problem.num_layers && layer.vectors > vectors) vectors = layer.vectors;
    }
    // Room for one vector beyond the end: lists are written in whole vectors.
    const std::size_t list = round_up(inputs, kAlign) + kAlign;
    return {list, list * V::kLanes, static_cast<std::size_t>(vectors) * V::kLanes + kAlign};
  }

  static std::size_t bytes(const MisfitView<Real>& problem) {
    const Sizes size = sizes(problem);
    const std::size_t counts = round_up(problem.num_layers, kAlign);
    return sizeof(Real) * (2 * problem.num_layers * size.list + size.sums + size.gradient + counts);
  }

  Workspace(const MisfitView<Real>& problem, void* memory)
      : size(sizes(problem)), base(static_cast<Real*>(memory)) {
    sums = base + 2 * problem.num_layers * size.list;
    gradient = sums + size.sums;
    counts = reinterpret_cast<std::int32_t*>(gradient + size.gradient);
  }

  // The list of units that feed layer `i`.
  UnitList<Real> list(std::int32_t i) const {
    Real* start = base + 2 * i * size.list;
    return {reinterpret_cast<std::int32_t*>(start), start + size.list, 0};
  }

  static constexpr std::int32_t kAlign = 16;
  Sizes size;
  Real* base;
  Real* sums;            // [inputs, padded][lanes]
  Real* gradient;        // [outputs of a hidden layer, padded]
  std::int32_t* counts;  // [layers], lengths of the lists
};

// sum[v] = bias + weight x inputs, for the T vectors of a tile.
template <class V, int T>
inline void affine(const typename V::Real* rows, const typename V::Real* bias,
                   const UnitList<typename V::Real>& list, V (&sum)[T]) {
#pragma GCC unroll 32
  for (int v = 0; v < T; ++v) sum[v] = V::load(bias + v * V::kLanes);
  for (std::int32_t k = 0; k < list.count; ++k) {
    const typename V::Real* row = rows + static_cast<std::size_t>(list.index[k]) * T * V::kLanes;
    const V value = V::broadcast(list.value[k]);
#pragma GCC unroll 32
    for (int v = 0; v < T; ++v) sum[v] = fma(value, V::load(row + v * V::kLanes), sum[v]);
  }
}

// Adds the products of each listed row with the tile's gradient to the partial sums.
template <class V, int T>
inline void pull_back(const typename V::Real* rows, const UnitList<typename V::Real>& list,
                      const V (&gradient)[T], bool first, typename V::Real* sums) {
  for (std::int32_t k = 0; k < list.count; ++k) {
    const typename V::Real* row = rows + static_cast<std::size_t>(list.index[k]) * T * V::kLanes;
    V sum = first ? V::zero() : V::load(sums + k * V::kLanes);
#pragma GCC unroll 32
    for (int v = 0; v < T; ++v) sum = fma(gradient[v], V::load(row + v * V::kLanes), sum);
    sum.store(sums + k * V::kLanes);
  }
}

template <class V>
inline V activate(Activation activation, typename V::Real negative_slope, V affine) {
  switch (activation) {
    case Activation::kRelu:
      return relu(affine);
    case Activation::kLeakyRelu:
      return leaky_relu(affine, V::broadcast(negative_slope));
    case Activation::kTanh:
      return tanh(affine);
    case Activation::kSigmoid:
      return sigmoid(affine);
    case Activation::kNone:
      break;
  }
  return affine;
}

// The slope of an activation, written with its output as in `Dense.backward`.
template <class V>
inline V slope(Activation activation, typename V::Real negative_slope, V output) {
  const V one = V::broadcast(1);
  switch (activation) {
    case Activation::kRelu:
      return step(output, V::zero());
    case Activation::kLeakyRelu:
      return step(output, V::broadcast(negative_slope));
    case Activation::kTanh:
      return one - output * output;
    case Activation::kSigmoid:
      return output * (one - output);
    case Activation::kNone:
      break;
  }
  return one;
}

// One tile of T vectors of a hidden layer: its units join the list that feeds the next layer.
template <class V, int T>
inline void forward_tile(const LayerView<typename V::Real>& layer, std::int32_t first,
                         const UnitList<typename V::Real>& inputs,
                         UnitList<typename V::Real>& outputs) {
  V sum[T];
  const std::size_t start = static_cast<std::size_t>(first) * V::kLanes;
  affine<V, T>(layer.rows + start * layer.inputs, layer.bias + start, inputs, sum);
#pragma GCC unroll 32
  for (int v = 0; v < T; ++v) {
    const V output = activate(layer.activation, layer.negative_slope, sum[v]);
    const std::int32_t index = (first + v) * V::kLanes;
    if (layer.activation == Activation::kRelu) {
      outputs.count += output.append_nonzero(index, outputs.index + outputs.count,
                                             outputs.value + outputs.count);
    } else {
      output.append_all(index, outputs.index + index, outputs.value + index);
    }
  }
}

// One tile of T vectors of a hidden layer, backward.
template <class V, int T>
inline void backward_tile(const LayerView<typename V::Real>& layer, std::int32_t first,
                          const UnitList<typename V::Real>& inputs, const Workspace<V>& work) {
  V gradient[T];
  const std::size_t start = static_cast<std::size_t>(first) * V::kLanes;
#pragma GCC unroll 32
  for (int v = 0; v < T; ++v) gradient[v] = V::load(work.gradient + start + v * V::kLanes);
  pull_back<V, T>(layer.rows + start * layer.inputs, inputs, gradient, first == 0, work.sums);
}

// One tile of T vectors of pixels: forward, compare, and backward where `kGradient`.
template <class V, int T, bool kGradient>
inline void pixel_tile(const MisfitView<typename V::Real>& problem, std::int32_t first,
                       const UnitList<typename V::Real>& inputs, const Workspace<V>& work,
                       V& misfit) {
  const LayerView<typename V::Real>& layer = problem.layers[problem.num_layers - 1];
  V tile[T];
  const std::size_t start = static_cast<std::size_t>(first) * V::kLanes;
  const typename V::Real* rows = layer.rows + start * layer.inputs;
  affine<V, T>(rows, layer.bias + start, inputs, tile);
#pragma GCC unroll 32
  for (int v = 0; v < T; ++v) {
    const V pixel = activate(layer.activation, layer.negative_slope, tile[v]);
    const V residual = pixel - V::load(problem.target + start + v * V::kLanes);
    const V weighted = residual * V::load(problem.weight + start + v * V::kLanes);
    misfit = fma(weighted, residual, misfit);
    if (kGradient) tile[v] = weighted * slope(layer.activation, layer.negative_slope, pixel);
  }
  if (kGradient) pull_back<V, T>(rows, inputs, tile, first == 0, work.sums);
}

// A tile's number of vectors as a type, so that loops over it can be unrolled.
template <int T>
struct TileSize {
  static constexpr int value = T;
};

template <int T, class Call>
inline void last_tile(std::int32_t vectors, std::int32_t first, const Call& call) {
  if constexpr (T > 0) {
    if (vectors == T) {
      call(TileSize<T>{}, first);
    } else {
      last_tile<T - 1>(vectors, first, call);
    }
  }
}

// Calls `call(TileSize, first vector)` for every tile of a layer, in the order of packing.
template <int kMaxTile, class Call>
inline void for_each_tile(std::int32_t vectors, const Call& call) {
  std::int32_t first = 0;
  for (; first + kMaxTile <= vectors; first += kMaxTile) call(TileSize<kMaxTile>{}, first);
  last_tile<kMaxTile - 1>(vectors - first, first, call);
}

// The latent vector as the list that feeds the first layer: none of it is left out.
template <class V>
inline UnitList<typename V::Real> latent_list(const MisfitView<typename V::Real>& problem,
                                              const typename V::Real* z, const Workspace<V>& work) {
  UnitList<typename V::Real> list = work.list(0);
  list.count = problem.layers[0].inputs;
  for (std::int32_t i = 0; i < list.count; ++i) {
    list.index[i] = i;
    list.value[i] = z[i];
  }
  return list;
}

// Brings a latent vector to the list that feeds the pixels. The list before each layer stays
// in the workspace; `counts` keeps their lengths.
template <class V>
inline UnitList<typename V::Real> hidden_forward(const MisfitView<typename V::Real>& problem,
                                                 const typename V::Real* z,
                                                 const Workspace<V>& work) {
  UnitList<typename V::Real> inputs = latent_list<V>(problem, z, work);
  work.counts[0] = inputs.count;
  for (std::int32_t i = 0; i + 1 < problem.num_layers; ++i) {
    const LayerView<typename V::Real>& layer = problem.layers[i];
    UnitList<typename V::Real> outputs = work.list(i + 1);
    for_each_tile<V::kMaxTile>(layer.vectors, [&](auto size, std::int32_t first) {
      forward_tile<V, decltype(size)::value>(layer, first, inputs, outputs);
    });
    if (layer.activation != Activation::kRelu) outputs.count = layer.outputs;
    work.counts[i + 1] = outputs.count;
    inputs = outputs;
  }
  return inputs;
}

// Adds up the lanes of the first `count` partial sums, in place: sums[k] for unit k.
template <class V>
inline void reduce(typename V::Real* sums, std::int32_t count) {
  for (std::int32_t k = 0; k < count; k += V::kLanes) {
    V::transpose_sum(sums + static_cast<std::size_t>(k) * V::kLanes).store(sums + k);
  }
}

// Turns the gradient for a layer's listed units (`sums`) into that for all its affine outputs.
template <class V>
inline void spread(const LayerView<typename V::Real>& layer,
                   const UnitList<typename V::Real>& outputs, const Workspace<V>& work) {
  for (std::int32_t v = 0; v < layer.vectors; ++v) {
    V::zero().store(work.gradient + static_cast<std::size_t>(v) * V::kLanes);
  }
  for (std::int32_t k = 0; k < outputs.count; k += V::kLanes) {
    const V value = V::load(outputs.value + k);
    (V::load(work.sums + k) * slope(layer.activation, layer.negative_slope, value))
        .store(work.sums + k);
  }
  for (std::int32_t k = 0; k < outputs.count; ++k) work.gradient[outputs.index[k]] = work.sums[k];
}

template <class V>
typename V::Real misfit(const MisfitView<typename V::Real>& problem, const typename V::Real* z,
                        void* memory) {
  const Workspace<V> work(problem, memory);
  const UnitList<typename V::Real> inputs = hidden_forward<V>(problem, z, work);
  V sum = V::zero();
  for_each_tile<V::kMaxTile>(
      problem.layers[problem.num_layers - 1].vectors, [&](auto size, std::int32_t first) {
        pixel_tile<V, decltype(size)::value, false>(problem, first, inputs, work, sum);
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
  for_each_tile<V::kMaxTile>(
      problem.layers[problem.num_layers - 1].vectors, [&](auto size, std::int32_t first) {
        pixel_tile<V, decltype(size)::value, true>(problem, first, inputs, work, sum);
      });
  reduce<V>(work.sums, inputs.count);
  for (std::int32_t i = problem.num_layers - 2; i >= 0; --i) {
    const LayerView<typename V::Real>& layer = problem.layers[i];
    spread<V>(layer, inputs, work);
    inputs = work.list(i);
    inputs.count = work.counts[i];
    for_each_tile<V::kMaxTile>(layer.vectors, [&](auto size, std::int32_t first) {
      backward_tile<V, decltype(size)::value>(layer, first, inputs, work);
    });
    reduce<V>(work.sums, inputs.count);
  }
  for (std::int32_t i = 0; i < inputs.count; ++i) half_gradient[i] = work.sums[i];
  return sum.total();
}

template <class V>
std::size_t workspace_bytes(const MisfitView<typename V::Real>& problem) {
  return Workspace<V>::bytes(problem);
}

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
// costs nothing: the units that are on are listed, and only their rows are touched, forward
// and backward. For other activations the list holds all units. The latent vectors of a block
// take turns at each tile, so that its rows are fetched once for all of them. Every sum has a
// fixed order, so what a latent vector gives depends on nothing else.
//
// The path of a latent vector, with the buffers of `Workspace`:
//
//   z -> [affine -> units, list] for each hidden layer
//     -> for each tile of pixels: affine -> tile -> compare -> tile -> pull_back -> sums
//     -> reduce -> [affine through the transposed layer] for each hidden layer, back to z

// Those units of a layer that take part.
struct UnitList {
  std::int32_t* index;
  std::int32_t count;
};

// Scratch memory for one problem: a slot for each latent vector of a block. The offsets of its
// parts within the slot are in numbers of Real.
template <class V>
class Workspace {
 public:
  using Real = typename V::Real;

  Workspace(const MisfitView<Real>& problem, void* memory) : base_(static_cast<Real*>(memory)) {
    std::size_t widest = V::kMaxTile * V::kLanes;
    for (std::int32_t i = 0; i < problem.num_layers; ++i) {
      const std::size_t inputs = problem.layers[i].inputs;
      if (inputs > widest) widest = inputs;
    }
    // Whole vectors are written, so up to a vector beyond the end.
    units_size_ = (widest / kUnit + 2) * kUnit;
    sums_at_ = 2 * problem.num_layers * units_size_;
    gradient_at_ = sums_at_ + (units_size_ / V::kFold) * V::kLanes;
    counts_at_ = gradient_at_ + 2 * units_size_;
    size_ = ((counts_at_ + problem.num_layers) / kUnit + 1) * kUnit;
  }

  std::size_t slot_bytes() const { return size_ * sizeof(Real); }

  // Values of the units that feed layer `i`, from 1 on; those of layer 0 are the latent vector.
  Real* units(std::int32_t slot, std::int32_t i) const {
    return base_ + slot * size_ + 2 * i * units_size_;
  }
  // The list of the units that feed layer `i`. An index takes no more room than a number.
  UnitList list(std::int32_t slot, std::int32_t i) const {
    return {reinterpret_cast<std::int32_t*>(units(slot, i) + units_size_), count(slot, i)};
  }
  std::int32_t& count(std::int32_t slot, std::int32_t i) const {
    return reinterpret_cast<std::int32_t*>(base_ + slot * size_ + counts_at_)[i];
  }
  // Partial sums of each unit that feeds the pixels, in the order of its list.
  // [units / kFold][lanes]
  Real* sums(std::int32_t slot) const { return base_ + slot * size_ + sums_at_; }
  // Gradient for the units that feed layer `i`; two layers in succession do not share memory.
  Real* gradient(std::int32_t slot, std::int32_t i) const {
    return base_ + slot * size_ + gradient_at_ + i % 2 * units_size_;
  }
  // One tile of pixels, then the gradient for it.
  Real* tile(std::int32_t slot) const { return gradient(slot, 0); }

 private:
  static constexpr std::size_t kUnit = 16;  // keeps every part aligned to 64 bytes

  Real* base_;
  std::size_t units_size_;
  std::size_t sums_at_;
  std::size_t gradient_at_;
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

// Forward: outputs = bias + weight x inputs. `value(k)` is that of the k-th listed input.
// outputs: [T * lanes]
template <class V, int T, class Value>
inline void affine(const Tile<V, T> tile, const UnitList inputs, const Value value,
                   typename V::Real* outputs) {
  // A sum waits for the one before it; narrow tiles sum in several chains to fill that time.
  constexpr int kChains = T < 4 ? 4 : 1;
  V sum[kChains][T];
#pragma GCC unroll 32
  for (int v = 0; v < T; ++v) sum[0][v] = V::load(tile.bias + v * V::kLanes);
#pragma GCC unroll 32
  for (int c = 1; c < kChains; ++c) {
#pragma GCC unroll 32
    for (int v = 0; v < T; ++v) sum[c][v] = V::zero();
  }
  std::int32_t k = 0;
  for (; k + kChains <= inputs.count; k += kChains) {
#pragma GCC unroll 32
    for (int c = 0; c < kChains; ++c) {
      const typename V::Real* row = tile.row(inputs.index[k + c]);
      const V factor = V::broadcast(value(k + c));
#pragma GCC unroll 32
      for (int v = 0; v < T; ++v) sum[c][v] = fma(factor, V::load(row + v * V::kLanes), sum[c][v]);
    }
  }
  if constexpr (kChains > 1) {
    for (; k < inputs.count; ++k) {
      const typename V::Real* row = tile.row(inputs.index[k]);
      const V factor = V::broadcast(value(k));
#pragma GCC unroll 32
      for (int v = 0; v < T; ++v) sum[0][v] = fma(factor, V::load(row + v * V::kLanes), sum[0][v]);
    }
  }
#pragma GCC unroll 32
  for (int v = 0; v < T; ++v) {
    V total = sum[0][v];
#pragma GCC unroll 32
    for (int c = 1; c < kChains; ++c) total = total + sum[c][v];
    total.store(outputs + v * V::kLanes);
  }
}

// Backward: adds to each listed unit's partial sums, or sets them where `first`, the products
// of its row with the gradient for the tile. The partial sums of kFold units share a vector,
// which keeps them small enough to stay in the nearest cache beside the rows.
// gradient: [T * lanes], sums: [units / kFold][lanes]
template <class V, int T>
inline void pull_back(const Tile<V, T> tile, const typename V::Real* gradient,
                      const UnitList inputs, bool first, typename V::Real* sums) {
  V factor[T];
#pragma GCC unroll 32
  for (int v = 0; v < T; ++v) factor[v] = V::load(gradient + v * V::kLanes);
  for (std::int32_t k = 0; k < inputs.count; k += V::kFold) {
    V sum[V::kFold];
#pragma GCC unroll 32
    for (int r = 0; r < V::kFold; ++r) {
      const typename V::Real* row = tile.row(inputs.index[k + r]);
      sum[r] = factor[0] * V::load(row);
#pragma GCC unroll 32
      for (int v = 1; v < T; ++v) sum[r] = fma(factor[v], V::load(row + v * V::kLanes), sum[r]);
    }
    V folded = V::fold(sum);
    if (!first) folded = folded + V::load(sums);
    folded.store(sums);
    sums += V::kLanes;
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

// Fills the last group of kFold units with units that exist; their sums are not used.
template <class V>
inline void pad(const UnitList& list) {
  for (int r = 0; r < V::kFold; ++r) list.index[list.count + r] = 0;
}

// Turns affine outputs into a hidden layer's units, in place, and lists those that take part;
// returns how many. A ReLU's zeros are left out: neither they nor their gradients, which are
// zero too, are needed.
template <class V>
inline std::int32_t activate_and_list(const LayerView<typename V::Real>& layer,
                                      typename V::Real* units, std::int32_t* index) {
  std::int32_t count = 0;
  with_activation(layer.activation, [&](auto known) {
    constexpr Activation kActivation = decltype(known)::value;
    for (std::int32_t i = 0; i < layer.vectors * V::kLanes; i += V::kLanes) {
      const V unit = activate<V, kActivation>(V::load(units + i), layer.negative_slope);
      unit.store(units + i);
      if constexpr (kActivation == Activation::kRelu) {
        count += unit.list_nonzero(i, index + count);
      } else {
        V::list_all(i, index + i);
      }
    }
    if constexpr (kActivation != Activation::kRelu) count = layer.outputs;  // not the padding
  });
  pad<V>({index, count});
  return count;
}

// Brings latent vectors to the units that feed the pixels; fills the lists of all layers.
template <class V>
inline void hidden_forward(const MisfitView<typename V::Real>& problem,
                           const Block<typename V::Real>& block, const Workspace<V>& work) {
  for (std::int32_t s = 0; s < block.count; ++s) {
    work.count(s, 0) = problem.layers[0].inputs;
    const UnitList latent = work.list(s, 0);
    for (std::int32_t i = 0; i < latent.count; i += V::kLanes) V::list_all(i, latent.index + i);
    pad<V>(latent);
  }
  for (std::int32_t i = 0; i + 1 < problem.num_layers; ++i) {
    const LayerView<typename V::Real>& layer = problem.layers[i];
    for_each_tile<V>(layer, [&](const auto& tile, std::int32_t first) {
      for (std::int32_t s = 0; s < block.count; ++s) {
        const UnitList inputs = work.list(s, i);
        const typename V::Real* units = i == 0 ? block.latent[s] : work.units(s, i);
        const auto value = [=](std::int32_t k) { return units[inputs.index[k]]; };
        affine(tile, inputs, value, work.units(s, i + 1) + first * V::kLanes);
      }
    });
    for (std::int32_t s = 0; s < block.count; ++s) {
      work.count(s, i + 1) =
          activate_and_list<V>(layer, work.units(s, i + 1), work.list(s, i + 1).index);
    }
  }
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
    constexpr Activation kActivation = decltype(known)::value;
    for (std::int32_t i = 0; i < count * V::kLanes; i += V::kLanes) {
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

// Adds up the partial sums of `count` units, in place: sums[k] for the k-th unit.
template <class V>
inline void reduce(typename V::Real* sums, std::int32_t count) {
  for (std::int32_t k = 0; k < count; k += V::kLanes) {
    V::unfold(sums + static_cast<std::size_t>(k) * (V::kLanes / V::kFold)).store(sums + k);
  }
}

// Multiplies the gradient for a hidden layer's units with the slope of their activation.
template <class V>
inline void chain(const LayerView<typename V::Real>& layer, const typename V::Real* units,
                  typename V::Real* gradient) {
  with_activation(layer.activation, [&](auto known) {
    constexpr Activation kActivation = decltype(known)::value;
    // The slope of a listed ReLU is 1, and the others are not used.
    if constexpr (kActivation == Activation::kRelu || kActivation == Activation::kNone) return;
    for (std::int32_t i = 0; i < layer.vectors * V::kLanes; i += V::kLanes) {
      const V factor = slope<V, kActivation>(V::load(units + i), layer.negative_slope);
      (factor * V::load(gradient + i)).store(gradient + i);
    }
  });
}

// Brings the gradients for the units that feed the pixels (`sums`) back to the latent vectors.
// Backward through a layer is forward through its transpose, from the listed units only.
template <class V>
inline void hidden_backward(const MisfitView<typename V::Real>& problem,
                            const Block<typename V::Real>& block, const Workspace<V>& work) {
  const std::int32_t last = problem.num_layers - 1;
  for (std::int32_t s = 0; s < block.count; ++s) reduce<V>(work.sums(s), work.count(s, last));
  for (std::int32_t i = last - 1; i >= 0; --i) {
    const bool packed = i + 1 == last;  // whether the gradients are in the order of the list
    for (std::int32_t s = 0; s < block.count; ++s) {
      chain<V>(problem.layers[i], work.units(s, i + 1),
               packed ? work.sums(s) : work.gradient(s, i + 1));
    }
    for_each_tile<V>(problem.transposed[i], [&](const auto& tile, std::int32_t first) {
      for (std::int32_t s = 0; s < block.count; ++s) {
        const UnitList list = work.list(s, i + 1);
        typename V::Real* gradient = work.gradient(s, i) + first * V::kLanes;
        if (packed) {
          const typename V::Real* sums = work.sums(s);
          affine(
              tile, list, [=](std::int32_t k) { return sums[k]; }, gradient);
        } else {
          const typename V::Real* above = work.gradient(s, i + 1);
          affine(
              tile, list, [=](std::int32_t k) { return above[list.index[k]]; }, gradient);
        }
      }
    });
  }
  const std::int32_t size = problem.layers[0].inputs;
  for (std::int32_t s = 0; s < block.count; ++s) {
    const typename V::Real* gradient = last == 0 ? work.sums(s) : work.gradient(s, 0);
    for (std::int32_t i = 0; i < size; ++i) block.half_gradient[s][i] = gradient[i];
  }
}

template <bool kGradient, class V>
void evaluate(const MisfitView<typename V::Real>& problem, const Block<typename V::Real>& block,
              void* memory) {
  const Workspace<V> work(problem, memory);
  hidden_forward<V>(problem, block, work);
  V misfit[V::kMaxBlock];
  for (std::int32_t s = 0; s < block.count; ++s) misfit[s] = V::zero();
  const std::int32_t last = problem.num_layers - 1;
  for_each_tile<V>(problem.layers[last], [&](const auto& tile, std::int32_t first) {
    for (std::int32_t s = 0; s < block.count; ++s) {
      const UnitList inputs = work.list(s, last);
      const typename V::Real* units = last == 0 ? block.latent[s] : work.units(s, last);
      const auto value = [=](std::int32_t k) { return units[inputs.index[k]]; };
      affine(tile, inputs, value, work.tile(s));
      misfit[s] = misfit[s] + compare<kGradient, V>(problem, first, tile.size, work.tile(s));
      if (kGradient) pull_back(tile, work.tile(s), inputs, first == 0, work.sums(s));
    }
  });
  for (std::int32_t s = 0; s < block.count; ++s) block.misfit[s] = misfit[s].total();
  if (kGradient) hidden_backward<V>(problem, block, work);
}

template <class V>
std::size_t workspace_bytes(const MisfitView<typename V::Real>& problem) {
  return V::kMaxBlock * Workspace<V>(problem, nullptr).slot_bytes();
}

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
// and backward. The latent vectors of a block take turns at each tile, so that its rows are
// fetched once for all of them. Where all units are listed (other activations, or nearly all
// units on), kGroup latent vectors are treated at once, and a row that was loaded serves all
// of them: the dense kernel. Every sum has a fixed order all the same, so what a latent vector
// gives depends on nothing else.
//
// The path of a latent vector, with the buffers of `Workspace`:
//
//   z -> [affine -> units, list] for each hidden layer
//     -> for each tile of pixels: affine -> tile -> compare -> tile -> pull_back -> sums
//     -> reduce -> [affine through the transposed layer] for each hidden layer, back to z

#include "kernel_activation.h"
#include "kernel_tiles.h"
#include "kernel_workspace.h"

// A number of latent vectors that the compiler knows.
template <int G>
struct Group {
  static constexpr int size = G;
};

// Calls `call(Group<G>, slot)` for all slots: kGroup of them together where all of their
// `inputs` units are listed before layer `i`, else one by one.
template <class V, class Call>
inline void for_each_group(const Workspace<V>& work, std::int32_t slots, std::int32_t i,
                           std::int32_t inputs, const Call& call) {
  std::int32_t s = 0;
  while (s < slots) {
    bool together = s + V::kGroup <= slots;
    for (int g = 0; together && g < V::kGroup; ++g) together = work.count(s + g, i) == inputs;
    if (together) {
      call(Group<V::kGroup>{}, s);
      s += V::kGroup;
    } else {
      call(Group<1>{}, s++);
    }
  }
}

// Lists all of a layer's units, padded to whole groups of kFold with units that exist; what is
// summed up for the padding is not used.
template <class V>
inline std::int32_t list_all(std::int32_t units, std::int32_t* index) {
  for (std::int32_t i = 0; i < units; i += V::kLanes) V::list_all(i, index + i);
  for (int r = 0; r < V::kFold; ++r) index[units + r] = 0;
  return units;
}

// Turns affine outputs into a hidden layer's units, in place, and lists those that take part;
// returns how many. A ReLU's zeros are left out: neither they nor their gradients, which are
// zero too, are needed. Beyond three quarters the dense kernel is the faster one.
template <class V>
inline std::int32_t activate_and_list(const LayerView<typename V::Real>& layer,
                                      typename V::Real* units, std::int32_t* index) {
  std::int32_t count = 0;
  with_activation(layer.activation, [&](auto known) {
    constexpr Activation kActivation = decltype(known)::value;
    for (std::int32_t i = 0; i < layer.vectors * V::kLanes; i += V::kLanes) {
      const V unit = activate<V, kActivation>(V::load(units + i), layer.negative_slope);
      unit.store(units + i);
      if constexpr (kActivation == Activation::kRelu) count += unit.list_nonzero(i, index + count);
    }
  });
  // A latent vector that is not finite makes NaN of the padding as well, which has no rows.
  while (count > 0 && index[count - 1] >= layer.outputs) --count;
  if (layer.activation != Activation::kRelu || 4 * count > 3 * layer.outputs) {
    return list_all<V>(layer.outputs, index);
  }
  for (int r = 0; r < V::kFold; ++r) index[count + r] = 0;
  return count;
}

// Brings latent vectors to the units that feed the pixels; fills the lists of all layers.
template <class V>
inline void hidden_forward(const MisfitView<typename V::Real>& problem,
                           const Block<typename V::Real>& block, const Workspace<V>& work) {
  for (std::int32_t s = 0; s < block.count; ++s) {
    work.count(s, 0) = list_all<V>(problem.layers[0].inputs, work.list(s, 0).index);
  }
  for (std::int32_t i = 0; i + 1 < problem.num_layers; ++i) {
    const LayerView<typename V::Real>& layer = problem.layers[i];
    for_each_tile<V>(layer, [&](const auto& tile, std::int32_t first) {
      for_each_group(work, block.count, i, layer.inputs, [&](auto group, std::int32_t s) {
        constexpr int G = decltype(group)::size;
        OfAll<typename V::Real> value[G];
        typename V::Real* outputs[G];
        for (int g = 0; g < G; ++g) {
          value[g] = {i == 0 ? block.latent[s + g] : work.units(s + g, i)};
          outputs[g] = work.units(s + g, i + 1) + first * V::kLanes;
        }
        affine<G>(tile, work.list(s, i), value, outputs);
      });
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
inline void chain(const LayerView<typename V::Real>& layer, std::int32_t listed,
                  const typename V::Real* units, typename V::Real* gradient) {
  // The slope of a listed ReLU is 1, unless all are listed.
  if (layer.activation == Activation::kRelu && listed < layer.outputs) return;
  with_activation(layer.activation, [&](auto known) {
    for (std::int32_t i = 0; i < layer.vectors * V::kLanes; i += V::kLanes) {
      const V unit = V::load(units + i);
      const V factor = slope<V, decltype(known)::value>(unit, layer.negative_slope);
      (factor * V::load(gradient + i)).store(gradient + i);
    }
  });
}

// Backward through layer `i` by its transpose: the rows of the units that it listed, for all
// units that feed it. `packed` says that the gradients come in the order of the list.
template <class V>
inline void backward_by_transpose(const MisfitView<typename V::Real>& problem, std::int32_t slots,
                                  std::int32_t i, bool packed, const Workspace<V>& work) {
  using Real = typename V::Real;
  for_each_tile<V>(problem.transposed[i], [&](const auto& tile, std::int32_t first) {
    const std::int32_t units = problem.layers[i].outputs;
    for_each_group(work, slots, i + 1, units, [&](auto group, std::int32_t s) {
      constexpr int G = decltype(group)::size;
      OfListed<Real> listed[G];
      OfAll<Real> all[G];
      Real* outputs[G];
      for (int g = 0; g < G; ++g) {
        listed[g] = {work.sums(s + g)};
        all[g] = {work.gradient(s + g, i + 1)};
        outputs[g] = work.gradient(s + g, i) + first * V::kLanes;
      }
      if (packed) {
        affine<G>(tile, work.list(s, i + 1), listed, outputs);
      } else {
        affine<G>(tile, work.list(s, i + 1), all, outputs);
      }
    });
  });
}

// Backward through layer `i` by its rows, those of the units on the list that feeds it.
template <class V>
inline void backward_by_rows(const MisfitView<typename V::Real>& problem, std::int32_t slots,
                             std::int32_t i, bool packed, const Workspace<V>& work) {
  using Real = typename V::Real;
  const LayerView<Real>& layer = problem.layers[i];
  for (std::int32_t s = 0; packed && s < slots; ++s) {
    Real* gradient = work.gradient(s, i + 1);
    for (std::int32_t k = 0; k < layer.vectors * V::kLanes; ++k) {
      gradient[k] = k < layer.outputs ? work.sums(s)[k] : 0;
    }
  }
  for_each_tile<V>(layer, [&](const auto& tile, std::int32_t first) {
    for_each_group(work, slots, i, layer.inputs, [&](auto group, std::int32_t s) {
      constexpr int G = decltype(group)::size;
      const Real* gradient[G];
      Real* sums[G];
      for (int g = 0; g < G; ++g) {
        gradient[g] = work.gradient(s + g, i + 1) + first * V::kLanes;
        sums[g] = work.sums(s + g);
      }
      pull_back<G>(tile, gradient, work.list(s, i), first == 0, sums);
    });
  });
  for (std::int32_t s = 0; s < slots; ++s) reduce<V>(work.sums(s), work.count(s, i));
}

// Brings the gradients for the units that feed the pixels (`sums`) back to the latent vectors.
//
// A layer can be walked from either side: by the rows of the units that feed it, or, transposed,
// by the rows of its own units. The side of a ReLU has the shorter list; of two ReLUs the
// transpose is the faster way, since it needs no sums over lanes.
template <class V>
inline void hidden_backward(const MisfitView<typename V::Real>& problem,
                            const Block<typename V::Real>& block, const Workspace<V>& work) {
  using Real = typename V::Real;
  const std::int32_t last = problem.num_layers - 1;
  for (std::int32_t s = 0; s < block.count; ++s) reduce<V>(work.sums(s), work.count(s, last));
  bool packed = true;
  for (std::int32_t i = last - 1; i >= 0; --i) {
    const LayerView<Real>& layer = problem.layers[i];
    for (std::int32_t s = 0; s < block.count; ++s) {
      Real* gradient = packed ? work.sums(s) : work.gradient(s, i + 1);
      chain<V>(layer, work.count(s, i + 1), work.units(s, i + 1), gradient);
    }
    const bool relu_before = i > 0 && problem.layers[i - 1].activation == Activation::kRelu;
    if (relu_before && layer.activation != Activation::kRelu) {
      backward_by_rows<V>(problem, block.count, i, packed, work);
      packed = true;
    } else {
      backward_by_transpose<V>(problem, block.count, i, packed, work);
      packed = false;
    }
  }
  const std::int32_t size = problem.layers[0].inputs;
  for (std::int32_t s = 0; s < block.count; ++s) {
    const Real* gradient = packed ? work.sums(s) : work.gradient(s, 0);
    for (std::int32_t i = 0; i < size; ++i) block.half_gradient[s][i] = gradient[i];
  }
}

template <bool kGradient, class V>
void evaluate(const MisfitView<typename V::Real>& problem, const Block<typename V::Real>& block,
              void* memory) {
  using Real = typename V::Real;
  const Workspace<V> work(problem, memory);
  hidden_forward<V>(problem, block, work);
  V misfit[V::kMaxBlock];
  for (std::int32_t s = 0; s < block.count; ++s) misfit[s] = V::zero();
  const std::int32_t last = problem.num_layers - 1;
  const LayerView<Real>& layer = problem.layers[last];
  for_each_tile<V>(layer, [&](const auto& tile, std::int32_t first) {
    for_each_group(work, block.count, last, layer.inputs, [&](auto group, std::int32_t s) {
      constexpr int G = decltype(group)::size;
      OfAll<Real> value[G];
      Real* pixels[G];
      const Real* gradient[G];
      Real* sums[G];
      for (int g = 0; g < G; ++g) {
        value[g] = {last == 0 ? block.latent[s + g] : work.units(s + g, last)};
        gradient[g] = pixels[g] = work.tile(s + g);
        sums[g] = work.sums(s + g);
      }
      affine<G>(tile, work.list(s, last), value, pixels);
      for (int g = 0; g < G; ++g) {
        misfit[s + g] = misfit[s + g] + compare<kGradient, V>(problem, first, tile.size, pixels[g]);
      }
      if (kGradient) pull_back<G>(tile, gradient, work.list(s, last), first == 0, sums);
    });
  });
  for (std::int32_t s = 0; s < block.count; ++s) block.misfit[s] = misfit[s].total();
  if (kGradient) hidden_backward<V>(problem, block, work);
}

template <class V>
std::size_t workspace_bytes(const MisfitView<typename V::Real>& problem) {
  return V::kMaxBlock * Workspace<V>(problem, nullptr).slot_bytes();
}

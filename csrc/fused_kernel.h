// Misfit and gradient of latent vectors in a single pass over the pixels.
//
// Included by kernel_portable.cpp, kernel_avx2.cpp and kernel_avx512.cpp, each time inside the
// namespace of that instruction set and after its vector type; kernel_portable.cpp documents
// what a vector type must provide.
//
// S(z) = sum w (x - y)^2 and its gradient need the same rows of the last layer's weights. In
// dJ/dx = (2N/S) w (x - y) the scalar S is known only after the last pixel, so it is factored
// out and multiplied in at the end (objective.h). This allows a forward pass, a comparison and
// a backward pass for each tile of pixels while its rows are in the L1 cache.
//
// Lanes are pixels, not latent vectors, so that ReLU units that are off cost nothing: the units
// that are on are listed, and only their rows are read, forward and backward. The latent
// vectors of a block take turns at each tile, so that its rows are fetched once for all of
// them. Where all units are listed (other activations, or nearly all units on), kGroup latent
// vectors are processed at once and share each row that is loaded: the dense kernel. The order
// of every sum is fixed, so the result of a latent vector does not depend on the others.
//
// The path of a latent vector, with the buffers of `Workspace`:
//
//   z -> [affine -> units, list] for each hidden layer
//     -> for each tile of pixels: affine -> tile -> compare -> tile -> pull_back -> sums
//     -> reduce -> [affine through the transposed layer] for each hidden layer, back to z

#include "kernel_activation.h"
#include "kernel_tiles.h"
#include "kernel_workspace.h"

// A number of latent vectors as a compile-time constant.
template <int G>
struct Group {
  static constexpr int size = G;
};

// Calls `call(Group<G>, slot)` until all slots are covered: for kGroup slots at once where all
// `inputs` units that feed layer `i` are listed, else one by one.
template <class V, class Call>
inline void for_each_group(const Workspace<V>& workspace, std::int32_t block_size, std::int32_t i,
                           std::int32_t inputs, const Call& call) {
  std::int32_t s = 0;
  while (s < block_size) {
    bool dense = s + V::kGroup <= block_size;
    for (int g = 0; dense && g < V::kGroup; ++g) dense = workspace.list_size(s + g, i) == inputs;
    if (dense) {
      call(Group<V::kGroup>{}, s);
      s += V::kGroup;
    } else {
      call(Group<1>{}, s++);
    }
  }
}

// Lists all units of a layer; returns how many. The list is padded to a multiple of kFold with
// unit 0, whose additional sums are ignored.
template <class V>
inline std::int32_t list_all(std::int32_t units, std::int32_t* index) {
  for (std::int32_t i = 0; i < units; i += V::kLanes) V::list_all(i, index + i);
  for (int r = 0; r < V::kFold; ++r) index[units + r] = 0;
  return units;
}

// Applies the activation to a hidden layer's affine outputs, in place, and lists the units that
// take part; returns how many. The zeros of a ReLU are left out, since neither they nor their
// gradients, also zero, contribute. If more than three quarters of the units are on, all are
// listed: the dense kernel is then faster.
template <class V>
inline std::int32_t activate_and_list(const LayerView<typename V::Real>& layer,
                                      typename V::Real* units, std::int32_t* index) {
  std::int32_t listed = 0;
  dispatch_activation(layer.activation, [&](auto constant) {
    constexpr Activation kActivation = decltype(constant)::value;
    for (std::int32_t i = 0; i < layer.vectors * V::kLanes; i += V::kLanes) {
      const V unit = activate<V, kActivation>(V::load(units + i), layer.negative_slope);
      unit.store(units + i);
      if constexpr (kActivation == Activation::kRelu) {
        listed += unit.list_nonzero(i, index + listed);
      }
    }
  });
  // If the latent vector is not finite, the padding is NaN and gets listed, but has no rows.
  while (listed > 0 && index[listed - 1] >= layer.outputs) --listed;
  if (layer.activation != Activation::kRelu || 4 * listed > 3 * layer.outputs) {
    return list_all<V>(layer.outputs, index);
  }
  for (int r = 0; r < V::kFold; ++r) index[listed + r] = 0;
  return listed;
}

// Computes the units of all hidden layers and lists them.
template <class V>
inline void hidden_forward(const MisfitView<typename V::Real>& view,
                           const Block<typename V::Real>& block, const Workspace<V>& workspace) {
  for (std::int32_t s = 0; s < block.size; ++s) {
    workspace.list_size(s, 0) = list_all<V>(view.layers[0].inputs, workspace.list(s, 0).index);
  }
  for (std::int32_t i = 0; i + 1 < view.num_layers; ++i) {
    const LayerView<typename V::Real>& layer = view.layers[i];
    for_each_tile<V>(layer, [&](const auto& tile, std::int32_t first_vector) {
      for_each_group(workspace, block.size, i, layer.inputs, [&](auto group, std::int32_t s) {
        constexpr int G = decltype(group)::size;
        ByIndex<typename V::Real> value[G];
        typename V::Real* outputs[G];
        for (int g = 0; g < G; ++g) {
          value[g] = {i == 0 ? block.latents[s + g] : workspace.units(s + g, i)};
          outputs[g] = workspace.units(s + g, i + 1) + first_vector * V::kLanes;
        }
        affine<G>(tile, workspace.list(s, i), value, outputs);
      });
    });
    for (std::int32_t s = 0; s < block.size; ++s) {
      workspace.list_size(s, i + 1) =
          activate_and_list<V>(layer, workspace.units(s, i + 1), workspace.list(s, i + 1).index);
    }
  }
}

// Compares `num_vectors` vectors of pixels, from vector `first_vector` on, with the target and
// returns their misfit. If `kGradient`, replaces the affine outputs by half the gradient with
// respect to them.
template <bool kGradient, class V>
inline V compare(const MisfitView<typename V::Real>& view, std::int32_t first_vector,
                 std::int32_t num_vectors, typename V::Real* outputs) {
  const LayerView<typename V::Real>& layer = view.layers[view.num_layers - 1];
  const typename V::Real* target = view.target + static_cast<std::size_t>(first_vector) * V::kLanes;
  const typename V::Real* weight = view.weight + static_cast<std::size_t>(first_vector) * V::kLanes;
  V misfit = V::zero();
  dispatch_activation(layer.activation, [&](auto constant) {
    constexpr Activation kActivation = decltype(constant)::value;
    for (std::int32_t i = 0; i < num_vectors * V::kLanes; i += V::kLanes) {
      const V pixel = activate<V, kActivation>(V::load(outputs + i), layer.negative_slope);
      const V residual = pixel - V::load(target + i);
      const V weighted = residual * V::load(weight + i);
      misfit = fma(weighted, residual, misfit);
      if constexpr (kGradient) {
        (weighted * derivative<V, kActivation>(pixel, layer.negative_slope)).store(outputs + i);
      }
    }
  });
  return misfit;
}

// Reduces the partial sums of `num_units` units, in place, to sums[k] for the k-th unit.
template <class V>
inline void reduce(typename V::Real* sums, std::int32_t num_units) {
  for (std::int32_t k = 0; k < num_units; k += V::kLanes) {
    V::unfold(sums + static_cast<std::size_t>(k) * (V::kLanes / V::kFold)).store(sums + k);
  }
}

// Multiplies the gradient with respect to a hidden layer's units by the derivative of their
// activation.
template <class V>
inline void multiply_by_derivative(const LayerView<typename V::Real>& layer, std::int32_t listed,
                                   const typename V::Real* units, typename V::Real* gradient) {
  // A ReLU whose list is not complete lists only units that are on; their derivative is 1.
  if (layer.activation == Activation::kRelu && listed < layer.outputs) return;
  dispatch_activation(layer.activation, [&](auto constant) {
    for (std::int32_t i = 0; i < layer.vectors * V::kLanes; i += V::kLanes) {
      const V unit = V::load(units + i);
      const V factor = derivative<V, decltype(constant)::value>(unit, layer.negative_slope);
      (factor * V::load(gradient + i)).store(gradient + i);
    }
  });
}

// Backward through layer `i` by its transpose: reads the rows of the layer's listed outputs and
// gives the gradient of all its inputs. If `in_list_order`, the incoming gradient is in `sums`
// in list order, else in `gradient` by unit.
template <class V>
inline void backward_by_transpose(const MisfitView<typename V::Real>& view, std::int32_t block_size,
                                  std::int32_t i, bool in_list_order,
                                  const Workspace<V>& workspace) {
  using Real = typename V::Real;
  for_each_tile<V>(view.transposed[i], [&](const auto& tile, std::int32_t first_vector) {
    const std::int32_t units = view.layers[i].outputs;
    for_each_group(workspace, block_size, i + 1, units, [&](auto group, std::int32_t s) {
      constexpr int G = decltype(group)::size;
      ByListPosition<Real> by_list_position[G];
      ByIndex<Real> by_index[G];
      Real* outputs[G];
      for (int g = 0; g < G; ++g) {
        by_list_position[g] = {workspace.sums(s + g)};
        by_index[g] = {workspace.gradient(s + g, i + 1)};
        outputs[g] = workspace.gradient(s + g, i) + first_vector * V::kLanes;
      }
      if (in_list_order) {
        affine<G>(tile, workspace.list(s, i + 1), by_list_position, outputs);
      } else {
        affine<G>(tile, workspace.list(s, i + 1), by_index, outputs);
      }
    });
  });
}

// Backward through layer `i` by its rows: reads the rows of the layer's listed inputs and leaves
// their gradient in `sums`. See `backward_by_transpose` for `in_list_order`.
template <class V>
inline void backward_by_rows(const MisfitView<typename V::Real>& view, std::int32_t block_size,
                             std::int32_t i, bool in_list_order, const Workspace<V>& workspace) {
  using Real = typename V::Real;
  const LayerView<Real>& layer = view.layers[i];
  for (std::int32_t s = 0; in_list_order && s < block_size; ++s) {
    Real* gradient = workspace.gradient(s, i + 1);
    for (std::int32_t k = 0; k < layer.vectors * V::kLanes; ++k) {
      gradient[k] = k < layer.outputs ? workspace.sums(s)[k] : 0;
    }
  }
  for_each_tile<V>(layer, [&](const auto& tile, std::int32_t first_vector) {
    for_each_group(workspace, block_size, i, layer.inputs, [&](auto group, std::int32_t s) {
      constexpr int G = decltype(group)::size;
      const Real* gradient[G];
      Real* sums[G];
      for (int g = 0; g < G; ++g) {
        gradient[g] = workspace.gradient(s + g, i + 1) + first_vector * V::kLanes;
        sums[g] = workspace.sums(s + g);
      }
      pull_back<G>(tile, gradient, workspace.list(s, i), first_vector == 0, sums);
    });
  });
  for (std::int32_t s = 0; s < block_size; ++s) {
    reduce<V>(workspace.sums(s), workspace.list_size(s, i));
  }
}

// Propagates the gradient of the units that feed the pixels (`sums`) back to the latent vectors.
//
// A layer can be read from either side: by the rows of the units that feed it, or, transposed,
// by the rows of its own units. The side of a ReLU has the shorter list; between two ReLUs the
// transpose is faster, since it needs no sums over lanes.
template <class V>
inline void hidden_backward(const MisfitView<typename V::Real>& view,
                            const Block<typename V::Real>& block, const Workspace<V>& workspace) {
  using Real = typename V::Real;
  const std::int32_t last = view.num_layers - 1;
  for (std::int32_t s = 0; s < block.size; ++s) {
    reduce<V>(workspace.sums(s), workspace.list_size(s, last));
  }
  bool in_list_order = true;
  for (std::int32_t i = last - 1; i >= 0; --i) {
    const LayerView<Real>& layer = view.layers[i];
    for (std::int32_t s = 0; s < block.size; ++s) {
      Real* gradient = in_list_order ? workspace.sums(s) : workspace.gradient(s, i + 1);
      multiply_by_derivative<V>(layer, workspace.list_size(s, i + 1), workspace.units(s, i + 1),
                                gradient);
    }
    const bool relu_before = i > 0 && view.layers[i - 1].activation == Activation::kRelu;
    if (relu_before && layer.activation != Activation::kRelu) {
      backward_by_rows<V>(view, block.size, i, in_list_order, workspace);
      in_list_order = true;
    } else {
      backward_by_transpose<V>(view, block.size, i, in_list_order, workspace);
      in_list_order = false;
    }
  }
  const std::int32_t latent_size = view.layers[0].inputs;
  for (std::int32_t s = 0; s < block.size; ++s) {
    const Real* gradient = in_list_order ? workspace.sums(s) : workspace.gradient(s, 0);
    for (std::int32_t i = 0; i < latent_size; ++i) block.half_gradients[s][i] = gradient[i];
  }
}

template <bool kGradient, class V>
void evaluate(const MisfitView<typename V::Real>& view, const Block<typename V::Real>& block,
              void* memory) {
  using Real = typename V::Real;
  const Workspace<V> workspace(view, memory);
  hidden_forward<V>(view, block, workspace);
  V misfit[V::kMaxBlock];
  for (std::int32_t s = 0; s < block.size; ++s) misfit[s] = V::zero();
  const std::int32_t last = view.num_layers - 1;
  const LayerView<Real>& layer = view.layers[last];
  for_each_tile<V>(layer, [&](const auto& tile, std::int32_t first_vector) {
    for_each_group(workspace, block.size, last, layer.inputs, [&](auto group, std::int32_t s) {
      constexpr int G = decltype(group)::size;
      ByIndex<Real> value[G];
      Real* pixels[G];
      const Real* gradient[G];
      Real* sums[G];
      for (int g = 0; g < G; ++g) {
        value[g] = {last == 0 ? block.latents[s + g] : workspace.units(s + g, last)};
        gradient[g] = pixels[g] = workspace.tile(s + g);
        sums[g] = workspace.sums(s + g);
      }
      const UnitList list = workspace.list(s, last);
      affine<G>(tile, list, value, pixels);
      for (int g = 0; g < G; ++g) {
        misfit[s + g] =
            misfit[s + g] + compare<kGradient, V>(view, first_vector, tile.size, pixels[g]);
      }
      if (kGradient) pull_back<G>(tile, gradient, list, first_vector == 0, sums);
    });
  });
  for (std::int32_t s = 0; s < block.size; ++s) block.misfits[s] = misfit[s].total();
  if (kGradient) hidden_backward<V>(view, block, workspace);
}

template <class V>
std::size_t workspace_bytes(const MisfitView<typename V::Real>& view) {
  return V::kMaxBlock * Workspace<V>(view, nullptr).slot_bytes();
}

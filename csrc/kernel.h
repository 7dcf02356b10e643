// What a kernel is given and what it returns. Plain data only: files built for different
// instruction sets must share no code, so no std containers and no inline functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace inpaint {

// The activations of inpaint/generators/layers.py.
enum class Activation : std::int32_t { kNone, kRelu, kLeakyRelu, kTanh, kSigmoid };

// One dense layer, outputs = activation(weight x inputs + bias), packed for a kernel.
//
// A vector holds `lanes` neighbouring outputs. The outputs are padded with zero weights to
// whole vectors and cut into tiles of at most `Kernel::max_tile` vectors, all tiles as full
// as possible. Within a tile there is one row for each input:
//
//   rows  [tile][input][outputs of the tile]
//   bias  [tile][outputs of the tile]
//
// The forward and the backward pass read the same rows: forward multiplies each row by its
// input and adds it to the tile's outputs; backward takes the dot product of each row with the
// tile's gradient.
template <class Real>
struct LayerView {
  const Real* rows;
  const Real* bias;
  std::int32_t inputs;
  std::int32_t outputs;  // without padding
  std::int32_t vectors;  // outputs / lanes, rounded up
  Activation activation;
  Real negative_slope;
};

// The misfit S(z) = sum_m weight_m (x_m - target_m)^2 of one image.
//
// `layers` map z to the observed pixels x (or to the values that an operator measures).
// `transposed` holds all layers but the last with inputs and outputs exchanged and no bias.
// The padding of `weight` is zero.
template <class Real>
struct MisfitView {
  const LayerView<Real>* layers;      // [num_layers]
  const LayerView<Real>* transposed;  // [num_layers - 1]
  std::int32_t num_layers;
  const Real* target;  // [vectors of the last layer * lanes]
  const Real* weight;  // [vectors of the last layer * lanes]
};

// Most latent vectors that any kernel takes at once; callers have room for as many.
constexpr std::int32_t kMaxBlock = 16;

// Latent vectors of one image, and where their results go.
template <class Real>
struct Block {
  std::int32_t size;            // at most Kernel::max_block
  const Real* const* latents;   // [size][D]
  Real* misfits;                // [size]
  Real* const* half_gradients;  // [size][D]; not used by Kernel::misfit
};

// The functions of one instruction set, and the layout that they expect.
template <class Real>
struct Kernel {
  const char* name;
  std::int32_t lanes;
  std::int32_t max_tile;
  std::int32_t max_block;
  // Bytes of scratch memory, aligned to 64, that the functions below need.
  std::size_t (*workspace_bytes)(const MisfitView<Real>& view);
  // S(z), forward only.
  void (*misfit)(const MisfitView<Real>& view, const Block<Real>& block, void* workspace);
  // S(z), and half its gradient with respect to z.
  void (*misfit_and_gradient)(const MisfitView<Real>& view, const Block<Real>& block,
                              void* workspace);
};

// Function pointers, so no code of an instruction set runs unless its kernel is chosen.
extern const Kernel<float> kPortableFloat;
extern const Kernel<double> kPortableDouble;
extern const Kernel<float> kAvx2;
extern const Kernel<float> kAvx512;

}  // namespace inpaint

// The layers of a dense generator, packed for a kernel as `LayerView` describes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <numeric>
#include <vector>

#include "kernel.h"

namespace inpaint {

// Aligns to 64 bytes, the size of the widest vector: kernels use aligned loads.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};

  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(std::size_t size) {
    return static_cast<T*>(::operator new(size * sizeof(T), kAlignment));
  }
  void deallocate(T* memory, std::size_t) { ::operator delete(memory, kAlignment); }
  template <class U>
  bool operator==(const AlignedAllocator<U>&) const {
    return true;
  }
  template <class U>
  bool operator!=(const AlignedAllocator<U>&) const {
    return false;
  }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

// `Dense` of inpaint/generators/layers.py. The memory is not owned.
template <class Real>
struct Dense {
  const Real* weight;  // [outputs, inputs], row-major
  const Real* bias;    // [outputs]
  std::int32_t outputs;
  std::int32_t inputs;
  Activation activation;
  Real negative_slope;
};

// A layer that owns its packed weights.
template <class Real>
class PackedLayer {
 public:
  // Packs the outputs of `layer` listed in `selected`, in that order.
  PackedLayer(const Dense<Real>& layer, const std::vector<std::int32_t>& selected,
              const Kernel<Real>& kernel)
      : outputs_(static_cast<std::int32_t>(selected.size())),
        inputs_(layer.inputs),
        vectors_((outputs_ + kernel.lanes - 1) / kernel.lanes),
        activation_(layer.activation),
        negative_slope_(layer.negative_slope) {
    const std::size_t padded = static_cast<std::size_t>(vectors_) * kernel.lanes;
    rows_.resize(padded * inputs_);
    bias_.resize(padded);
    const std::size_t tile = static_cast<std::size_t>(kernel.max_tile) * kernel.lanes;
    for (std::size_t start = 0; start < padded; start += tile) {
      const std::size_t width = std::min(tile, padded - start);
      Real* rows = rows_.data() + start * inputs_;
      for (std::size_t j = 0; j < width && start + j < selected.size(); ++j) {
        const std::size_t output = selected[start + j];
        bias_[start + j] = layer.bias[output];
        for (std::int32_t i = 0; i < inputs_; ++i) {
          rows[i * width + j] = layer.weight[output * inputs_ + i];
        }
      }
    }
  }

  // Packs a layer with inputs and outputs exchanged and no bias.
  static PackedLayer transposed(const Dense<Real>& layer, const Kernel<Real>& kernel) {
    std::vector<Real> weight(static_cast<std::size_t>(layer.inputs) * layer.outputs);
    for (std::size_t i = 0; i < weight.size(); ++i) {
      weight[i % layer.inputs * layer.outputs + i / layer.inputs] = layer.weight[i];
    }
    const std::vector<Real> bias(layer.inputs);
    std::vector<std::int32_t> all(layer.inputs);
    std::iota(all.begin(), all.end(), 0);
    return PackedLayer({weight.data(), bias.data(), layer.inputs, layer.outputs, layer.activation,
                        layer.negative_slope},
                       all, kernel);
  }

  LayerView<Real> view() const {
    return {rows_.data(), bias_.data(), inputs_, outputs_, vectors_, activation_, negative_slope_};
  }

 private:
  std::int32_t outputs_;
  std::int32_t inputs_;
  std::int32_t vectors_;
  Activation activation_;
  Real negative_slope_;
  AlignedVector<Real> rows_;
  AlignedVector<Real> bias_;
};

}  // namespace inpaint

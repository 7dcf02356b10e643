// What callers of inpaint._C may hand over. Kernels and solvers trust sizes, types and counts, so
// each of them is checked here before any memory is touched. Included by bindings.cpp only.
#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernel.h"

namespace inpaint {

using at::Tensor;

// `ArgumentError` and `ShapeError` of inpaint/errors.py, as which Python sees them.
struct ArgumentError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};
struct ShapeError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

constexpr std::int64_t kMaxLatentSize = 1 << 20;
constexpr std::int64_t kMaxLayerSize = 1 << 28;
constexpr std::int64_t kMaxPairs = 1000;
constexpr std::int64_t kMaxThreads = 1024;
constexpr std::int64_t kMaxCount = 2147483647;

inline std::string text(double value) {
  std::string digits = std::to_string(value);
  while (digits.back() == '0') digits.pop_back();
  if (digits.back() == '.') digits.pop_back();
  return digits;
}

inline std::string text(at::IntArrayRef shape) {
  std::string sizes;
  for (const std::int64_t size : shape) sizes += (sizes.empty() ? "" : ", ") + std::to_string(size);
  return "[" + sizes + "]";
}

// Requires an integer from `low` to `high`.
inline void check_integer(const char* name, std::int64_t value, std::int64_t low,
                          std::int64_t high = kMaxCount) {
  if (low <= value && value <= high) return;
  throw ArgumentError(std::string(name) + " is " + std::to_string(value) + "; choose " +
                      std::to_string(low) + " to " + std::to_string(high) + ".");
}

// Requires a finite number of 0 or above; above 0 if `positive`.
inline void check_number(const char* name, double value, bool positive) {
  if (std::isfinite(value) && (positive ? value > 0 : value >= 0)) return;
  throw ArgumentError(std::string(name) + " is " + text(value) + "; choose a finite number " +
                      (positive ? "above 0." : "of 0 or above."));
}

// Requires a number in [0, 1).
inline void check_decay(const char* name, double value) {
  if (0 <= value && value < 1) return;
  throw ArgumentError(std::string(name) + " is " + text(value) +
                      "; choose a number from 0 to just below 1.");
}

inline void check_shape(const std::string& name, const Tensor& tensor,
                        const std::vector<std::int64_t>& shape) {
  if (tensor.sizes() == at::IntArrayRef(shape)) return;
  throw ShapeError(name + " has shape " + text(tensor.sizes()) + "; this call needs " +
                   text(at::IntArrayRef(shape)) + ".");
}

// Requires numbers of type `dtype` in the CPU's memory, one after the other.
inline void check_memory(const std::string& name, const Tensor& tensor, at::ScalarType dtype) {
  const auto refuse = [&](const std::string& found, const std::string& rule) {
    throw ArgumentError(name + " " + found + "; " + rule);
  };
  if (!tensor.defined()) refuse("is missing", "give a tensor.");
  if (!tensor.device().is_cpu()) {
    refuse("is on " + tensor.device().str(), "move it to the CPU with `.cpu()`.");
  }
  if (tensor.scalar_type() != dtype) {
    refuse("is of type " + std::string(at::toString(tensor.scalar_type())),
           "convert it to " + std::string(at::toString(dtype)) + ".");
  }
  if (tensor.layout() != at::kStrided || !tensor.is_contiguous() || tensor.is_neg()) {
    refuse("is not contiguous", "pass `tensor.contiguous()`.");
  }
}

inline void check_tensor(const std::string& name, const Tensor& tensor, at::ScalarType dtype,
                         const std::vector<std::int64_t>& shape) {
  check_memory(name, tensor, dtype);
  check_shape(name, tensor, shape);
}

// Requires `axes` axes, none of them empty.
inline void check_axes(const std::string& name, const Tensor& tensor, std::int64_t axes,
                       const char* meaning) {
  if (tensor.defined() && tensor.dim() == axes && tensor.numel() > 0) return;
  throw ShapeError(name + " has shape " +
                   (tensor.defined() ? text(tensor.sizes()) : std::string("none")) +
                   "; it must be " + meaning + " with at least one of each.");
}

// Requires tensors that C++ writes to not to share memory.
inline void check_apart(const std::vector<Tensor>& tensors) {
  for (const Tensor& one : tensors) {
    for (const Tensor& other : tensors) {
      if (&one == &other || one.numel() == 0 || other.numel() == 0) continue;
      const auto* begin = static_cast<const char*>(one.data_ptr());
      const auto* start = static_cast<const char*>(other.data_ptr());
      if (begin <= start && start < begin + one.nbytes()) {
        throw ArgumentError("state holds tensors that share memory; pass a copy of each.");
      }
    }
  }
}

// `Dense` of inpaint/generators/layers.py.
struct Layer {
  Tensor weight;  // [out, in]
  Tensor bias;    // [out]
  Activation activation;
  double negative_slope;
};

// Requires layers that follow each other and fit to the data. `weight` may be empty.
inline void check_problem(const std::vector<Layer>& layers, const Tensor& target, const Tensor& weight,
                   const Tensor& num_observed, double known_noise) {
  if (layers.empty()) throw ArgumentError("layers is empty; give at least one.");
  check_axes("target", target, 2, "[images, pixels]");
  const at::ScalarType dtype = target.scalar_type();
  if (dtype != at::kFloat && dtype != at::kDouble) {
    throw ArgumentError("target is of type " + std::string(at::toString(dtype)) +
                        "; convert it to Float or Double.");
  }
  check_memory("target", target, dtype);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string name = "layer " + std::to_string(i);
    const Layer& layer = layers[i];
    check_axes(name + "'s weight", layer.weight, 2, "[outputs, inputs]");
    check_memory(name + "'s weight", layer.weight, dtype);
    check_tensor(name + "'s bias", layer.bias, dtype, {layer.weight.size(0)});
    check_integer("the number of a layer's outputs", layer.weight.size(0), 1, kMaxLayerSize);
    if (i > 0 && layer.weight.size(1) != layers[i - 1].weight.size(0)) {
      throw ShapeError(name + " has " + std::to_string(layer.weight.size(1)) +
                       " inputs; the layer before it has " +
                       std::to_string(layers[i - 1].weight.size(0)) +
                       " outputs. Both numbers must be the same.");
    }
  }
  check_integer("the number of latent variables", layers[0].weight.size(1), 1, kMaxLatentSize);
  check_shape("target", target, {target.size(0), layers.back().weight.size(0)});
  if (weight.numel() > 0) {
    check_tensor("weight", weight, dtype, target.sizes().vec());
    if (!weight.ne(0).any(1).all().item<bool>()) {
      throw ArgumentError("weight is 0 for all pixels of an image; observe at least one of each.");
    }
  }
  check_tensor("num_observed", num_observed, dtype, {target.size(0)});
  if (!num_observed.gt(0).all().item<bool>()) {
    throw ArgumentError("num_observed is not above 0 for every image; observe at least one pixel.");
  }
  check_number("known_noise", known_noise, /*positive=*/false);
}

}  // namespace inpaint

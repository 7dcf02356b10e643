// J and its gradient, which solvers call and kernels compute.
//
//   J(z) = N log S(z) + z'z,   S(z) = sum_m weight_m (y_m - x_m(z))^2
//
// or J(z) = S(z) / sigma^2 + z'z if the noise standard deviation sigma is known: the function
// that inpaint/search/objective.py defines and explains. A kernel computes the misfit S and half
// its gradient; the rest is here, once for all kernels.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "generator.h"
#include "kernel.h"

namespace inpaint {

// J of one image.
template <class Real>
class Objective {
 public:
  // `target`, `weight` and the memory behind the layers must outlive the objective.
  // `known_noise` is 0 if sigma is unknown.
  Objective(const Kernel<Real>& kernel, std::vector<LayerView<Real>> layers,
            std::vector<LayerView<Real>> transposed, const Real* target, const Real* weight,
            Real num_observed, Real known_noise)
      : kernel_(&kernel),
        layers_(std::move(layers)),
        transposed_(std::move(transposed)),
        target_(target),
        weight_(weight),
        num_observed_(num_observed),
        floor_(num_observed * std::numeric_limits<Real>::epsilon() *
               std::numeric_limits<Real>::epsilon()),
        precision_(known_noise > 0 ? 1 / (known_noise * known_noise) : 0) {}

  std::int32_t latent_size() const { return layers_.front().inputs; }
  // Maximum number of latent vectors per call. A block is faster than single calls, since its
  // latent vectors share the weights in cache; their results do not depend on each other.
  std::int32_t max_block() const { return kernel_->max_block; }
  std::size_t workspace_bytes() const { return kernel_->workspace_bytes(view()); }

  // J, forward only. latents: [block_size][D], costs: [block_size]
  void cost(std::int32_t block_size, const Real* const* latents, Real* costs,
            void* workspace) const {
    kernel_->misfit(view(), {block_size, latents, costs, nullptr}, workspace);
    for (std::int32_t i = 0; i < block_size; ++i) costs[i] = cost_of(costs[i], latents[i]);
  }

  // J and its gradient. latents and gradients: [block_size][D], costs: [block_size]
  void cost_and_gradient(std::int32_t block_size, const Real* const* latents, Real* costs,
                         Real* const* gradients, void* workspace) const {
    kernel_->misfit_and_gradient(view(), {block_size, latents, costs, gradients}, workspace);
    for (std::int32_t i = 0; i < block_size; ++i) {
      const Real* z = latents[i];
      const Real scale = gradient_scale(costs[i]);
      for (std::int32_t d = 0; d < latent_size(); ++d) {
        gradients[i][d] = scale * gradients[i][d] + 2 * z[d];
      }
      costs[i] = cost_of(costs[i], z);
    }
  }

 private:
  MisfitView<Real> view() const {
    return {layers_.data(), transposed_.data(), static_cast<std::int32_t>(layers_.size()), target_,
            weight_};
  }

  // 2 dJ/dS, by which half the gradient of S is multiplied. Below the floor S is only rounding
  // error, and J is constant in it.
  Real gradient_scale(Real misfit) const {
    if (precision_ > 0) return 2 * precision_;
    return misfit > floor_ ? 2 * num_observed_ / misfit : Real(0);
  }

  Real cost_of(Real misfit, const Real* z) const {
    Real square = 0;
    for (std::int32_t i = 0; i < latent_size(); ++i) square += z[i] * z[i];
    if (precision_ > 0) return misfit * precision_ + square;
    // The comparison is false for NaN, so NaN is not replaced by the floor.
    return num_observed_ * std::log(misfit < floor_ ? floor_ : misfit) + square;
  }

  const Kernel<Real>* kernel_;
  std::vector<LayerView<Real>> layers_;
  std::vector<LayerView<Real>> transposed_;
  const Real* target_;
  const Real* weight_;
  Real num_observed_;
  Real floor_;
  Real precision_;  // 1 / sigma^2, or 0 if sigma is unknown
};

}  // namespace inpaint

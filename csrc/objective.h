// J and its gradient for ONE latent vector: the seam between solvers and kernels.
//
//   J(z) = N log S(z) + z'z,   S(z) = sum_m weight_m (y_m - x_m(z))^2
//
// The same function as inpaint/objective.py, which explains it. A kernel gives the misfit S
// and half its gradient; all else is here, once for all kernels.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "generator.h"
#include "kernel.h"

namespace inpaint {

template <class Real>
class Objective {
 public:
  // `layers` and the memory behind them, `target` and `weight` must outlive the objective.
  Objective(const Kernel<Real>& kernel, std::vector<LayerView<Real>> layers, const Real* target,
            const Real* weight, Real count)
      : kernel_(&kernel),
        layers_(std::move(layers)),
        target_(target),
        weight_(weight),
        count_(count),
        floor_(count * std::numeric_limits<Real>::epsilon() *
               std::numeric_limits<Real>::epsilon()) {}

  std::int32_t latent_size() const { return layers_.front().inputs; }
  std::size_t workspace_bytes() const { return kernel_->workspace_bytes(view()); }

  // J, forward only. z: [D]
  Real cost(const Real* z, void* workspace) const {
    return cost_of(kernel_->misfit(view(), z, workspace), z);
  }

  // J and its gradient. z: [D], gradient: [D]
  Real cost_and_gradient(const Real* z, Real* gradient, void* workspace) const {
    const Real misfit = kernel_->misfit_and_gradient(view(), z, gradient, workspace);
    // Below the floor only rounding is left of S, and J is constant in it.
    const Real slope = misfit > floor_ ? 2 * count_ / misfit : Real(0);
    for (std::int32_t i = 0; i < latent_size(); ++i) gradient[i] = slope * gradient[i] + 2 * z[i];
    return cost_of(misfit, z);
  }

 private:
  MisfitView<Real> view() const {
    return {layers_.data(), static_cast<std::int32_t>(layers_.size()), target_, weight_};
  }

  Real cost_of(Real misfit, const Real* z) const {
    Real square = 0;
    for (std::int32_t i = 0; i < latent_size(); ++i) square += z[i] * z[i];
    // Written so that a misfit of NaN stays NaN.
    return count_ * std::log(misfit < floor_ ? floor_ : misfit) + square;
  }

  const Kernel<Real>* kernel_;
  std::vector<LayerView<Real>> layers_;
  const Real* target_;
  const Real* weight_;
  Real count_;
  Real floor_;
};

}  // namespace inpaint

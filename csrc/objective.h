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
  Objective(const Kernel<Real>& kernel, std::vector<LayerView<Real>> layers,
            std::vector<LayerView<Real>> transposed, const Real* target, const Real* weight,
            Real count)
      : kernel_(&kernel),
        layers_(std::move(layers)),
        transposed_(std::move(transposed)),
        target_(target),
        weight_(weight),
        count_(count),
        floor_(count * std::numeric_limits<Real>::epsilon() *
               std::numeric_limits<Real>::epsilon()) {}

  std::int32_t latent_size() const { return layers_.front().inputs; }
  // Latent vectors that are evaluated at once, at most. Together they are faster, since they
  // share the weights in cache; what each of them gives does not depend on the others.
  std::int32_t max_block() const { return kernel_->max_block; }
  std::size_t workspace_bytes() const { return kernel_->workspace_bytes(view()); }

  // J, forward only, at `count` latent vectors [D]. cost: [count]
  void cost(std::int32_t count, const Real* const* latent, Real* cost, void* workspace) const {
    kernel_->misfit(view(), {count, latent, cost, nullptr}, workspace);
    for (std::int32_t i = 0; i < count; ++i) cost[i] = cost_of(cost[i], latent[i]);
  }

  // J and its gradient at `count` latent vectors [D]. cost: [count], gradient: [count][D]
  void cost_and_gradient(std::int32_t count, const Real* const* latent, Real* cost,
                         Real* const* gradient, void* workspace) const {
    kernel_->misfit_and_gradient(view(), {count, latent, cost, gradient}, workspace);
    for (std::int32_t i = 0; i < count; ++i) {
      const Real* z = latent[i];
      // Below the floor only rounding is left of S, and J is constant in it.
      const Real slope = cost[i] > floor_ ? 2 * count_ / cost[i] : Real(0);
      for (std::int32_t d = 0; d < latent_size(); ++d) {
        gradient[i][d] = slope * gradient[i][d] + 2 * z[d];
      }
      cost[i] = cost_of(cost[i], z);
    }
  }

 private:
  MisfitView<Real> view() const {
    return {layers_.data(), transposed_.data(), static_cast<std::int32_t>(layers_.size()), target_,
            weight_};
  }

  Real cost_of(Real misfit, const Real* z) const {
    Real square = 0;
    for (std::int32_t i = 0; i < latent_size(); ++i) square += z[i] * z[i];
    // Written so that a misfit of NaN stays NaN.
    return count_ * std::log(misfit < floor_ ? floor_ : misfit) + square;
  }

  const Kernel<Real>* kernel_;
  std::vector<LayerView<Real>> layers_;
  std::vector<LayerView<Real>> transposed_;
  const Real* target_;
  const Real* weight_;
  Real count_;
  Real floor_;
};

}  // namespace inpaint

// J and its gradient for ONE latent vector: the seam between solvers and kernels.
//
//   J(z) = N log S(z) + z'z,   S(z) = sum_m weight_m (y_m - x_m(z))^2
//
// or J(z) = S(z) / sigma^2 + z'z where the noise sigma is known: the same function as
// inpaint/search/objective.py, which explains it. A kernel gives the misfit S and half its gradient;
// all else is here, once for all kernels.
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
  // `known_noise` is 0 where the noise level is unknown.
  Objective(const Kernel<Real>& kernel, std::vector<LayerView<Real>> layers,
            std::vector<LayerView<Real>> transposed, const Real* target, const Real* weight,
            Real count, Real known_noise)
      : kernel_(&kernel),
        layers_(std::move(layers)),
        transposed_(std::move(transposed)),
        target_(target),
        weight_(weight),
        count_(count),
        floor_(count * std::numeric_limits<Real>::epsilon() * std::numeric_limits<Real>::epsilon()),
        precision_(known_noise > 0 ? 1 / (known_noise * known_noise) : 0) {}

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
      const Real slope = slope_of(cost[i]);
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

  // Twice the slope of J in S. Below the floor only rounding is left of S, and J is constant.
  Real slope_of(Real misfit) const {
    if (precision_ > 0) return 2 * precision_;
    return misfit > floor_ ? 2 * count_ / misfit : Real(0);
  }

  Real cost_of(Real misfit, const Real* z) const {
    Real square = 0;
    for (std::int32_t i = 0; i < latent_size(); ++i) square += z[i] * z[i];
    if (precision_ > 0) return misfit * precision_ + square;
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
  Real precision_;  // 1 / sigma^2, or 0
};

}  // namespace inpaint

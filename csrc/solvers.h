// First-order solvers as sequential programs for one restart, and the loop that runs a solver.
//
// The formulas, their order and the state are those of inpaint/search/backends/torch.py, which
// explains them. A descent can be interrupted after any step: `Restart` holds all it needs.
// lbfgs.h has the quasi-Newton solver.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernel.h"

namespace inpaint {

// `Status` of inpaint/types.py.
enum class Status : std::uint8_t { kRunning, kConverged, kMaxSteps, kNonFinite, kCancelled };

// When a restart stops early: see `Solver` in inpaint/search/solvers.py.
struct Stopping {
  double tolerance;
  std::int32_t patience;
};

// One restart's part of `SolveState` in inpaint/search/solvers.py.
template <class Real>
struct Restart {
  Real* latent;  // [D]
  Real* cost;
  Real* best_latent;  // [D]
  Real* best_cost;
  Status* status;
  std::int32_t* evaluations;
  Real* anchor;
  std::int32_t* stale;
  Real* memory;  // [K]
};

// Four partial sums, so that additions do not wait for each other.
template <class Real>
Real dot(const Real* a, const Real* b, std::int32_t size) {
  Real sum[4] = {};
  std::int32_t i = 0;
  for (; i + 4 <= size; i += 4) {
    for (std::int32_t k = 0; k < 4; ++k) sum[k] += a[i + k] * b[i + k];
  }
  for (; i < size; ++i) sum[0] += a[i] * b[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

// J and its gradient at `Restart::latent`.
template <class Real>
struct Evaluation {
  Real cost;
  const Real* gradient;  // [D]
  bool finite;           // whether the cost and all of the gradient are
};

// The update rules of the first-order solvers. `StepConstants` holds what is the same for all
// restarts in a step; `step_number` counts from 1; `memory_size` is K of `Restart::memory`.

// z <- z - rate * gradient.
struct GradientDescent {
  std::int32_t memory_size(std::int32_t) const { return 0; }

  template <class Real>
  struct StepConstants {
    Real rate;
  };

  template <class Real>
  StepConstants<Real> step_constants(std::int64_t, double rate) const {
    return {static_cast<Real>(rate)};
  }

  template <class Real>
  void step(const StepConstants<Real>& constants, std::int32_t size,
            const Real* __restrict gradient, Real* __restrict z, Real* __restrict) const {
    for (std::int32_t i = 0; i < size; ++i) z[i] -= constants.rate * gradient[i];
  }
};

// Memory: mean square [D].
struct RMSprop {
  double decay;
  double epsilon;

  std::int32_t memory_size(std::int32_t size) const { return size; }

  template <class Real>
  struct StepConstants {
    Real rate;
  };

  template <class Real>
  StepConstants<Real> step_constants(std::int64_t, double rate) const {
    return {static_cast<Real>(rate)};
  }

  template <class Real>
  void step(const StepConstants<Real>& constants, std::int32_t size,
            const Real* __restrict gradient, Real* __restrict z, Real* __restrict square) const {
    const Real keep = decay, add = 1 - decay, small = epsilon;
    for (std::int32_t i = 0; i < size; ++i) {
      square[i] = keep * square[i] + add * (gradient[i] * gradient[i]);
      z[i] -= constants.rate * (gradient[i] / (std::sqrt(square[i]) + small));
    }
  }
};

// Memory: mean [D], mean square [D].
struct Adam {
  double beta1;
  double beta2;
  double epsilon;

  std::int32_t memory_size(std::int32_t size) const { return 2 * size; }

  template <class Real>
  struct StepConstants {
    Real rate;
    Real unbias1;  // 1 / (1 - beta1^step_number)
    Real unbias2;
  };

  template <class Real>
  StepConstants<Real> step_constants(std::int64_t step_number, double rate) const {
    const double n = static_cast<double>(step_number);
    return {static_cast<Real>(rate), static_cast<Real>(1 / (1 - std::pow(beta1, n))),
            static_cast<Real>(1 / (1 - std::pow(beta2, n)))};
  }

  template <class Real>
  void step(const StepConstants<Real>& constants, std::int32_t size,
            const Real* __restrict gradient, Real* __restrict z, Real* __restrict memory) const {
    Real* __restrict mean = memory;
    Real* __restrict square = memory + size;
    const Real keep1 = beta1, add1 = 1 - beta1, keep2 = beta2, add2 = 1 - beta2, small = epsilon;
    for (std::int32_t i = 0; i < size; ++i) {
      mean[i] = keep1 * mean[i] + add1 * gradient[i];
      square[i] = keep2 * square[i] + add2 * (gradient[i] * gradient[i]);
      const Real scale = std::sqrt(square[i] * constants.unbias2) + small;
      z[i] -= constants.rate * (mean[i] * constants.unbias1 / scale);
    }
  }
};

// Keeps the current iterate if it is the best so far.
template <class Real>
void keep_best(const Restart<Real>& restart, std::int32_t size) {
  if (!(*restart.cost < *restart.best_cost)) return;
  *restart.best_cost = *restart.cost;
  std::copy_n(restart.latent, size, restart.best_latent);
}

// Updates `anchor` and `stale` after an iterate; returns whether the restart has converged.
template <class Real>
bool update_convergence(const Restart<Real>& restart, const Stopping& stopping) {
  if (*restart.best_cost < *restart.anchor - static_cast<Real>(stopping.tolerance)) {
    *restart.anchor = *restart.best_cost;
    *restart.stale = 0;
  } else {
    ++*restart.stale;
  }
  return stopping.tolerance > 0 && *restart.stale >= stopping.patience;
}

// A solver whose step depends only on one gradient, a learning rate and its memory.
template <class Rule>
struct FirstOrder {
  Rule rule;

  template <class Real>
  using StepConstants = typename Rule::template StepConstants<Real>;

  static constexpr bool kHasRates = true;

  std::int32_t scratch_size() const { return 0; }
  std::int64_t memory_size(std::int32_t size) const { return rule.memory_size(size); }
  template <class Real>
  bool accepts(const Real*, std::int32_t) const {
    return true;
  }

  template <class Real>
  StepConstants<Real> step_constants(std::int64_t step_number, double rate) const {
    return rule.template step_constants<Real>(step_number, rate);
  }

  // Takes a step from the iterate that was evaluated, or stops the restart.
  template <class Real>
  void advance(const StepConstants<Real>& constants, const Evaluation<Real>& evaluation,
               const Stopping& stopping, std::int32_t size, const Restart<Real>& restart,
               Real*) const {
    *restart.cost = evaluation.finite ? evaluation.cost : std::numeric_limits<Real>::infinity();
    keep_best(restart, size);
    const bool converged = update_convergence(restart, stopping);
    if (converged) *restart.status = Status::kConverged;
    if (!evaluation.finite) *restart.status = Status::kNonFinite;
    if (*restart.status != Status::kRunning) return;
    rule.step(constants, size, evaluation.gradient, restart.latent, restart.memory);
  }

  // Evaluates the iterate after the last step.
  template <class Real, class Objective>
  void finish(const Objective& objective, const Restart<Real>& restart, void* workspace) const {
    const Real* latent = restart.latent;
    objective.cost(1, &latent, restart.cost, workspace);
    if (!std::isfinite(*restart.cost)) *restart.cost = std::numeric_limits<Real>::infinity();
    keep_best(restart, objective.latent_size());
  }
};

// Takes `num_steps` steps with a block of restarts of one image.
//
// The restarts are independent; they advance together only so that each step can evaluate
// them in one call.
//
// Args:
//   objective: J of the restarts' image.
//   constants: Constants of each step. [num_steps]
//   restarts: [block_size], at most objective.max_block().
//   history: Cost of each restart at each step. [block_size][num_steps]
//   gradients: Scratch. [block_size][D]
//   scratch: Scratch of the solver.
//   workspace: Scratch of the objective.
template <class Real, class Objective, class Solver>
void advance_block(const Objective& objective, const Solver& solver, const Stopping& stopping,
                   const typename Solver::template StepConstants<Real>* constants,
                   std::int64_t num_steps, const Restart<Real>* restarts, std::int32_t block_size,
                   Real* history, Real* gradients, Real* scratch, void* workspace) {
  const std::int32_t size = objective.latent_size();
  std::int32_t running[kMaxBlock];
  const Real* latent[kMaxBlock];
  Real* gradient[kMaxBlock];
  Real cost[kMaxBlock];
  for (std::int64_t i = 0; i < num_steps; ++i) {
    std::int32_t num_running = 0;
    for (std::int32_t k = 0; k < block_size; ++k) {
      if (*restarts[k].status != Status::kRunning) continue;
      running[num_running] = k;
      latent[num_running] = restarts[k].latent;
      gradient[num_running] = gradients + num_running * size;
      ++num_running;
    }
    if (num_running > 0) {
      objective.cost_and_gradient(num_running, latent, cost, gradient, workspace);
    }
    for (std::int32_t a = 0; a < num_running; ++a) {
      const Restart<Real>& restart = restarts[running[a]];
      bool finite = std::isfinite(cost[a]);
      for (std::int32_t d = 0; d < size; ++d) finite &= std::isfinite(gradient[a][d]);
      ++*restart.evaluations;
      solver.advance(constants[i], {cost[a], gradient[a], finite}, stopping, size, restart,
                     scratch);
    }
    for (std::int32_t k = 0; k < block_size; ++k) history[k * num_steps + i] = *restarts[k].cost;
  }
}

// Gives a restart that still runs its final cost and status.
template <class Real, class Objective, class Solver>
void finish_restart(const Objective& objective, const Solver& solver, Status status,
                    const Restart<Real>& restart, void* workspace) {
  if (*restart.status != Status::kRunning) return;
  solver.finish(objective, restart, workspace);
  *restart.status = std::isfinite(*restart.cost) ? status : Status::kNonFinite;
}

}  // namespace inpaint

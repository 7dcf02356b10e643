// Solvers as plain sequential programs for one restart, and the loop that drives them.
//
// The formulas, their order and the state are those of inpaint/search/backends/torch.py, which
// carries the explanations. A descent can be cut into chunks anywhere: all that it needs is
// in `Restart`. lbfgs.h has the quasi-Newton solver.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace inpaint {

// As in inpaint/types.py.
enum class Status : std::uint8_t { kRunning, kConverged, kMaxSteps, kNonFinite, kCancelled };

// Restarts that take turns, at most.
constexpr std::int32_t kMaxBlock = 16;

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

// In four parts, which do not wait for each other.
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

// What has just been found at a restart's trial point.
template <class Real>
struct Trial {
  Real cost;
  const Real* gradient;  // [D]
  bool finite;           // whether all of these numbers are
};

// The rules of the first-order solvers. `Numbers` is what a rule needs to know of a step, worked
// out once for all restarts; `number` counts the steps from 1.

// z <- z - rate * gradient.
struct GradientDescent {
  template <class Real>
  struct Numbers {
    Real rate;
  };

  template <class Real>
  Numbers<Real> numbers(std::int64_t, double rate) const {
    return {static_cast<Real>(rate)};
  }

  template <class Real>
  void step(const Numbers<Real>& at, std::int32_t size, const Real* __restrict gradient,
            Real* __restrict z, Real* __restrict) const {
    for (std::int32_t i = 0; i < size; ++i) z[i] -= at.rate * gradient[i];
  }
};

// Memory: mean square [D].
struct RMSprop {
  double decay;
  double epsilon;

  template <class Real>
  struct Numbers {
    Real rate;
  };

  template <class Real>
  Numbers<Real> numbers(std::int64_t, double rate) const {
    return {static_cast<Real>(rate)};
  }

  template <class Real>
  void step(const Numbers<Real>& at, std::int32_t size, const Real* __restrict gradient,
            Real* __restrict z, Real* __restrict square) const {
    const Real keep = decay, add = 1 - decay, small = epsilon;
    for (std::int32_t i = 0; i < size; ++i) {
      square[i] = keep * square[i] + add * (gradient[i] * gradient[i]);
      z[i] -= at.rate * (gradient[i] / (std::sqrt(square[i]) + small));
    }
  }
};

// Memory: mean [D], mean square [D].
struct Adam {
  double beta1;
  double beta2;
  double epsilon;

  template <class Real>
  struct Numbers {
    Real rate;
    Real unbias1;  // 1 / (1 - beta1^number)
    Real unbias2;
  };

  template <class Real>
  Numbers<Real> numbers(std::int64_t number, double rate) const {
    const double n = static_cast<double>(number);
    return {static_cast<Real>(rate), static_cast<Real>(1 / (1 - std::pow(beta1, n))),
            static_cast<Real>(1 / (1 - std::pow(beta2, n)))};
  }

  template <class Real>
  void step(const Numbers<Real>& at, std::int32_t size, const Real* __restrict gradient,
            Real* __restrict z, Real* __restrict memory) const {
    Real* __restrict mean = memory;
    Real* __restrict square = memory + size;
    const Real keep1 = beta1, add1 = 1 - beta1, keep2 = beta2, add2 = 1 - beta2, small = epsilon;
    for (std::int32_t i = 0; i < size; ++i) {
      mean[i] = keep1 * mean[i] + add1 * gradient[i];
      square[i] = keep2 * square[i] + add2 * (gradient[i] * gradient[i]);
      const Real scale = std::sqrt(square[i] * at.unbias2) + small;
      z[i] -= at.rate * (mean[i] * at.unbias1 / scale);
    }
  }
};

// Keeps the restart's current iterate if it is the best so far.
template <class Real>
void keep_best(const Restart<Real>& restart, std::int32_t size) {
  if (!(*restart.cost < *restart.best_cost)) return;
  *restart.best_cost = *restart.cost;
  std::copy_n(restart.latent, size, restart.best_latent);
}

// Whether the lowest cost no longer falls, after one more iterate.
template <class Real>
bool note_convergence(const Restart<Real>& restart, const Stopping& stopping) {
  if (*restart.best_cost < *restart.anchor - static_cast<Real>(stopping.tolerance)) {
    *restart.anchor = *restart.best_cost;
    *restart.stale = 0;
  } else {
    ++*restart.stale;
  }
  return stopping.tolerance > 0 && *restart.stale >= stopping.patience;
}

// A solver whose step follows from one gradient and a learning rate, by `Rule::step`.
template <class Rule>
struct FirstOrder {
  Rule rule;

  template <class Real>
  using Numbers = typename Rule::template Numbers<Real>;

  std::int32_t scratch_size() const { return 0; }

  template <class Real>
  Numbers<Real> numbers(std::int64_t number, double rate) const {
    return rule.template numbers<Real>(number, rate);
  }

  // Moves a restart on from a trial point, or stops it.
  template <class Real>
  void advance(const Numbers<Real>& at, const Trial<Real>& trial, const Stopping& stopping,
               std::int32_t size, const Restart<Real>& restart, Real*) const {
    *restart.cost = trial.finite ? trial.cost : std::numeric_limits<Real>::infinity();
    keep_best(restart, size);
    const bool converged = note_convergence(restart, stopping);
    if (converged) *restart.status = Status::kConverged;
    if (!trial.finite) *restart.status = Status::kNonFinite;
    if (*restart.status != Status::kRunning) return;
    rule.step(at, size, trial.gradient, restart.latent, restart.memory);
  }

  // Evaluates the iterate that the last step led to.
  template <class Real, class Objective>
  void finish(const Objective& objective, const Restart<Real>& restart, void* workspace) const {
    const Real* latent = restart.latent;
    objective.cost(1, &latent, restart.cost, workspace);
    if (!std::isfinite(*restart.cost)) *restart.cost = std::numeric_limits<Real>::infinity();
    keep_best(restart, objective.latent_size());
  }
};

// Takes the steps of one chunk with a few restarts of one image.
//
// Each restart is a program of its own; they take turns only so that their trial points can be
// evaluated together.
//
// Args:
//   objective: J of the restarts' image.
//   steps: What the solver needs to know of each step. [num_steps]
//   restarts: [count], at most objective.max_block().
//   history: Cost that each restart holds at each step. [count][num_steps]
//   gradient: Scratch. [count][D]
//   scratch: Scratch of the solver.
//   workspace: Scratch of the objective.
template <class Real, class Objective, class Solver>
void descend(const Objective& objective, const Solver& solver, const Stopping& stopping,
             const typename Solver::template Numbers<Real>* steps, std::int64_t num_steps,
             const Restart<Real>* restarts, std::int32_t count, Real* history, Real* gradient,
             Real* scratch, void* workspace) {
  const std::int32_t size = objective.latent_size();
  std::int32_t running[kMaxBlock];
  const Real* trial[kMaxBlock];
  Real* slot[kMaxBlock];
  Real cost[kMaxBlock];
  for (std::int64_t i = 0; i < num_steps; ++i) {
    std::int32_t active = 0;
    for (std::int32_t k = 0; k < count; ++k) {
      if (*restarts[k].status != Status::kRunning) continue;
      running[active] = k;
      trial[active] = restarts[k].latent;
      slot[active] = gradient + active * size;
      ++active;
    }
    if (active > 0) objective.cost_and_gradient(active, trial, cost, slot, workspace);
    for (std::int32_t a = 0; a < active; ++a) {
      const Restart<Real>& restart = restarts[running[a]];
      bool finite = std::isfinite(cost[a]);
      for (std::int32_t d = 0; d < size; ++d) finite &= std::isfinite(slot[a][d]);
      ++*restart.evaluations;
      solver.advance(steps[i], {cost[a], slot[a], finite}, stopping, size, restart, scratch);
    }
    for (std::int32_t k = 0; k < count; ++k) history[k * num_steps + i] = *restarts[k].cost;
  }
}

// Gives a restart that still runs its final cost and status.
template <class Real, class Objective, class Solver>
void conclude(const Objective& objective, const Solver& solver, Status status,
              const Restart<Real>& restart, void* workspace) {
  if (*restart.status != Status::kRunning) return;
  solver.finish(objective, restart, workspace);
  *restart.status = std::isfinite(*restart.cost) ? status : Status::kNonFinite;
}

}  // namespace inpaint

// Limited-memory BFGS as a state machine for one restart; each call processes one trial point.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "solvers.h"

namespace inpaint {

// `LBFGS` of inpaint/search/solvers.py, computed as in inpaint/search/backends/quasi_newton.py,
// but for one restart instead of all of them at once.
//
// `Restart::latent` is the trial point, `best_latent` the iterate.
struct LBFGS {
  std::int32_t max_pairs;
  double armijo;
  double curvature;
  std::int32_t max_trials;
  double curvature_floor;
  double first_step_length;

  // `SolveState.memory` by name, laid out as `LBFGS` of inpaint/search/solvers.py says.
  template <class Real>
  struct Memory {
    Memory(Real* memory, std::int32_t max_pairs, std::int32_t size)
        : gradient(memory),
          direction(gradient + size),
          step_length(direction[size]),
          low(direction[size + 1]),
          high(direction[size + 2]),
          directional_derivative(direction[size + 3]),
          num_trials(direction[size + 4]),
          num_pairs(direction[size + 5]),
          s(direction + size + 6),
          y(s + max_pairs * size),
          rho(y + max_pairs * size) {}

    Real* gradient;                // [D], at the iterate
    Real* direction;               // [D]
    Real& step_length;             // of the trial point along the direction
    Real& low;                     // longest step length known to be too short
    Real& high;                    // shortest step length known to be too long
    Real& directional_derivative;  // of J along the direction, at the iterate
    Real& num_trials;              // along this direction
    Real& num_pairs;               // in use
    Real* s;                       // [P, D], differences of iterates, newest first
    Real* y;                       // [P, D], differences of gradients
    Real* rho;                     // [P], 1 / (y . s)
  };

  // No constants depend on the step.
  template <class Real>
  struct StepConstants {};

  template <class Real>
  StepConstants<Real> step_constants(std::int64_t, double) const {
    return {};
  }

  static constexpr bool kHasRates = false;

  std::int32_t scratch_size() const { return max_pairs; }
  std::int64_t memory_size(std::int32_t size) const {
    return 2 * std::int64_t{size} + 6 + std::int64_t{max_pairs} * (2 * std::int64_t{size} + 1);
  }
  // Whether a restart's memory can be one of this solver: the number of pairs is used as an index.
  template <class Real>
  bool accepts(Real* memory, std::int32_t size) const {
    const Real num_pairs = Memory<Real>(memory, max_pairs, size).num_pairs;
    return num_pairs >= 0 && num_pairs <= static_cast<Real>(max_pairs);
  }

  // Accepts the trial point, continues the line search, or abandons the direction.
  template <class Real>
  void advance(const StepConstants<Real>&, const Evaluation<Real>& trial, const Stopping& stopping,
               std::int32_t size, const Restart<Real>& restart, Real* scratch) const {
    Memory<Real> memory(restart.memory, max_pairs, size);
    const bool at_start = std::isinf(*restart.best_cost);
    if (at_start && !trial.finite) {
      *restart.cost = std::numeric_limits<Real>::infinity();
      *restart.status = Status::kNonFinite;
      return;
    }
    const bool last_trial = memory.num_trials + 1 >= max_trials;
    const bool armijo_holds =
        trial.finite && trial.cost <= *restart.best_cost + static_cast<Real>(armijo) *
                                                               memory.step_length *
                                                               memory.directional_derivative;
    const bool curvature_holds = dot(trial.gradient, memory.direction, size) >=
                                 static_cast<Real>(curvature) * memory.directional_derivative;
    if (at_start || (armijo_holds && (curvature_holds || last_trial))) {
      accept(restart, trial, stopping, size, at_start, memory);
      if (*restart.status != Status::kRunning) return;
      new_direction(memory, size, scratch);
    } else if (!continue_search(restart, memory, armijo_holds, last_trial, size)) {
      if (memory.num_pairs == 0) {
        *restart.status = Status::kConverged;
        return;
      }
      memory.num_pairs = 0;
      new_direction(memory, size, scratch);
    }
    for (std::int32_t i = 0; i < size; ++i) {
      restart.latent[i] = restart.best_latent[i] + memory.step_length * memory.direction[i];
    }
  }

  // The cost of the iterate is already known.
  template <class Real, class Objective>
  void finish(const Objective&, const Restart<Real>&, void*) const {}

 private:
  // Makes the trial point the iterate.
  template <class Real>
  void accept(const Restart<Real>& restart, const Evaluation<Real>& trial, const Stopping& stopping,
              std::int32_t size, bool at_start, Memory<Real>& memory) const {
    if (!at_start) store_pair(restart, trial.gradient, size, memory);
    std::copy_n(trial.gradient, size, memory.gradient);
    std::copy_n(restart.latent, size, restart.best_latent);
    *restart.cost = *restart.best_cost = trial.cost;
    if (update_convergence(restart, stopping)) *restart.status = Status::kConverged;
  }

  // Stores the newest pair if J curves upwards along it.
  template <class Real>
  void store_pair(const Restart<Real>& restart, const Real* gradient, std::int32_t size,
                  Memory<Real>& memory) const {
    Real sy = 0, ss = 0, yy = 0;
    for (std::int32_t i = 0; i < size; ++i) {
      const Real s = restart.latent[i] - restart.best_latent[i];
      const Real y = gradient[i] - memory.gradient[i];
      sy += s * y;
      ss += s * s;
      yy += y * y;
    }
    if (!(sy > static_cast<Real>(curvature_floor) * std::sqrt(ss * yy))) return;
    const std::int32_t older = (max_pairs - 1) * size;
    std::copy_backward(memory.s, memory.s + older, memory.s + older + size);
    std::copy_backward(memory.y, memory.y + older, memory.y + older + size);
    std::copy_backward(memory.rho, memory.rho + max_pairs - 1, memory.rho + max_pairs);
    for (std::int32_t i = 0; i < size; ++i) {
      memory.s[i] = restart.latent[i] - restart.best_latent[i];
      memory.y[i] = gradient[i] - memory.gradient[i];
    }
    memory.rho[0] = 1 / sy;
    memory.num_pairs = std::min<Real>(memory.num_pairs + 1, static_cast<Real>(max_pairs));
  }

  // Sets the next step length along the direction; returns false to abandon the direction.
  template <class Real>
  bool continue_search(const Restart<Real>& restart, Memory<Real>& memory, bool armijo_holds,
                       bool last_trial, std::int32_t size) const {
    (armijo_holds ? memory.low : memory.high) = memory.step_length;
    if ((last_trial && memory.low == 0) || memory.num_trials >= max_trials) return false;
    // The last trial returns to the longest step length that met the Armijo condition.
    memory.step_length = last_trial                ? memory.low
                         : std::isinf(memory.high) ? 2 * memory.low
                                                   : (memory.low + memory.high) / 2;
    ++memory.num_trials;
    // If rounding absorbs the whole step, the search ends.
    for (std::int32_t i = 0; i < size; ++i) {
      const Real point = restart.best_latent[i] + memory.step_length * memory.direction[i];
      if (point != restart.best_latent[i]) return true;
    }
    return false;
  }

  // Computes a new direction by the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4)
  // and begins a line search. alphas: scratch [max_pairs]
  template <class Real>
  void new_direction(Memory<Real>& memory, std::int32_t size, Real* alphas) const {
    const auto num_pairs = static_cast<std::int32_t>(memory.num_pairs);
    Real* q = memory.direction;
    std::copy_n(memory.gradient, size, q);
    for (std::int32_t k = 0; k < num_pairs; ++k) {
      alphas[k] = memory.rho[k] * dot(memory.s + k * size, q, size);
      for (std::int32_t i = 0; i < size; ++i) q[i] -= alphas[k] * memory.y[k * size + i];
    }
    if (num_pairs > 0) {
      const Real scale = 1 / (memory.rho[0] * dot(memory.y, memory.y, size));
      for (std::int32_t i = 0; i < size; ++i) q[i] *= scale;
    }
    for (std::int32_t k = num_pairs - 1; k >= 0; --k) {
      const Real beta = memory.rho[k] * dot(memory.y + k * size, q, size);
      for (std::int32_t i = 0; i < size; ++i) q[i] += (alphas[k] - beta) * memory.s[k * size + i];
    }
    memory.directional_derivative = -dot(memory.gradient, q, size);
    const Real square = dot(memory.gradient, memory.gradient, size);
    const bool downhill = memory.directional_derivative < 0;
    if (!downhill) {
      memory.directional_derivative = -square;
      memory.num_pairs = 0;
    }
    for (std::int32_t i = 0; i < size; ++i) q[i] = downhill ? -q[i] : -memory.gradient[i];
    memory.step_length =
        memory.num_pairs > 0
            ? 1
            : std::min<Real>(1, static_cast<Real>(first_step_length) / std::sqrt(square));
    memory.low = 0;
    memory.high = std::numeric_limits<Real>::infinity();
    memory.num_trials = 0;
  }
};

}  // namespace inpaint

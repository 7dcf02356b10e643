// Limited-memory BFGS as a state machine for one restart: each call takes in one trial point.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "solvers.h"

namespace inpaint {

// Limited-memory BFGS: inpaint/search/backends/quasi_newton.py for one restart, and without masks.
//
// `Restart::latent` is the trial point, `best_latent` the iterate.
struct LBFGS {
  std::int32_t pairs;
  double armijo;
  double curvature;
  std::int32_t trials;
  double curvature_floor;
  double first_length;

  // `SolveState.memory` by name; the layout is that of `LBFGS` in inpaint/search/solvers.py.
  template <class Real>
  struct Memory {
    Memory(Real* memory, std::int32_t pairs, std::int32_t size)
        : gradient(memory),
          direction(gradient + size),
          length(direction[size]),
          low(direction[size + 1]),
          high(direction[size + 2]),
          slope(direction[size + 3]),
          trials(direction[size + 4]),
          pairs(direction[size + 5]),
          moves(direction + size + 6),
          turns(moves + pairs * size),
          inverse(turns + pairs * size) {}

    Real* gradient;   // [D], at the iterate
    Real* direction;  // [D]
    Real& length;     // of the step along the direction
    Real& low;        // longest step known to be too short
    Real& high;       // shortest step known to be too long
    Real& slope;      // of J along the direction at the iterate
    Real& trials;
    Real& pairs;
    Real* moves;    // [P, D], differences of iterates, newest first
    Real* turns;    // [P, D], differences of gradients
    Real* inverse;  // [P], 1 / (move . turn)
  };

  // All steps are alike.
  template <class Real>
  struct Numbers {};

  template <class Real>
  Numbers<Real> numbers(std::int64_t, double) const {
    return {};
  }

  std::int32_t scratch_size() const { return pairs; }

  // Accepts a trial point, or goes on searching along the line, or gives the direction up.
  template <class Real>
  void advance(const Numbers<Real>&, const Trial<Real>& trial, const Stopping& stopping,
               std::int32_t size, const Restart<Real>& restart, Real* scratch) const {
    Memory<Real> memory(restart.memory, pairs, size);
    const bool first = std::isinf(*restart.best_cost);
    if (first && !trial.finite) {
      *restart.cost = std::numeric_limits<Real>::infinity();
      *restart.status = Status::kNonFinite;
      return;
    }
    const bool last = memory.trials + 1 >= trials;
    const bool enough =
        trial.finite &&
        trial.cost <= *restart.best_cost + static_cast<Real>(armijo) * memory.length * memory.slope;
    const bool flat =
        dot(trial.gradient, memory.direction, size) >= static_cast<Real>(curvature) * memory.slope;
    if (first || (enough && (flat || last))) {
      accept(restart, trial, stopping, size, first, memory);
      if (*restart.status != Status::kRunning) return;
      turn(memory, size, scratch);
    } else if (!search(restart, memory, enough, last, size)) {
      if (memory.pairs == 0) {
        *restart.status = Status::kConverged;
        return;
      }
      memory.pairs = 0;
      turn(memory, size, scratch);
    }
    for (std::int32_t i = 0; i < size; ++i) {
      restart.latent[i] = restart.best_latent[i] + memory.length * memory.direction[i];
    }
  }

  // The cost of the iterate is known already.
  template <class Real, class Objective>
  void finish(const Objective&, const Restart<Real>&, void*) const {}

 private:
  template <class Real>
  void accept(const Restart<Real>& restart, const Trial<Real>& trial, const Stopping& stopping,
              std::int32_t size, bool first, Memory<Real>& memory) const {
    if (!first) remember(restart, trial.gradient, size, memory);
    std::copy_n(trial.gradient, size, memory.gradient);
    std::copy_n(restart.latent, size, restart.best_latent);
    *restart.cost = *restart.best_cost = trial.cost;
    if (note_convergence(restart, stopping)) *restart.status = Status::kConverged;
  }

  // Takes in the new pair where J curves upwards.
  template <class Real>
  void remember(const Restart<Real>& restart, const Real* gradient, std::int32_t size,
                Memory<Real>& memory) const {
    Real product = 0, move_square = 0, turn_square = 0;
    for (std::int32_t i = 0; i < size; ++i) {
      const Real move = restart.latent[i] - restart.best_latent[i];
      const Real turn = gradient[i] - memory.gradient[i];
      product += move * turn;
      move_square += move * move;
      turn_square += turn * turn;
    }
    if (!(product > static_cast<Real>(curvature_floor) * std::sqrt(move_square * turn_square))) {
      return;
    }
    const std::int32_t older = (pairs - 1) * size;
    std::copy_backward(memory.moves, memory.moves + older, memory.moves + older + size);
    std::copy_backward(memory.turns, memory.turns + older, memory.turns + older + size);
    std::copy_backward(memory.inverse, memory.inverse + pairs - 1, memory.inverse + pairs);
    for (std::int32_t i = 0; i < size; ++i) {
      memory.moves[i] = restart.latent[i] - restart.best_latent[i];
      memory.turns[i] = gradient[i] - memory.gradient[i];
    }
    memory.inverse[0] = 1 / product;
    memory.pairs = std::min<Real>(memory.pairs + 1, static_cast<Real>(pairs));
  }

  // Sets the next step length along the line; false if the direction is to be given up.
  template <class Real>
  bool search(const Restart<Real>& restart, Memory<Real>& memory, bool enough, bool last,
              std::int32_t size) const {
    (enough ? memory.low : memory.high) = memory.length;
    if ((last && memory.low == 0) || memory.trials >= trials) return false;
    // The last trial goes back to the longest step known to be good.
    memory.length = last                      ? memory.low
                    : std::isinf(memory.high) ? 2 * memory.low
                                              : (memory.low + memory.high) / 2;
    ++memory.trials;
    for (std::int32_t i = 0; i < size; ++i) {
      const Real point = restart.best_latent[i] + memory.length * memory.direction[i];
      if (point != restart.best_latent[i]) return true;
    }
    return false;
  }

  // Turns to a new direction by the two-loop recursion (Nocedal and Wright 2006, algorithm
  // 7.4). alphas: scratch [pairs]
  template <class Real>
  void turn(Memory<Real>& memory, std::int32_t size, Real* alphas) const {
    const auto used = static_cast<std::int32_t>(memory.pairs);
    Real* q = memory.direction;
    std::copy_n(memory.gradient, size, q);
    for (std::int32_t k = 0; k < used; ++k) {
      alphas[k] = memory.inverse[k] * dot(memory.moves + k * size, q, size);
      for (std::int32_t i = 0; i < size; ++i) q[i] -= alphas[k] * memory.turns[k * size + i];
    }
    if (used > 0) {
      const Real scale = 1 / (memory.inverse[0] * dot(memory.turns, memory.turns, size));
      for (std::int32_t i = 0; i < size; ++i) q[i] *= scale;
    }
    for (std::int32_t k = used - 1; k >= 0; --k) {
      const Real beta = memory.inverse[k] * dot(memory.turns + k * size, q, size);
      for (std::int32_t i = 0; i < size; ++i)
        q[i] += (alphas[k] - beta) * memory.moves[k * size + i];
    }
    memory.slope = -dot(memory.gradient, q, size);
    const Real square = dot(memory.gradient, memory.gradient, size);
    const bool downhill = memory.slope < 0;
    if (!downhill) {
      memory.slope = -square;
      memory.pairs = 0;
    }
    for (std::int32_t i = 0; i < size; ++i) q[i] = downhill ? -q[i] : -memory.gradient[i];
    memory.length = memory.pairs > 0
                        ? 1
                        : std::min<Real>(1, static_cast<Real>(first_length) / std::sqrt(square));
    memory.low = 0;
    memory.high = std::numeric_limits<Real>::infinity();
    memory.trials = 0;
  }
};

}  // namespace inpaint

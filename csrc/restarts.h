// Every call of the backend as a parallel loop over all restarts of all images.
//
// A restart is a sequential program that reads and writes only its own part of the state, so
// its result is bit-equal for any number of threads, in any order, and whatever other restarts
// and images are in the call.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "objective.h"
#include "parallel.h"
#include "problem.h"
#include "solvers.h"

namespace inpaint {

// `SolveState` of inpaint/search/solvers.py: arrays over [B, R].
template <class Real>
struct StateView {
  std::int64_t num_restarts;  // of each image
  std::int32_t latent_size;
  std::int32_t memory_size;
  Restart<Real> first_restart;

  Restart<Real> operator[](std::int64_t i) const {
    return {first_restart.latent + i * latent_size,
            first_restart.cost + i,
            first_restart.best_latent + i * latent_size,
            first_restart.best_cost + i,
            first_restart.status + i,
            first_restart.evaluations + i,
            first_restart.anchor + i,
            first_restart.stale + i,
            first_restart.memory + i * memory_size};
  }
};

// Splits the R restarts of each image into blocks and calls `call(objective, first_restart,
// block_size, scratch)` for each block on several threads; `first_restart` counts through all
// B x R restarts. Blocks are smaller if there would be fewer of them than threads. `scratch`
// holds `caller_bytes` for the caller, then the objective's workspace.
template <class Real, class Call>
void for_each_block(const Problem<Real>& problem, std::int64_t num_restarts, int threads,
                    std::size_t caller_bytes, const Call& call) {
  problem.for_each_part([&](const auto& images, std::int64_t first_image) {
    const auto num_images = static_cast<std::int64_t>(images.size());
    const int team = count_threads(threads, num_images * num_restarts);
    const std::int64_t share = (num_images * num_restarts + team - 1) / team;
    const std::int64_t max_size =
        std::min<std::int64_t>({problem.max_block(), num_restarts, share});
    const std::int64_t blocks = (num_restarts + max_size - 1) / max_size;
    const std::size_t scratch_bytes = caller_bytes + images[0]->objective().workspace_bytes();
    parallel_for(num_images * blocks, team, scratch_bytes,
                 [&](std::int64_t i, unsigned char* scratch) {
                   const std::int64_t image = i / blocks;
                   const std::int64_t restart = i % blocks * max_size;
                   const auto block_size =
                       static_cast<std::int32_t>(std::min(max_size, num_restarts - restart));
                   call(images[image]->objective(), (first_image + image) * num_restarts + restart,
                        block_size, scratch);
                 });
  });
}

// The bytes that `size` numbers take, rounded up to keep what follows aligned to 64 bytes.
template <class Real>
std::size_t aligned_bytes(std::size_t size) {
  return (size * sizeof(Real) / 64 + 1) * 64;
}

// Takes `num_steps` steps with every restart.
//
// Args:
//   first_step: Number of steps taken before.
//   rates: Learning rate of each step, or null if the solver has none. [num_steps]
//   history: Cost of each restart at each step. [B, R, num_steps]
template <class Real, class Solver>
void advance(const Problem<Real>& problem, const Solver& solver, const Stopping& stopping,
             std::int64_t first_step, std::int64_t num_steps, const double* rates,
             const StateView<Real>& state, Real* history, int threads) {
  std::vector<typename Solver::template StepConstants<Real>> constants;
  for (std::int64_t i = 0; i < num_steps; ++i) {
    const double rate = rates == nullptr ? 0 : rates[i];
    constants.push_back(solver.template step_constants<Real>(first_step + i + 1, rate));
  }
  const std::size_t gradients_size = problem.max_block() * problem.latent_size();
  const std::size_t caller_bytes = aligned_bytes<Real>(gradients_size + solver.scratch_size());
  for_each_block(problem, state.num_restarts, threads, caller_bytes,
                 [&](const Objective<Real>& objective, std::int64_t first_restart,
                     std::int32_t block_size, unsigned char* scratch) {
                   Restart<Real> restarts[kMaxBlock];
                   for (std::int32_t k = 0; k < block_size; ++k) {
                     restarts[k] = state[first_restart + k];
                   }
                   Real* gradients = reinterpret_cast<Real*>(scratch);
                   advance_block(objective, solver, stopping, constants.data(), num_steps, restarts,
                                 block_size, history + first_restart * num_steps, gradients,
                                 gradients + gradients_size, scratch + caller_bytes);
                 });
}

// Gives all restarts that still run their final cost and status.
template <class Real, class Solver>
void finish(const Problem<Real>& problem, const Solver& solver, Status status,
            const StateView<Real>& state, int threads) {
  for_each_block(problem, state.num_restarts, threads, 0,
                 [&](const Objective<Real>& objective, std::int64_t first_restart,
                     std::int32_t block_size, unsigned char* scratch) {
                   for (std::int32_t k = 0; k < block_size; ++k) {
                     finish_restart(objective, solver, status, state[first_restart + k], scratch);
                   }
                 });
}

// J at R latent vectors of each image, and its gradient unless `gradients` is null.
// latents: [B, R, D], costs: [B, R], gradients: [B, R, D]
template <class Real>
void evaluate(const Problem<Real>& problem, const Real* latents, std::int64_t num_restarts,
              Real* costs, Real* gradients, int threads) {
  const std::int32_t size = problem.latent_size();
  for_each_block(
      problem, num_restarts, threads, 0,
      [&](const Objective<Real>& objective, std::int64_t first_restart, std::int32_t block_size,
          unsigned char* scratch) {
        const Real* z[kMaxBlock];
        Real* gradient[kMaxBlock];
        for (std::int32_t k = 0; k < block_size; ++k) {
          z[k] = latents + (first_restart + k) * size;
          gradient[k] = gradients == nullptr ? nullptr : gradients + (first_restart + k) * size;
        }
        if (gradients == nullptr) {
          objective.cost(block_size, z, costs + first_restart, scratch);
        } else {
          objective.cost_and_gradient(block_size, z, costs + first_restart, gradient, scratch);
        }
      });
}

}  // namespace inpaint

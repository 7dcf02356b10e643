// All restarts of all images: one parallel loop over them.
//
// A restart is a sequential program that reads and writes its own part of the state alone,
// so the result is bit-equal for any number of threads, in any order, and whatever other
// restarts and images share the call.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "objective.h"
#include "problem.h"
#include "solvers.h"

namespace inpaint {

// Threads to use for `items` pieces of work: `requested`, or all cores where it is 0.
inline int count_threads(int requested, std::int64_t items) {
  const int threads = requested > 0 ? requested : omp_get_num_procs();
  return static_cast<int>(std::max<std::int64_t>(1, std::min<std::int64_t>(threads, items)));
}

// Calls `work(item, scratch)` for each item, on several threads; each has its own scratch.
template <class Work>
void parallel_for(std::int64_t items, int threads, std::size_t scratch_bytes, const Work& work) {
  threads = count_threads(threads, items);
  // Beyond a page apart, so that no two threads write to one cache line.
  const std::size_t stride = (scratch_bytes / 4096 + 2) * 4096;
  AlignedVector<unsigned char> scratch(stride * threads);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (std::int64_t item = 0; item < items; ++item) {
    work(item, scratch.data() + stride * omp_get_thread_num());
  }
}

// `SolveState` of inpaint/search/solvers.py: arrays over [B, R].
template <class Real>
struct StateView {
  std::int64_t restarts;  // of each image
  std::int32_t latent_size;
  std::int32_t memory_size;
  Restart<Real> first;

  Restart<Real> operator[](std::int64_t i) const {
    return {first.latent + i * latent_size,
            first.cost + i,
            first.best_latent + i * latent_size,
            first.best_cost + i,
            first.status + i,
            first.evaluations + i,
            first.anchor + i,
            first.stale + i,
            first.memory + i * memory_size};
  }
};

// Cuts R restarts of each image into blocks, and calls `work(objective, first, count, scratch)`
// for each block on several threads, with the number of its first restart among all B x R.
// Fewer restarts than threads can share make smaller blocks.
template <class Real, class Work>
void for_each_block(const Problem<Real>& problem, std::int64_t restarts, int threads,
                    std::size_t own_bytes, const Work& work) {
  problem.for_each_part([&](const auto& images, std::int64_t first_image) {
    const auto count = static_cast<std::int64_t>(images.size());
    const int team = count_threads(threads, count * restarts);
    const std::int64_t share = (count * restarts + team - 1) / team;
    const std::int64_t size = std::min<std::int64_t>({problem.max_block(), restarts, share});
    const std::int64_t blocks = (restarts + size - 1) / size;
    const std::size_t scratch_bytes = own_bytes + images[0]->objective().workspace_bytes();
    parallel_for(count * blocks, team, scratch_bytes, [&](std::int64_t i, unsigned char* scratch) {
      const std::int64_t image = i / blocks;
      const std::int64_t first = i % blocks * size;
      const auto here = static_cast<std::int32_t>(std::min(size, restarts - first));
      work(images[image]->objective(), (first_image + image) * restarts + first, here, scratch);
    });
  });
}

// Takes the steps of one chunk with every restart.
//
// Args:
//   first_step: Number of steps taken before.
//   rates: Learning rate of each step, or null where the solver has none. [num_steps]
//   history: Cost that each restart holds at each step. [B, R, num_steps]
template <class Real, class Solver>
void advance(const Problem<Real>& problem, const Solver& solver, const Stopping& stopping,
             std::int64_t first_step, std::int64_t num_steps, const double* rates,
             const StateView<Real>& state, Real* history, int threads) {
  std::vector<typename Solver::template Numbers<Real>> steps;
  for (std::int64_t i = 0; i < num_steps; ++i) {
    const double rate = rates == nullptr ? 0 : rates[i];
    steps.push_back(solver.template numbers<Real>(first_step + i + 1, rate));
  }
  const std::int32_t size = problem.latent_size();
  const std::size_t own = problem.max_block() * size + solver.scratch_size();
  const std::size_t own_bytes = (own * sizeof(Real) / 64 + 1) * 64;
  for_each_block(problem, state.restarts, threads, own_bytes,
                 [&](const Objective<Real>& objective, std::int64_t first, std::int32_t count,
                     unsigned char* scratch) {
                   Restart<Real> restarts[kMaxBlock];
                   for (std::int32_t k = 0; k < count; ++k) restarts[k] = state[first + k];
                   Real* gradient = reinterpret_cast<Real*>(scratch);
                   descend(objective, solver, stopping, steps.data(), num_steps, restarts, count,
                           history + first * num_steps, gradient,
                           gradient + problem.max_block() * size, scratch + own_bytes);
                 });
}

// Settles the cost and status of all restarts that still run.
template <class Real, class Solver>
void finish(const Problem<Real>& problem, const Solver& solver, Status status,
            const StateView<Real>& state, int threads) {
  for_each_block(problem, state.restarts, threads, 0,
                 [&](const Objective<Real>& objective, std::int64_t first, std::int32_t count,
                     unsigned char* scratch) {
                   for (std::int32_t k = 0; k < count; ++k) {
                     conclude(objective, solver, status, state[first + k], scratch);
                   }
                 });
}

// J at R latent vectors of each image, and its gradient unless `gradient` is null.
// latents: [B, R, D], cost: [B, R], gradient: [B, R, D]
template <class Real>
void evaluate(const Problem<Real>& problem, const Real* latents, std::int64_t restarts, Real* cost,
              Real* gradient, int threads) {
  const std::int32_t size = problem.latent_size();
  for_each_block(problem, restarts, threads, 0,
                 [&](const Objective<Real>& objective, std::int64_t first, std::int32_t count,
                     unsigned char* scratch) {
                   const Real* z[kMaxBlock];
                   Real* slot[kMaxBlock];
                   for (std::int32_t k = 0; k < count; ++k) {
                     z[k] = latents + (first + k) * size;
                     slot[k] = gradient == nullptr ? nullptr : gradient + (first + k) * size;
                   }
                   if (gradient == nullptr) {
                     objective.cost(count, z, cost + first, scratch);
                   } else {
                     objective.cost_and_gradient(count, z, cost + first, slot, scratch);
                   }
                 });
}

}  // namespace inpaint

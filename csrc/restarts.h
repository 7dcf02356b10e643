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
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "generator.h"
#include "objective.h"
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

// What is known of B images: target [B, M], weight [B, M] or null, count [B]. Not owned.
template <class Real>
struct Observation {
  const Real* target;
  const Real* weight;
  const Real* count;
  std::int64_t images;
  std::int32_t pixels;
};

// J of B images, packed for a kernel.
//
// Without weights all images share one packing of the last layer. With weights (a mask per
// image) each image gets its own, of the pixels of nonzero weight only.
template <class Real>
class Problem {
 public:
  Problem(const std::vector<Dense<Real>>& layers, const Observation<Real>& observation,
          const Kernel<Real>& kernel)
      : kernel_(kernel) {
    for (std::size_t i = 0; i + 1 < layers.size(); ++i) {
      hidden_.emplace_back(layers[i], range(layers[i].outputs), kernel);
      transposed_.push_back(PackedLayer<Real>::transposed(layers[i], kernel));
    }
    const std::vector<std::int32_t> all = range(observation.pixels);
    for (std::int64_t b = 0; b < observation.images; ++b) {
      const Real* target = observation.target + b * observation.pixels;
      if (observation.weight == nullptr) {
        if (b == 0) pixels_.emplace_back(layers.back(), all, kernel);
        add_image(pixels_.front(), all, target, nullptr, observation.count[b]);
        continue;
      }
      const Real* weight = observation.weight + b * observation.pixels;
      std::vector<std::int32_t> observed;
      for (std::int32_t m : all) {
        if (weight[m] != 0) observed.push_back(m);
      }
      pixels_.emplace_back(layers.back(), observed, kernel);
      add_image(pixels_.back(), observed, target, weight, observation.count[b]);
    }
  }
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;

  std::int64_t images() const { return static_cast<std::int64_t>(objectives_.size()); }
  std::int32_t latent_size() const { return objectives_.front().latent_size(); }
  const char* kernel_name() const { return kernel_.name; }
  std::int32_t max_block() const { return kernel_.max_block; }
  const Objective<Real>& objective(std::int64_t image) const { return objectives_[image]; }

  std::size_t workspace_bytes() const {
    std::size_t bytes = 0;
    for (const Objective<Real>& objective : objectives_) {
      bytes = std::max(bytes, objective.workspace_bytes());
    }
    return bytes;
  }

 private:
  static std::vector<std::int32_t> range(std::int32_t size) {
    std::vector<std::int32_t> numbers(size);
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
  }

  void add_image(const PackedLayer<Real>& layer, const std::vector<std::int32_t>& observed,
                 const Real* target, const Real* weight, Real count) {
    const std::size_t padded = static_cast<std::size_t>(layer.view().vectors) * kernel_.lanes;
    targets_.emplace_back(padded);
    weights_.emplace_back(padded);
    for (std::size_t m = 0; m < observed.size(); ++m) {
      targets_.back()[m] = target[observed[m]];
      weights_.back()[m] = weight == nullptr ? Real(1) : weight[observed[m]];
    }
    std::vector<LayerView<Real>> views, transposed;
    for (const PackedLayer<Real>& hidden : hidden_) views.push_back(hidden.view());
    for (const PackedLayer<Real>& hidden : transposed_) transposed.push_back(hidden.view());
    views.push_back(layer.view());
    objectives_.emplace_back(kernel_, std::move(views), std::move(transposed),
                             targets_.back().data(), weights_.back().data(), count);
  }

  const Kernel<Real>& kernel_;
  std::vector<PackedLayer<Real>> hidden_;
  std::vector<PackedLayer<Real>> transposed_;
  std::vector<PackedLayer<Real>> pixels_;
  std::vector<AlignedVector<Real>> targets_;  // of each image, padded
  std::vector<AlignedVector<Real>> weights_;
  std::vector<Objective<Real>> objectives_;
};

// `SolveState` of inpaint/solvers.py: arrays over [B, R].
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

// Cuts R restarts of each image into blocks, and calls `work(image, first, count, scratch)`
// for each block on several threads. Fewer restarts than threads can share make smaller blocks.
template <class Real, class Work>
void for_each_block(const Problem<Real>& problem, std::int64_t restarts, int threads,
                    std::size_t scratch_bytes, const Work& work) {
  threads = count_threads(threads, problem.images() * restarts);
  const std::int64_t share = (problem.images() * restarts + threads - 1) / threads;
  const std::int64_t size = std::min<std::int64_t>({problem.max_block(), restarts, share});
  const std::int64_t blocks = (restarts + size - 1) / size;
  parallel_for(problem.images() * blocks, threads, scratch_bytes,
               [&](std::int64_t i, unsigned char* scratch) {
                 const std::int64_t first = i % blocks * size;
                 work(i / blocks, first,
                      static_cast<std::int32_t>(std::min(size, restarts - first)), scratch);
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
  for_each_block(
      problem, state.restarts, threads, own_bytes + problem.workspace_bytes(),
      [&](std::int64_t image, std::int64_t first, std::int32_t count, unsigned char* scratch) {
        const std::int64_t at = image * state.restarts + first;
        Restart<Real> restarts[kMaxBlock];
        for (std::int32_t k = 0; k < count; ++k) restarts[k] = state[at + k];
        Real* gradient = reinterpret_cast<Real*>(scratch);
        descend(problem.objective(image), solver, stopping, steps.data(), num_steps, restarts,
                count, history + at * num_steps, gradient, gradient + problem.max_block() * size,
                scratch + own_bytes);
      });
}

// Settles the cost and status of all restarts that still run.
template <class Real, class Solver>
void finish(const Problem<Real>& problem, const Solver& solver, Status status,
            const StateView<Real>& state, int threads) {
  for_each_block(
      problem, state.restarts, threads, problem.workspace_bytes(),
      [&](std::int64_t image, std::int64_t first, std::int32_t count, unsigned char* scratch) {
        for (std::int32_t k = 0; k < count; ++k) {
          conclude(problem.objective(image), solver, status,
                   state[image * state.restarts + first + k], scratch);
        }
      });
}

// J at R latent vectors of each image, and its gradient unless `gradient` is null.
// latents: [B, R, D], cost: [B, R], gradient: [B, R, D]
template <class Real>
void evaluate(const Problem<Real>& problem, const Real* latents, std::int64_t restarts, Real* cost,
              Real* gradient, int threads) {
  const std::int32_t size = problem.latent_size();
  for_each_block(
      problem, restarts, threads, problem.workspace_bytes(),
      [&](std::int64_t image, std::int64_t first, std::int32_t count, unsigned char* scratch) {
        const std::int64_t at = image * restarts + first;
        const Real* z[kMaxBlock];
        Real* slot[kMaxBlock];
        for (std::int32_t k = 0; k < count; ++k) {
          z[k] = latents + (at + k) * size;
          slot[k] = gradient + (at + k) * size;
        }
        const Objective<Real>& objective = problem.objective(image);
        if (gradient == nullptr) {
          objective.cost(count, z, cost + at, scratch);
        } else {
          objective.cost_and_gradient(count, z, cost + at, slot, scratch);
        }
      });
}

}  // namespace inpaint

// Hamiltonian Monte Carlo as a sequential program for one particle.
//
// The formulas, their order and the arrays are those of
// inpaint/search/backends/hamiltonian.py, which explains them and provides all random numbers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "restarts.h"
#include "solvers.h"

namespace inpaint {

// One particle's part of `Moves` and `Moved`.
template <class Real>
struct Particle {
  const Real* latent;      // [D], where it starts
  const Real* momenta;     // [M, D]
  const Real* thresholds;  // [M]
  const Real* factor;      // [D, D], of its chain
  Real inverse_temperature;
  Real length;     // leapfrog step length; 0 if the particle rests
  Real* states;    // [M, D], after each move
  Real* costs;     // [M]
  bool* accepted;  // [M]
  Real* gradient;  // [D], of J at the last state
};

// A point on the leapfrog trajectory of a move.
template <class Real>
struct TrajectoryPoint {
  Real* position;  // [D]
  Real* gradient;  // [D], of J at the position
  Real* momentum;  // [D]
  Real cost;
  Real start_energy;  // at the start of the move

  static constexpr std::int32_t kVectors = 3;
};

// momentum -= fraction * length * F' grad U
template <class Real>
void kick(const Particle<Real>& particle, const TrajectoryPoint<Real>& point, Real fraction,
          std::int32_t size) {
  const Real beta = particle.inverse_temperature;
  const Real scale = fraction * particle.length;
  for (std::int32_t i = 0; i < size; ++i) {
    const Real potential_gradient = beta / 2 * point.gradient[i] + (1 - beta) * point.position[i];
    const Real* row = particle.factor + std::int64_t{i} * size;
    // F is lower triangular.
    for (std::int32_t j = 0; j <= i; ++j)
      point.momentum[j] -= scale * (potential_gradient * row[j]);
  }
}

// position += length * F momentum
template <class Real>
void drift(const Particle<Real>& particle, const TrajectoryPoint<Real>& point, std::int32_t size) {
  for (std::int32_t i = 0; i < size; ++i) {
    const Real* row = particle.factor + std::int64_t{i} * size;
    point.position[i] += particle.length * dot(row, point.momentum, i + 1);
  }
}

// The potential energy U plus the kinetic energy.
template <class Real>
Real energy(const Particle<Real>& particle, const TrajectoryPoint<Real>& point, std::int32_t size) {
  const Real beta = particle.inverse_temperature;
  return (beta * point.cost + (1 - beta) * dot(point.position, point.position, size) +
          dot(point.momentum, point.momentum, size)) /
         2;
}

// Makes `num_moves` moves with a block of particles of one image. The particles are independent;
// they move together only so that their gradients are evaluated in one call.
//
// Args:
//   particles: [block_size], at most objective.max_block(); none of them rests.
//   scratch: [block_size][TrajectoryPoint::kVectors][D]
//   workspace: Scratch of the objective.
template <class Real, class Objective>
void move(const Objective& objective, std::int64_t num_moves, std::int32_t leapfrog,
          const Particle<Real>* particles, std::int32_t block_size, Real* scratch,
          void* workspace) {
  const std::int32_t size = objective.latent_size();
  TrajectoryPoint<Real> points[kMaxBlock];
  const Real* positions[kMaxBlock] = {};
  Real* gradients[kMaxBlock] = {};
  Real costs[kMaxBlock];
  for (std::int32_t k = 0; k < block_size; ++k) {
    Real* own = scratch + k * TrajectoryPoint<Real>::kVectors * size;
    points[k] = {own, own + size, own + 2 * size, 0, 0};
    std::copy_n(particles[k].latent, size, points[k].position);
    positions[k] = points[k].position;
    gradients[k] = points[k].gradient;
  }
  objective.cost_and_gradient(block_size, positions, costs, gradients, workspace);
  // The last accepted state is in `Particle::states`, its gradient in `Particle::gradient`.
  Real state_costs[kMaxBlock];
  for (std::int32_t k = 0; k < block_size; ++k) {
    state_costs[k] = costs[k];
    std::copy_n(points[k].gradient, size, particles[k].gradient);
  }
  for (std::int64_t m = 0; m < num_moves; ++m) {
    for (std::int32_t k = 0; k < block_size; ++k) {
      const Particle<Real>& particle = particles[k];
      TrajectoryPoint<Real>& point = points[k];
      const Real* state = m == 0 ? particle.latent : particle.states + (m - 1) * size;
      std::copy_n(state, size, point.position);
      std::copy_n(particle.gradient, size, point.gradient);
      std::copy_n(particle.momenta + m * size, size, point.momentum);
      point.cost = state_costs[k];
      point.start_energy = energy(particle, point, size);
      kick(particle, point, Real(0.5), size);
    }
    for (std::int32_t step = 1; step <= leapfrog; ++step) {
      for (std::int32_t k = 0; k < block_size; ++k) drift(particles[k], points[k], size);
      objective.cost_and_gradient(block_size, positions, costs, gradients, workspace);
      for (std::int32_t k = 0; k < block_size; ++k) {
        kick(particles[k], points[k], step == leapfrog ? Real(0.5) : Real(1), size);
      }
    }
    for (std::int32_t k = 0; k < block_size; ++k) {
      const Particle<Real>& particle = particles[k];
      TrajectoryPoint<Real>& point = points[k];
      point.cost = costs[k];
      // If anything is not finite, the comparison is false and the move is rejected.
      const bool accepted =
          particle.thresholds[m] < point.start_energy - energy(particle, point, size);
      const Real* state = m == 0 ? particle.latent : particle.states + (m - 1) * size;
      std::copy_n(accepted ? point.position : state, size, particle.states + m * size);
      if (accepted) {
        std::copy_n(point.gradient, size, particle.gradient);
        state_costs[k] = costs[k];
      }
      particle.costs[m] = state_costs[k];
      particle.accepted[m] = accepted;
    }
  }
}

// `Moves` and `Moved`: arrays over [B, K, P]. The particles of a chain share its temperature and
// its factor.
template <class Real>
struct ParticlesView {
  std::int64_t num_chains;     // of each image
  std::int64_t num_particles;  // of each chain
  std::int64_t num_moves;
  std::int32_t leapfrog;
  std::int32_t latent_size;
  Particle<Real> first_particle;
  const Real* inverse_temperatures;  // [B, K]
  const Real* lengths;               // [B, K, P]

  Particle<Real> operator[](std::int64_t i) const {
    const std::int64_t chain = i / num_particles;
    const std::int64_t size = latent_size;
    return {first_particle.latent + i * size,
            first_particle.momenta + i * num_moves * size,
            first_particle.thresholds + i * num_moves,
            first_particle.factor + chain * size * size,
            inverse_temperatures[chain],
            lengths[i],
            first_particle.states + i * num_moves * size,
            first_particle.costs + i * num_moves,
            first_particle.accepted + i * num_moves,
            first_particle.gradient + i * size};
  }
};

// Moves all particles that do not rest.
template <class Real>
void move_all(const Problem<Real>& problem, const ParticlesView<Real>& all, int threads) {
  const std::size_t caller_bytes =
      aligned_bytes<Real>(static_cast<std::size_t>(problem.max_block()) * problem.latent_size() *
                          TrajectoryPoint<Real>::kVectors);
  for_each_block(problem, all.num_chains * all.num_particles, threads, caller_bytes,
                 [&](const Objective<Real>& objective, std::int64_t first_particle,
                     std::int32_t block_size, unsigned char* scratch) {
                   Particle<Real> particles[kMaxBlock];
                   std::int32_t num_moving = 0;
                   for (std::int32_t k = 0; k < block_size; ++k) {
                     particles[num_moving] = all[first_particle + k];
                     num_moving += particles[num_moving].length > 0;
                   }
                   if (num_moving == 0) return;
                   move(objective, all.num_moves, all.leapfrog, particles, num_moving,
                        reinterpret_cast<Real*>(scratch), scratch + caller_bytes);
                 });
}

}  // namespace inpaint

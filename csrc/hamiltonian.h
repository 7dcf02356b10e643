// Hamiltonian Monte Carlo as a plain sequential program for one particle.
//
// The formulas, their order and the arrays are those of inpaint/search/backends/hamiltonian.py, which
// carries the explanations. All random numbers come from there.
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
  const Real* latent;      // [D], where it begins
  const Real* momenta;     // [M, D]
  const Real* thresholds;  // [M]
  const Real* factor;      // [D, D], of its run
  Real inverse_temperature;
  Real length;     // 0 if it rests
  Real* states;    // [M, D], where each move led
  Real* costs;     // [M]
  bool* accepted;  // [M]
  Real* gradient;  // [D], of J at the last state
};

// Where a particle stands on its path, and the vectors that lead along. [D] each
template <class Real>
struct Orbit {
  Real* place;
  Real* slope;  // gradient of J there
  Real* momentum;
  Real cost;
  Real energy;  // where the move began

  static constexpr std::int32_t kVectors = 3;
};

// momentum -= share * length * F' grad U
template <class Real>
void kick(const Particle<Real>& particle, const Orbit<Real>& orbit, Real share, std::int32_t size) {
  const Real beta = particle.inverse_temperature;
  const Real scale = share * particle.length;
  for (std::int32_t i = 0; i < size; ++i) {
    const Real slope = beta / 2 * orbit.slope[i] + (1 - beta) * orbit.place[i];
    const Real* row = particle.factor + i * size;
    // F is lower triangular.
    for (std::int32_t j = 0; j <= i; ++j) orbit.momentum[j] -= scale * (slope * row[j]);
  }
}

// place += length * F momentum
template <class Real>
void drift(const Particle<Real>& particle, const Orbit<Real>& orbit, std::int32_t size) {
  for (std::int32_t i = 0; i < size; ++i) {
    const Real* row = particle.factor + i * size;
    orbit.place[i] += particle.length * dot(row, orbit.momentum, i + 1);
  }
}

// U plus the energy of motion.
template <class Real>
Real energy(const Particle<Real>& particle, const Orbit<Real>& orbit, std::int32_t size) {
  const Real beta = particle.inverse_temperature;
  return (beta * orbit.cost + (1 - beta) * dot(orbit.place, orbit.place, size) +
          dot(orbit.momentum, orbit.momentum, size)) /
         2;
}

// Moves a few particles of one image, in turns, so that their gradients come together.
//
// Args:
//   particles: [count], at most objective.max_block(); none of them rests.
//   scratch: [count][Orbit::kVectors][D]
//   workspace: Scratch of the objective.
template <class Real, class Objective>
void move(const Objective& objective, std::int64_t num_moves, std::int32_t leapfrog,
          const Particle<Real>* particles, std::int32_t count, Real* scratch, void* workspace) {
  const std::int32_t size = objective.latent_size();
  Orbit<Real> orbits[kMaxBlock];
  const Real* places[kMaxBlock];
  Real* slopes[kMaxBlock];
  Real costs[kMaxBlock];
  for (std::int32_t k = 0; k < count; ++k) {
    Real* own = scratch + k * Orbit<Real>::kVectors * size;
    orbits[k] = {own, own + size, own + 2 * size, 0, 0};
    std::copy_n(particles[k].latent, size, orbits[k].place);
    places[k] = orbits[k].place;
    slopes[k] = orbits[k].slope;
  }
  objective.cost_and_gradient(count, places, costs, slopes, workspace);
  // What a particle falls back on: its last state is kept in `states`, its gradient in `gradient`.
  Real held[kMaxBlock];
  for (std::int32_t k = 0; k < count; ++k) {
    held[k] = costs[k];
    std::copy_n(orbits[k].slope, size, particles[k].gradient);
  }
  for (std::int64_t m = 0; m < num_moves; ++m) {
    for (std::int32_t k = 0; k < count; ++k) {
      Orbit<Real>& orbit = orbits[k];
      const Real* before = m == 0 ? particles[k].latent : particles[k].states + (m - 1) * size;
      std::copy_n(before, size, orbit.place);
      std::copy_n(particles[k].gradient, size, orbit.slope);
      std::copy_n(particles[k].momenta + m * size, size, orbit.momentum);
      orbit.cost = held[k];
      orbit.energy = energy(particles[k], orbit, size);
      kick(particles[k], orbit, Real(0.5), size);
    }
    for (std::int32_t step = 1; step <= leapfrog; ++step) {
      for (std::int32_t k = 0; k < count; ++k) drift(particles[k], orbits[k], size);
      objective.cost_and_gradient(count, places, costs, slopes, workspace);
      for (std::int32_t k = 0; k < count; ++k) {
        kick(particles[k], orbits[k], step == leapfrog ? Real(0.5) : Real(1), size);
      }
    }
    for (std::int32_t k = 0; k < count; ++k) {
      const Particle<Real>& particle = particles[k];
      Orbit<Real>& orbit = orbits[k];
      orbit.cost = costs[k];
      // Where something is not finite the comparison fails, and the particle stays.
      const bool accepted = particle.thresholds[m] < orbit.energy - energy(particle, orbit, size);
      const Real* before = m == 0 ? particle.latent : particle.states + (m - 1) * size;
      std::copy_n(accepted ? orbit.place : before, size, particle.states + m * size);
      if (accepted) {
        std::copy_n(orbit.slope, size, particle.gradient);
        held[k] = costs[k];
      }
      particle.costs[m] = held[k];
      particle.accepted[m] = accepted;
    }
  }
}

// `Moves` and `Moved`: arrays over [B, K, P]. The temperature and the factor are a run's.
template <class Real>
struct ParticlesView {
  std::int64_t runs;       // of each image
  std::int64_t particles;  // of each run
  std::int64_t num_moves;
  std::int32_t leapfrog;
  std::int32_t latent_size;
  Particle<Real> first;
  const Real* inverse_temperatures;  // [B, K]
  const Real* lengths;               // [B, K, P]

  Particle<Real> operator[](std::int64_t i) const {
    const std::int64_t run = i / particles;
    const std::int64_t size = latent_size;
    return {first.latent + i * size,
            first.momenta + i * num_moves * size,
            first.thresholds + i * num_moves,
            first.factor + run * size * size,
            inverse_temperatures[run],
            lengths[i],
            first.states + i * num_moves * size,
            first.costs + i * num_moves,
            first.accepted + i * num_moves,
            first.gradient + i * size};
  }
};

// Moves all particles that do not rest.
template <class Real>
void move_all(const Problem<Real>& problem, const ParticlesView<Real>& all, int threads) {
  const std::size_t own =
      static_cast<std::size_t>(problem.max_block()) * problem.latent_size() * Orbit<Real>::kVectors;
  const std::size_t own_bytes = (own * sizeof(Real) / 64 + 1) * 64;
  for_each_block(problem, all.runs * all.particles, threads, own_bytes,
                 [&](const Objective<Real>& objective, std::int64_t first, std::int32_t count,
                     unsigned char* scratch) {
                   Particle<Real> particles[kMaxBlock];
                   std::int32_t awake = 0;
                   for (std::int32_t k = 0; k < count; ++k) {
                     particles[awake] = all[first + k];
                     awake += particles[awake].length > 0;
                   }
                   if (awake == 0) return;
                   move(objective, all.num_moves, all.leapfrog, particles, awake,
                        reinterpret_cast<Real*>(scratch), scratch + own_bytes);
                 });
}

}  // namespace inpaint

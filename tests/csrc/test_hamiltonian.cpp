// Moves on a normal target in closed form, without kernels or torch.
#include <cmath>
#include <vector>

#include "check.h"
#include "hamiltonian.h"

namespace inpaint {
namespace {

constexpr std::int32_t kSize = 2;
constexpr std::int64_t kMoves = 4;
constexpr std::int32_t kLeapfrog = 3;

// J(z) = sum (d + 2) z_d^2, or NaN where z_0 > `wall`.
struct Bowl {
  double wall = std::numeric_limits<double>::infinity();

  std::int32_t latent_size() const { return kSize; }
  void cost_and_gradient(std::int32_t block_size, const double* const* z, double* cost,
                         double* const* gradient, void*) const {
    for (std::int32_t i = 0; i < block_size; ++i) {
      cost[i] = 0;
      for (int d = 0; d < kSize; ++d) {
        cost[i] += (d + 2) * z[i][d] * z[i][d];
        gradient[i][d] = 2 * (d + 2) * z[i][d];
      }
      if (z[i][0] > wall) cost[i] = std::nan("");
    }
  }
};

// Particles of one chain, with all that they read and write.
struct Particles {
  std::vector<double> latents, momenta, thresholds, factor{0.5, 0, 0.2, 0.4};
  std::vector<double> states, costs, gradients;
  std::vector<unsigned char> accepted;  // elements of vector<bool> have no address

  explicit Particles(std::int32_t size)
      : states(size * kMoves * kSize),
        costs(size * kMoves),
        gradients(size * kSize),
        accepted(size * kMoves) {
    for (std::int32_t i = 0; i < size * kSize; ++i) latents.push_back(std::sin(3.7 * i));
    for (std::int64_t i = 0; i < size * kMoves * kSize; ++i) {
      momenta.push_back(std::sin(1.3 * i + 1) * 1.5);
    }
    for (std::int64_t i = 0; i < size * kMoves; ++i) {
      thresholds.push_back(std::log((std::sin(2.9 * i) + 1.01) / 2.02));
    }
  }

  void move(double length, std::int32_t begin, std::int32_t end, const Bowl& bowl = {}) {
    std::vector<Particle<double>> particles;
    for (std::int32_t k = begin; k < end; ++k) {
      particles.push_back({&latents[k * kSize], &momenta[k * kMoves * kSize],
                           &thresholds[k * kMoves], factor.data(), 0.7, length,
                           &states[k * kMoves * kSize], &costs[k * kMoves],
                           reinterpret_cast<bool*>(&accepted[k * kMoves]), &gradients[k * kSize]});
    }
    std::vector<double> scratch((end - begin) * TrajectoryPoint<double>::kVectors * kSize);
    inpaint::move(bowl, kMoves, kLeapfrog, particles.data(), end - begin, scratch.data(), nullptr);
  }
};

void test_short_steps_conserve_energy() {
  Particles particles(5);
  particles.move(1e-4, 0, 5);
  std::int32_t accepted = 0;
  for (const unsigned char flag : particles.accepted) accepted += flag;
  check(accepted == 5 * kMoves, "a move of short steps is accepted");
  bool near = true;
  for (std::int32_t i = 0; i < 5 * kSize; ++i) {
    near &= std::abs(particles.states[i / kSize * kMoves * kSize + i % kSize] -
                     particles.latents[i]) < 1e-2;
  }
  check(near, "short steps stay close to the start");
}

void test_a_trajectory_is_reversible() {
  // With the momentum negated, the leapfrog map is its own inverse.
  double position[] = {0.3, -0.8}, gradient[kSize], momentum[] = {0.4, 1.1}, cost;
  const double factor[] = {0.5, 0, 0.2, 0.4};
  Particle<double> particle{};
  particle.factor = factor;
  particle.inverse_temperature = 0.7;
  particle.length = 0.3;
  const TrajectoryPoint<double> point{position, gradient, momentum, 0, 0};
  const double* positions[] = {position};
  double* gradients[] = {gradient};
  for (int direction = 0; direction < 2; ++direction) {
    Bowl().cost_and_gradient(1, positions, &cost, gradients, nullptr);
    for (int step = 0; step < 10; ++step) {
      kick(particle, point, 0.5, kSize);
      drift(particle, point, kSize);
      Bowl().cost_and_gradient(1, positions, &cost, gradients, nullptr);
      kick(particle, point, 0.5, kSize);
    }
    for (double& part : momentum) part = -part;
  }
  check(std::abs(position[0] - 0.3) < 1e-12 && std::abs(position[1] + 0.8) < 1e-12,
        "a trajectory leads back to its start");
  check(std::abs(momentum[0] - 0.4) < 1e-12, "the momentum is restored too");
}

void test_particles_are_independent() {
  Particles together(7), apart(7);
  together.move(0.6, 0, 7);
  for (std::int32_t k = 0; k < 7; ++k) apart.move(0.6, k, k + 1);
  check(together.states == apart.states, "a particle does not depend on the others");
  check(together.costs == apart.costs && together.gradients == apart.gradients,
        "nor do its cost and gradient");
}

void test_state_cost_and_gradient_match() {
  Particles particles(6);
  particles.move(1.2, 0, 6);
  bool some_rejected = false, match = true;
  for (std::int32_t k = 0; k < 6; ++k) {
    const double* last = &particles.states[(k * kMoves + kMoves - 1) * kSize];
    double cost, gradient[kSize];
    double* gradients[] = {gradient};
    Bowl().cost_and_gradient(1, &last, &cost, gradients, nullptr);
    match &= cost == particles.costs[k * kMoves + kMoves - 1];
    for (int d = 0; d < kSize; ++d) match &= gradient[d] == particles.gradients[k * kSize + d];
    for (std::int64_t m = 0; m < kMoves; ++m) some_rejected |= !particles.accepted[k * kMoves + m];
  }
  check(some_rejected, "some moves of long steps are rejected");
  check(match, "cost and gradient are those of the last state");
}

void test_non_finite_costs_are_rejected() {
  Particles particles(4);
  particles.move(0.6, 0, 4, {-2});
  bool stayed = true;
  for (const unsigned char flag : particles.accepted) stayed &= !flag;
  for (std::int32_t i = 0; i < 4 * kSize; ++i) {
    stayed &= particles.states[(i / kSize * kMoves + kMoves - 1) * kSize + i % kSize] ==
              particles.latents[i];
  }
  check(stayed, "a cost that is NaN is never accepted");
}

}  // namespace
}  // namespace inpaint

int main() {
  inpaint::test_short_steps_conserve_energy();
  inpaint::test_a_trajectory_is_reversible();
  inpaint::test_particles_are_independent();
  inpaint::test_state_cost_and_gradient_match();
  inpaint::test_non_finite_costs_are_rejected();
  return inpaint::summary();
}

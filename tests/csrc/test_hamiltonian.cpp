// The moves on a normal target in closed form, without any kernel. No torch.
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
  void cost_and_gradient(std::int32_t count, const double* const* z, double* cost,
                         double* const* gradient, void*) const {
    for (std::int32_t i = 0; i < count; ++i) {
      cost[i] = 0;
      for (int d = 0; d < kSize; ++d) {
        cost[i] += (d + 2) * z[i][d] * z[i][d];
        gradient[i][d] = 2 * (d + 2) * z[i][d];
      }
      if (z[i][0] > wall) cost[i] = std::nan("");
    }
  }
};

// Some particles of one run, with all that they read and write.
struct Run {
  std::int32_t count;
  std::vector<double> latents, momenta, thresholds, factor{0.5, 0, 0.2, 0.4};
  std::vector<double> states, costs, gradients;
  std::vector<unsigned char> accepted;  // a vector of bool has no addresses

  explicit Run(std::int32_t count)
      : count(count),
        states(count * kMoves * kSize),
        costs(count * kMoves),
        gradients(count * kSize),
        accepted(count * kMoves) {
    for (std::int32_t i = 0; i < count * kSize; ++i) latents.push_back(std::sin(3.7 * i));
    for (std::int64_t i = 0; i < count * kMoves * kSize; ++i) {
      momenta.push_back(std::sin(1.3 * i + 1) * 1.5);
    }
    for (std::int64_t i = 0; i < count * kMoves; ++i) {
      thresholds.push_back(std::log((std::sin(2.9 * i) + 1.01) / 2.02));
    }
  }

  void move(double length, std::int32_t from, std::int32_t to, const Bowl& bowl = {}) {
    std::vector<Particle<double>> particles;
    for (std::int32_t k = from; k < to; ++k) {
      particles.push_back({&latents[k * kSize], &momenta[k * kMoves * kSize],
                           &thresholds[k * kMoves], factor.data(), 0.7, length,
                           &states[k * kMoves * kSize], &costs[k * kMoves],
                           reinterpret_cast<bool*>(&accepted[k * kMoves]), &gradients[k * kSize]});
    }
    std::vector<double> scratch((to - from) * Orbit<double>::kVectors * kSize);
    inpaint::move(bowl, kMoves, kLeapfrog, particles.data(), to - from, scratch.data(), nullptr);
  }
};

void test_short_steps_keep_the_energy() {
  Run run(5);
  run.move(1e-4, 0, 5);
  std::int32_t accepted = 0;
  for (const unsigned char flag : run.accepted) accepted += flag;
  check(accepted == 5 * kMoves, "a move of short steps is accepted");
  bool near = true;
  for (std::int32_t i = 0; i < 5 * kSize; ++i) {
    near &= std::abs(run.states[i / kSize * kMoves * kSize + i % kSize] - run.latents[i]) < 1e-2;
  }
  check(near, "short steps lead to a place near by");
}

void test_a_path_leads_back() {
  // The leapfrog map is its own inverse once the momentum is turned: drift and kick by hand.
  double place[] = {0.3, -0.8}, slope[kSize], momentum[] = {0.4, 1.1}, cost;
  const double factor[] = {0.5, 0, 0.2, 0.4};
  Particle<double> particle{};
  particle.factor = factor;
  particle.inverse_temperature = 0.7;
  particle.length = 0.3;
  const Orbit<double> orbit{place, slope, momentum, 0, 0};
  const double* places[] = {place};
  double* slopes[] = {slope};
  for (int way = 0; way < 2; ++way) {
    Bowl().cost_and_gradient(1, places, &cost, slopes, nullptr);
    for (int step = 0; step < 10; ++step) {
      kick(particle, orbit, 0.5, kSize);
      drift(particle, orbit, kSize);
      Bowl().cost_and_gradient(1, places, &cost, slopes, nullptr);
      kick(particle, orbit, 0.5, kSize);
    }
    for (double& part : momentum) part = -part;
  }
  check(std::abs(place[0] - 0.3) < 1e-12 && std::abs(place[1] + 0.8) < 1e-12, "a path leads back");
  check(std::abs(momentum[0] - 0.4) < 1e-12, "so does its momentum");
}

void test_particles_do_not_see_each_other() {
  Run together(7), apart(7);
  together.move(0.6, 0, 7);
  for (std::int32_t k = 0; k < 7; ++k) apart.move(0.6, k, k + 1);
  check(together.states == apart.states, "a particle's path depends on nothing else");
  check(together.costs == apart.costs && together.gradients == apart.gradients, "nor its cost");
}

void test_what_is_returned_belongs_together() {
  Run run(6);
  run.move(1.2, 0, 6);
  bool some_stayed = false, match = true;
  for (std::int32_t k = 0; k < 6; ++k) {
    const double* last = &run.states[(k * kMoves + kMoves - 1) * kSize];
    double cost, slope[kSize];
    double* slopes[] = {slope};
    Bowl().cost_and_gradient(1, &last, &cost, slopes, nullptr);
    match &= cost == run.costs[k * kMoves + kMoves - 1];
    for (int d = 0; d < kSize; ++d) match &= slope[d] == run.gradients[k * kSize + d];
    for (std::int64_t m = 0; m < kMoves; ++m) some_stayed |= !run.accepted[k * kMoves + m];
  }
  check(some_stayed, "a move of long steps is refused at times");
  check(match, "the last state, its cost and its gradient belong together");
}

void test_what_is_not_finite_is_refused() {
  Run run(4);
  run.move(0.6, 0, 4, {-2});
  bool stayed = true;
  for (const unsigned char flag : run.accepted) stayed &= !flag;
  for (std::int32_t i = 0; i < 4 * kSize; ++i) {
    stayed &= run.states[(i / kSize * kMoves + kMoves - 1) * kSize + i % kSize] == run.latents[i];
  }
  check(stayed, "a cost that is NaN is never accepted");
}

}  // namespace
}  // namespace inpaint

int main() {
  inpaint::test_short_steps_keep_the_energy();
  inpaint::test_a_path_leads_back();
  inpaint::test_particles_do_not_see_each_other();
  inpaint::test_what_is_returned_belongs_together();
  inpaint::test_what_is_not_finite_is_refused();
  return inpaint::summary();
}

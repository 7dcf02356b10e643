// The solvers on a cost in closed form, without kernels or torch.
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "check.h"
#include "lbfgs.h"
#include "solvers.h"

namespace inpaint {
namespace {

constexpr std::int32_t kSize = 5;

// f(z) = sum (d + 1) (z_d - 1)^2, or NaN where z_0 > `wall`.
struct Bowl {
  double wall = std::numeric_limits<double>::infinity();

  std::int32_t latent_size() const { return kSize; }
  void cost(std::int32_t block_size, const double* const* z, double* cost, void*) const {
    for (std::int32_t i = 0; i < block_size; ++i) {
      cost[i] = 0;
      for (int d = 0; d < kSize; ++d) cost[i] += (d + 1) * std::pow(z[i][d] - 1, 2);
      if (z[i][0] > wall) cost[i] = std::nan("");
    }
  }
  void cost_and_gradient(std::int32_t block_size, const double* const* z, double* cost,
                         double* const* gradient, void*) const {
    this->cost(block_size, z, cost, nullptr);
    for (std::int32_t i = 0; i < block_size; ++i) {
      for (int d = 0; d < kSize; ++d) gradient[i][d] = 2 * (d + 1) * (z[i][d] - 1);
    }
  }
};

// Restarts from different points, with the state of their descent.
struct Restarts {
  static constexpr std::int32_t kMemory = 2 * kSize + 6 + 10 * (2 * kSize + 1);
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::int32_t num_restarts;
  std::vector<double> z, cost, best_z, best_cost, anchor, memory, history;
  std::vector<Status> status;
  std::vector<std::int32_t> evaluations, stale;
  std::int64_t steps = 0;

  explicit Restarts(std::int32_t num_restarts)
      : num_restarts(num_restarts),
        cost(num_restarts, kInfinity),
        best_cost(num_restarts, kInfinity),
        anchor(num_restarts, kInfinity),
        memory(num_restarts * kMemory),
        status(num_restarts, Status::kRunning),
        evaluations(num_restarts),
        stale(num_restarts) {
    for (std::int32_t i = 0; i < num_restarts * kSize; ++i) z.push_back(std::sin(3.7 * i) * 2);
    best_z = z;
  }

  template <class Solver>
  void advance(const Solver& solver, std::int64_t num_steps, double rate,
               const Stopping& stopping = {0, 10}, const Bowl& bowl = {}) {
    std::vector<typename Solver::template StepConstants<double>> constants;
    for (std::int64_t i = 0; i < num_steps; ++i) {
      constants.push_back(solver.template step_constants<double>(steps + i + 1, rate));
    }
    std::vector<Restart<double>> restarts;
    for (std::int32_t k = 0; k < num_restarts; ++k) {
      restarts.push_back({&z[k * kSize], &cost[k], &best_z[k * kSize], &best_cost[k], &status[k],
                          &evaluations[k], &anchor[k], &stale[k], &memory[k * kMemory]});
    }
    std::vector<double> gradient(num_restarts * kSize), scratch(100);
    history.resize(num_restarts * num_steps);
    advance_block(bowl, solver, stopping, constants.data(), num_steps, restarts.data(),
                  num_restarts, history.data(), gradient.data(), scratch.data(), nullptr);
    steps += num_steps;
  }
};

const FirstOrder<Adam> kAdam{{0.9, 0.999, 1e-8}};
const FirstOrder<RMSprop> kRMSprop{{0.9, 1e-8}};
const LBFGS kLBFGS{10, 1e-4, 0.9, 25, 1e-8, 1.0};

void check_gradient_descent() {
  Restarts restarts(2);
  const std::vector<double> start = restarts.z;
  restarts.advance(FirstOrder<GradientDescent>{}, 3, 0.05);
  bool exact = true;
  for (std::int32_t i = 0; i < 2 * kSize; ++i) {
    const double expected = 1 + (start[i] - 1) * std::pow(1 - 0.1 * (i % kSize + 1), 3);
    exact = exact && std::abs(restarts.z[i] - expected) < 1e-12;
  }
  check(exact, "gradient descent follows its closed form");
  check(restarts.evaluations[0] == 3 && restarts.status[0] == Status::kRunning,
        "three evaluations");
  check(restarts.history[2] < restarts.history[0], "the cost falls");
}

void check_first_steps() {
  Restarts restarts(1);
  const std::vector<double> start = restarts.z;
  restarts.advance(kAdam, 1, 0.1);
  bool exact = true;
  // The first step of Adam has length `rate` in every dimension.
  for (int d = 0; d < kSize; ++d) {
    exact = exact && std::abs(std::abs(restarts.z[d] - start[d]) - 0.1) < 1e-6;
  }
  check(exact, "the first step of Adam");
  Restarts other(1);
  other.advance(kRMSprop, 1, 0.1);
  exact = true;
  for (int d = 0; d < kSize; ++d) {
    exact = exact && std::abs(std::abs(other.z[d] - start[d]) - 0.1 / std::sqrt(0.1)) < 1e-6;
  }
  check(exact, "the first step of RMSprop");
}

template <class Solver>
void check_chunks(const Solver& solver, double rate, const char* name) {
  Restarts whole(3), chunked(3);
  whole.advance(solver, 12, rate);
  for (std::int64_t steps : {1, 4, 2, 5}) chunked.advance(solver, steps, rate);
  check(whole.z == chunked.z && whole.memory == chunked.memory &&
            whole.best_cost == chunked.best_cost,
        name);
  Restarts one(1);
  one.advance(solver, 12, rate);
  check(std::equal(one.z.begin(), one.z.end(), whole.z.begin()), name);
}

void check_lbfgs() {
  Restarts restarts(4);
  restarts.advance(kLBFGS, 40, 0);
  bool found = true;
  for (double z : restarts.best_z) found = found && std::abs(z - 1) < 1e-6;
  check(found, "L-BFGS finds the minimum in 40 evaluations");
  double last = std::numeric_limits<double>::infinity();
  bool falls = true;
  for (int i = 0; i < 40; ++i) {
    falls = falls && restarts.history[i] <= last;
    last = restarts.history[i];
  }
  check(falls, "the cost of L-BFGS never rises");
}

void check_stopping() {
  Restarts restarts(2);
  restarts.advance(FirstOrder<GradientDescent>{}, 400, 0.05, {1e-6, 5});
  check(restarts.status[0] == Status::kConverged && restarts.evaluations[0] < 400,
        "stops when converged");
  check(restarts.history[399] == restarts.cost[0], "the history repeats the last cost");
  Restarts failing(2);
  failing.z[0] = 0.99;
  failing.z[kSize] = -3;
  failing.best_z = failing.z;
  failing.advance(kAdam, 5, 0.1, {0, 10}, Bowl{1.0});
  check(failing.status[0] == Status::kNonFinite, "a restart that meets NaN fails");
  check(std::isinf(failing.cost[0]) && std::isfinite(failing.best_cost[0]),
        "and keeps its best iterate");
  check(failing.status[1] == Status::kRunning, "the other restart continues");
  Restarts healthy(2);
  healthy.z[kSize] = -3;
  healthy.advance(kAdam, 5, 0.1);
  check(std::equal(healthy.z.begin() + kSize, healthy.z.end(), failing.z.begin() + kSize),
        "bit-equal to a search without the failure");
}

}  // namespace
}  // namespace inpaint

int main() {
  using namespace inpaint;
  check_gradient_descent();
  check_first_steps();
  check_chunks(FirstOrder<GradientDescent>{}, 0.05, "gradient descent in chunks");
  check_chunks(kRMSprop, 0.05, "RMSprop in chunks");
  check_chunks(kAdam, 0.05, "Adam in chunks");
  check_chunks(kLBFGS, 0.0, "L-BFGS in chunks");
  check_lbfgs();
  check_stopping();
  return summary();
}

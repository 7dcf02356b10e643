// The kernels and the loop over restarts against a naive computation in double, without torch.
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "kernels.h"
#include "lbfgs.h"
#include "problem.h"
#include "restarts.h"

namespace inpaint {
namespace {

constexpr Activation kActivations[] = {Activation::kNone, Activation::kRelu, Activation::kLeakyRelu,
                                       Activation::kTanh, Activation::kSigmoid};
constexpr double kNegativeSlope = 0.2;

double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x > 0 ? x : 0;
    case Activation::kLeakyRelu:
      return x > 0 ? x : kNegativeSlope * x;
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
  }
  return x;
}

double derivative(Activation activation, double x) {
  const double output = activate(activation, x);
  switch (activation) {
    case Activation::kNone:
      return 1;
    case Activation::kRelu:
      return x > 0 ? 1 : 0;
    case Activation::kLeakyRelu:
      return x > 0 ? 1 : kNegativeSlope;
    case Activation::kTanh:
      return 1 - output * output;
    case Activation::kSigmoid:
      return output * (1 - output);
  }
  return 1;
}

// A random problem. `sizes` lists the sizes of all layers, from the latent vector to the pixels.
template <class Real>
struct Case {
  std::vector<std::vector<Real>> weights, biases;
  std::vector<Dense<Real>> layers;
  std::vector<Real> target, weight, num_observed, latents;
  std::int32_t images, restarts;

  // The first hidden layer has the activation `hidden`, the others have `inner`.
  Case(const std::vector<std::int32_t>& sizes, Activation hidden, Activation inner, Activation last,
       bool masked, std::int32_t images, std::int32_t restarts, unsigned seed)
      : images(images), restarts(restarts) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal;
    std::uniform_real_distribution<float> uniform;
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
      const float scale = 1 / std::sqrt(static_cast<float>(sizes[i]));
      std::vector<Real> matrix(static_cast<std::size_t>(sizes[i]) * sizes[i + 1]);
      for (Real& x : matrix) x = scale * normal(engine);
      std::vector<Real> bias(sizes[i + 1]);
      for (Real& x : bias) x = 0.3F * normal(engine);
      weights.push_back(matrix);
      biases.push_back(bias);
    }
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
      const Activation activation = i + 2 == sizes.size() ? last : i == 0 ? hidden : inner;
      layers.push_back({weights[i].data(), biases[i].data(), sizes[i + 1], sizes[i], activation,
                        static_cast<Real>(kNegativeSlope)});
    }
    const std::int32_t pixels = sizes.back();
    for (std::int32_t m = 0; m < images * pixels; ++m) {
      target.push_back(uniform(engine));
      // Some pixels are not observed, and some have weight one half.
      const float draw = uniform(engine);
      const bool first_pixel = m % pixels == 0;
      if (masked) weight.push_back(first_pixel || draw < 0.4F ? 1.0F : draw < 0.5F ? 0.5F : 0.0F);
    }
    for (std::int32_t b = 0; b < images; ++b) {
      Real observed = masked ? 0 : pixels;
      for (std::int32_t m = 0; masked && m < pixels; ++m) observed += weight[b * pixels + m] != 0;
      num_observed.push_back(observed);
    }
    for (std::int32_t i = 0; i < images * restarts * sizes[0]; ++i) {
      latents.push_back(normal(engine));
    }
  }
  Case(const Case&) = delete;

  std::int32_t latent_size() const { return layers.front().inputs; }
  std::int32_t pixels() const { return layers.back().outputs; }
  ObservedData<Real> data() const {
    return {target.data(),
            weight.empty() ? nullptr : weight.data(),
            num_observed.data(),
            images,
            pixels(),
            0};
  }

  // J and its gradient at latent vector i, computed naively; `sigma` is the root mean square
  // residual.
  double reference(std::int32_t i, std::vector<double>& gradient, double& sigma) const {
    const std::int32_t b = i / restarts, size = latent_size();
    std::vector<std::vector<double>> inputs(1), affine;
    double square = 0;
    for (std::int32_t d = 0; d < size; ++d) {
      inputs[0].push_back(latents[i * size + d]);
      square += inputs[0][d] * inputs[0][d];
    }
    for (const Dense<Real>& layer : layers) {
      std::vector<double> sums, outputs;
      for (std::int32_t o = 0; o < layer.outputs; ++o) {
        double sum = layer.bias[o];
        for (std::int32_t k = 0; k < layer.inputs; ++k) {
          sum += static_cast<double>(layer.weight[o * layer.inputs + k]) * inputs.back()[k];
        }
        sums.push_back(sum);
        outputs.push_back(activate(layer.activation, sum));
      }
      affine.push_back(sums);
      inputs.push_back(outputs);
    }
    double misfit = 0;
    std::vector<double> upstream;
    for (std::int32_t m = 0; m < pixels(); ++m) {
      const double factor = weight.empty() ? 1 : weight[b * pixels() + m];
      const double residual = inputs.back()[m] - target[b * pixels() + m];
      misfit += factor * residual * residual;
      upstream.push_back(factor * residual);
    }
    for (std::size_t l = layers.size(); l-- > 0;) {
      std::vector<double> below(layers[l].inputs);
      for (std::int32_t o = 0; o < layers[l].outputs; ++o) {
        const double factor = upstream[o] * derivative(layers[l].activation, affine[l][o]);
        for (std::int32_t k = 0; k < layers[l].inputs; ++k) {
          below[k] += factor * layers[l].weight[o * layers[l].inputs + k];
        }
      }
      upstream = below;
    }
    gradient.clear();
    for (std::int32_t d = 0; d < size; ++d) {
      gradient.push_back(2 * num_observed[b] / misfit * upstream[d] + 2 * inputs[0][d]);
    }
    sigma = std::sqrt(misfit / num_observed[b]);
    return num_observed[b] * std::log(misfit) + square;
  }
};

template <class Real>
struct Result {
  std::vector<Real> cost, gradient;
};

template <class Real>
Result<Real> evaluate_all(const Case<Real>& example, const Problem<Real>& problem, int threads) {
  Result<Real> result{std::vector<Real>(example.images * example.restarts),
                      std::vector<Real>(example.latents.size())};
  evaluate(problem, example.latents.data(), example.restarts, result.cost.data(),
           result.gradient.data(), threads);
  return result;
}

template <class Real>
bool is_near(const Case<Real>& example, const Result<Real>& result, double tolerance) {
  const std::int32_t size = example.latent_size();
  std::vector<double> gradient;
  for (std::int32_t i = 0; i < example.images * example.restarts; ++i) {
    double sigma = 0;
    const double cost = example.reference(i, gradient, sigma);
    double error = 0, norm = 0;
    for (std::int32_t d = 0; d < size; ++d) {
      error += std::pow(result.gradient[i * size + d] - gradient[d], 2);
      norm += std::pow(gradient[d], 2);
    }
    // The smaller the residuals are, the more log S depends on rounding errors of the pixels.
    const double scale = example.num_observed[i / example.restarts] * (1 + 1 / sigma);
    if (!(std::abs(result.cost[i] - cost) <= tolerance * (std::abs(cost) + scale))) return false;
    if (!(std::sqrt(error) <= tolerance * (std::sqrt(norm) * (1 + 1 / sigma) + scale))) {
      return false;
    }
  }
  return true;
}

template <class Real>
void check_values(const Kernel<Real>& kernel, double tolerance) {
  const std::vector<std::vector<std::int32_t>> shapes = {
      {1, 1},        {2, 3},          {10, 17},       {1, 1, 1},     {3, 5, 1},
      {10, 128, 20}, {10, 33, 350},   {17, 64, 129},  {512, 40, 50}, {5, 16, 31, 47},
      {7, 300, 90},  {4, 8, 8, 8, 9}, {10, 128, 784},
  };
  unsigned seed = 0;
  for (const std::vector<std::int32_t>& sizes : shapes) {
    for (Activation hidden : kActivations) {
      for (Activation inner : {Activation::kRelu, Activation::kSigmoid}) {
        if (sizes.size() < 4 && inner != Activation::kRelu) continue;  // no inner layer
        for (Activation last : {Activation::kSigmoid, Activation::kTanh, Activation::kNone}) {
          for (bool masked : {false, true}) {
            const Case<Real> example(sizes, hidden, inner, last, masked, 2, 3, ++seed);
            const Problem<Real> problem(example.layers, example.data(), kernel);
            char what[120];
            std::snprintf(what, sizeof what, "%s: %d-...-%d, %zu layers, %d/%d/%d, masked %d",
                          kernel.name, sizes.front(), sizes.back(), sizes.size() - 1,
                          static_cast<int>(hidden), static_cast<int>(inner), static_cast<int>(last),
                          masked);
            check(is_near(example, evaluate_all(example, problem, 1), tolerance), what);
          }
        }
      }
    }
  }
}

// The result of a latent vector does not depend on its block, the threads or the packing.
template <class Real>
void check_independence(const Kernel<Real>& kernel) {
  for (Activation hidden : kActivations) {
    for (bool masked : {false, true}) {
      const Activation inner = masked ? Activation::kTanh : hidden;
      const Case<Real> example({6, 40, 24, 75}, hidden, inner, Activation::kSigmoid, masked, 3, 11,
                               7);
      const Problem<Real> problem(example.layers, example.data(), kernel);
      const Result<Real> all = evaluate_all(example, problem, 1);
      const std::string name = kernel.name;
      check(evaluate_all(example, problem, 2).gradient == all.gradient,
            (name + ": 2 threads").c_str());
      check(evaluate_all(example, problem, 5).gradient == all.gradient,
            (name + ": 5 threads").c_str());
      const Problem<Real> parts(example.layers, example.data(), kernel, 1);
      check(evaluate_all(example, parts, 1).gradient == all.gradient, (name + ": parts").c_str());
      bool same = true;
      problem.for_each_part([&](const auto& images, std::int64_t) {
        const Objective<Real>& objective = images[0]->objective();
        AlignedVector<unsigned char> workspace(objective.workspace_bytes());
        std::vector<Real> gradient(example.latent_size());
        for (std::int32_t r = 0; r < example.restarts; ++r) {
          const Real* z = example.latents.data() + r * example.latent_size();
          Real* to = gradient.data();
          Real cost = 0, forward = 0;
          objective.cost_and_gradient(1, &z, &cost, &to, workspace.data());
          objective.cost(1, &z, &forward, workspace.data());
          same = same && cost == all.cost[r] && forward == cost;
          for (std::int32_t d = 0; d < example.latent_size(); ++d) {
            same = same && gradient[d] == all.gradient[r * example.latent_size() + d];
          }
        }
      });
      check(same, (name + ": one at a time, forward only").c_str());
    }
  }
}

template <class Real>
void check_non_finite(const Kernel<Real>& kernel) {
  for (Activation hidden : kActivations) {
    Case<Real> example({6, 40, 33, 75}, hidden, Activation::kTanh, Activation::kSigmoid, false, 1,
                       8, 3);
    const Problem<Real> problem(example.layers, example.data(), kernel);
    const Result<Real> before = evaluate_all(example, problem, 1);
    example.latents[2 * 6 + 1] = std::numeric_limits<Real>::quiet_NaN();
    example.latents[5 * 6] = std::numeric_limits<Real>::infinity();
    const Result<Real> after = evaluate_all(example, problem, 1);
    const std::string name = kernel.name;
    check(std::isnan(after.cost[2]), (name + ": NaN propagates").c_str());
    check(!std::isfinite(after.cost[5]), (name + ": infinity propagates").c_str());
    bool same = true;
    for (int i : {0, 1, 3, 4, 6, 7}) same = same && after.cost[i] == before.cost[i];
    check(same, (name + ": a failed restart does not affect the others").c_str());
  }
}

// With a generator that is the activation alone, S = x^2.
template <class Real>
void check_activations(const Kernel<Real>& kernel, double tolerance) {
  const Real one = 1, zero = 0, target = 0;
  for (Activation activation : {Activation::kSigmoid, Activation::kTanh}) {
    const std::vector<Dense<Real>> layers{{&one, &zero, 1, 1, activation, zero}};
    const Problem<Real> problem(layers, {&target, nullptr, &one, 1, 1, 0}, kernel);
    double worst = 0;
    for (double x = -20; x <= 20; x += 0.00873) {
      const Real z = static_cast<Real>(x);
      Real cost = 0;
      evaluate<Real>(problem, &z, 1, &cost, nullptr, 1);
      const double expected = std::abs(activate(activation, z));
      // cost = log x^2 + z^2
      const double found = std::exp((static_cast<double>(cost) - static_cast<double>(z) * z) / 2);
      if (std::abs(z) < 3) worst = std::max(worst, std::abs(found - expected));
    }
    check(worst < tolerance, (std::string(kernel.name) + ": activation").c_str());
  }
}

template <class Real>
void check_kernel(const Kernel<Real>& kernel, double tolerance) {
  check_values(kernel, tolerance);
  check_independence(kernel);
  check_non_finite(kernel);
  check_activations(kernel, 20 * tolerance);
}

}  // namespace
}  // namespace inpaint

int main() {
  using namespace inpaint;
  for (const Kernel<float>* kernel : compiled_kernels<float>()) {
    if (supports(kernel->name)) check_kernel(*kernel, 3e-6);
  }
  for (const Kernel<double>* kernel : compiled_kernels<double>()) {
    if (supports(kernel->name)) check_kernel(*kernel, 1e-13);
  }
  return summary();
}

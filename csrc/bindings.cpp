// inpaint._C, which inpaint/search/backends/cpp.py wraps. The only file that includes torch and
// pybind11. Values and shapes are checked in Python.
#include <ATen/Context.h>
#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <array>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "generator.h"
#include "hamiltonian.h"
#include "kernel.h"
#include "lbfgs.h"
#include "problem.h"
#include "restarts.h"
#include "solvers.h"

namespace inpaint {
namespace {

using at::Tensor;

// The best instruction set that this processor has and ATEN_CPU_CAPABILITY allows, as torch
// determines it.
std::string capability() {
#ifdef __x86_64__
  const std::string name = at::get_cpu_capability();
  if (name.rfind("AVX512", 0) == 0) return kAvx512.name;
  if (name.rfind("AVX2", 0) == 0) return kAvx2.name;
#endif
  return kPortableFloat.name;
}

// Whether this processor runs the kernel of that name.
bool supports(const std::string& name) {
#ifdef __x86_64__
  if (name == kAvx2.name) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (name == kAvx512.name) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  }
#endif
  return name == kPortableFloat.name;
}

template <class Real>
const Kernel<Real>& choose_kernel(const std::string& name);

template <>
const Kernel<float>& choose_kernel(const std::string& name) {
#ifdef __x86_64__
  if (name == kAvx512.name) return kAvx512;
  if (name == kAvx2.name) return kAvx2;
#endif
  return kPortableFloat;
}

// float64 has a portable kernel only.
template <>
const Kernel<double>& choose_kernel(const std::string&) {
  return kPortableDouble;
}

// `Dense` of inpaint/generators/layers.py.
struct Layer {
  Tensor weight;  // [out, in]
  Tensor bias;    // [out]
  Activation activation;
  double negative_slope;
};

template <class Real>
std::unique_ptr<Problem<Real>> make_problem(const std::vector<Layer>& layers, const Tensor& target,
                                            const Tensor& weight, const Tensor& num_observed,
                                            double known_noise, const std::string& capability) {
  std::vector<Dense<Real>> dense;
  for (const Layer& layer : layers) {
    TORCH_CHECK(layer.weight.is_contiguous() && layer.bias.is_contiguous(),
                "layer is not contiguous");
    dense.push_back({layer.weight.data_ptr<Real>(), layer.bias.data_ptr<Real>(),
                     static_cast<std::int32_t>(layer.weight.size(0)),
                     static_cast<std::int32_t>(layer.weight.size(1)), layer.activation,
                     static_cast<Real>(layer.negative_slope)});
  }
  TORCH_CHECK(target.is_contiguous() && weight.is_contiguous(),
              "target or weight is not contiguous");
  const ObservedData<Real> data{target.data_ptr<Real>(),
                                weight.numel() == 0 ? nullptr : weight.data_ptr<Real>(),
                                num_observed.data_ptr<Real>(),
                                target.size(0),
                                static_cast<std::int32_t>(target.size(1)),
                                static_cast<Real>(known_noise)};
  return std::make_unique<Problem<Real>>(dense, data, choose_kernel<Real>(capability));
}

// A `Problem` in the precision of its tensors, which it keeps alive.
class AnyProblem {
 public:
  // `weight` is empty if all weights are 1; `known_noise` is 0 if it is unknown.
  AnyProblem(const std::vector<Layer>& layers, const Tensor& target, const Tensor& weight,
             const Tensor& num_observed, double known_noise, const std::string& capability)
      : layers_(layers), tensors_{target, weight, num_observed} {
    if (target.scalar_type() == at::kFloat) {
      problem_ = make_problem<float>(layers, target, weight, num_observed, known_noise, capability);
    } else {
      problem_ =
          make_problem<double>(layers, target, weight, num_observed, known_noise, capability);
    }
  }

  std::string capability() const {
    return std::visit([](const auto& problem) { return problem->kernel_name(); }, problem_);
  }

  // Calls `call(const Problem<Real>&)` with the GIL released.
  template <class Call>
  void visit(const Call& call) const {
    pybind11::gil_scoped_release release;
    std::visit([&](const auto& problem) { call(*problem); }, problem_);
  }

 private:
  std::vector<Layer> layers_;
  std::vector<Tensor> tensors_;
  std::variant<std::unique_ptr<Problem<float>>, std::unique_ptr<Problem<double>>> problem_;
};

// The tensors of `SolveState`, in the order of its fields. C++ writes to them.
using State = std::array<Tensor, 9>;

template <class Real>
StateView<Real> view(const State& state) {
  const auto& [latents, costs, best_latents, best_costs, status, evaluations, anchor, stale,
               memory] = state;
  for (const Tensor& tensor : state) TORCH_CHECK(tensor.is_contiguous(), "state is not contiguous");
  return {latents.size(1),
          static_cast<std::int32_t>(latents.size(2)),
          static_cast<std::int32_t>(memory.size(2)),
          {latents.data_ptr<Real>(), costs.data_ptr<Real>(), best_latents.data_ptr<Real>(),
           best_costs.data_ptr<Real>(), reinterpret_cast<Status*>(status.data_ptr<std::uint8_t>()),
           evaluations.data_ptr<std::int32_t>(), anchor.data_ptr<Real>(),
           stale.data_ptr<std::int32_t>(), memory.data_ptr<Real>()}};
}

// The number type of a problem, given `decltype(problem)`.
template <class ProblemReference>
using RealOf = typename std::decay_t<ProblemReference>::Scalar;

using AnySolver =
    std::variant<FirstOrder<GradientDescent>, FirstOrder<RMSprop>, FirstOrder<Adam>, LBFGS>;

Tensor advance_state(const AnyProblem& any_problem, const AnySolver& any_solver, double tolerance,
                     std::int32_t patience, std::int64_t first_step, std::int64_t num_steps,
                     const std::vector<double>& rates, const State& state, int threads) {
  const Tensor history =
      at::empty({state[0].size(0), state[0].size(1), num_steps}, state[0].options());
  any_problem.visit([&](const auto& problem) {
    using Real = RealOf<decltype(problem)>;
    const auto advance_with = [&](const auto& solver) {
      advance<Real>(problem, solver, {tolerance, patience}, first_step, num_steps,
                    rates.empty() ? nullptr : rates.data(), view<Real>(state),
                    history.data_ptr<Real>(), threads);
    };
    std::visit(advance_with, any_solver);
  });
  return history;
}

void finish_state(const AnyProblem& any_problem, const AnySolver& any_solver, std::uint8_t status,
                  const State& state, int threads) {
  any_problem.visit([&](const auto& problem) {
    using Real = RealOf<decltype(problem)>;
    const auto finish_with = [&](const auto& solver) {
      finish<Real>(problem, solver, static_cast<Status>(status), view<Real>(state), threads);
    };
    std::visit(finish_with, any_solver);
  });
}

Tensor cost(const AnyProblem& any_problem, const Tensor& latents, int threads) {
  const Tensor costs = at::empty({latents.size(0), latents.size(1)}, latents.options());
  any_problem.visit([&](const auto& problem) {
    using Real = RealOf<decltype(problem)>;
    evaluate<Real>(problem, latents.data_ptr<Real>(), latents.size(1), costs.data_ptr<Real>(),
                   nullptr, threads);
  });
  return costs;
}

std::tuple<Tensor, Tensor> cost_and_gradient(const AnyProblem& any_problem, const Tensor& latents,
                                             int threads) {
  const Tensor costs = at::empty({latents.size(0), latents.size(1)}, latents.options());
  const Tensor gradients = at::empty_like(latents);
  any_problem.visit([&](const auto& problem) {
    using Real = RealOf<decltype(problem)>;
    evaluate<Real>(problem, latents.data_ptr<Real>(), latents.size(1), costs.data_ptr<Real>(),
                   gradients.data_ptr<Real>(), threads);
  });
  return {costs, gradients};
}

// `Moved`: states [B, K, P, M, D], costs and accepted [B, K, P, M], gradients [B, K, P, D]. The
// entries of resting particles are zero.
std::array<Tensor, 4> move_particles(const AnyProblem& any_problem, const Tensor& latents,
                                     const Tensor& momenta, const Tensor& thresholds,
                                     const Tensor& inverse_temperatures, const Tensor& lengths,
                                     const Tensor& factors, std::int32_t leapfrog, int threads) {
  const Tensor states = at::zeros(momenta.sizes(), momenta.options());
  const Tensor costs = at::zeros(thresholds.sizes(), thresholds.options());
  const Tensor accepted = at::zeros(thresholds.sizes(), thresholds.options().dtype(at::kBool));
  const Tensor gradients = at::zeros(latents.sizes(), latents.options());
  any_problem.visit([&](const auto& problem) {
    using Real = RealOf<decltype(problem)>;
    const ParticlesView<Real> all{
        latents.size(1),
        latents.size(2),
        momenta.size(3),
        leapfrog,
        static_cast<std::int32_t>(latents.size(3)),
        {latents.data_ptr<Real>(), momenta.data_ptr<Real>(), thresholds.data_ptr<Real>(),
         factors.data_ptr<Real>(), 0, 0, states.data_ptr<Real>(), costs.data_ptr<Real>(),
         accepted.data_ptr<bool>(), gradients.data_ptr<Real>()},
        inverse_temperatures.data_ptr<Real>(),
        lengths.data_ptr<Real>()};
    move_all<Real>(problem, all, threads);
  });
  return {states, costs, accepted, gradients};
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  namespace py = pybind11;
  module.doc() = "The C++ backend; inpaint.search.backends.cpp is its Python side.";
  module.def("capability", &capability);
  module.def("supports", &supports, py::arg("capability"));

  py::enum_<Activation>(module, "Activation")
      .value("none", Activation::kNone)
      .value("relu", Activation::kRelu)
      .value("leaky_relu", Activation::kLeakyRelu)
      .value("tanh", Activation::kTanh)
      .value("sigmoid", Activation::kSigmoid);
  py::class_<Layer>(module, "Layer")
      .def(py::init([](const Tensor& weight, const Tensor& bias, Activation activation,
                       double negative_slope) {
             return Layer{weight, bias, activation, negative_slope};
           }),
           py::arg("weight"), py::arg("bias"), py::arg("activation"), py::arg("negative_slope"));

  py::class_<AnyProblem>(module, "Problem")
      .def(py::init<const std::vector<Layer>&, const Tensor&, const Tensor&, const Tensor&, double,
                    const std::string&>(),
           py::arg("layers"), py::arg("target"), py::arg("weight"), py::arg("num_observed"),
           py::arg("known_noise"), py::arg("capability"))
      .def_property_readonly("capability", &AnyProblem::capability);

  py::class_<FirstOrder<GradientDescent>>(module, "GradientDescent").def(py::init<>());
  py::class_<FirstOrder<RMSprop>>(module, "RMSprop")
      .def(py::init(
               [](double decay, double epsilon) { return FirstOrder<RMSprop>{{decay, epsilon}}; }),
           py::kw_only(), py::arg("decay"), py::arg("epsilon"));
  py::class_<FirstOrder<Adam>>(module, "Adam")
      .def(py::init([](double beta1, double beta2, double epsilon) {
             return FirstOrder<Adam>{{beta1, beta2, epsilon}};
           }),
           py::kw_only(), py::arg("beta1"), py::arg("beta2"), py::arg("epsilon"));
  py::class_<LBFGS>(module, "LBFGS")
      .def(py::init([](std::int32_t max_pairs, double armijo, double curvature,
                       std::int32_t max_trials, double curvature_floor, double first_step_length) {
             return LBFGS{max_pairs,  armijo,          curvature,
                          max_trials, curvature_floor, first_step_length};
           }),
           py::kw_only(), py::arg("max_pairs"), py::arg("armijo"), py::arg("curvature"),
           py::arg("max_trials"), py::arg("curvature_floor"), py::arg("first_step_length"));

  module.def("advance", &advance_state, py::arg("problem"), py::arg("solver"), py::kw_only(),
             py::arg("tolerance"), py::arg("patience"), py::arg("first_step"), py::arg("num_steps"),
             py::arg("rates"), py::arg("state"), py::arg("threads"));
  module.def("finish", &finish_state, py::arg("problem"), py::arg("solver"), py::kw_only(),
             py::arg("status"), py::arg("state"), py::arg("threads"));
  module.def("cost", &cost, py::arg("problem"), py::arg("latents"), py::kw_only(),
             py::arg("threads"));
  module.def("cost_and_gradient", &cost_and_gradient, py::arg("problem"), py::arg("latents"),
             py::kw_only(), py::arg("threads"));
  module.def("move", &move_particles, py::arg("problem"), py::arg("latents"), py::kw_only(),
             py::arg("momenta"), py::arg("thresholds"), py::arg("inverse_temperatures"),
             py::arg("lengths"), py::arg("factors"), py::arg("leapfrog"), py::arg("threads"));
}

}  // namespace inpaint

// inpaint._C, which inpaint/search/backends/cpp.py wraps. With boundary.h, which checks what comes
// in, the only file that includes torch and pybind11.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
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

#include "boundary.h"
#include "generator.h"
#include "hamiltonian.h"
#include "kernels.h"
#include "lbfgs.h"
#include "problem.h"
#include "restarts.h"
#include "solvers.h"

namespace inpaint {
namespace {

// The best instruction set that this processor has and ATEN_CPU_CAPABILITY allows, as torch
// determines it.
std::string capability() {
  const std::string name = at::get_cpu_capability();
  if (name.rfind("AVX512", 0) == 0 && supports("avx512")) return "avx512";
  if (name.rfind("AVX", 0) == 0 && supports("avx2")) return "avx2";
  return "portable";
}

template <class Real>
std::unique_ptr<Problem<Real>> make_problem(const std::vector<Layer>& layers, const Tensor& target,
                                            const Tensor& weight, const Tensor& num_observed,
                                            double known_noise, const std::string& capability) {
  std::vector<Dense<Real>> dense;
  for (const Layer& layer : layers) {
    dense.push_back({layer.weight.data_ptr<Real>(), layer.bias.data_ptr<Real>(),
                     static_cast<std::int32_t>(layer.weight.size(0)),
                     static_cast<std::int32_t>(layer.weight.size(1)), layer.activation,
                     static_cast<Real>(layer.negative_slope)});
  }
  const ObservedData<Real> data{target.data_ptr<Real>(),
                                weight.numel() == 0 ? nullptr : weight.data_ptr<Real>(),
                                num_observed.data_ptr<Real>(),
                                target.size(0),
                                static_cast<std::int32_t>(target.size(1)),
                                static_cast<Real>(known_noise)};
  return std::make_unique<Problem<Real>>(dense, data, find_kernel<Real>(capability));
}

// A `Problem` in the precision of its tensors, which it keeps alive.
class AnyProblem {
 public:
  // `weight` is empty if all weights are 1; `known_noise` is 0 if it is unknown.
  AnyProblem(const std::vector<Layer>& layers, const Tensor& target, const Tensor& weight,
             const Tensor& num_observed, double known_noise, const std::string& capability)
      : layers_(layers), tensors_{target, weight, num_observed} {
    if (!supports(capability)) {
      throw ArgumentError("capability is '" + capability +
                          "'; this processor has no such kernel. Choose 'portable'.");
    }
    check_problem(layers, target, weight, num_observed, known_noise);
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

  at::ScalarType dtype() const { return tensors_[0].scalar_type(); }
  std::int64_t num_images() const { return tensors_[0].size(0); }
  std::int64_t latent_size() const { return layers_[0].weight.size(1); }

  // Requires latent vectors of this problem. [B, R, D]
  void check_latents(const char* name, const Tensor& latents) const {
    check_axes(name, latents, 3, "[images, restarts, latent variables]");
    check_tensor(name, latents, dtype(), {num_images(), latents.size(1), latent_size()});
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

// Threads to use: `requested`, or as many as torch uses if it is 0. Torch takes its number from
// OMP_NUM_THREADS, `torch.set_num_threads` and the processor.
int resolve_threads(std::int64_t requested) {
  check_integer("threads", requested, 0, kMaxThreads);
  return requested > 0 ? static_cast<int>(requested) : at::get_num_threads();
}

// Requires a state that belongs to this problem and this solver.
void check_state(const AnyProblem& problem, const AnySolver& any_solver, const State& state) {
  const auto& [latents, costs, best_latents, best_costs, status, evaluations, anchor, stale,
               memory] = state;
  problem.check_latents("latents", latents);
  const at::ScalarType dtype = problem.dtype();
  const std::int64_t images = latents.size(0), restarts = latents.size(1);
  const auto size = static_cast<std::int32_t>(latents.size(2));
  const auto width = std::visit([&](const auto& s) { return s.memory_size(size); }, any_solver);
  check_integer("the memory of a restart", width, 0);
  check_tensor("costs", costs, dtype, {images, restarts});
  check_tensor("best_latents", best_latents, dtype, latents.sizes().vec());
  check_tensor("best_costs", best_costs, dtype, {images, restarts});
  check_tensor("status", status, at::kByte, {images, restarts});
  check_tensor("evaluations", evaluations, at::kInt, {images, restarts});
  check_tensor("anchor", anchor, dtype, {images, restarts});
  check_tensor("stale", stale, at::kInt, {images, restarts});
  check_tensor("memory", memory, dtype, {images, restarts, width});
  check_apart({state.begin(), state.end()});
  check_integer("the highest status", status.max().item<std::uint8_t>(), 0,
                static_cast<std::int64_t>(Status::kCancelled));
  problem.visit([&](const auto& packed) {
    using Real = RealOf<decltype(packed)>;
    const StateView<Real> all = view<Real>(state);
    const auto check_memories = [&](const auto& solver) {
      for (std::int64_t i = 0; i < images * restarts; ++i) {
        if (solver.accepts(all[i].memory, size)) continue;
        throw ArgumentError("memory of restart " + std::to_string(i) +
                            " is not that of this solver; begin with `start(solver, latents)`.");
      }
    };
    std::visit(check_memories, any_solver);
  });
}

Tensor advance_state(const AnyProblem& any_problem, const AnySolver& any_solver, double tolerance,
                     std::int64_t patience, std::int64_t first_step, std::int64_t num_steps,
                     const std::vector<double>& rates, const State& state, std::int64_t threads) {
  const int team = resolve_threads(threads);
  check_state(any_problem, any_solver, state);
  check_number("tolerance", tolerance, /*positive=*/false);
  check_integer("patience", patience, 1);
  check_integer("num_steps", num_steps, 0);
  check_integer("first_step", first_step, 0);
  const bool has_rates = std::visit([](const auto& s) { return s.kHasRates; }, any_solver);
  const std::int64_t wanted = has_rates ? num_steps : 0;
  if (static_cast<std::int64_t>(rates.size()) != wanted) {
    throw ShapeError("rates has " + std::to_string(rates.size()) + " entries; this call needs " +
                     std::to_string(wanted) + ".");
  }
  for (const double rate : rates) check_number("a rate", rate, /*positive=*/false);
  const Stopping stopping{tolerance, static_cast<std::int32_t>(patience)};
  const Tensor history =
      at::empty({state[0].size(0), state[0].size(1), num_steps}, state[0].options());
  any_problem.visit([&](const auto& problem) {
    using Real = RealOf<decltype(problem)>;
    const auto advance_with = [&](const auto& solver) {
      advance<Real>(problem, solver, stopping, first_step, num_steps,
                    rates.empty() ? nullptr : rates.data(), view<Real>(state),
                    history.data_ptr<Real>(), team);
    };
    std::visit(advance_with, any_solver);
  });
  return history;
}

void finish_state(const AnyProblem& any_problem, const AnySolver& any_solver, std::int64_t status,
                  const State& state, std::int64_t threads) {
  const int team = resolve_threads(threads);
  check_state(any_problem, any_solver, state);
  check_integer("status", status, 0, static_cast<std::int64_t>(Status::kCancelled));
  any_problem.visit([&](const auto& problem) {
    using Real = RealOf<decltype(problem)>;
    const auto finish_with = [&](const auto& solver) {
      finish<Real>(problem, solver, static_cast<Status>(status), view<Real>(state), team);
    };
    std::visit(finish_with, any_solver);
  });
}

Tensor cost(const AnyProblem& any_problem, const Tensor& latents, std::int64_t threads) {
  const int team = resolve_threads(threads);
  any_problem.check_latents("latents", latents);
  const Tensor costs = at::empty({latents.size(0), latents.size(1)}, latents.options());
  any_problem.visit([&](const auto& problem) {
    using Real = RealOf<decltype(problem)>;
    evaluate<Real>(problem, latents.data_ptr<Real>(), latents.size(1), costs.data_ptr<Real>(),
                   nullptr, team);
  });
  return costs;
}

std::tuple<Tensor, Tensor> cost_and_gradient(const AnyProblem& any_problem, const Tensor& latents,
                                             std::int64_t threads) {
  const int team = resolve_threads(threads);
  any_problem.check_latents("latents", latents);
  const Tensor costs = at::empty({latents.size(0), latents.size(1)}, latents.options());
  const Tensor gradients = at::empty_like(latents);
  any_problem.visit([&](const auto& problem) {
    using Real = RealOf<decltype(problem)>;
    evaluate<Real>(problem, latents.data_ptr<Real>(), latents.size(1), costs.data_ptr<Real>(),
                   gradients.data_ptr<Real>(), team);
  });
  return {costs, gradients};
}

// `Moved`: states [B, K, P, M, D], costs and accepted [B, K, P, M], gradients [B, K, P, D]. The
// entries of resting particles are zero.
std::array<Tensor, 4> move_particles(const AnyProblem& any_problem, const Tensor& latents,
                                     const Tensor& momenta, const Tensor& thresholds,
                                     const Tensor& inverse_temperatures, const Tensor& lengths,
                                     const Tensor& factors, std::int64_t leapfrog,
                                     std::int64_t threads) {
  const int team = resolve_threads(threads);
  const at::ScalarType dtype = any_problem.dtype();
  const std::int64_t images = any_problem.num_images(), size = any_problem.latent_size();
  check_axes("latents", latents, 4, "[images, chains, particles, latent variables]");
  const std::int64_t chains = latents.size(1), particles = latents.size(2);
  check_tensor("latents", latents, dtype, {images, chains, particles, size});
  check_axes("momenta", momenta, 5, "[images, chains, particles, moves, latent variables]");
  const std::int64_t moves = momenta.size(3);
  check_tensor("momenta", momenta, dtype, {images, chains, particles, moves, size});
  check_tensor("thresholds", thresholds, dtype, {images, chains, particles, moves});
  check_tensor("inverse_temperatures", inverse_temperatures, dtype, {images, chains});
  check_tensor("lengths", lengths, dtype, {images, chains, particles});
  check_tensor("factors", factors, dtype, {images, chains, size, size});
  check_integer("leapfrog", leapfrog, 1);
  const Tensor states = at::zeros(momenta.sizes(), momenta.options());
  const Tensor costs = at::zeros(thresholds.sizes(), thresholds.options());
  const Tensor accepted = at::zeros(thresholds.sizes(), thresholds.options().dtype(at::kBool));
  const Tensor gradients = at::zeros(latents.sizes(), latents.options());
  any_problem.visit([&](const auto& problem) {
    using Real = RealOf<decltype(problem)>;
    const ParticlesView<Real> all{
        chains,
        particles,
        moves,
        static_cast<std::int32_t>(leapfrog),
        static_cast<std::int32_t>(size),
        {latents.data_ptr<Real>(), momenta.data_ptr<Real>(), thresholds.data_ptr<Real>(),
         factors.data_ptr<Real>(), 0, 0, states.data_ptr<Real>(), costs.data_ptr<Real>(),
         accepted.data_ptr<bool>(), gradients.data_ptr<Real>()},
        inverse_temperatures.data_ptr<Real>(),
        lengths.data_ptr<Real>()};
    move_all<Real>(problem, all, team);
  });
  return {states, costs, accepted, gradients};
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  namespace py = pybind11;
  module.doc() = "The C++ backend; inpaint.search.backends.cpp is its Python side.";
  // The errors of inpaint/errors.py are looked up when one is needed.
  py::register_exception_translator([](std::exception_ptr error) {
    const auto raise = [](const char* name, const char* message) {
      const py::object kind = py::module_::import("inpaint.errors").attr(name);
      PyErr_SetString(kind.ptr(), message);
    };
    try {
      if (error) std::rethrow_exception(error);
    } catch (const ShapeError& e) {
      raise("ShapeError", e.what());
    } catch (const ArgumentError& e) {
      raise("ArgumentError", e.what());
    }
  });
  module.def("capability", &capability);
  module.def("supports", &supports, py::arg("capability"));
  module.def("resolve_threads", &resolve_threads, py::arg("requested"));

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
      .def(py::init([](double decay, double epsilon) {
             check_decay("decay", decay);
             check_number("epsilon", epsilon, /*positive=*/false);
             return FirstOrder<RMSprop>{{decay, epsilon}};
           }),
           py::kw_only(), py::arg("decay"), py::arg("epsilon"));
  py::class_<FirstOrder<Adam>>(module, "Adam")
      .def(py::init([](double beta1, double beta2, double epsilon) {
             check_decay("beta1", beta1);
             check_decay("beta2", beta2);
             check_number("epsilon", epsilon, /*positive=*/false);
             return FirstOrder<Adam>{{beta1, beta2, epsilon}};
           }),
           py::kw_only(), py::arg("beta1"), py::arg("beta2"), py::arg("epsilon"));
  py::class_<LBFGS>(module, "LBFGS")
      .def(py::init([](std::int64_t max_pairs, double armijo, double curvature,
                       std::int64_t max_trials, double curvature_floor, double first_step_length) {
             check_integer("max_pairs", max_pairs, 1, kMaxPairs);
             check_integer("max_trials", max_trials, 1);
             check_number("armijo", armijo, /*positive=*/false);
             check_number("curvature", curvature, /*positive=*/false);
             check_number("curvature_floor", curvature_floor, /*positive=*/false);
             check_number("first_step_length", first_step_length, /*positive=*/true);
             return LBFGS{static_cast<std::int32_t>(max_pairs),  armijo,          curvature,
                          static_cast<std::int32_t>(max_trials), curvature_floor, first_step_length};
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

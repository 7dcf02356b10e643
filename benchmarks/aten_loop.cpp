// The descent as a C++ loop over ATen operations, which shows what Python's share of the time is.

#include <torch/extension.h>

#include <tuple>
#include <vector>

namespace {

// As `_by_hand` in peers.py, operation by operation.
std::tuple<at::Tensor, at::Tensor> Descend(const at::Tensor& a1,      // [H, D]
                                           const at::Tensor& b1,      // [H]
                                           const at::Tensor& a2,      // [N, H]
                                           const at::Tensor& b2,      // [N]
                                           const at::Tensor& y,       // [N]
                                           const at::Tensor& starts,  // [R, D]
                                           double rate, int64_t steps) {
  const c10::InferenceMode guard;
  const int64_t count = starts.size(0), pixels = y.size(0);
  const at::Tensor a1_t = a1.t().contiguous(), a2_t = a2.t().contiguous();
  at::Tensor z = starts.clone();
  at::Tensor h = at::empty({count, b1.size(0)}), dh = at::empty_like(h);
  at::Tensor x = at::empty({count, pixels}), g = at::empty_like(x);
  at::Tensor dz = at::empty_like(z), norm = at::empty({count});
  at::Tensor misfits = at::empty({steps, count}), lengths = at::empty({steps, count});
  for (int64_t step = 0; step < steps; ++step) {
    at::Tensor misfit = misfits[step], length = lengths[step];
    at::addmm_out(h, b1, z, a1_t);
    h.relu_();
    at::addmm_out(x, b2, h, a2_t);
    x.sigmoid_();
    at::sub_out(g, x, y);
    at::linalg_vector_norm_out(norm, g, 2, at::IntArrayRef{1});
    at::mul_out(misfit, norm, norm);
    at::linalg_vector_norm_out(length, z, 2, at::IntArrayRef{1});
    at::sigmoid_backward_out(g, g, x);
    at::mm_out(dh, g, a2);
    at::threshold_backward_out(dh, dh, h, 0);
    at::mm_out(dz, dh, a1);
    z.mul_(1 - 2 * rate);
    z.addcdiv_(dz, misfit.unsqueeze(1), -2.0 * pixels * rate);
  }
  return {z, misfits.log().mul_(pixels).add_(lengths.square())};
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("descend", &Descend, pybind11::call_guard<pybind11::gil_scoped_release>());
}

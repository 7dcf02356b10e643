// The kernels that were compiled for this target, and which of them this processor runs.
#pragma once

#include <string>
#include <vector>

#include "kernel.h"

namespace inpaint {

template <class Real>
std::vector<const Kernel<Real>*> compiled_kernels();

template <>
inline std::vector<const Kernel<float>*> compiled_kernels() {
#ifdef __x86_64__
  return {&kPortableFloat, &kAvx2, &kAvx512};
#else
  return {&kPortableFloat};
#endif
}

template <>
inline std::vector<const Kernel<double>*> compiled_kernels() {
  return {&kPortableDouble};
}

// Whether this processor runs the kernels of that name.
inline bool supports(const std::string& name) {
#ifdef __x86_64__
  if (name == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (name == "avx512") {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  }
#endif
  return name == "portable";
}

// The kernel of that name, which this processor must support.
template <class Real>
const Kernel<Real>& find_kernel(const std::string& name) {
  const std::vector<const Kernel<Real>*> kernels = compiled_kernels<Real>();
  for (const Kernel<Real>* kernel : kernels) {
    if (kernel->name == name) return *kernel;
  }
  return *kernels.front();
}

}  // namespace inpaint

// Chains of float32 multiply-adds in registers, to measure how many one core can do. There is one
// function per instruction set, so that the build needs no flags.

#include <immintrin.h>

namespace {

// Twelve independent chains are more than enough to hide the latency of two units (4 cycles each).
constexpr int kChains = 12;

}  // namespace

extern "C" {

// Both return a value that depends on every chain, so that the compiler keeps all of them.

__attribute__((target("avx512f"))) float RunAvx512(long rounds) {
  __m512 chain[kChains];
  const __m512 factor = _mm512_set1_ps(0.999999f), term = _mm512_set1_ps(1e-6f);
#pragma GCC unroll 12
  for (int k = 0; k < kChains; ++k) chain[k] = _mm512_set1_ps(static_cast<float>(k));
  for (long round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int k = 0; k < kChains; ++k) chain[k] = _mm512_fmadd_ps(chain[k], factor, term);
  }
#pragma GCC unroll 12
  for (int k = 1; k < kChains; ++k) chain[0] = _mm512_add_ps(chain[0], chain[k]);
  return _mm512_cvtss_f32(chain[0]);
}

__attribute__((target("avx2,fma"))) float RunAvx2(long rounds) {
  __m256 chain[kChains];
  const __m256 factor = _mm256_set1_ps(0.999999f), term = _mm256_set1_ps(1e-6f);
#pragma GCC unroll 12
  for (int k = 0; k < kChains; ++k) chain[k] = _mm256_set1_ps(static_cast<float>(k));
  for (long round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int k = 0; k < kChains; ++k) chain[k] = _mm256_fmadd_ps(chain[k], factor, term);
  }
#pragma GCC unroll 12
  for (int k = 1; k < kChains; ++k) chain[0] = _mm256_add_ps(chain[0], chain[k]);
  return _mm256_cvtss_f32(chain[0]);
}

int Chains() { return kChains; }

}  // extern "C"

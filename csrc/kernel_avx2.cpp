// The kernels for AVX2 with FMA, in float: 8 lanes, 16 registers.
#include <immintrin.h>

#include "kernel.h"

namespace inpaint {
namespace avx2 {

// See PortableVector in kernel_portable.cpp for what each function does.
struct Vector {
  using Real = float;
  static constexpr std::int32_t kLanes = 8;
  static constexpr std::int32_t kMaxTile = 12;
  static constexpr std::int32_t kMaxBlock = 8;
  static constexpr std::int32_t kGroup = 1;
  static constexpr std::int32_t kFold = 4;

  __m256 native;

  static Vector load(const float* from) { return {_mm256_load_ps(from)}; }
  static Vector broadcast(float value) { return {_mm256_set1_ps(value)}; }
  static void keep(Vector& vector) { __asm__("" : "+x"(vector.native)); }
  static Vector zero() { return {_mm256_setzero_ps()}; }
  void store(float* to) const { _mm256_store_ps(to, native); }

  friend Vector operator+(Vector a, Vector b) { return {_mm256_add_ps(a.native, b.native)}; }
  friend Vector operator-(Vector a, Vector b) { return {_mm256_sub_ps(a.native, b.native)}; }
  friend Vector operator*(Vector a, Vector b) { return {_mm256_mul_ps(a.native, b.native)}; }
  friend Vector fma(Vector a, Vector b, Vector c) {
    return {_mm256_fmadd_ps(a.native, b.native, c.native)};
  }
  static Vector select_less(Vector a, Vector b, Vector yes, Vector no) {
    return {_mm256_blendv_ps(no.native, yes.native, _mm256_cmp_ps(a.native, b.native, _CMP_LT_OQ))};
  }
  friend Vector one_if_positive(Vector x, Vector otherwise) {
    return select_less(zero(), x, broadcast(1), otherwise);
  }
  // If either operand is NaN, the min and max instructions return the second one.
  static Vector min(Vector a, Vector b) { return {_mm256_min_ps(a.native, b.native)}; }
  friend Vector relu(Vector x) { return {_mm256_max_ps(zero().native, x.native)}; }
  friend Vector leaky_relu(Vector x, Vector negative_slope) {
    return select_less(zero(), x, x, x * negative_slope);
  }

  // As fast as an estimate with a Newton step on AVX2 processors, and exact.
  friend Vector reciprocal(Vector x) { return {_mm256_div_ps(_mm256_set1_ps(1), x.native)}; }

  std::int32_t list_nonzero(std::int32_t first_unit, std::int32_t* index) const {
    const int mask = _mm256_movemask_ps(_mm256_cmp_ps(native, zero().native, _CMP_NEQ_UQ));
    const __m256i order = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(kCompress.order[mask]));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(index),
                        _mm256_add_epi32(order, _mm256_set1_epi32(first_unit)));
    return kCompress.num_bits[mask];
  }
  static void list_all(std::int32_t first_unit, std::int32_t* index) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_store_si256(reinterpret_cast<__m256i*>(index),
                       _mm256_add_epi32(lanes, _mm256_set1_epi32(first_unit)));
  }

  float total() const {
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(native), _mm256_extractf128_ps(native, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
  }

  // The lanes form groups of four. Group i of the result holds, for each of the four rows, the
  // sum over the row's group i.
  static Vector fold(const Vector (&rows)[kFold]) {
    const __m256d a = _mm256_castps_pd(interleaved_sum(rows[0], rows[1]));
    const __m256d b = _mm256_castps_pd(interleaved_sum(rows[2], rows[3]));
    return {_mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(a, b)),
                          _mm256_castpd_ps(_mm256_unpackhi_pd(a, b)))};
  }
  // The sums of 8 rows from two folded vectors.
  static Vector unfold(const float* from) {
    const __m256 a = load(from).native, b = load(from + kLanes).native;
    return {_mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31))};
  }

 private:
  // For each of the 256 masks: the positions of its set bits, one per byte, and their number.
  struct Compress {
    long long order[256];
    std::int32_t num_bits[256];
    constexpr Compress() : order(), num_bits() {
      for (int mask = 0; mask < 256; ++mask) {
        for (int bit = 0; bit < 8; ++bit) {
          if (mask >> bit & 1) order[mask] |= static_cast<long long>(bit) << 8 * num_bits[mask]++;
        }
      }
    }
  };
  static const Compress kCompress;

  static __m256 interleaved_sum(Vector a, Vector b) {
    return _mm256_add_ps(_mm256_unpacklo_ps(a.native, b.native),
                         _mm256_unpackhi_ps(a.native, b.native));
  }
};

constexpr Vector::Compress Vector::kCompress;

#include "elementary.h"

// Builds 2^floor(x) by adding floor(x) to the exponent bits of 1. x below -126 counts as -126.
inline Vector exp2_of(Vector x) {
  const __m256 bounded = _mm256_max_ps(_mm256_set1_ps(-126), x.native);
  const __m256 floor = _mm256_floor_ps(bounded);
  const Vector fraction = {_mm256_sub_ps(bounded, floor)};
  const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(floor), 23);
  const __m256i one = _mm256_castps_si256(_mm256_set1_ps(1));
  return exp2_fraction(fraction) * Vector{_mm256_castsi256_ps(_mm256_add_epi32(exponent, one))};
}

#include "fused_kernel.h"

}  // namespace avx2

const Kernel<float> kAvx2 = {"avx2",
                             avx2::Vector::kLanes,
                             avx2::Vector::kMaxTile,
                             avx2::Vector::kMaxBlock,
                             avx2::workspace_bytes<avx2::Vector>,
                             avx2::evaluate<false, avx2::Vector>,
                             avx2::evaluate<true, avx2::Vector>};

}  // namespace inpaint

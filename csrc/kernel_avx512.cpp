// The kernels for AVX-512 (F, DQ, BW, VL), in float: 16 lanes, 32 registers.
#include <immintrin.h>

#include "kernel.h"

namespace inpaint {
namespace avx512 {

// See PortableVector in kernel_portable.cpp for what each function does.
struct Vector {
  using Real = float;
  static constexpr std::int32_t kLanes = 16;
  static constexpr std::int32_t kMaxTile = 8;
  static constexpr std::int32_t kMaxBlock = 8;
  static constexpr std::int32_t kGroup = 2;
  static constexpr std::int32_t kFold = 4;

  __m512 native;

  static Vector load(const float* from) { return {_mm512_load_ps(from)}; }
  static Vector broadcast(float value) { return {_mm512_set1_ps(value)}; }
  static void keep(Vector& vector) { __asm__("" : "+v"(vector.native)); }
  static Vector zero() { return {_mm512_setzero_ps()}; }
  void store(float* to) const { _mm512_store_ps(to, native); }

  friend Vector operator+(Vector a, Vector b) { return {_mm512_add_ps(a.native, b.native)}; }
  friend Vector operator-(Vector a, Vector b) { return {_mm512_sub_ps(a.native, b.native)}; }
  friend Vector operator*(Vector a, Vector b) { return {_mm512_mul_ps(a.native, b.native)}; }
  friend Vector fma(Vector a, Vector b, Vector c) {
    return {_mm512_fmadd_ps(a.native, b.native, c.native)};
  }
  static Vector select_less(Vector a, Vector b, Vector yes, Vector no) {
    return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.native, b.native, _CMP_LT_OQ), no.native,
                                 yes.native)};
  }
  friend Vector one_if_positive(Vector x, Vector otherwise) {
    return select_less(zero(), x, broadcast(1), otherwise);
  }
  // If either operand is NaN, the min and max instructions return the second one.
  static Vector min(Vector a, Vector b) { return {_mm512_min_ps(a.native, b.native)}; }
  friend Vector relu(Vector x) { return {_mm512_max_ps(zero().native, x.native)}; }
  friend Vector leaky_relu(Vector x, Vector negative_slope) {
    return select_less(zero(), x, x, x * negative_slope);
  }

  // An estimate of 14 bits, refined by one Newton step.
  friend Vector reciprocal(Vector x) {
    const __m512 guess = _mm512_rcp14_ps(x.native);
    const __m512 error = _mm512_fnmadd_ps(x.native, guess, _mm512_set1_ps(1));
    return {_mm512_fmadd_ps(guess, error, guess)};
  }

  std::int32_t list_nonzero(std::int32_t first_unit, std::int32_t* index) const {
    const __mmask16 mask = _mm512_cmp_ps_mask(native, zero().native, _CMP_NEQ_UQ);
    // Compressed in a register, since compressing stores are slow on Zen 4.
    _mm512_storeu_si512(index, _mm512_maskz_compress_epi32(mask, unit_numbers(first_unit)));
    return _mm_popcnt_u32(mask);
  }
  static void list_all(std::int32_t first_unit, std::int32_t* index) {
    _mm512_store_si512(index, unit_numbers(first_unit));
  }

  float total() const { return _mm512_reduce_add_ps(native); }

  // The lanes form groups of four. Group i of the result holds, for each of the four rows, the
  // sum over the row's group i.
  static Vector fold(const Vector (&rows)[kFold]) {
    const __m512d a = _mm512_castps_pd(interleaved_sum(rows[0].native, rows[1].native));
    const __m512d b = _mm512_castps_pd(interleaved_sum(rows[2].native, rows[3].native));
    return {_mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                          _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)))};
  }
  // The sums of 16 rows from four folded vectors.
  static Vector unfold(const float* from) {
    return quarter_sum(quarter_sum(load(from), load(from + kLanes)),
                       quarter_sum(load(from + 2 * kLanes), load(from + 3 * kLanes)));
  }

 private:
  static __m512i unit_numbers(std::int32_t first_unit) {
    return _mm512_add_epi32(
        _mm512_set1_epi32(first_unit),
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  }
  static __m512 interleaved_sum(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  }
  // Sums of adjacent quarters, those of `a` first.
  static Vector quarter_sum(Vector a, Vector b) {
    return {_mm512_add_ps(_mm512_shuffle_f32x4(a.native, b.native, 0x88),
                          _mm512_shuffle_f32x4(a.native, b.native, 0xDD))};
  }
};

#include "elementary.h"

// Taking x - floor(x) and scaling by 2^floor(x) are one instruction each.
inline Vector exp2_of(Vector x) {
  const __m512 fraction = _mm512_reduce_ps(x.native, _MM_FROUND_TO_NEG_INF);
  return {_mm512_scalef_ps(exp2_fraction(Vector{fraction}).native, x.native)};
}

#include "fused_kernel.h"

}  // namespace avx512

const Kernel<float> kAvx512 = {"avx512",
                               avx512::Vector::kLanes,
                               avx512::Vector::kMaxTile,
                               avx512::Vector::kMaxBlock,
                               avx512::workspace_bytes<avx512::Vector>,
                               avx512::evaluate<false, avx512::Vector>,
                               avx512::evaluate<true, avx512::Vector>};

}  // namespace inpaint

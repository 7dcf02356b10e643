// Sigmoid and tanh in float for vector types without library functions for them.
//
// Included by kernel_avx2.cpp and kernel_avx512.cpp inside their namespaces. The vector type
// provides `reciprocal`, and the including file `exp2_of(x)` = 2^x for x <= 126, built on
// `exp2_fraction`. NaN propagates through all of them.

// 2^f for f in [0, 1): minimax polynomial of degree 5, relative error 7.5e-8.
template <class V>
inline V exp2_fraction(V f) {
  V p = V::broadcast(1.877576696978539e-3f);
  p = fma(p, f, V::broadcast(8.989340499677947e-3f));
  p = fma(p, f, V::broadcast(5.582631721409564e-2f));
  p = fma(p, f, V::broadcast(0.24015361757686923f));
  p = fma(p, f, V::broadcast(0.6931530730810918f));
  return fma(p, f, V::broadcast(0.9999999250702968f));
}

// 1 / (1 + 2^x). x is capped at 126, where the result reaches the smallest normal number.
template <class V>
inline V logistic2(V x) {
  return reciprocal(V::broadcast(1) + exp2_of(V::min(V::broadcast(126), x)));
}

// 1 / (1 + exp(-x)), stable for every x.
template <class V>
inline V sigmoid(V x) {
  return logistic2(x * V::broadcast(-1.4426950408889634f));
}

// An odd polynomial (relative error 4e-9) near zero, where 1 - 2 / (1 + exp(2x)) would cancel.
template <class V>
inline V tanh(V x) {
  const V square = x * x;
  V p = V::broadcast(-5.70498254529027e-3f);
  p = fma(p, square, V::broadcast(2.0639083438443968e-2f));
  p = fma(p, square, V::broadcast(-5.3739713977763566e-2f));
  p = fma(p, square, V::broadcast(0.13331442185685927f));
  p = fma(p, square, V::broadcast(-0.3333328194158563f));
  const V small = fma(p * square, x, x);
  const V large =
      fma(V::broadcast(-2), logistic2(x * V::broadcast(2.8853900817779268f)), V::broadcast(1));
  return V::select_less(square, V::broadcast(0.390625f), small, large);
}

// Activations, each known to the compiler where it is applied. Included by fused_kernel.h.

// An activation known to the compiler.
template <Activation kActivation>
struct Known {
  static constexpr Activation value = kActivation;
};

// Calls `call(Known<activation>)`.
template <class Call>
inline void with_activation(Activation activation, const Call& call) {
  switch (activation) {
    case Activation::kNone:
      return call(Known<Activation::kNone>{});
    case Activation::kRelu:
      return call(Known<Activation::kRelu>{});
    case Activation::kLeakyRelu:
      return call(Known<Activation::kLeakyRelu>{});
    case Activation::kTanh:
      return call(Known<Activation::kTanh>{});
    case Activation::kSigmoid:
      return call(Known<Activation::kSigmoid>{});
  }
}

template <class V, Activation kActivation>
inline V activate(V affine, typename V::Real negative_slope) {
  if constexpr (kActivation == Activation::kRelu) return relu(affine);
  if constexpr (kActivation == Activation::kLeakyRelu) {
    return leaky_relu(affine, V::broadcast(negative_slope));
  }
  if constexpr (kActivation == Activation::kTanh) return tanh(affine);
  if constexpr (kActivation == Activation::kSigmoid) return sigmoid(affine);
  return affine;
}

// The slope of an activation, written with its output as in `Dense.backward`.
template <class V, Activation kActivation>
inline V slope(V output, typename V::Real negative_slope) {
  const V one = V::broadcast(1);
  if constexpr (kActivation == Activation::kRelu) return step(output, V::zero());
  if constexpr (kActivation == Activation::kLeakyRelu) {
    return step(output, V::broadcast(negative_slope));
  }
  if constexpr (kActivation == Activation::kTanh) return one - output * output;
  if constexpr (kActivation == Activation::kSigmoid) return output * (one - output);
  return one;
}

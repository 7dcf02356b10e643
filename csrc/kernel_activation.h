// Activations and their derivatives, chosen at compile time. Included by fused_kernel.h.

// An activation as a compile-time constant.
template <Activation kActivation>
struct ActivationConstant {
  static constexpr Activation value = kActivation;
};

// Calls `call(ActivationConstant<activation>{})`.
template <class Call>
inline void dispatch_activation(Activation activation, const Call& call) {
  switch (activation) {
    case Activation::kNone:
      return call(ActivationConstant<Activation::kNone>{});
    case Activation::kRelu:
      return call(ActivationConstant<Activation::kRelu>{});
    case Activation::kLeakyRelu:
      return call(ActivationConstant<Activation::kLeakyRelu>{});
    case Activation::kTanh:
      return call(ActivationConstant<Activation::kTanh>{});
    case Activation::kSigmoid:
      return call(ActivationConstant<Activation::kSigmoid>{});
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

// The derivative of an activation in terms of its output, as in `Dense.backward` of
// inpaint/generators/layers.py.
template <class V, Activation kActivation>
inline V derivative(V output, typename V::Real negative_slope) {
  const V one = V::broadcast(1);
  if constexpr (kActivation == Activation::kRelu) return one_if_positive(output, V::zero());
  if constexpr (kActivation == Activation::kLeakyRelu) {
    return one_if_positive(output, V::broadcast(negative_slope));
  }
  if constexpr (kActivation == Activation::kTanh) return one - output * output;
  if constexpr (kActivation == Activation::kSigmoid) return output * (one - output);
  return one;
}

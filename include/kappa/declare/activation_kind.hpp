#pragma once
/// \file
/// The names of the activations kappa knows; `fast_...` are less exact, `custom` is a user's own.

namespace kappa {

enum class activation_kind {
  identity,
  relu,
  leaky_relu,
  tanh,
  sigmoid,
  softplus,
  gelu,
  silu,
  fast_tanh,
  fast_sigmoid,
  fast_gelu,
  custom
};

/// Whether φ' and φ'' are taken from the activation's output, so that its input need not be kept.
constexpr bool derivative_from_output(activation_kind kind) {
  return kind != activation_kind::gelu && kind != activation_kind::silu && kind != activation_kind::fast_gelu &&
         kind != activation_kind::custom;
}

}  // namespace kappa

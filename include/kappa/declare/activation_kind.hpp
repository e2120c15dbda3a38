#pragma once
/// \file
/// The names of the activations kappa knows; `custom` is a user's own.

namespace kappa {

enum class activation_kind { identity, relu, leaky_relu, tanh, sigmoid, softplus, gelu, silu, custom };

}  // namespace kappa

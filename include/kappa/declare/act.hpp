#pragma once
/// \file
/// Elementwise activations. Each is a struct with `value`, `first_derivative` and `second_derivative`; a user's
/// own has the same three and is declared with `act::custom<mine>`.

#include <cmath>
#include <concepts>

#include <kappa/arch.hpp>
#include <kappa/declare/activation_kind.hpp>
#include <kappa/declare/scalar_table.hpp>
#include <kappa/declare/term.hpp>

namespace kappa::inline KAPPA_ARCH {

/// An activation φ: a name and three functions of the pre-activation s, for float, double and long double:
/// φ(s), φ'(s), φ''(s). At a kink take one side's derivative and 0 for φ''.
template <class A>
concept activation = requires(float f, double d, long double l) {
  { A::value(f) } -> std::same_as<float>;
  { A::value(d) } -> std::same_as<double>;
  { A::value(l) } -> std::same_as<long double>;
  { A::first_derivative(f) } -> std::same_as<float>;
  { A::first_derivative(d) } -> std::same_as<double>;
  { A::first_derivative(l) } -> std::same_as<long double>;
  { A::second_derivative(f) } -> std::same_as<float>;
  { A::second_derivative(d) } -> std::same_as<double>;
  { A::second_derivative(l) } -> std::same_as<long double>;
  { A::name } -> std::convertible_to<char const*>;
};

/// The three functions of an activation in one scalar type.
template <class T>
struct activation_functions {
  T (*value)(T);
  T (*first_derivative)(T);
  T (*second_derivative)(T);
};

/// An activation as a value, so that a graph can hold it. `numerator / denominator` is leaky_relu's slope.
struct activation_rule : scalar_table<activation_functions> {
  activation_kind kind;
  int numerator;
  int denominator;
  char const* name;
};

namespace detail {
template <class T, class A>
constexpr activation_functions<T> functions_of() {
  return {[](T s) { return A::value(s); }, [](T s) { return A::first_derivative(s); },
          [](T s) { return A::second_derivative(s); }};
}
template <activation A>
constexpr activation_kind kind_of() {
  if constexpr (requires { A::kind; }) {
    return A::kind;
  } else {
    return activation_kind::custom;
  }
}
template <class A>
constexpr int slope_numerator() {
  if constexpr (requires { A::slope_numerator; }) {
    return A::slope_numerator;
  } else {
    return 0;
  }
}
template <class A>
constexpr int slope_denominator() {
  if constexpr (requires { A::slope_denominator; }) {
    return A::slope_denominator;
  } else {
    return 1;
  }
}
}  // namespace detail

/// The one rule of an activation type; its address identifies the activation.
template <activation A>
inline constexpr activation_rule rule_of{
    {detail::functions_of<float, A>(), detail::functions_of<double, A>(), detail::functions_of<long double, A>()},
    detail::kind_of<A>(),
    detail::slope_numerator<A>(),
    detail::slope_denominator<A>(),
    A::name};

/// The term of an activation.
template <activation A>
struct activation_t : term_base<activation_t<A>> {
  static constexpr int emit(auto& g, int x) { return g.activation(x, &rule_of<A>); }
};

namespace activations {

struct identity {
  static constexpr auto kind = activation_kind::identity;
  static constexpr char const* name = "identity";
  static auto value(auto s) { return s; }
  static auto first_derivative(auto s) { return decltype(s)(1); }
  static auto second_derivative(auto s) { return decltype(s)(0); }
};

struct relu {
  static constexpr auto kind = activation_kind::relu;
  static constexpr char const* name = "relu";
  // The comparison is written so that NaN passes through.
  static auto value(auto s) { return s < decltype(s)(0) ? decltype(s)(0) : s; }
  static auto first_derivative(auto s) { return decltype(s)(s > 0 ? 1 : 0); }
  static auto second_derivative(auto s) { return decltype(s)(0); }
};

template <int Numerator, int Denominator>
struct leaky_relu {
  static constexpr auto kind = activation_kind::leaky_relu;
  static constexpr int slope_numerator = Numerator;
  static constexpr int slope_denominator = Denominator;
  static constexpr char const* name = "leaky_relu";
  template <class T>
  static constexpr T slope = T(Numerator) / T(Denominator);
  static auto value(auto s) { return s < decltype(s)(0) ? slope<decltype(s)> * s : s; }
  static auto first_derivative(auto s) { return s > 0 ? decltype(s)(1) : slope<decltype(s)>; }
  static auto second_derivative(auto s) { return decltype(s)(0); }
};

struct tanh {
  static constexpr auto kind = activation_kind::tanh;
  static constexpr char const* name = "tanh";
  static auto value(auto s) { return std::tanh(s); }
  static auto first_derivative(auto s) {
    auto const a = std::tanh(s);
    return (1 - a) * (1 + a);
  }
  static auto second_derivative(auto s) {
    auto const a = std::tanh(s);
    return -2 * a * (1 - a) * (1 + a);
  }
};

struct sigmoid {
  static constexpr auto kind = activation_kind::sigmoid;
  static constexpr char const* name = "sigmoid";
  static auto value(auto s) {
    auto const e = std::exp(-std::abs(s));
    return (s < 0 ? e : decltype(s)(1)) / (1 + e);
  }
  static auto first_derivative(auto s) {
    auto const e = std::exp(-std::abs(s));
    return e / ((1 + e) * (1 + e));
  }
  static auto second_derivative(auto s) { return first_derivative(s) * (1 - 2 * value(s)); }
};

struct softplus {
  static constexpr auto kind = activation_kind::softplus;
  static constexpr char const* name = "softplus";
  static auto value(auto s) { return std::log1p(std::exp(-std::abs(s))) + (s < 0 ? decltype(s)(0) : s); }
  static auto first_derivative(auto s) { return sigmoid::value(s); }
  static auto second_derivative(auto s) { return sigmoid::first_derivative(s); }
};

/// s Φ(s) with the exact normal distribution function (Hendrycks and Gimpel 2016), not its tanh approximation.
struct gelu {
  static constexpr auto kind = activation_kind::gelu;
  static constexpr char const* name = "gelu";
  template <class T>
  static T distribution(T s) {
    return std::erfc(-s * T(0.70710678118654752440084436210485L)) / 2;
  }
  template <class T>
  static T density(T s) {
    return std::exp(-s * s / 2) * T(0.39894228040143267793994605993438L);
  }
  static auto value(auto s) { return s * distribution(s); }
  static auto first_derivative(auto s) { return distribution(s) + s * density(s); }
  static auto second_derivative(auto s) { return density(s) * (2 - s * s); }
};

/// s σ(s) (Elfwing, Uchibe and Doya 2018).
struct silu {
  static constexpr auto kind = activation_kind::silu;
  static constexpr char const* name = "silu";
  static auto value(auto s) { return s * sigmoid::value(s); }
  static auto first_derivative(auto s) {
    auto const p = sigmoid::value(s);
    return p * (1 + s * (1 - p));
  }
  static auto second_derivative(auto s) {
    auto const p = sigmoid::value(s);
    return p * (1 - p) * (2 + s * (1 - 2 * p));
  }
};

/// tanh by a rational function. The kernels' error is at most 3 epsilon in float, as the default's is 1.9, and
/// 2.2e-8 in double, both relative; the derivatives are 1 - a² and -2 a (1 - a²) of the value a.
struct fast_tanh : tanh {
  static constexpr auto kind = activation_kind::fast_tanh;
  static constexpr char const* name = "fast_tanh";
};

/// The logistic function as (1 + fast_tanh(s / 2)) / 2. The kernels' error is at most 2e-7 in float and 1.1e-8 in
/// double, absolute: far on the negative side nothing is left of the value. The derivatives are a (1 - a) and
/// a (1 - a) (1 - 2 a) of the value a.
struct fast_sigmoid : sigmoid {
  static constexpr auto kind = activation_kind::fast_sigmoid;
  static constexpr char const* name = "fast_sigmoid";
};

/// The approximation s (1 + tanh u) / 2 of gelu, u = √(2/π) (s + 0.044715 s³) (Hendrycks and Gimpel 2016), with
/// fast_tanh: a function of its own, at most 4.8e-4 away from gelu, with its own derivatives. The kernels' error is at
/// most 1e-6 in the value, 8e-6 in the derivative and 5e-5 in the second one, absolute.
struct fast_gelu {
  static constexpr auto kind = activation_kind::fast_gelu;
  static constexpr char const* name = "fast_gelu";
  template <class T>
  struct inner {
    static constexpr T slope = T(0.79788456080286535587989211986876L), cubic = T(0.044715L);
    T u, du, ddu;  ///< u and its derivatives at s
    explicit inner(T s)
        : u(slope * s * (1 + cubic * s * s)), du(slope * (1 + 3 * cubic * s * s)), ddu(slope * 6 * cubic * s) {}
  };
  static auto value(auto s) { return s * (1 + std::tanh(inner(s).u)) / 2; }
  static auto first_derivative(auto s) {
    inner const i(s);
    auto const t = std::tanh(i.u), c = (1 - t) * (1 + t);
    return (1 + t + s * c * i.du) / 2;
  }
  static auto second_derivative(auto s) {
    inner const i(s);
    auto const t = std::tanh(i.u), c = (1 - t) * (1 + t);
    return c * (i.du + s * (i.ddu / 2 - t * i.du * i.du));
  }
};

}  // namespace activations

namespace detail {
// Assertions stand in functions, not in classes: so each mistake is one error, and a usable term comes back.
template <class A>
constexpr auto checked_activation() {
  static_assert(activation<A>,
                "kappa: an activation is a struct with a `name` and three static functions, value(s), "
                "first_derivative(s) and second_derivative(s), for float, double and long double, each returning the "
                "type of s");
  if constexpr (activation<A>) {
    return activation_t<A>{};
  } else {
    return activation_t<activations::identity>{};
  }
}
template <int Numerator, int Denominator>
constexpr auto checked_leaky() {
  static_assert(Numerator > 0 && Denominator > Numerator, "kappa: leaky wants a slope between 0 and 1");
  return activation_t<activations::leaky_relu<Numerator, Denominator>>{};
}
}  // namespace detail

namespace act {
// Qualified on purpose: a bare `tanh` would be ambiguous with the one of <cmath>.
inline constexpr activation_t<activations::identity> identity{};
inline constexpr activation_t<activations::relu> relu{};
inline constexpr activation_t<activations::leaky_relu<1, 100>> leaky_relu{};
/// leaky_relu with a slope of one's own.
template <int Numerator, int Denominator>
inline constexpr auto leaky = detail::checked_leaky<Numerator, Denominator>();
inline constexpr activation_t<activations::tanh> tanh{};
inline constexpr activation_t<activations::sigmoid> sigmoid{};
inline constexpr activation_t<activations::softplus> softplus{};
inline constexpr activation_t<activations::gelu> gelu{};
inline constexpr activation_t<activations::silu> silu{};
/// Less exact and faster, where that is enough; what is lost stands at the structs of these names.
inline constexpr activation_t<activations::fast_tanh> fast_tanh{};
inline constexpr activation_t<activations::fast_sigmoid> fast_sigmoid{};
inline constexpr activation_t<activations::fast_gelu> fast_gelu{};
/// A user's own activation: a struct that models `activation`.
template <class A>
inline constexpr auto custom = detail::checked_activation<A>();
}  // namespace act

}  // namespace kappa::inline KAPPA_ARCH

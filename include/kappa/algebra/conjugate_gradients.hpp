#pragma once
/// \file
/// Conjugate gradients: the solver that takes any symmetric positive definite operator, asked for by name.

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <kappa/algebra/identity.hpp>
#include <kappa/algebra/operator.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The method and its settings: solve(op, g, conjugate_gradients{.tolerance = 1e-8}).
template <class Preconditioner = scaled_identity>
struct conjugate_gradients {
  /// Stop when ‖g - A x‖ ≤ tolerance · ‖g‖, with the residual computed afresh.
  double tolerance = 1e-6;
  /// Products with A at most; 0 stands for 10 n + 10.
  std::size_t max_iterations = 0;
  /// An approximation of A⁻¹, positive definite: inverse(diagonal_matrix(d)), or any operator.
  Preconditioner preconditioner = {};
};

/// x with A x = g, for symmetric positive definite A of any structure (Hestenes and Stiefel 1952). Each iteration is
/// one product with A and one with the preconditioner; inner products accumulate in double.
/// \throws shape_mismatch when the length is not A's; invalid_value when g, or a product with A, is not finite;
/// singular_matrix when a direction of non-positive curvature shows up; not_converged, with the residual reached.
template <linear_operator Op, class P>
vector<value_t<Op>> solve(Op const& op, std::span<std::type_identity_t<value_t<Op>> const> g,
                          conjugate_gradients<P> const& method) {
  using T = value_t<Op>;
  static_assert(detail::symmetric_v<Op>, "conjugate_gradients takes symmetric operators: a product is not");
  auto const n = static_cast<std::size_t>(op.size());
  detail::require_length("g", n, g.size());
  check_finite<T>("g", g);
  if constexpr (linear_operator<P>) detail::require_length("the preconditioner", n, method.preconditioner.size());

  auto x = zeros<T>(n);
  auto const goal = method.tolerance * std::sqrt(detail::dot(g, g));
  auto const budget = method.max_iterations ? method.max_iterations : 10 * n + 10;
  std::vector<T> r(g.begin(), g.end()), z(n), p(n), image(n);
  auto const norm = [](std::vector<T> const& v) { return std::sqrt(detail::dot<T>(v, v)); };
  auto const precondition = [&] {
    if constexpr (linear_operator<P>)
      method.preconditioner.apply(std::span<T const>(r), std::span<T>(z));
    else
      z = r;
  };

  std::size_t used = 0;
  double reached = norm(r);
  while (reached > goal) {  // one round ends when the recurrence says so; the true residual decides
    precondition();
    p = z;
    double rz = detail::dot<T>(r, z), previous = reached;
    for (reached = norm(r); reached > goal && used < budget; ++used) {
      op.apply(std::span<T const>(p), std::span<T>(image));
      auto const curvature = detail::dot<T>(p, image), length = detail::dot<T>(p, p);
      if (!std::isfinite(curvature))
        throw invalid_value("conjugate_gradients: a product with the operator is not finite");
      if (!(curvature > 0))
        throw singular_matrix("conjugate_gradients: the operator is not positive definite, a direction has curvature " +
                              detail::number(curvature / length));
      auto const step = rz / curvature;
      for (std::size_t i = 0; i < n; ++i) {
        x(i) += static_cast<T>(step * static_cast<double>(p[i]));
        r[i] -= static_cast<T>(step * static_cast<double>(image[i]));
      }
      reached = norm(r);
      precondition();
      auto const next = detail::dot<T>(r, z), beta = next / rz;
      rz = next;
      for (std::size_t i = 0; i < n; ++i)
        p[i] = static_cast<T>(static_cast<double>(z[i]) + beta * static_cast<double>(p[i]));
    }
    op.apply(std::span<T const>(elements(x)), std::span<T>(image));
    for (std::size_t i = 0; i < n; ++i) r[i] = g[i] - image[i];
    reached = norm(r);
    if (!(reached <= goal) && (used >= budget || !(reached < previous / 2)))
      throw not_converged("conjugate_gradients: after " + std::to_string(used) +
                          " iterations the relative residual is " +
                          detail::number(reached / std::sqrt(detail::dot(g, g))) + ", the tolerance " +
                          detail::number(method.tolerance));
  }
  return x;
}

}  // namespace kappa::inline KAPPA_ARCH

#pragma once
/// \file
/// Times what is derived from one network of one hidden layer, and what is made of its Gram matrix.

#include <utility>
#include <vector>

#include <kappa/algebra/operations.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>

#include "growth.hpp"
#include "problem.hpp"

namespace bench {

template <int Width, int Classes>
struct one_hidden : kappa::network<kappa::input<784> | kappa::dense<Width> | kappa::act::relu | kappa::dense<Classes>> {
};
template <int Width, int Classes>
struct classified : kappa::objective<one_hidden<Width, Classes>, kappa::cross_entropy> {};

/// Orders beyond which all eigenvalues are not asked for: a cube of this takes seconds.
inline constexpr std::size_t largest_order = 6000;

/// Gradient, K-FAC, Gram matrix, its eigenvalues and ten leading pairs, and ten eigenpairs with their vectors in
/// parameter space, for 784-Width-Classes at N = n, printed as the point `size` of the curve `over`. What is made of
/// the Gram matrix is timed without the derivation.
template <int Width, int Classes>
void time_network(growth_options const& options, std::string_view over, std::size_t size, std::size_t n) {
  using namespace kappa;
  using objective = classified<Width, Classes>;
  if (options.short_form) n = std::min<std::size_t>(n, 16);
  problem const p{"", {784, Width, Classes}, true, {}};
  auto const theta = parameters(p), x = inputs(p, n);
  auto const y = labels(p, n);
  auto const data = batch(x, y);
  auto const time = [&](char const* task, auto&& f) {
    print_growth(task, over, size, compare({{task, f}}, options.seconds).front());
  };
  auto const derived = [&](char const* task, auto const&... quantities) {
    auto work = workspace_for<objective, float>(n, quantities...);
    time(task, [&] { derive(work, theta, data, quantities...); });
  };
  derived("gradient", loss_value, gradient);
  derived("gradient+kfac", loss_value, gradient, kfac<expand>);
  auto work = workspace_for<objective, float>(n, ggn);
  time("ggn_gram", [&] { derive(work, theta, data, ggn); });
  auto const q = derive(work, theta, data, ggn);
  auto const order = q[ggn].root().columns();
  time("gram_pairs", [&] { leading_eigenpairs(q[ggn].root().gram(), order, std::min<std::size_t>(order, 10)); });
  time("top_eigenpairs", [&] { top_eigenpairs(q[ggn], 10); });
  if (order <= largest_order) time("eigenvalues", [&] { eigenvalues(q[ggn]); });
}

template <int... Classes>
void time_classes(growth_options const& options) {
  (time_network<128, Classes>(options, "C", Classes, 128), ...);
}
template <int... Widths>
void time_widths(growth_options const& options) {
  (time_network<Widths, 10>(options, "width", Widths, 128), ...);
}

}  // namespace bench

#pragma once
/// \file
/// The loss: its value, and what each stream starts from at the network's output.

#include <algorithm>
#include <cmath>
#include <span>

#include <kappa/derive/forward.hpp>
#include <kappa/tensor/random.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// The target of loss term m of sample n.
template <class Objective, class T>
target<T> target_of(context<T> const& c, std::size_t n, std::size_t m) {
  std::size_t const term = n * static_cast<std::size_t>(Objective::terms) + m;
  if (c.labels != nullptr) return {c.labels[term], {}};
  constexpr auto size = static_cast<std::size_t>(Objective::target_size);
  return {-1, std::span<T const>(c.targets + term * size, size)};
}

/// The scaled root of loss term m as columns [own, Terms, Outputs] of `g`: zero at all other terms.
template <std::size_t Terms, std::size_t Outputs, class T, class Root>
void spread_root(T* g, std::size_t m, std::size_t own, T scale, Root&& root) {
  constexpr std::size_t size = Terms * Outputs;
  T* const block = g + m * own * size;
  root(std::span<T>(block, own * Outputs));
  for (std::size_t e = 0; e < own * Outputs; ++e) block[e] *= scale;
  if constexpr (Terms > 1) {  // spread the columns, the last one first, to where they do not overlap
    for (std::size_t k = own; k-- > 0;) {
      T* const column = block + k * size;
      std::copy_backward(block + k * Outputs, block + (k + 1) * Outputs, column + (m + 1) * Outputs);
      std::fill(column, column + m * Outputs, T(0));
      std::fill(column + (m + 1) * Outputs, column + size, T(0));
    }
  }
}

/// Elements of scratch a thread needs for a root with signs.
template <class Objective>
constexpr std::size_t loss_scratch() {
  return padded(static_cast<std::size_t>(Objective::loss::root_columns(Objective::outputs)) *
                static_cast<std::size_t>(Objective::outputs));
}

template <class T, objective_type Objective, request R>
void loss_step(context<T> const& c) {
  using loss = typename Objective::loss;
  using places = layout<Objective, R>;
  constexpr auto streams = program<Objective, R>::streams;
  constexpr std::size_t outputs = static_cast<std::size_t>(Objective::outputs);
  constexpr std::size_t terms = static_cast<std::size_t>(Objective::terms);
  constexpr std::size_t size = outputs * terms;
  constexpr node_plan last = program<Objective, R>::value.nodes.back();

  std::size_t const n = c.samples;
  T const rho = static_cast<T>(c.scale);
  T const root_rho = static_cast<T>(std::sqrt(c.scale));
  T const* const f = c.value(last.value);
  T* const losses = c.result(places::losses_per_sample);

  over_samples(n, 8 * size * static_cast<std::size_t>(1 + streams.columns), [&](std::size_t i, std::size_t end) {
    for (; i < end; ++i) {
      T total = 0;
      for (std::size_t m = 0; m < terms; ++m) {
        std::span<T const> const f_nm(f + i * size + m * outputs, outputs);
        target<T> const y = target_of<Objective>(c, i, m);
        if constexpr (R.loss_value) total += loss::template value<T>(f_nm, y);
        for (int s = 0; s < streams.count; ++s) {
          auto const columns = static_cast<std::size_t>(streams.at[s].columns);
          // This stream's columns of this sample: [columns, terms, outputs].
          T* const g = c.at(last.adjoint) + (static_cast<std::size_t>(streams.at[s].first) * n + i * columns) * size;
          std::span<T> const g_m(g + m * outputs, outputs);
          switch (streams.at[s].kind) {
            case stream_kind::first_order:
              loss::template gradient<T>(f_nm, y, g_m);
              for (T& v : g_m) v *= rho;
              break;
            case stream_kind::ggn_product:
            case stream_kind::hessian: {
              std::size_t const k = streams.at[s].kind == stream_kind::hessian && R.ggn_vector_product ? 1 : 0;
              std::span<T const> const df(c.at(last.tangent) + (k * n + i) * size + m * outputs, outputs);
              if (streams.at[s].kind == stream_kind::hessian)
                loss::template hessian_times<T>(f_nm, y, df, g_m);
              else
                curvature_times<loss, T>(f_nm, y, df, g_m);
              for (T& v : g_m) v *= rho;
              break;
            }
            case stream_kind::monte_carlo: {
              T const factor = static_cast<T>(std::sqrt(c.scale / static_cast<double>(columns)));
              for (std::size_t draw = 0; draw < columns; ++draw) {
                counter_random random(c.seed[s], ((c.first_sample + i) * terms + m) * columns + draw);
                std::span<T> const g_draw(g + (draw * terms + m) * outputs, outputs);
                sample_of<loss, T>(f_nm, y, random, g_draw);
                for (T& v : g_draw) v *= factor;
              }
              break;
            }
            case stream_kind::random_signs: {
              // Column k of a draw is Σ_m ±s_mk, with one sign for all columns of a loss term.
              constexpr auto own = static_cast<std::size_t>(loss::root_columns(Objective::outputs));
              auto const draws = static_cast<std::size_t>(streams.at[s].samples);
              T const factor = static_cast<T>(std::sqrt(c.scale / static_cast<double>(draws)));
              T* const root = c.scratch + thread_index() * loss_scratch<Objective>();
              loss::template root<T>(f_nm, y, std::span<T>(root, own * outputs));
              for (std::size_t draw = 0; draw < draws; ++draw) {
                counter_random random(c.seed[s], ((c.first_sample + i) * terms + m) * draws + draw);
                T const sign = random.uniform() < 0.5 ? -factor : factor;
                for (std::size_t k = 0; k < own; ++k)
                  for (std::size_t o = 0; o < outputs; ++o)
                    g[((draw * own + k) * terms + m) * outputs + o] = sign * root[k * outputs + o];
              }
              break;
            }
            case stream_kind::root:
              spread_root<terms, outputs>(g, m, static_cast<std::size_t>(loss::root_columns(Objective::outputs)),
                                          root_rho,
                                          [&](std::span<T> block) { loss::template root<T>(f_nm, y, block); });
              break;
            case stream_kind::wide_root:
              if constexpr (requires { loss::full_root_columns(Objective::outputs); })
                spread_root<terms, outputs>(g, m, static_cast<std::size_t>(loss::full_root_columns(Objective::outputs)),
                                            root_rho,
                                            [&](std::span<T> block) { loss::template full_root<T>(f_nm, y, block); });
              else
                spread_root<terms, outputs>(g, m, static_cast<std::size_t>(loss::root_columns(Objective::outputs)),
                                            root_rho,
                                            [&](std::span<T> block) { loss::template root<T>(f_nm, y, block); });
              break;
          }
        }
      }
      if constexpr (R.loss_value) losses[i] = total;
    }
  });
}

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH

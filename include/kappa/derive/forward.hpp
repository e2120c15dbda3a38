#pragma once
/// \file
/// The forward step of each kind of node: its value, and the tangents of the requested directions.

#include <algorithm>
#include <span>

#include <kappa/derive/activate.hpp>
#include <kappa/derive/context.hpp>
#include <kappa/derive/step.hpp>
#include <kappa/kernels/product.hpp>
#include <kappa/tensor/finite.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

template <class T, int In, int Out>
using product_of = kernels::product<T, In, Out, choose_route(In, Out, sizeof(T), kernels::simd_bytes)>;

/// Elements below which a pointwise pass stays on one thread.
inline constexpr std::size_t pointwise_grain = std::size_t{1} << 15;

/// Calls f(first, last) on ranges of samples with `elements` each.
template <class F>
void over_samples(std::size_t samples, std::size_t elements, F&& f) {
  parallel_ranges(samples, 1 + pointwise_grain / std::max<std::size_t>(elements, 1), 1, std::forward<F>(f));
}

/// A signature as an object: clang 19 reads pointers and arrays of a template argument from wrong addresses.
template <signature S>
inline constexpr signature stored = S;

/// A layer's place for sample n. Its scratch is that of the thread that calls.
template <class T, signature S>
site<T> site_of(context<T> const& c, operands const& o, std::size_t n) {
  site<T> s;
  s.in = stored<S>.in;
  s.out = stored<S>.out;
  s.set = stored<S>.set;
  if constexpr (S.own > 0) s.theta = c.theta + o.offset;
  s.sample = c.first_sample + n;
  s.place = o.node;
  s.shift = o.shift;
  s.side = c.side_of(n);
  if constexpr (!S.ragged) s.side.mask = nullptr;
  constexpr std::size_t own_scratch = padded(S.layer->scratch(S.in, S.set));
  if constexpr (own_scratch > 0) s.scratch = c.scratch + thread_index() * own_scratch;
  return s;
}

/// The same for all samples at once, where the rule couples them: on one thread.
template <class T, signature S>
site<T> site_of_batch(context<T> const& c, operands const& o) {
  site<T> s = site_of<T, S>(c, o, 0);
  s.samples = c.samples;
  return s;
}

/// For a concatenation: how many blocks of either operand follow one another, and their sizes.
struct blocks {
  std::size_t count = 1, a = 1, b = 1;
};
constexpr blocks blocks_of(signature const& s) {
  blocks x;
  int const axis = s.set[0];
  for (int i = 0; i < axis; ++i) x.count *= static_cast<std::size_t>(s.out.extent[i]);
  for (int i = axis; i < s.out.rank; ++i) {
    x.a *= static_cast<std::size_t>(s.in.extent[i]);
    x.b *= static_cast<std::size_t>(i == axis ? s.out.extent[i] - s.in.extent[i] : s.out.extent[i]);
  }
  return x;
}
/// y = (a, b) for `rows` pairs; a null operand stands for zeros.
template <class T, signature S>
void join(std::size_t rows, T const* a, T const* b, T* y) {
  constexpr blocks x = blocks_of(S);
  auto const take = [&](T const*& from, std::size_t size) {
    if (from == nullptr) {
      std::fill_n(y, size, T(0));
    } else {
      std::copy_n(from, size, y);
      from += size;
    }
    y += size;
  };
  for (std::size_t i = 0; i < rows * x.count; ++i) {
    take(a, x.a);
    take(b, x.b);
  }
}

/// Looks for signs of a NaN or an infinity in what a dense layer has read, in its rows [first, last) before they are
/// activated: a weight or a bias that is not finite shows in every row, an element of the batch in every column of its
/// own, since zero times it is NaN. So does an overflow, which is no fault: whoever asked looks at the numbers then.
template <class T>
void look_at_rows(context<T> const& c, operands const& o, T const* y, std::size_t out, std::size_t first,
                  std::size_t last) {
  bool finite = true;
  if (c.first_sample + first == 0)
    for (std::size_t j = 0; j < out; ++j) finite &= is_finite(y[j]);
  if (o.a_value == place_of::batch_inputs)
    for (std::size_t i = first; i < last; ++i) finite &= is_finite(y[i * out]);
  if (!finite) c.suspicion->store(true, std::memory_order_relaxed);
}

template <class T, signature S>
void value_step(context<T> const& c, operands const& o) {
  std::size_t const n = c.samples;
  constexpr std::size_t size = static_cast<std::size_t>(S.size());
  if constexpr (S.skips_value || S.op == operation::input || S.op == operation::reshape) {
    return;
  } else if constexpr (S.op == operation::dense) {
    constexpr int in = S.features_in, out = S.features_out;
    T const* const w = c.theta + o.offset;
    T const* const bias = S.bias ? w + std::size_t{in} * out : nullptr;
    T* const y = c.at(o.value);
    T* const activated = S.has_epilogue ? c.at(o.epilogue_value) : y;
    product_of<T, in, out>::forward(
        n * S.positions, c.value(o.a_value), w, bias, y, c.scratch, [=, &c, &o](std::size_t first, std::size_t last) {
          if (c.suspicion != nullptr) look_at_rows<T>(c, o, y, out, first, last);
          if constexpr (S.has_epilogue)
            activate<T, S.epilogue>(y + first * out, activated + first * out, (last - first) * out);
        });
  } else if constexpr (S.op == operation::activation) {
    T const* const s = c.value(o.a_value);
    T* const a = c.at(o.value);
    over_samples(n, size, [=](std::size_t i, std::size_t end) {
      activate<T, S.act>(s + i * size, a + i * size, (end - i) * size);
    });
  } else if constexpr (S.op == operation::layer && S.layer->couples_samples) {
    stored<S>.layer->template functions<T>().apply(site_of_batch<T, S>(c, o), c.value(o.a_value), c.at(o.value));
  } else if constexpr (S.op == operation::layer) {
    constexpr std::size_t from = static_cast<std::size_t>(S.operand_size());
    T const* const x = c.value(o.a_value);
    T* const y = c.at(o.value);
    over_samples(n, std::max(size, from), [=, &c, &o](std::size_t i, std::size_t end) {
      for (; i < end; ++i)
        if constexpr (S.chooses)
          stored<S>.layer->template functions<T>().choose(site_of<T, S>(c, o, i), x + i * from, y + i * size,
                                                          c.at(o.places) + i * size);
        else
          stored<S>.layer->template functions<T>().apply(site_of<T, S>(c, o, i), x + i * from, y + i * size);
    });
  } else if constexpr (S.op == operation::concatenate) {
    constexpr blocks x = blocks_of(S);
    T const* const a = c.value(o.a_value);
    T const* const b = c.value(o.b_value);
    T* const y = c.at(o.value);
    over_samples(n, size, [=](std::size_t i, std::size_t end) {
      join<T, S>(end - i, a + i * x.count * x.a, b + i * x.count * x.b, y + i * size);
    });
  } else if constexpr (S.op == operation::mean_positions || S.op == operation::sum_positions) {
    constexpr std::size_t positions = static_cast<std::size_t>(S.operand_positions);
    constexpr T factor = S.op == operation::mean_positions ? T(1) / T(positions) : T(1);
    T const* const x = c.value(o.a_value);
    T* const y = c.at(o.value);
    over_samples(n, size * positions, [=](std::size_t i, std::size_t end) {
      for (; i < end; ++i)
        for (std::size_t d = 0; d < size; ++d) {
          T total = 0;
          for (std::size_t r = 0; r < positions; ++r) total += x[(i * positions + r) * size + d];
          y[i * size + d] = factor * total;
        }
    });
  } else {
    T const* const a = c.value(o.a_value);
    T const* const b = S.op == operation::scale ? nullptr : c.value(o.b_value);
    T* const y = c.at(o.value);
    over_samples(n, size, [=](std::size_t first, std::size_t last) {
      for (std::size_t i = first * size; i < last * size; ++i) {
        if constexpr (S.op == operation::scale) y[i] = a[i] * (T(S.numerator) / T(S.denominator));
        if constexpr (S.op == operation::add) y[i] = a[i] + b[i];
        if constexpr (S.op == operation::multiply) y[i] = a[i] * b[i];
      }
    });
  }
}

/// The tangents of a node along `Directions` directions, [directions, N, size]; inactive operands have none.
template <class T, int Directions, signature S>
void tangent_step(context<T> const& c, operands const& o) {
  std::size_t const n = c.samples;
  constexpr std::size_t size = static_cast<std::size_t>(S.size());
  constexpr std::size_t from = static_cast<std::size_t>(S.operand_size());
  if constexpr (S.op == operation::dense) {
    constexpr int in = S.features_in, out = S.features_out;
    using kernel = product_of<T, in, out>;
    std::size_t const rows = n * S.positions;
    T* const y = c.at(o.tangent);
    for (std::size_t k = 0; k < Directions; ++k) {
      T const* const v = c.direction[k] + o.offset;
      kernel::forward(rows, c.value(o.a_value), v, S.bias ? v + std::size_t{in} * out : nullptr, y + k * rows * out,
                      c.scratch, kernels::no_epilogue{});
    }
    if constexpr (S.a_active) {
      T* const second = c.at(o.sum);
      kernel::forward(Directions * rows, c.at(o.a_tangent), c.theta + o.offset, nullptr, second, c.scratch,
                      [=](std::size_t first, std::size_t last) {
                        for (std::size_t i = first * out; i < last * out; ++i) y[i] += second[i];
                      });
    }
  } else if constexpr (!S.a_active && !S.b_active && S.own == 0) {
    return;
  } else if constexpr (S.op == operation::activation) {
    if constexpr (S.act->kind != activation_kind::identity) {
      T const* const v = c.value(o.mask_value);
      for (std::size_t k = 0; k < Directions; ++k)
        derivative_times<T, S.act>(v, c.at(o.a_tangent) + k * n * size, c.at(o.tangent) + k * n * size, n * size);
    }
  } else if constexpr (S.op == operation::layer && S.layer->couples_samples) {
    site<T> here = site_of_batch<T, S>(c, o);
    for (std::size_t k = 0; k < Directions; ++k) {
      if constexpr (S.own > 0) here.direction = c.direction[k] + o.offset;
      T const* const dx = S.a_active ? c.at(o.a_tangent) + k * n * from : nullptr;
      stored<S>.layer->template functions<T>().push(here, c.value(o.a_value), dx, c.at(o.tangent) + k * n * size);
    }
  } else if constexpr (S.op == operation::layer) {
    over_samples(n, Directions * std::max(size, from), [=, &c, &o](std::size_t i, std::size_t end) {
      for (; i < end; ++i) {
        site<T> here = site_of<T, S>(c, o, i);
        for (std::size_t k = 0; k < Directions; ++k) {
          if constexpr (S.own > 0) here.direction = c.direction[k] + o.offset;
          T const* const dx = S.a_active ? c.at(o.a_tangent) + (k * n + i) * from : nullptr;
          stored<S>.layer->template functions<T>().push(here, c.value(o.a_value) + i * from, dx,
                                                        c.at(o.tangent) + (k * n + i) * size);
        }
      }
    });
  } else if constexpr (S.op == operation::concatenate) {
    join<T, S>(Directions * n, S.a_active ? c.at(o.a_tangent) : nullptr, S.b_active ? c.at(o.b_tangent) : nullptr,
               c.at(o.tangent));
  } else if constexpr (S.op == operation::mean_positions || S.op == operation::sum_positions) {
    constexpr std::size_t positions = static_cast<std::size_t>(S.operand_positions);
    constexpr T factor = S.op == operation::mean_positions ? T(1) / T(positions) : T(1);
    T const* const x = c.at(o.a_tangent);
    T* const y = c.at(o.tangent);
    for (std::size_t i = 0; i < Directions * n; ++i)
      for (std::size_t d = 0; d < size; ++d) {
        T total = 0;
        for (std::size_t r = 0; r < positions; ++r) total += x[(i * positions + r) * size + d];
        y[i * size + d] = factor * total;
      }
  } else if constexpr (S.op == operation::scale || S.op == operation::add || S.op == operation::multiply) {
    T* const y = c.at(o.tangent);
    T const* const da = S.a_active ? c.at(o.a_tangent) : nullptr;
    T const* const db = S.b_active ? c.at(o.b_tangent) : nullptr;
    for (std::size_t k = 0; k < Directions; ++k)
      for (std::size_t i = 0; i < n * size; ++i) {
        std::size_t const t = k * n * size + i;
        T const ta = S.a_active ? da[t] : T(0);
        T const tb = S.b_active ? db[t] : T(0);
        if constexpr (S.op == operation::scale) y[t] = ta * (T(S.numerator) / T(S.denominator));
        if constexpr (S.op == operation::add) y[t] = ta + tb;
        if constexpr (S.op == operation::multiply) y[t] = ta * c.value(o.b_value)[i] + c.value(o.a_value)[i] * tb;
      }
  }
}

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH

#pragma once
/// \file
/// `ignore_index<k>(loss)`: loss terms that count as nothing, such as the padding of a sequence.

#include <cstddef>
#include <span>

#include <kappa/declare/classification_losses.hpp>
#include <kappa/declare/loss.hpp>

namespace kappa::inline KAPPA_ARCH {

/// A loss whose terms labelled `Index` contribute nothing: no value, no gradient, no curvature, no draw, and no weight
/// in `weighted_mean`. `Index` may lie outside the classes; every other label there is refused as ever. Under the other
/// reductions ρ counts ignored terms as well.
template <int Index, loss Loss>
struct ignore_index_t : loss_tag {
  static_assert(Loss::takes_labels, "kappa: ignore_index wants a loss on class labels");
  static constexpr char const* name = Loss::name;
  static constexpr int smallest_output = Loss::smallest_output;
  static constexpr bool takes_labels = true;
  static constexpr bool takes_vectors = Loss::takes_vectors;
  static constexpr bool ignores(int label) { return label == Index || detail::ignores<Loss>(label); }
  static constexpr int outputs_for(int outputs) {
    if constexpr (requires { Loss::outputs_for(outputs); }) {
      return Loss::outputs_for(outputs);
    } else {
      return outputs;
    }
  }
  static constexpr int target_size(int outputs) { return detail::target_size<Loss>(outputs); }

  template <class T>
  static T weight(target<T> y) {
    return ignored(y) ? T(0) : detail::weight_of<Loss>(y);
  }
  template <class T>
  static T value(std::span<T const> f, target<T> y) {
    return ignored(y) ? T(0) : Loss::value(f, y);
  }
  template <class T>
  static void gradient(std::span<T const> f, target<T> y, std::span<T> g) {
    if (ignored(y)) return clear(g);
    Loss::gradient(f, y, g);
  }
  static constexpr int root_columns(int outputs) { return Loss::root_columns(outputs); }
  template <class T>
  static void root(std::span<T const> f, target<T> y, std::span<T> s) {
    if (ignored(y)) return clear(s);
    Loss::root(f, y, s);
  }
  static constexpr int full_root_columns(int outputs) {
    if constexpr (requires { Loss::full_root_columns(outputs); }) {
      return Loss::full_root_columns(outputs);
    } else {
      return Loss::root_columns(outputs);
    }
  }
  template <class T>
  static void full_root(std::span<T const> f, target<T> y, std::span<T> s) {
    if (ignored(y)) return clear(s);
    if constexpr (requires { Loss::full_root(f, y, s); }) {
      Loss::full_root(f, y, s);
    } else {
      Loss::root(f, y, s);
    }
  }
  template <class T>
  static void hessian_times(std::span<T const> f, target<T> y, std::span<T const> v, std::span<T> u) {
    if (ignored(y)) return clear(u);
    Loss::hessian_times(f, y, v, u);
  }
  template <class T>
  static void fisher_times(std::span<T const> f, target<T> y, std::span<T const> v, std::span<T> u)  //
      requires detail::has_fisher<Loss> {
    if (ignored(y)) return clear(u);
    Loss::fisher_times(f, y, v, u);
  }
  template <class T, class Random>
  static void sample(std::span<T const> f, target<T> y, Random& random, std::span<T> g) {
    if (ignored(y)) return clear(g);
    detail::sample_of<Loss, T>(f, y, random, g);
  }
  template <class T>
  static char const* fault_of(std::span<T const> y) {
    return Loss::fault_of(y);
  }

 private:
  template <class T>
  static bool ignored(target<T> y) {
    return y.values.empty() && ignores(y.label);
  }
  template <class T>
  static void clear(std::span<T> s) {
    for (T& e : s) e = 0;
  }
};

/// `ignore_index<-100>(cross_entropy)`, of any loss on class labels.
template <int Index, loss Loss>
constexpr auto ignore_index(Loss) {
  return ignore_index_t<Index, Loss>{};
}

}  // namespace kappa::inline KAPPA_ARCH

#pragma once

#include <cstdint>
#include <span>

#include <kappa/tensor/array.hpp>

namespace kappa::inline KAPPA_ARCH {

/// What some layers read beside a batch's inputs; empty where no layer does. Graphs come dense, or as edges: those of
/// node i of sample n are row_begin[n · nodes + i] to row_begin[n · nodes + i + 1] - 1.
template <real T>
struct batch_side {
  std::span<unsigned char const> mask;  ///< [N, positions]: zero where a position is padding
  std::span<T const> adjacency;         ///< [N, nodes, nodes], row-major
  std::span<int const> row_begin;       ///< [N · nodes + 1]
  std::span<int const> column;          ///< [edges]: the other node, counted within its sample
  std::span<T const> weight;            ///< [edges]; empty for ones
  std::uint64_t seed = 0;               ///< of dropout; 0 switches it off
  /// Of every batch norm of the network in declaration order: the means [C], then the variances [C] of its features.
  /// Wanted where one of them has frozen statistics, refused where none has.
  std::span<T const> statistics{};
};

/// One batch, as views: inputs [N, input elements], and either labels [N · M], a class index per loss term, or
/// targets [N · M · C], a vector per loss term. N follows from the inputs; `derive` checks the rest.
template <real T>
struct batch {
  std::span<T const> inputs;
  std::span<int const> labels;
  std::span<T const> targets;
  batch_side<T> side{};

  batch(std::span<T const> x, std::span<int const> y) : inputs(x), labels(y) {}
  batch(std::span<T const> x, std::span<T const> y) : inputs(x), targets(y) {}
  /// From any contiguous arrays: vectors, matrices, spans.
  template <class X, class Y>
  requires requires(X const& x, Y const& y) {
    std::span<T const>(x.data(), x.size());
    y.data();
    y.size();
  }
  batch(X const& x, Y const& y) : inputs(x.data(), x.size()) {
    if constexpr (std::same_as<std::remove_cvref_t<decltype(*y.data())>, int>) {
      labels = {y.data(), y.size()};
    } else {
      targets = {y.data(), y.size()};
    }
  }
};

template <class X, class Y>
batch(X const& x, Y const& y) -> batch<std::remove_cvref_t<decltype(*x.data())>>;

}  // namespace kappa::inline KAPPA_ARCH

#pragma once
/// \file
/// Repetition, with fresh parameters or with tied ones.

#include <kappa/declare/term.hpp>

namespace kappa {

/// `repeat<N>(f)`: f | f | ... N times, fresh parameters in every copy; names and marks inside f belong to
/// their copy. `repeat<1>(f)` is f.
template <int N, term F>
struct repeat_t : term_base<repeat_t<N, F>> {
  static constexpr int emit(auto& g, int x) {
    if constexpr (N == 1) return F::emit(g, x);
    for (int i = 0; i < N; ++i) {
      auto const outer = g.enter_copy(i);
      x = F::emit(g, x);
      g.leave_copy(outer);
    }
    return x;
  }
};
template <int N, term F>
constexpr repeat_t<N, F> repeat(F) {
  static_assert(N >= 1, "kappa: repeat wants at least one copy");
  return {};
}

/// `tied_repeat<N>(f)`: f | f | ... N times, every copy with the parameters of the first: a recurrence.
template <int N, term F>
struct tied_repeat_t : term_base<tied_repeat_t<N, F>> {
  static constexpr int emit(auto& g, int x) {
    auto const tied = g.begin_tied();
    x = F::emit(g, x);
    for (int i = 1; i < N; ++i) {
      g.replay_tied(tied);
      x = F::emit(g, x);
    }
    g.end_tied(tied);
    return x;
  }
};
template <int N, term F>
constexpr tied_repeat_t<N, F> tied_repeat(F) {
  static_assert(N >= 1, "kappa: tied_repeat wants at least one copy");
  return {};
}

}  // namespace kappa

#pragma once
/// \file
/// `mark` and `recall`: a value is named where it is made and used again further down, for long skips.

#include <kappa/declare/term.hpp>
#include <kappa/declare/text.hpp>

namespace kappa {

/// `mark<"name">`: names the value it is applied to and passes it on.
template <text Name>
struct mark_t : term_base<mark_t<Name>> {
  static constexpr text name = Name;
  static constexpr int emit(auto& g, int x) { return g.mark(x, name.s); }
};
template <text Name>
inline constexpr mark_t<Name> mark{};

/// `recall<"name">`: the value last marked so, whatever it is applied to. Inside `repeat` a copy sees its own
/// marks first, then those of the enclosing ones.
template <text Name>
struct recall_t : term_base<recall_t<Name>> {
  static constexpr text name = Name;
  static constexpr int emit(auto& g, int) { return g.recall(name.s); }
};
template <text Name>
inline constexpr recall_t<Name> recall{};

}  // namespace kappa

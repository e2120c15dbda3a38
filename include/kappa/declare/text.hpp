#pragma once
/// \file
/// Names at compile time: `text` is a string that can be a template argument, `label` a name inside a graph.

namespace kappa {

/// A short string usable as a template argument: at most 31 characters, or it does not compile.
struct text {
  static constexpr int capacity = 32;
  char s[capacity]{};

  constexpr text() = default;
  template <int N>
  constexpr text(char const (&literal)[N]) {
    static_assert(N <= capacity, "kappa: a name has at most 31 characters");
    for (int i = 0; i < N && i < capacity; ++i) s[i] = literal[i];
  }
  constexpr bool empty() const { return s[0] == '\0'; }
  constexpr bool operator==(text const&) const = default;
};

namespace static_detail {
constexpr bool same_text(char const* a, char const* b) {
  for (; *a != '\0' && *a == *b; ++a, ++b) {
  }
  return *a == *b;
}
}  // namespace static_detail

/// A name in a graph: it points at characters of static storage, so it costs a pointer to copy. `copy` is the
/// index of the `repeat` copy the name belongs to, or -1 outside every `repeat`.
struct label {
  char const* s = "";
  int copy = -1;

  constexpr bool empty() const { return *s == '\0'; }
  constexpr bool operator==(label const& b) const { return copy == b.copy && static_detail::same_text(s, b.s); }
};

}  // namespace kappa

#pragma once
/// \file
/// What can be wrong with a network, as a value: the first fault met is kept and told at one place, with the
/// layer and both numbers. `docs/errors.md` has an entry for each.

#include <utility>

#include <kappa/declare/text.hpp>

namespace kappa {

enum class fault {
  none,
  widths_differ,           ///< two values meet at + or * with different extents
  ranks_differ,            ///< two values meet at + or * with different ranks
  wrong_rank,              ///< a term wants another rank
  unknown_label,           ///< recall of a label never marked
  tied_shapes_differ,      ///< one weight, two shapes
  tied_bias_differs,       ///< one weight, once with a bias and once without
  no_input,                ///< the network does not begin with input<...>
  second_input,            ///< input<...> in the middle of a network
  no_outputs,              ///< a width below one
  layer_refuses,           ///< a layer does not take this shape
  loss_does_not_fit,       ///< the loss wants more outputs than there are
  loss_wants_outputs,      ///< the loss wants another number of outputs, neither more nor fewer
  partition_does_not_fit,  ///< a partition names the groups of more or fewer parameters than there are
  samples_are_coupled,     ///< a quantity of single samples, of a network in which they act on one another
  nothing_is_aggregated    ///< K-FAC-reduce of a network whose shared positions all come to the loss one by one
};

/// A fault with its place: `expected` and `got` are the two numbers of the sentence.
struct diagnosis {
  fault why = fault::none;
  int node = -1;
  int expected = 0;
  int got = 0;
  label at{};
  char const* says = "";  ///< of a layer's own sentence: before the first number, between them, and after
  char const* than = "";
  char const* after = "";
};

/// A text built in constant evaluation.
struct sentence {
  static constexpr int capacity = 160;
  char s[capacity]{};
  int n = 0;

  constexpr sentence& operator<<(char const* p) {
    while (*p != '\0' && n < capacity - 1) s[n++] = *p++;
    return *this;
  }
  constexpr sentence& operator<<(int v) {
    if (v < 0) {
      *this << "-";
      v = -v;
    }
    char digits[12]{};
    int k = 0;
    do {
      digits[k++] = static_cast<char>('0' + v % 10);
      v /= 10;
    } while (v != 0);
    while (k > 0 && n < capacity - 1) s[n++] = digits[--k];
    return *this;
  }
  constexpr sentence& operator<<(label const& l) {
    *this << l.s;
    if (l.copy >= 0) *this << "[" << l.copy << "]";
    return *this;
  }
  constexpr bool operator==(sentence const&) const = default;
};

/// The sentence of a diagnosis.
constexpr sentence describe(diagnosis const& d) {
  sentence o;
  switch (d.why) {
    case fault::none:
      break;
    case fault::widths_differ:
      o << "widths " << d.expected << " and " << d.got << " meet at `" << d.at << "`, node " << d.node;
      break;
    case fault::ranks_differ:
      o << "ranks " << d.expected << " and " << d.got << " meet at `" << d.at << "`, node " << d.node;
      break;
    case fault::wrong_rank:
      o << "`" << d.at << "` wants rank " << d.expected << " or more and has rank " << d.got << ", node " << d.node;
      break;
    case fault::unknown_label:
      o << "recall of `" << d.at << "`: no such mark among the " << d.expected << " above node " << d.node;
      break;
    case fault::tied_shapes_differ:
      o << "tied weight `" << d.at << "` is of size " << d.expected << " first and of size " << d.got << " at node "
        << d.node;
      break;
    case fault::tied_bias_differs:
      o << "tied weight `" << d.at << "` has " << d.expected << " bias first and " << d.got << " at node " << d.node;
      break;
    case fault::no_input:
      o << "node " << d.node << ", `" << d.at << "`, has no input<...> before it";
      break;
    case fault::second_input:
      o << "a second input<...> at node " << d.node << ": a network has 1, not 2";
      break;
    case fault::no_outputs:
      o << "`" << d.at << "` wants at least " << d.expected << " and got " << d.got << ", node " << d.node;
      break;
    case fault::layer_refuses:
      o << "`" << d.at << "` " << d.says << " " << d.expected << " " << d.than << " " << d.got << d.after << ", node "
        << d.node;
      break;
    case fault::loss_does_not_fit:
      o << "`" << d.at << "` wants " << d.expected << " outputs or more and node " << d.node << " gives " << d.got;
      break;
    case fault::loss_wants_outputs:
      o << "`" << d.at << "` wants " << d.expected << " outputs and node " << d.node << " gives " << d.got;
      break;
    case fault::partition_does_not_fit:
      o << "`groups` names " << d.got << " parameters and the network has " << d.expected;
      break;
    case fault::samples_are_coupled:
      o << "`" << d.at << "`, node " << d.node << ", couples the samples of a batch: loss_value, gradient, "
        << "ggn_vector_product and hessian_vector_product are all it has";
      break;
    case fault::nothing_is_aggregated:
      o << "`reduce` of a network that aggregates none of its " << d.expected
        << " positions: `expand` is for it, `reduce_unaggregated` takes it all the same";
      break;
  }
  return o;
}

namespace static_detail {

/// A piece of a sentence as a template argument, which compilers print where an assertion fails.
template <int N>
struct words {
  char s[N]{};
};

// clang cuts a template argument's text after some 35 characters, so the sentence comes in lines of at most 31,
// broken at spaces; g++ gets it whole.
#ifdef __clang__
inline constexpr int line_length = 31;
#else
inline constexpr int line_length = sentence::capacity;
#endif

/// Where line `number` of a sentence begins; the sentence's end when there is no such line.
constexpr int line_begin(sentence const& text, int number) {
  int begin = 0;
  for (int line = 0; line < number; ++line) {
    int end = begin + line_length < text.n ? begin + line_length : text.n;
    int space = end;
    if (end < text.n)
      while (space > begin && text.s[space - 1] != ' ') --space;
    begin = space > begin ? space : end;  // a word longer than a line is cut
  }
  return begin;
}

template <sentence S, int Line>
constexpr auto line_of() {
  constexpr int begin = line_begin(S, Line);
  constexpr int end = line_begin(S, Line + 1);
  words<end - begin + 1> w;
  for (int i = begin; i < end; ++i) w.s[i - begin] = S.s[i];
  return w;
}

/// Its arguments are the error message.
template <fault Why, int Node, int Expected, int Got, words... Says>
struct ill_formed {
  static constexpr bool ok = Why == fault::none;
};

constexpr int line_count(sentence const& text) {
  int lines = 1;
  while (line_begin(text, lines) < text.n) ++lines;
  return lines;
}

template <diagnosis const& D, sentence Says, int... Line>
constexpr void refuse_lines(std::integer_sequence<int, Line...>) {
  static_assert(ill_formed<D.why, D.node, D.expected, D.got, line_of<Says, Line>()...>::ok,
                "kappa: this network is not well formed");
}

/// Refuses a faulty diagnosis with exactly one error, and returns true in any case so that no second error
/// follows from the first.
template <diagnosis const& D>
constexpr bool refuse() {
  if constexpr (D.why != fault::none) {
    constexpr sentence says = describe(D);
    refuse_lines<D, says>(std::make_integer_sequence<int, line_count(says)>());
  }
  return true;
}

}  // namespace static_detail
}  // namespace kappa

#pragma once
/// \file
/// A layer's rule against its textbook definition, function by function and without deriving anything: `apply` and
/// `push` against the definition and its dual numbers, `pull` and `weigh` as the transposes of `push`, `push_pull` and
/// `push_weigh` as differences of those; what is written where, several vectors at a time, float and double.

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>

#include "reference.hpp"
#include "textbook_layers.hpp"

namespace kappa::test_layers {

using extended = long double;
using numbers = std::vector<extended>;

/// What a layer is tried with. All numbers are rounded to float first, so that every scalar type sees the same.
struct layer_case {
  std::uint64_t seed = 5;
  numbers input{};                     ///< [in]; standard normal where empty
  numbers own{};                       ///< the layer's parameters; standard normal where empty
  reference::side<extended> beside{};  ///< of this one sample
  int number = 0;                      ///< the sample's number in its batch
  bool input_moves = true;             ///< false where the input holds indices: no derivative in it is taken
  bool every_input = false;            ///< every element of the input must have an influence
  bool every_parameter = true;         ///< every parameter must have one
  extended tolerance = 1e-15L;         ///< of what is exact up to rounding in long double
  extended step = 2e-4L;               ///< of the differences
  extended differences = 1e-10L;       ///< their tolerance
  extended rounding = 200;             ///< of float and double, in units of their epsilon
};

/// The definitions that are looked up: those of textbook_layers.hpp.
struct the_textbook {
  template <class N>
  static bool value(reference::textbook::place const& at, reference::sample<extended> const& sample, N const* own,
                    std::vector<N> const& x, std::vector<N>& y) {
    return reference::textbook::value<N>(at, sample, own, x, y);
  }
};

namespace detail {

constexpr std::size_t at(int i) { return static_cast<std::size_t>(i); }

template <class To, class From>
std::vector<To> in(std::vector<From> const& v) {
  std::vector<To> w;
  for (From e : v) w.push_back(static_cast<To>(e));
  return w;
}

/// The same numbers, exact in float.
inline numbers rounded(numbers const& v) { return in<extended>(in<float>(v)); }

inline extended largest(numbers const& v) {
  extended most = 0;
  for (extended e : v) most = std::isnan(e) ? e : std::max(most, std::abs(e));
  return most;
}

inline numbers plus(numbers a, extended factor, numbers const& b) {
  for (std::size_t i = 0; i < b.size(); ++i) a[i] += factor * b[i];
  return a;
}

/// What a layer did wrong, as sentences.
struct findings {
  std::vector<std::string> list;
  std::string where;

  void add(std::string const& says) { list.push_back(where + ": " + says); }
  void expects(bool holds, std::string const& says) {
    if (!holds) add(says);
  }
  /// Two results agree, and the comparison would see a factor of 1.001.
  void agrees(std::string const& what, numbers const& got, numbers const& expected, extended tolerance) {
    if (got.size() != expected.size()) return add(what + ": another size");
    if (expected.empty()) return;
    if (largest(expected) == 0)
      return expects(largest(got) <= tolerance, what + ": should be zero, is " + std::to_string(largest(got)));
    extended const error = reference::relative_error(got, expected);
    expects(error < tolerance,
            what + ": off by " + std::to_string(static_cast<double>(error / tolerance)) + " times what is allowed");
    numbers wrong = got;
    for (extended& e : wrong) e *= 1.001L;
    expects(reference::relative_error(wrong, expected) > tolerance, what + ": would not see a factor of 1.001");
  }
};

/// One layer at its place in scalar S; what it writes starts as NaN and stands between guards.
template <class S>
class applied {
  using vec = std::vector<S>;

 public:
  applied(node const& layer, shape of_operand, int place, layer_case const& c, findings& all)
      : n(layer),
        in(of_operand),
        index(place),
        number(c.number),
        mask(c.beside.mask),
        row_begin(c.beside.row_begin),
        column(c.beside.column),
        adjacency(detail::in<S>(c.beside.adjacency)),
        weight(detail::in<S>(c.beside.weight)),
        statistics(detail::in<S>(c.beside.statistics)),
        seed(c.beside.seed),
        found(all) {}

  int below() const { return in.size(); }
  int above() const { return n.out.size(); }
  int own() const { return n.layer->parameters(in, n.set); }

  vec apply(vec const& theta, vec const& x) const {
    return written("apply", theta, {}, unwritten(above()),
                   [&](site<S> const& s, S* y) { functions().apply(s, x.data(), y); });
  }
  /// An empty direction is a null one.
  vec push(vec const& theta, vec const& x, vec const& dtheta, vec const& dx) const {
    return written("push", theta, dtheta, unwritten(above()),
                   [&](site<S> const& s, S* y) { functions().push(s, x.data(), dx.empty() ? nullptr : dx.data(), y); });
  }
  /// g [count, above] -> [count, below]; added to `to` unless that is empty. A null x is for linear layers.
  vec pull(vec const& theta, vec const& x, int count, vec const& g, vec const& to = {}) const {
    return written("pull", theta, {}, to.empty() ? unwritten(count * below()) : to,
                   [&](site<S> const& s, S* y) { functions().pull(s, x.data(), count, g.data(), y, !to.empty()); });
  }
  /// g [count, above] -> [count, own].
  vec weigh(vec const& theta, vec const& x, int count, vec const& g) const {
    return written("weigh", theta, {}, unwritten(count * own()),
                   [&](site<S> const& s, S* y) { functions().weigh(s, x.data(), count, g.data(), y); });
  }
  /// Adds to `to`.
  vec push_pull(vec const& theta, vec const& x, vec const& dtheta, vec const& dx, vec const& g, vec const& to) const {
    if (functions().push_pull == nullptr) return to;
    return written("push_pull", theta, dtheta, to, [&](site<S> const& s, S* y) {
      functions().push_pull(s, x.data(), dx.empty() ? nullptr : dx.data(), g.data(), y);
    });
  }
  vec push_weigh(vec const& theta, vec const& x, vec const& dtheta, vec const& dx, vec const& g, vec const& to) const {
    if (functions().push_weigh == nullptr) return to;
    return written("push_weigh", theta, dtheta, to, [&](site<S> const& s, S* y) {
      functions().push_weigh(s, x.data(), dx.empty() ? nullptr : dx.data(), g.data(), y);
    });
  }

  sample_side<S> side() const {
    sample_side<S> s;
    if (!mask.empty()) s.mask = mask.data();
    if (!adjacency.empty()) s.adjacency = adjacency.data();
    if (!row_begin.empty()) s.row_begin = row_begin.data();
    if (!column.empty()) s.column = column.data();
    if (!weight.empty()) s.weight = weight.data();
    s.seed = seed;
    if (!statistics.empty()) s.statistics = statistics.data();
    return s;
  }

 private:
  static constexpr std::size_t guard = 8;

  layer_functions<S> functions() const { return n.layer->template functions<S>(); }
  static vec unwritten(int size) { return vec(detail::at(size), std::numeric_limits<S>::quiet_NaN()); }

  template <class F>
  vec written(char const* what, vec const& theta, vec const& direction, vec const& start, F&& f) const {
    S const canary = -777;
    vec y(start.size() + 2 * guard, canary), scratch(n.layer->scratch(in, n.set) + 2 * guard, canary);
    std::copy(start.begin(), start.end(), y.begin() + guard);
    std::fill(scratch.begin() + guard, scratch.end() - guard, std::numeric_limits<S>::quiet_NaN());
    site<S> s;
    s.in = in;
    s.out = n.out;
    s.set = n.set;
    s.shift = n.shift;
    s.theta = theta.empty() ? nullptr : theta.data();
    s.direction = direction.empty() ? nullptr : direction.data();
    s.sample = detail::at(number);
    s.place = index;
    s.side = side();
    s.scratch = scratch.data() + guard;
    f(s, y.data() + guard);
    for (std::size_t i = 0; i < guard; ++i) {
      bool const around_y = y[i] == canary && y[y.size() - 1 - i] == canary;
      bool const around_scratch = scratch[i] == canary && scratch[scratch.size() - 1 - i] == canary;
      if (!around_y) return found.add(std::string(what) + " writes beside its result"), vec(start.size());
      if (!around_scratch) return found.add(std::string(what) + " writes beside its scratch"), vec(start.size());
    }
    return vec(y.begin() + guard, y.end() - guard);
  }

  node const& n;
  shape in;
  int index, number;
  std::vector<unsigned char> mask;
  std::vector<int> row_begin, column;
  vec adjacency, weight, statistics;
  std::uint64_t seed;
  findings& found;
};

inline numbers unit(int size, int i) {
  numbers e(at(size));
  e[at(i)] = 1;
  return e;
}
inline numbers units(int size) {
  numbers e(at(size) * at(size));
  for (int i = 0; i < size; ++i) e[at(i) * at(size) + at(i)] = 1;
  return e;
}

/// Every column of a matrix given by rows, [rows, columns], has an entry.
inline bool every_column(numbers const& m, int columns) {
  for (std::size_t c = 0; c < at(columns); ++c) {
    bool any = false;
    for (std::size_t i = c; i < m.size(); i += at(columns)) any = any || m[i] != 0;
    if (!any) return false;
  }
  return true;
}

template <class Book>
class examination {
 public:
  examination(node const& layer, shape of_operand, bool is_ragged, int place, layer_case given, findings& all)
      : n(layer), in(of_operand), ragged(is_ragged), index(place), c(std::move(given)), found(all) {
    found.where = n.title();
    c.beside.adjacency = rounded(c.beside.adjacency);
    c.beside.weight = rounded(c.beside.weight);
    c.beside.statistics = rounded(c.beside.statistics);
    own = n.layer->parameters(in, n.set);
    x = c.input.empty() ? drawn(in.size(), 0) : rounded(c.input);
    theta = c.own.empty() ? drawn(own, 1) : rounded(c.own);
    dx = c.input_moves ? drawn(in.size(), 2) : numbers{};
    dtheta = drawn(own, 3);
    g = drawn(n.out.size(), 4);
    start_below = drawn(in.size(), 5);
    start_own = drawn(own, 6);
  }

  void run() {
    found.expects(n.layer->fault_of(in, n.set).says == nullptr, "refuses its own place");
    found.expects(n.layer->output(in, n.set) == n.out, "has another shape than its node");
    found.expects(!n.layer->keeps_positions || n.out.extent[0] == in.extent[0], "does not keep the positions it says");
    found.expects(x.size() == at(in.size()) && theta.size() == at(own), "the case has another size");
    if (!found.list.empty()) return;
    values();
    transposes();
    second_order();
    rounds<double>("double");
    rounds<float>("float");
  }

 private:
  using here = applied<extended>;

  numbers drawn(int size, std::uint64_t which) const {
    return rounded(reference::random_vector<extended>(size, c.seed * 16 + which));
  }
  here layer() const { return {n, in, index, c, found}; }

  /// The definition's value, or its tangent where directions are given.
  template <class N>
  bool by_definition(std::vector<N> const& parameters, std::vector<N> const& input, std::vector<N>& y) {
    y.assign(at(n.out.size()), N(0));
    reference::sample<extended> sample;
    auto const l = layer();
    sample.beside = l.side();
    sample.number = c.number;
    reference::textbook::place const place{n.layer->name, in, n.out, n.set, index, n.shift, ragged};
    return Book::template value<N>(place, sample, parameters.data(), input, y);
  }
  numbers tangent_by_definition(numbers const& along_own, numbers const& along_x) {
    using number = reference::textbook::dual<extended>;
    std::vector<number> p, input, y;
    for (std::size_t i = 0; i < theta.size(); ++i)
      p.push_back({theta[i], along_own.empty() ? extended(0) : along_own[i]});
    for (std::size_t i = 0; i < x.size(); ++i) input.push_back({x[i], along_x.empty() ? extended(0) : along_x[i]});
    by_definition(p, input, y);
    numbers dy;
    for (number const& e : y) dy.push_back(e.tangent);
    return dy;
  }

  void values() {
    auto const l = layer();
    numbers y;
    if (!by_definition(theta, x, y)) return found.add("the textbook does not know this layer");
    found.expects(largest(y) > 0, "the value is zero: nothing is tested");
    found.agrees("apply", l.apply(theta, x), y, c.tolerance);
    if (c.input_moves)
      found.agrees("push along x", l.push(theta, x, {}, dx), tangent_by_definition({}, dx), c.tolerance);
    if (own > 0) {
      found.agrees("push along θ", l.push(theta, x, dtheta, {}), tangent_by_definition(dtheta, {}), c.tolerance);
      if (c.input_moves)
        found.agrees("push along both", l.push(theta, x, dtheta, dx), tangent_by_definition(dtheta, dx), c.tolerance);
    }
  }

  void transposes() {
    auto const l = layer();
    int const out = n.out.size(), below = in.size();
    numbers const all = units(out);
    numbers jacobian(at(out) * at(below));  // [out, in] from its columns
    if (c.input_moves) {
      for (int i = 0; i < below; ++i) {
        numbers const column = l.push(theta, x, {}, unit(below, i));
        for (int o = 0; o < out; ++o) jacobian[at(o) * at(below) + at(i)] = column[at(o)];
      }
      found.expects(largest(jacobian) > 0, "∂m/∂x is zero: nothing is tested");
      found.expects(!c.every_input || every_column(jacobian, below), "an element of x has no influence");
    }
    found.agrees("pull of all basis vectors", l.pull(theta, x, out, all), jacobian, c.tolerance);
    numbers one_by_one;
    for (int o = 0; o < out; ++o) {
      numbers const row = l.pull(theta, x, 1, unit(out, o));
      one_by_one.insert(one_by_one.end(), row.begin(), row.end());
    }
    found.agrees("pull of one vector at a time", one_by_one, jacobian, c.tolerance);
    numbers const start = drawn(out * below, 7);
    found.agrees("pull that adds", l.pull(theta, x, out, all, start), plus(start, 1, jacobian), c.tolerance);
    if (n.layer->linear) {
      numbers const unread(at(below), std::numeric_limits<extended>::quiet_NaN());
      found.agrees("pull of a linear layer, without x", l.pull(theta, unread, out, all), jacobian, c.tolerance);
    }
    if (own == 0) return;
    numbers in_own(at(out) * at(own));  // [out, own]
    for (int i = 0; i < own; ++i) {
      numbers const column = l.push(theta, x, unit(own, i), {});
      for (int o = 0; o < out; ++o) in_own[at(o) * at(own) + at(i)] = column[at(o)];
    }
    found.expects(!c.every_parameter || every_column(in_own, own), "a parameter has no influence");
    found.agrees("weigh of all basis vectors", l.weigh(theta, x, out, all), in_own, c.tolerance);
    numbers each;
    for (int o = 0; o < out; ++o) {
      numbers const row = l.weigh(theta, x, 1, unit(out, o));
      each.insert(each.end(), row.begin(), row.end());
    }
    found.agrees("weigh of one vector at a time", each, in_own, c.tolerance);
  }

  /// (-f(2h) + 8 f(h) - 8 f(-h) + f(-2h)) / 12 h along the directions.
  template <class F>
  numbers difference(numbers const& along_own, numbers const& along_x, F&& f) const {
    numbers total;
    for (auto const& [steps, factor] : {std::pair{2, -1}, std::pair{1, 8}, std::pair{-1, -8}, std::pair{-2, 1}}) {
      numbers const value = f(plus(theta, c.step * steps, along_own), plus(x, c.step * steps, along_x));
      if (total.empty()) total.resize(value.size());
      total = plus(total, factor / (12 * c.step), value);
    }
    return total;
  }

  void second_order() {
    auto const l = layer();
    auto const along = [&](std::string const& what, numbers const& o, numbers const& i) {
      if (c.input_moves) {
        numbers const expected =
            cleaned(difference(o, i, [&](numbers const& t, numbers const& at_x) { return l.pull(t, at_x, 1, g); }));
        numbers const zero(at(in.size()));
        found.agrees("push_pull along " + what, l.push_pull(theta, x, o, i, g, zero), expected, c.differences);
        found.agrees("push_pull that adds along " + what, l.push_pull(theta, x, o, i, g, start_below),
                     plus(start_below, 1, expected), c.differences);
      }
      if (own > 0) {
        numbers const expected =
            cleaned(difference(o, i, [&](numbers const& t, numbers const& at_x) { return l.weigh(t, at_x, 1, g); }));
        numbers const zero(at(own));
        found.agrees("push_weigh along " + what, l.push_weigh(theta, x, o, i, g, zero), expected, c.differences);
        found.agrees("push_weigh that adds along " + what, l.push_weigh(theta, x, o, i, g, start_own),
                     plus(start_own, 1, expected), c.differences);
      }
    };
    if (c.input_moves) along("x", {}, dx);
    if (own > 0) along("θ", dtheta, {});
    if (own > 0 && c.input_moves) along("both", dtheta, dx);
  }
  /// Differences of what does not depend on the direction at all are rounding errors.
  numbers cleaned(numbers v) const {
    if (largest(v) < c.differences / 100) std::fill(v.begin(), v.end(), extended(0));
    return v;
  }

  template <class T>
  void rounds(std::string const& type) {
    auto const l = layer();
    applied<T> const narrow(n, in, index, c, found);
    extended const tolerance = c.rounding * static_cast<extended>(std::numeric_limits<T>::epsilon());
    int const out = n.out.size();
    auto const t = detail::in<T>(theta), xt = detail::in<T>(x), dt = detail::in<T>(dtheta), dxt = detail::in<T>(dx);
    auto const gt = detail::in<T>(g), all = detail::in<T>(units(out));
    auto const same = [&](char const* what, std::vector<T> const& got, numbers const& expected) {
      found.agrees(std::string(what) + " in " + type, detail::in<extended>(got), expected, tolerance);
    };
    same("apply", narrow.apply(t, xt), l.apply(theta, x));
    same("pull", narrow.pull(t, xt, out, all), l.pull(theta, x, out, units(out)));
    if (c.input_moves || own > 0) same("push", narrow.push(t, xt, dt, dxt), l.push(theta, x, dtheta, dx));
    if (own > 0) same("weigh", narrow.weigh(t, xt, out, all), l.weigh(theta, x, out, units(out)));
    if (c.input_moves) {
      numbers const zero(at(in.size()));
      same("push_pull", narrow.push_pull(t, xt, dt, dxt, gt, detail::in<T>(zero)),
           l.push_pull(theta, x, dtheta, dx, g, zero));
    }
    if (own > 0) {
      numbers const zero(at(own));
      same("push_weigh", narrow.push_weigh(t, xt, dt, dxt, gt, detail::in<T>(zero)),
           l.push_weigh(theta, x, dtheta, dx, g, zero));
    }
  }

  node const& n;
  shape in;
  bool ragged;
  int index;
  layer_case c;
  findings& found;
  int own = 0;
  numbers x, theta, dx, dtheta, g, start_below, start_own;
};

}  // namespace detail

/// What every layer of a network does wrong, each tried by itself with a random input of its place's shape.
template <network_type Net, class Book = the_textbook>
std::vector<std::string> faults_of_layers(layer_case const& c = {}) {
  detail::findings found;
  int layers = 0;
  for (int i = 0; i < Net::node_count; ++i) {
    node const& n = Net::nodes[detail::at(i)];
    if (n.op != operation::layer) continue;
    node const& operand = Net::nodes[detail::at(n.a)];
    detail::findings of_this;
    detail::examination<Book>(n, operand.out, operand.ragged, i, c, of_this).run();
    found.list.insert(found.list.end(), of_this.list.begin(), of_this.list.end());
    ++layers;
  }
  if (layers == 0) found.list.push_back("there is no layer in this network");
  return found.list;
}

/// Checks every layer of a network.
template <network_type Net>
void check_layers(layer_case const& c = {}) {
  for (std::string const& fault : faults_of_layers<Net>(c)) FAIL_CHECK(fault);
  SUCCEED();
}

/// Checks the layers of a term on an input of these extents: `check_layer<max_pool<2>, 6, 6, 3>()`.
template <auto Term, int... Extent>
void check_layer(layer_case const& c = {}) {
  check_layers<network<(input<Extent...> | Term)>>(c);
}

}  // namespace kappa::test_layers

#pragma once
/// \file
/// The test matrix of K-FAC: deep linear networks with squared error, every one with {expand, reduce} x {exact, Monte
/// Carlo, empirical, forward-only} x {joint, separate bias}, against dense matrices from per-sample Jacobians. What is
/// measured has no types, so a network costs one derivation and everything else is a loop over a table.

#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>

#include "reference.hpp"

namespace kappa::test_kfac {

namespace ref = kappa::reference;

enum mode { by_expand, by_reduce };
enum vectors { from_root, drawn, from_targets, none };
enum biases { joint, apart };

/// One block B ⊗ A.
struct block {
  kappa::parameter parameter;
  kfac_part part;
  std::size_t in, out;
  std::vector<double> a, b;
};
using blocks = std::vector<block>;

/// What an objective's K-FACs are at one batch.
struct measurement {
  std::vector<parameter> parameters;
  std::vector<int> positions;  // R of every parameter, over all its uses
  std::size_t count = 0;       // P
  int samples = 0, outputs = 0;
  double rho = 0;                   // by hand
  std::vector<double> ggn, fisher;  // [P, P]
  blocks of[2][4][2];               // mode, vectors, biases; Monte Carlo averaged over its seeds
};

/// Positions that count: of a sample, and those of all samples.
struct lengths {
  std::vector<double> of_samples;
  double sum() const {
    double total = 0;
    for (double r : of_samples) total += r;
    return total;
  }
};

template <class Objective>
double rho_by_hand(int samples) {
  using reduction = typename Objective::reduction;
  if (std::is_same_v<reduction, sum_t>) return 1;
  return 1.0 / (samples * (std::is_same_v<reduction, mean_t> ? 1 : Objective::network::output_shape.positions()));
}

template <class Objective>
measurement measure(ref::batch<double> const& b, std::uint64_t seeds = 1) {
  using net = typename Objective::network;
  auto const theta = ref::random_theta<net, double>(5);
  batch<double> data(b.inputs, b.vectors);
  data.side.mask = b.beside.mask;
  measurement m;
  m.parameters.assign(net::parameters.begin(), net::parameters.end());
  m.positions.assign(m.parameters.size(), 0);
  for (node const& n : net::nodes)
    if (n.parameter >= 0)
      m.positions[static_cast<std::size_t>(n.parameter)] +=
          n.op == operation::dense || m.parameters[static_cast<std::size_t>(n.parameter)].is_table() ? n.out.positions()
                                                                                                     : 1;
  m.count = static_cast<std::size_t>(net::parameter_count);
  m.samples = b.samples;
  m.outputs = Objective::outputs;
  m.rho = rho_by_hand<Objective>(b.samples);
  m.ggn = ref::ggn<Objective, double>(theta, b);
  m.fisher = ref::ggn<Objective, double>(theta, b, ref::source::empirical);

  constexpr auto expand_drawn = kfac<expand, monte_carlo<1>>;
  constexpr auto reduce_drawn = kfac<reduce_unaggregated, monte_carlo<1>>;
  auto const copied = [](auto const& factors) {
    blocks all;
    for (auto const& f : factors) {
      auto const a = f.inputs.elements(), c = f.outputs.elements();
      all.push_back(
          {f.parameter, f.part, f.inputs.columns, f.outputs.rows, {a.begin(), a.end()}, {c.begin(), c.end()}});
      if (f.inputs.rows == f.inputs.columns) continue;
      all.back().a.assign(f.inputs.columns * f.inputs.columns, 0);  // of a table its diagonal
      for (std::size_t i = 0; i < f.inputs.columns; ++i) all.back().a[i * (f.inputs.columns + 1)] = f.inputs(0, i);
    }
    return all;
  };
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    auto const q = derive<Objective>(theta, data, kfac<expand>, kfac<expand, exact, separate_bias>, expand_drawn(seed),
                                     kfac<expand, empirical>, kfac<expand, forward_only>, kfac<reduce_unaggregated>,
                                     kfac<reduce_unaggregated, exact, separate_bias>, reduce_drawn(seed),
                                     kfac<reduce_unaggregated, empirical>, kfac<reduce_unaggregated, forward_only>);
    auto const each = [&]<auto Mode, auto Bias>(blocks(&to)[4][2], biases column) {
      if (seed == 1) {
        to[from_root][column] = copied(q.factors(kfac<Mode, exact, Bias>));
        to[from_targets][column] = copied(q.factors(kfac<Mode, empirical, Bias>));
        to[none][column] = copied(q.factors(kfac<Mode, forward_only, Bias>));
      }
      auto const now = copied(q.factors(kfac<Mode, monte_carlo<1>, Bias>));
      blocks& mean = to[drawn][column];
      if (seed == 1) mean = now;
      for (std::size_t p = 0; p < now.size(); ++p)
        for (std::size_t i = 0; i < now[p].b.size(); ++i)
          mean[p].b[i] += (now[p].b[i] - mean[p].b[i]) / static_cast<double>(seed);
    };
    each.template operator()<expand, joint_bias>(m.of[by_expand], joint);
    each.template operator()<expand, separate_bias>(m.of[by_expand], apart);
    each.template operator()<reduce_unaggregated, joint_bias>(m.of[by_reduce], joint);
    each.template operator()<reduce_unaggregated, separate_bias>(m.of[by_reduce], apart);
  }
  return m;
}

/// ‖scale B ⊗ A - G‖ / ‖G‖ in Frobenius' norm, G the part of a dense [P, P] matrix that the block stands for.
inline double error(block const& k, std::vector<double> const& dense, std::size_t count, double scale = 1) {
  auto const in = static_cast<std::size_t>(k.parameter.inputs);
  std::size_t const offset = static_cast<std::size_t>(k.parameter.offset);
  auto const at = [&](std::size_t o, std::size_t i) {  // the flat place of row o, column i of [W b]
    if (k.parameter.is_table()) return offset + i * k.out + o;
    return offset + (i < in ? o * in + i : k.out * in + o);
  };
  double difference = 0, norm = 0;
  for (std::size_t o = 0; o < k.out; ++o)
    for (std::size_t i = 0; i < k.in; ++i)
      for (std::size_t p = 0; p < k.out; ++p)
        for (std::size_t j = 0; j < k.in; ++j) {
          double const g = dense[at(o, i) * count + at(p, j)];
          double const d = scale * k.b[o * k.out + p] * k.a[i * k.in + j] - g;
          difference += d * d;
          norm += g * g;
        }
  REQUIRE(norm > 1e-12);
  return std::sqrt(difference / norm);
}

inline double distance(std::vector<double> const& x, std::vector<double> const& y, double scale = 1) {
  REQUIRE(x.size() == y.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference += (scale * x[i] - y[i]) * (scale * x[i] - y[i]);
    norm += y[i] * y[i];
  }
  return std::sqrt(difference / norm);
}

/// Where the loss sits. With one position all over, both modes are one.
enum class setting { one_position, expand, reduce };

/// A line of the matrix.
struct line {
  char const* name;
  setting where;
  std::function<measurement(ref::batch<double> const&, std::uint64_t)> measured;
  ref::batch<double> data;
  lengths valid{};  // of ragged values
  bool sums = false;
};

/// `tokens` > 0: the inputs are tokens below that.
template <class Objective>
line line_of(char const* name, setting where, std::vector<unsigned char> const& mask = {}, bool sums = false,
             int tokens = 0) {
  line l{name, where, measure<Objective>, ref::random_batch<Objective, double>(4, 6, ref::targets::vectors)};
  if (tokens > 0) {
    counter_random random(3);
    for (double& x : l.data.inputs) x = static_cast<double>(random.below(static_cast<std::uint64_t>(tokens)));
  }
  l.data.beside.mask = mask;
  if (!mask.empty()) {
    std::size_t const length = mask.size() / 4;
    for (std::size_t n = 0; n < 4; ++n) {
      double valid = 0;
      for (std::size_t r = 0; r < length; ++r) valid += mask[n * length + r];
      l.valid.of_samples.push_back(valid);
    }
  }
  l.sums = sums;
  return l;
}

/// The share of the bias's own block that expand sees in the reduce setting: it drops the products of two positions.
inline double share_of_bias(line const& l, int positions) {
  if (l.valid.of_samples.empty()) return 1.0 / positions;
  double kept = 0, all = 0;  // of vectors c_n g, R_n of them a sample: c_n = 1 for sums, 1 / R_n for means
  for (double r : l.valid.of_samples) {
    kept += l.sums ? r : 1 / r;
    all += l.sums ? r * r : 1;
  }
  return kept / all;
}

/// Everything the matrix says of one line.
inline void check(line const& l) {
  INFO(l.name);
  constexpr std::uint64_t seeds = 200;
  measurement const m = l.measured(l.data, seeds);
  for (biases how_biased : {joint, apart})
    for (mode how : {by_expand, by_reduce}) {
      INFO((how == by_expand ? "expand" : "reduce") << (how_biased == joint ? ", bias joint" : ", bias separate"));
      auto const& of = m.of[how];
      std::size_t parameter = 0;
      for (std::size_t p = 0; p < of[from_root][how_biased].size(); ++p) {
        block const& exact_one = of[from_root][how_biased][p];
        bool const is_bias = exact_one.part == kfac_part::bias_alone;
        if (p > 0 && !is_bias) ++parameter;
        INFO("parameter " << parameter << (is_bias ? ", the bias" : ""));
        int const r = m.positions[parameter];
        // A table's positions are expanded in every mode: its one-hot rows have no diagonal second moments otherwise.
        bool const table = exact_one.parameter.is_table();
        bool const own_vector = exact_one.parameter.layer != nullptr && !table;
        bool const own =
            l.where == setting::one_position || r == 1 || (how == by_expand || table) == (l.where == setting::expand);
        double const e = error(exact_one, m.ggn, m.count);

        // Exact in its own setting, with the scale; the other one is not.
        if (own) {
          CHECK(e < 1e-12);
          CHECK(error(exact_one, m.ggn, m.count, 1.001) == Approx(1e-3).epsilon(1e-6));
        } else if (is_bias && how == by_reduce) {
          CHECK(e < 1e-12);  // the sum over positions is the pseudo-gradient, whatever the setting
        } else if (is_bias) {
          CHECK(e == Approx(1 - share_of_bias(l, r)).epsilon(1e-9));
        } else {
          CHECK(e > 1e-2);
        }

        // Monte Carlo: that in expectation, whichever mode.
        block const& mean = of[drawn][how_biased][p];
        CHECK(mean.a == exact_one.a);
        CHECK(distance(mean.b, exact_one.b) < 0.2);
        CHECK(distance(mean.b, exact_one.b, 1.5) > 0.3);

        // Empirical: residuals differ from sample to sample, so it is not the empirical Fisher matrix, nor the other.
        // Where the input is one there is no Kronecker product to be wrong about.
        block const& actual = of[from_targets][how_biased][p];
        CHECK(actual.a == exact_one.a);
        double const off = error(actual, m.fisher, m.count);
        if (own_vector || (is_bias && (how == by_reduce || r == 1)))
          CHECK(off < 1e-12);
        else
          CHECK(off > 1e-2);
        CHECK(error(actual, m.ggn, m.count) > 1e-2);

        // Forward only: the same A, B = I. With squared error that is the last layer's block but for ρ N R.
        block const& forward = of[none][how_biased][p];
        CHECK(forward.a == exact_one.a);
        for (std::size_t i = 0; i < forward.b.size(); ++i) CHECK(forward.b[i] == (i % (forward.out + 1) == 0 ? 1 : 0));
        bool const last = parameter + 1 == m.parameters.size();
        if (last && own) {
          double const count = l.where == setting::expand ? (l.valid.of_samples.empty() ? m.samples * r : l.valid.sum())
                                                          : static_cast<double>(m.samples);
          CHECK(error(forward, m.ggn, m.count, m.rho * count) < 1e-12);
          CHECK(error(forward, m.ggn, m.count) == Approx(std::abs(1 / (m.rho * count) - 1)).margin(1e-9));
        } else if (!last) {
          CHECK(error(forward, m.ggn, m.count, m.rho * m.samples) > 1e-2);
        }
      }
    }
}

/// The factors do not depend on the order of samples, and those of a batch are means of its parts'.
inline void check_order_and_parts(line const& l) {
  INFO(l.name);
  auto const part = [&](std::vector<std::size_t> const& which) {
    ref::batch<double> b;
    b.samples = static_cast<int>(which.size());
    auto const take = [&](auto const& from, auto& to) {
      std::size_t const each = from.size() / 4;
      for (std::size_t n : which)
        for (std::size_t i = 0; i < each; ++i) to.push_back(from[n * each + i]);
    };
    take(l.data.inputs, b.inputs);
    take(l.data.vectors, b.vectors);
    take(l.data.beside.mask, b.beside.mask);
    return l.measured(b, 1);
  };
  auto const all_four = part({0, 1, 2, 3}), turned = part({2, 0, 3, 1}), first = part({0}), rest = part({1, 2, 3});
  for (mode how : {by_expand, by_reduce})
    for (vectors from : {from_root, from_targets})
      for (biases how_biased : {joint, apart})
        for (std::size_t p = 0; p < all_four.of[how][from][how_biased].size(); ++p) {
          block const &w = all_four.of[how][from][how_biased][p], &t = turned.of[how][from][how_biased][p],
                      &x = first.of[how][from][how_biased][p], &y = rest.of[how][from][how_biased][p];
          CHECK(distance(t.a, w.a) < 1e-13);
          CHECK(distance(t.b, w.b) < 1e-13);
          // Inputs are averaged over what counts, vectors are summed and carry ρ.
          if (how_biased == joint) {
            double share = 0.25;
            if (!l.valid.of_samples.empty() && all_four.positions[p] > 1 && (how == by_expand || l.sums)) {
              auto const weight = [&](double r) { return how == by_reduce ? r * r : r; };
              double total = 0;
              for (double r : l.valid.of_samples) total += weight(r);
              share = weight(l.valid.of_samples[0]) / total;
            }
            auto a = x.a;
            for (std::size_t i = 0; i < a.size(); ++i) a[i] = share * x.a[i] + (1 - share) * y.a[i];
            CHECK(distance(a, w.a) < 1e-13);
          }
          auto b = x.b;
          for (std::size_t i = 0; i < b.size(); ++i) b[i] = all_four.rho * (x.b[i] / first.rho + y.b[i] / rest.rho);
          CHECK(distance(b, w.b) < 1e-13);
          CHECK(distance(b, w.b, 1.001) > 1e-4);
        }
}

/// The scales that implementations get wrong, each off by its factor: A on sums beside B on sums, both on means, no
/// 1/N, a mean over the C outputs.
inline void check_scale_traps(line const& l) {
  INFO(l.name);
  auto const m = l.measured(l.data, 1);
  mode const how = l.where == setting::expand ? by_expand : by_reduce;
  for (std::size_t p = 0; p < m.parameters.size(); ++p) {
    double const r = m.positions[p], n = m.samples, c = m.outputs;
    block const& k = m.of[how][from_root][joint][p];
    if (k.parameter.is_table() && l.where == setting::reduce) continue;  // exact in no mode
    auto const wrong = [&](double factor) { return error(k, m.ggn, m.count, factor); };
    CHECK(wrong(1) < 1e-12);
    CHECK(wrong(n) == Approx(n - 1).epsilon(1e-9));
    CHECK(wrong(1 / c) == Approx(1 - 1 / c).epsilon(1e-9));
    if (r == 1) continue;
    if (l.where == setting::reduce) {
      CHECK(wrong(r * r) == Approx(r * r - 1).epsilon(1e-9));
      CHECK(wrong(1 / (r * r)) == Approx(1 - 1 / (r * r)).epsilon(1e-9));
    } else {
      CHECK(wrong(r) == Approx(r - 1).epsilon(1e-9));
      CHECK(wrong(1 / r) == Approx(1 - 1 / r).epsilon(1e-9));
    }
  }
}

}  // namespace kappa::test_kfac

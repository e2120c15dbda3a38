// E11: ways to damp a Kronecker product, against λ on the product's own eigenvalues.

#include <cmath>

#include "instances.hpp"
#include "study.hpp"

namespace sharing_study {

namespace {

// One tanh layer before the classes; the block looked at is the first layer's, 6 x 7 with its bias.
struct net : network<input<6> | dense<6> | act::tanh | dense<4>> {};
struct goal : objective<net, cross_entropy, mean> {};

struct outcome {
  double error = 0, cosine = 0;
};
/// ‖P - E‖ / ‖E‖ and the cosine of P g with E g, E the exactly damped inverse.
outcome compare(matrix<double> const& p, matrix<double> const& exact, std::vector<double> const& g) {
  double off = 0, size = 0, ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < g.size(); ++i) {
    double a = 0, b = 0;
    for (std::size_t j = 0; j < g.size(); ++j) {
      off += (p(i, j) - exact(i, j)) * (p(i, j) - exact(i, j));
      size += exact(i, j) * exact(i, j);
      a += p(i, j) * g[j];
      b += exact(i, j) * g[j];
    }
    ab += a * b;
    aa += a * a;
    bb += b * b;
  }
  return {std::sqrt(off / size), ab / std::sqrt(aa * bb)};
}

/// A + c I.
matrix<double> shifted(matrix<double> m, double c) {
  for (std::size_t i = 0; i < m.shape(0); ++i) m(i, i) += c;
  return m;
}
/// The pseudo-inverse by eigenvalues above rounding.
matrix<double> pseudo_inverse(kronecker<double> const& k) {
  auto const parts = [](symmetric<double> const& factor) {
    auto const e = lapack::symmetric_eigen(factor.entries());
    auto p = zeros<double>(factor.size(), factor.size());
    for (std::size_t r = 0; r < factor.size(); ++r) {
      if (!(e.values(r) > 1e-12 * e.values(0))) continue;
      for (std::size_t i = 0; i < factor.size(); ++i)
        for (std::size_t j = 0; j < factor.size(); ++j) p(i, j) += e.vectors(r, i) * e.vectors(r, j) / e.values(r);
    }
    return p;
  };
  return to_dense(kronecker<double>(parts(k.left()), parts(k.right())));
}

constexpr double parts[] = {1e-3, 1e-2, 1e-1, 1, 10};
constexpr std::size_t ways = 4;
constexpr char const* names[ways] = {"π Tikhonov", "√λ on both", "λ on each", "undamped"};
// Error and cosine of the first three, cosine of the last.
constexpr double reference[5][7] = {{.36, .995, .65, .967, .04, 1.00, 1.00},
                                    {.55, .989, .79, .941, .28, .996, .994},
                                    {.57, .989, .80, .936, .72, .947, .92},
                                    {.46, .980, .69, .935, .65, .893, .76},
                                    {.33, .982, .51, .967, .46, .964, .66}};

}  // namespace

experiment damping(settings const& s) {
  experiment e(
      "E11", "Damping",
      "The first layer of 6-6-4 with tanh and cross-entropy, N = 40, at " + std::to_string(s.draws()) +
          " random instances with inputs of mean ½ and a random gradient. λ is a multiple of the mean "
          "eigenvalue of the layer's K-FAC block. Each cell: the error of the damped inverse and the cosine of "
          "its step, against the inverse whose damping is exact; the figures of the reference's one instance "
          "behind the bar.");
  std::vector<outcome> all[5][ways];
  double exact_error = 0, pi_error = 0;
  for (std::size_t d = 0; d < s.draws(); ++d) {
    instance<goal> const at(40, 1100 + d);
    auto const q = derive<goal>(at.theta, at.data(), kfac<expand>);
    auto const k = q[kfac<expand>];
    kronecker<double> const block = k.blocks()[0].block();  // B ⊗ A on the rows of [W b]
    counter_random random(1200 + d);
    std::vector<double> g(block.size());
    for (double& v : g) v = random.normal();
    auto const mean_eigenvalue = trace(block) / static_cast<double>(block.size());
    auto const none = pseudo_inverse(block);
    for (std::size_t f = 0; f < 5; ++f) {
      double const lambda = parts[f] * mean_eigenvalue;
      // [damped]
      auto const exact = to_dense(inverse(block + lambda * identity));
      auto const by_pi = to_dense(inverse(damp(block, pi_damping{lambda})));
      // [/damped]
      auto const on_both = [&](double c) {
        return to_dense(
            inverse(kronecker<double>(shifted(block.left().entries(), c), shifted(block.right().entries(), c))));
      };
      all[f][0].push_back(compare(by_pi, exact, g));
      all[f][1].push_back(compare(on_both(std::sqrt(lambda)), exact, g));
      all[f][2].push_back(compare(on_both(lambda), exact, g));
      all[f][3].push_back(compare(none, exact, g));
      // What the two are: (K + λ I) E = I by a dense product, and π damping from its formula.
      auto const dense = shifted(to_dense(block), lambda);
      double off = 0;
      for (std::size_t i = 0; i < g.size(); ++i)
        for (std::size_t j = 0; j < g.size(); ++j) {
          double sum = i == j ? -1.0 : 0.0;
          for (std::size_t r = 0; r < g.size(); ++r) sum += dense(i, r) * exact(r, j);
          off = worst_of(off, std::abs(sum));
        }
      exact_error = worst_of(exact_error, off);
      double const pi = std::sqrt((trace(block.right()) / static_cast<double>(block.right().size())) /
                                  (trace(block.left()) / static_cast<double>(block.left().size())));
      auto const formula =
          to_dense(inverse(kronecker<double>(shifted(block.left().entries(), std::sqrt(lambda) / pi),
                                             shifted(block.right().entries(), pi * std::sqrt(lambda)))));
      pi_error = worst_of(pi_error, compare(by_pi, formula, g).error);
    }
  }
  io::table table{"λ / mean eigenvalue", "π Tikhonov", "√λ on both", "λ on each", "undamped"};
  io::line_plot plot{"Error of the damped inverse",
                     {"λ / mean eigenvalue", io::axis_scale::logarithmic},
                     {"relative error, mean over instances", io::axis_scale::linear, true},
                     {},
                     "Undamped is left out: its error is far above 1."};
  for (std::size_t w = 0; w < 3; ++w) plot.data.push_back({names[w], {}, {}});
  std::size_t covered = 0;
  std::string missed;
  for (std::size_t f = 0; f < 5; ++f) {
    std::vector<io::table::cell> cells{parts[f]};
    for (std::size_t w = 0; w < ways; ++w) {
      std::vector<double> errors, cosines;
      for (outcome const& o : all[f][w]) {
        errors.push_back(o.error);
        cosines.push_back(o.cosine);
      }
      auto const error = spread_of(errors), cosine = spread_of(cosines);
      auto const judge = [&](char const* what, spread const& range, double figure) {
        bool const within = range.low - 0.005 <= figure && figure <= range.high + 0.005;
        covered += within ? 1 : 0;
        if (!within)
          missed += (missed.empty() ? "" : "; ") + std::string(names[w]) + ", " + what + " at " + number(parts[f]) +
                    ": " + number(figure) + " there, " + said(range) + " here";
      };
      judge("cosine", cosine, reference[f][w < 3 ? 2 * w + 1 : 6]);
      if (w < 3) {
        judge("error", error, reference[f][2 * w]);
        plot.data[w].x.push_back(parts[f]);
        plot.data[w].y.push_back(error.mean);
        plot.data[w].low.push_back(error.low);
        plot.data[w].high.push_back(error.high);
        cells.push_back(io::table::cell::number(number(error.mean) + ", " + number(cosine.mean) + " | " +
                                                number(reference[f][2 * w]) + ", " + number(reference[f][2 * w + 1])));
      } else {
        cells.push_back(io::table::cell::number(number(cosine.mean) + " | " + number(reference[f][6])));
      }
    }
    table.add(std::move(cells));
  }
  e.table(std::move(table), "Error of the inverse, cosine of the step | reference; undamped: the cosine alone");
  e.plot(std::move(plot));
  e.exact("exact damping: largest entry of (K + λ I) E - I", exact_error, 1e-9);
  e.exact("π damping, against its formula", pi_error);
  e.judged("the 35 figures of the table", std::to_string(covered) + " in our range", "35 figures of one instance",
           covered == 35, "figures of one random instance beyond those drawn here: " + missed + ".");
  return e;
}

}  // namespace sharing_study

#pragma once
/// \file
/// The small Gauss-Newton matrix in intervals: every quantity encloses its exact value for the stored layers and data,
/// so that a statement compared with κ(G) is proved or refuted, whatever rounding did.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <kappa/theory/enclosure.hpp>
#include <kappa/theory/gauss_newton.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// Enclosures of the ends of a positive semidefinite spectrum. The rank is the one the shapes allow; `decided` says
/// that it is proved, and then `smallest_non_zero` is positive.
struct enclosed_ends {
  interval largest = 0;
  interval smallest = 0;
  interval smallest_non_zero = 0;
  std::size_t rank = 0;
  bool decided = false;
};

/// G for exactly these layers M^l, gains a_l and covariance Σ = Sᵀ diag(√s)² S, all as stored in double; the rows of S
/// need not be quite orthonormal. Same members as small_gauss_newton, whose number is `interval`. Costs about ten times
/// as much; for small networks.
class enclosed_gauss_newton {
 public:
  using number = interval;

  explicit enclosed_gauss_newton(small_gauss_newton const& g) : of(g), roots(g.data().eigenvalues()) {
    auto const depth = of.depth(), k = of.outputs(), r = of.data().rank();
    for (double& x : elements(roots)) x = std::sqrt(x);
    ball_matrix const s{of.data().basis(), 0};
    auto overlap = multiply(false, true, s, s);
    interval off = 0;
    for (std::size_t i = 0; i < r; ++i) {
      interval const difference = interval(overlap.mid(i, i)) - 1.0;
      off += boost::numeric::abs(difference) * boost::numeric::abs(difference);
      for (std::size_t j = 0; j < r; ++j)
        if (j != i) off += interval(overlap.mid(i, j)) * overlap.mid(i, j);
    }
    double const epsilon = (boost::numeric::sqrt(off) + overlap.radius).upper();
    if (!(epsilon < 0.5)) throw invalid_value("enclosed_gauss_newton: the covariance's basis is not orthonormal");
    orthonormality = interval(1) + interval(-epsilon, epsilon);

    // The ranks the shapes allow: p_l of A_l, q_l of B_l.
    structural_left.assign(depth, k), structural_right.assign(depth, r);
    for (std::size_t l = depth; l-- > 1;) structural_left[l - 1] = std::min(structural_left[l], of.layer(l).shape(1));
    for (std::size_t l = 1; l < depth; ++l)
      structural_right[l] = std::min(structural_right[l - 1], of.layer(l - 1).shape(0));

    left.resize(depth), weighted.resize(depth), left_ends.resize(depth), right_ends.resize(depth),
        weighted_ends.resize(depth);
    ball_matrix suffix{detail::unit(k), 0};
    for (std::size_t l = depth; l-- > 0;) {
      interval const gain = interval(of.gain(l)) * of.gain(l);
      left[l] = weighted_sum(
          std::vector<interval>{gain},
          [&, a = multiply(false, true, suffix, suffix) ](std::size_t) -> auto const& { return a; });
      left_ends[l] = l + 1 == depth ? enclosed_ends{gain, gain, gain, k, true} : ends(left[l], structural_left[l]);
      if (l > 0) suffix = multiply(false, false, suffix, {of.layer(l), 0});
    }
    ball_matrix prefix{transposed(s.mid), 0};
    for (std::size_t l = 0; l < depth; ++l) {
      if (l > 0) prefix = multiply(false, false, {of.layer(l - 1), 0}, prefix);
      auto const b = multiply(true, false, prefix, prefix);
      right_ends[l] = l == 0 ? enclosed_ends{1, 1, 1, r, true} : over_basis(ends(b, structural_right[l]));
      weighted[l] = between_roots(b);
      weighted_ends[l] = ends(weighted[l], structural_right[l]);
    }
  }

  std::size_t depth() const { return of.depth(); }
  std::size_t outputs() const { return of.outputs(); }
  std::size_t order() const { return of.order(); }
  double gain(std::size_t l) const { return of.gain(l); }
  interval data_condition() const {
    return (interval(roots(0)) * roots(0) * orthonormality) /
           (interval(roots(roots.size() - 1)) * roots(roots.size() - 1) * orthonormality);
  }
  enclosed_ends const& left_spectrum(std::size_t l) const { return left_ends[l]; }
  enclosed_ends const& right_spectrum(std::size_t l) const { return right_ends[l]; }
  enclosed_ends const& weighted_right_spectrum(std::size_t l) const { return weighted_ends[l]; }
  enclosed_ends layer_spectrum(std::size_t l) const {
    auto const m =
        l == 0 ? multiply(false, true, {of.layer(0), 0}, {of.data().basis(), 0}) : ball_matrix{of.layer(l), 0};
    bool const tall = m.mid.shape(0) >= m.mid.shape(1);
    auto const gram = multiply(tall, !tall, m, m);
    auto const e = ends(gram, gram.mid.shape(0));
    return l == 0 ? over_basis(e) : e;
  }
  enclosed_ends left_sum(std::span<interval const> weights) const {
    return ends(weighted_sum(
                    weights, [&](std::size_t l) -> auto const& { return left[l]; }),
                outputs());
  }
  enclosed_ends right_sum(std::span<interval const> weights) const {
    return ends(weighted_sum(
                    weights, [&](std::size_t l) -> auto const& { return weighted[l]; }),
                of.data().rank());
  }
  /// Any vectors do: the quotients are enclosed.
  matrix<double> rayleigh_directions() const { return of.rayleigh_directions(); }
  std::vector<interval> rayleigh_quotients(std::span<double const> u) const {
    std::vector<interval> quotients;
    for (auto const& a : left) {
      interval over = 0, under = 0;
      for (std::size_t i = 0; i < u.size(); ++i) {
        for (std::size_t j = 0; j < u.size(); ++j) over += interval(a.mid(i, j)) * u[i] * u[j];
        under += interval(u[i]) * u[i];
      }
      quotients.push_back(over / under + interval(-a.radius, a.radius));
    }
    return quotients;
  }
  interval trace() const {
    interval sum = 0;
    for (std::size_t l = 0; l < depth(); ++l) sum += trace_of(left[l]) * trace_of(weighted[l]);
    return sum;
  }
  interval squared_trace() const {
    interval sum = 0;
    for (std::size_t l = 0; l < depth(); ++l)
      for (std::size_t m = 0; m < depth(); ++m)
        sum += trace_of_product(left[l], left[m]) * trace_of_product(weighted[l], weighted[m]);
    return sum;
  }
  /// By the rank formula, from the ranks the shapes allow.
  std::size_t rank() const {
    std::size_t total = 0, before = 0;
    for (std::size_t l = 0; l < depth(); ++l) {
      total += (structural_left[l] - before) * structural_right[l];
      before = structural_left[l];
    }
    return total;
  }
  bool full_rank() const { return rank() == order(); }
  /// The ranks of all A_l and B_l are proved, and with them that of G.
  bool decided() const {
    return std::ranges::all_of(left_ends, &enclosed_ends::decided) &&
           std::ranges::all_of(right_ends, &enclosed_ends::decided);
  }
  /// Encloses κ(G) over non-zero eigenvalues where the ranks are decided; its upper end is +infinity when the smallest
  /// eigenvalue cannot be told from zero.
  interval condition_number() const {
    auto const k = outputs(), r = of.data().rank();
    ball_matrix sum{zeros<double>(k * r, k * r), 0};
    interval radius = detail::underflow, sizes = 0;
    for (std::size_t l = 0; l < depth(); ++l) {
      auto const &a = left[l].mid, &c = weighted[l].mid;
      for (std::size_t i = 0; i < k; ++i)
        for (std::size_t j = 0; j < k; ++j)
          for (std::size_t p = 0; p < r; ++p)
            for (std::size_t q = 0; q < r; ++q) sum.mid(i * r + p, j * r + q) += a(i, j) * c(p, q);
      interval const size_a = detail::frobenius_above(a), size_c = detail::frobenius_above(c);
      radius += size_a * weighted[l].radius + size_c * left[l].radius + interval(left[l].radius) * weighted[l].radius;
      sizes += size_a * size_c;
    }
    sum.radius = (radius + detail::rounding_of_sum(depth() + 1) * sizes).upper();
    auto const all = enclose_spectrum(std::move(sum));
    return rank() == 0 ? arithmetic<interval>::infinite()
                       : arithmetic<interval>::quotient(all.front(), all[rank() - 1]);
  }

 private:
  static matrix<double> transposed(matrix<double> const& m) {
    auto t = zeros<double>(m.shape(1), m.shape(0));
    for (std::size_t i = 0; i < m.shape(0); ++i)
      for (std::size_t j = 0; j < m.shape(1); ++j) t(j, i) = m(i, j);
    return t;
  }
  /// \pre rank is at least the rank of every matrix of the ball that is meant.
  static enclosed_ends ends(ball_matrix const& m, std::size_t rank) {
    auto const all = enclose_spectrum(m);
    if (rank == 0) return {all.front(), 0, 0, 0, true};
    return {all.front(), rank < all.size() ? interval(0) : all.back(), all[rank - 1], rank, all[rank - 1].lower() > 0};
  }
  /// From S · Sᵀ to an orthonormal basis of the same rows.
  enclosed_ends over_basis(enclosed_ends e) const {
    e.largest /= orthonormality, e.smallest /= orthonormality, e.smallest_non_zero /= orthonormality;
    return e;
  }
  ball_matrix between_roots(ball_matrix b) const {
    for (std::size_t i = 0; i < roots.size(); ++i)
      for (std::size_t j = 0; j < roots.size(); ++j) b.mid(i, j) *= roots(i) * roots(j);
    double const top = *std::max_element(roots.begin(), roots.end());
    interval const radius = interval(b.radius) * top * top +
                            detail::rounding_of_sum(2) * detail::frobenius_above(b.mid) + detail::underflow;
    b.radius = radius.upper();
    return b;
  }
  static interval trace_of(ball_matrix const& m) {
    interval sum = 0;
    for (std::size_t i = 0; i < m.mid.shape(0); ++i) sum += m.mid(i, i);
    return sum + interval(-1, 1) * (interval(m.radius) * static_cast<double>(m.mid.shape(0)));
  }
  static interval trace_of_product(ball_matrix const& a, ball_matrix const& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.mid.size(); ++i) sum += a.mid.data()[i] * b.mid.data()[i];
    // |tr(E B)| <= ‖E‖_F ‖B‖_F and ‖E‖_F <= √n ‖E‖.
    interval const size_a = detail::frobenius_above(a.mid), size_b = detail::frobenius_above(b.mid);
    interval const root = boost::numeric::sqrt(interval(static_cast<double>(a.mid.shape(0))));
    interval const ra = root * a.radius, rb = root * b.radius;
    interval const off =
        ra * size_b + rb * size_a + ra * rb + detail::rounding_of_sum(a.mid.size() + 1) * size_a * size_b;
    return interval(sum) + interval(-1, 1) * (off + detail::underflow);
  }

  small_gauss_newton of;
  vector<double> roots;
  interval orthonormality = 1;
  std::vector<std::size_t> structural_left, structural_right;
  std::vector<ball_matrix> left, weighted;
  std::vector<enclosed_ends> left_ends, right_ends, weighted_ends;
};

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH

#pragma once
/// \file
/// The kernel matrix of a one-hidden-layer (leaky) ReLU network in intervals: what statements need, enclosed for the
/// stored weights and inputs, so that a statement compared with κ(G) is proved or refuted.

#include <cmath>
#include <cstddef>
#include <utility>

#include <kappa/theory/enclosed_gauss_newton.hpp>
#include <kappa/theory/enclosure.hpp>
#include <kappa/theory/relu_network.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// Same members as relu_kernel, whose number is `interval`; for small networks: κ(G) is enclosed through the Jacobian,
/// [n k, m (d + k)].
class enclosed_relu_kernel {
 public:
  using number = interval;

  /// \throws as relu_kernel, and not_converged as enclose_spectrum.
  enclosed_relu_kernel(matrix<double> const& w, matrix<double> const& v, matrix<double> const& x, double slope)
      : negative_slope(slope) {
    relu_kernel(w, v, x, slope);  // refuses what does not fit
    auto const n = x.shape(0), d = x.shape(1), m = v.shape(0), k = w.shape(0);
    auto active = zeros<double>(n, m), masks = active;
    interval off = detail::underflow;  // Σ |z - computed z|²
    for (std::size_t q = 0; q < n; ++q)
      for (std::size_t i = 0; i < m; ++i) {
        double z = 0, size = 0;
        for (std::size_t j = 0; j < d; ++j) {
          z += x(q, j) * v(i, j);
          size += std::abs(x(q, j) * v(i, j));
        }
        interval const error = detail::rounding_of_sum(d + 1) * (interval(size) + detail::underflow);
        known_signs = known_signs && (std::abs(z) > error.upper() || slope == 1);
        masks(q, i) = z > 0 ? 1 : slope;
        active(q, i) = masks(q, i) * z;
        off += error * error;
      }
    double const radius =
        (boost::numeric::sqrt(off) + detail::rounding_of_sum(1) * detail::frobenius_above(active)).upper();
    ball_matrix const h{active, radius}, inputs{x, 0}, weight{w, 0};
    auto const gram = [](ball_matrix const& a) { return multiply(false, true, a, a); };
    auto const gamma = gram(h);
    gamma_ends = ends(gamma, std::min(n, m));
    input_ends = ends(gram(inputs), std::min(n, d));
    weight_ends = ends(gram(weight), std::min(k, m));
    norm = interval(-1, 1) * (interval(gamma.radius) * static_cast<double>(n));
    for (std::size_t q = 0; q < n; ++q) norm += gamma.mid(q, q);

    // J: the derivative of output a at sample q by v_ij is w_ai φ'_qi x_qj, by w_bi it is δ_ab h_qi.
    auto by_hidden = zeros<double>(n * k, m * (d + k));
    double const half_ulps = detail::rounding_of_sum(2).upper();
    for (std::size_t q = 0; q < n; ++q) {
      auto masked = w;
      for (std::size_t a = 0; a < k; ++a)
        for (std::size_t i = 0; i < m; ++i) {
          masked(a, i) *= masks(q, i);
          for (std::size_t j = 0; j < d; ++j) by_hidden(q * k + a, i * d + j) = masked(a, i) * x(q, j);
        }
      double const masked_radius = (interval(half_ulps) * detail::frobenius_above(masked)).upper();
      auto const block = ends(gram({masked, masked_radius}), std::min(k, m));
      block_ends.largest = q == 0 ? block.largest : boost::numeric::max(block_ends.largest, block.largest);
      block_ends.smallest = q == 0 ? block.smallest : boost::numeric::min(block_ends.smallest, block.smallest);
    }
    jacobian.radius = (interval(half_ulps) * detail::frobenius_above(by_hidden) +
                       boost::numeric::sqrt(interval(static_cast<double>(k))) * radius)
                          .upper();
    for (std::size_t q = 0; q < n; ++q)
      for (std::size_t a = 0; a < k; ++a)
        for (std::size_t i = 0; i < m; ++i) by_hidden(q * k + a, m * d + a * m + i) = active(q, i);
    jacobian.mid = std::move(by_hidden);
  }

  interval slope() const { return negative_slope; }
  enclosed_ends const& gamma_spectrum() const { return gamma_ends; }
  enclosed_ends const& input_spectrum() const { return input_ends; }
  enclosed_ends const& weight_spectrum() const { return weight_ends; }
  enclosed_ends const& sample_spectrum() const { return block_ends; }
  interval activation_norm() const { return norm; }
  /// n k.
  std::size_t order() const { return jacobian.mid.shape(0); }
  /// The sign of every pre-activation is proved. Otherwise the masks may be those of another network.
  bool decided() const { return known_signs; }
  /// Encloses κ(G) where the kernel matrix is nonsingular; the upper end is +infinity when that is not proved.
  interval condition_number() const {
    auto const all = enclose_spectrum(multiply(false, true, jacobian, jacobian));
    return arithmetic<interval>::quotient(all.front(), all.back());
  }

 private:
  /// `rank`: what the shapes allow.
  static enclosed_ends ends(ball_matrix const& m, std::size_t rank) {
    auto const all = enclose_spectrum(m);
    return {all.front(), rank < all.size() ? interval(0) : all.back(), all[rank - 1], rank, all[rank - 1].lower() > 0};
  }

  double negative_slope;
  bool known_signs = true;
  enclosed_ends gamma_ends, input_ends, weight_ends, block_ends;
  interval norm;
  ball_matrix jacobian;
};

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH

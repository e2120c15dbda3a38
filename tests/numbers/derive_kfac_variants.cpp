// KFRA where it is exact and how near it is elsewhere; the nearest Kronecker factors of every layer.

#include <array>
#include <cmath>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>
#include <kappa/derive/kfra.hpp>

#include "algebra_reference.hpp"
#include "reference.hpp"

namespace {

using namespace kappa;
namespace ref = kappa::reference;
using ::reference::relative_error;
using matrix_reference = ::reference::dense;

struct linear_net : network<input<4> | dense<3> | dense<5, no_bias> | dense<2>> {};
struct linear_fit : objective<linear_net, squared_error> {};
struct linear_sum : objective<linear_net, squared_error, sum> {};
struct mlp : network<input<5> | dense<6> | act::tanh | dense<6> | act::tanh | dense<3>> {};
struct fit : objective<mlp, squared_error> {};
struct classes : objective<mlp, cross_entropy> {};
struct bounded : network<input<3> | dense<4> | act::tanh | dense<2> | act::sigmoid> {};
struct bounded_fit : objective<bounded, squared_error, sum> {};
struct wide_net : network<input<9> | dense<11> | act::tanh | dense<2>> {};
struct wide_classes : objective<wide_net, cross_entropy> {};
struct wide_fit : objective<wide_net, squared_error, sum> {};
struct positions : network<input<3, 2> | dense<3> | act::tanh | dense<2>> {};
struct tokens : objective<positions, squared_error, mean_over_positions> {};

template <class Objective>
batch<double> view(ref::batch<double> const& b) {
  return b.labels.empty() ? batch<double>(b.inputs, b.vectors) : batch<double>(b.inputs, b.labels);
}

// The relative Frobenius error of every block.
template <class Objective>
std::vector<double> errors(kfac_matrix<double> const& k, std::vector<double> const& theta, ref::batch<double> const& b,
                           double scale = 1) {
  auto const g = ref::ggn<Objective, double>(theta, b);
  auto const size = static_cast<std::size_t>(Objective::parameter_count);
  std::vector<double> all;
  for (std::size_t p = 0; p < k.blocks().size(); ++p) {
    auto const block = to_dense(k.blocks()[p]);
    auto const offset = static_cast<std::size_t>(Objective::network::parameters[p].offset);
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < block.shape(0); ++i)
      for (std::size_t j = 0; j < block.shape(1); ++j) {
        double const exact_entry = g[(offset + i) * size + offset + j];
        difference += std::pow(scale * block(i, j) - exact_entry, 2);
        norm += exact_entry * exact_entry;
      }
    all.push_back(std::sqrt(difference / norm));
  }
  return all;
}

template <class Objective>
void kfra_is_exact(int samples, ref::targets kind) {
  auto const theta = ref::random_theta<typename Objective::network, double>(3);
  auto const b = ref::random_batch<Objective, double>(samples, 4, kind);
  auto const k = kfra<Objective, double>(theta, view<Objective>(b));
  for (double error : errors<Objective>(k, theta, b)) CHECK(error < 1e-12);
  for (double error : errors<Objective>(k, theta, b, 1.001)) CHECK(error > 1e-4);
}

}  // namespace

TEST_CASE("KFRA is exact for linear networks, and for one sample of any chain") {
  kfra_is_exact<linear_fit>(7, ref::targets::vectors);
  kfra_is_exact<linear_sum>(7, ref::targets::vectors);
  kfra_is_exact<classes>(1, ref::targets::labels);
  kfra_is_exact<fit>(1, ref::targets::vectors);
  kfra_is_exact<bounded_fit>(1, ref::targets::vectors);
}

TEST_CASE("elsewhere KFRA is about as near as K-FAC, and the nearest factors are nearest") {
  // Known for one tanh network 5-6-6-3 with squared error and 40 samples: KFRA .62 .37 0, exact K-FAC .69 .37 0.
  std::array<double, 3> propagated{}, factored{}, nearest{};
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    auto const theta = ref::random_theta<mlp, double>(seed);
    auto const b = ref::random_batch<fit, double>(40, 10 + seed, ref::targets::vectors);
    auto const q = derive<fit>(theta, view<fit>(b), kfac<expand>, ekfac<expand>);
    auto const by_kfra = errors<fit>(kfra<fit, double>(theta, view<fit>(b)), theta, b);
    auto const by_kfac = errors<fit>(q[kfac<expand>], theta, b);
    auto const least = errors<fit>(q.nearest_kfac(ekfac<expand>), theta, b);
    for (std::size_t p = 0; p < 3; ++p) {
      propagated[p] += by_kfra[p] / 3;
      factored[p] += by_kfac[p] / 3;
      nearest[p] += least[p] / 3;
      CHECK(least[p] <= by_kfac[p] + 1e-12);
      CHECK(least[p] <= by_kfra[p] + 1e-12);
    }
  }
  CAPTURE(propagated, factored, nearest);
  CHECK(propagated[2] < 1e-12);  // the last layer of squared errors is exact for all
  CHECK(factored[2] < 1e-12);
  CHECK(nearest[2] < 1e-9);
  for (std::size_t p = 0; p < 2; ++p) {
    CHECK(propagated[p] > 1e-3);
    CHECK(propagated[p] < 1);
    CHECK(std::abs(propagated[p] - factored[p]) < 0.3);
    CHECK(nearest[p] < 0.95 * factored[p]);
  }
}

namespace {

// The blocks from the vectors are those from the dense matrix.
template <class Objective>
void check_nearest(ref::targets kind) {
  auto const theta = ref::random_theta<typename Objective::network, double>(5);
  auto const b = ref::random_batch<Objective, double>(9, 6, kind);
  auto const k = derive<Objective>(theta, view<Objective>(b), kfac<expand>, ekfac<expand>).nearest_kfac(ekfac<expand>);
  auto const g = ref::ggn<Objective, double>(theta, b);
  auto const size = static_cast<std::size_t>(Objective::parameter_count);
  for (std::size_t p = 0; p < k.blocks().size(); ++p) {
    auto const& block = k.blocks()[p];
    auto const offset = static_cast<std::size_t>(Objective::network::parameters[p].offset);
    auto rows = zeros<double>(block.size(), block.size());
    for (std::size_t i = 0; i < block.size(); ++i)
      for (std::size_t j = 0; j < block.size(); ++j)
        rows(i, j) = g[(offset + block.indices()[i]) * size + offset + block.indices()[j]];
    auto const out = block.block().left().size(), in = block.block().right().size();
    auto const found = nearest_kronecker(rows, out, in);
    CHECK(relative_error(to_dense(block.block()), ::reference::from(to_dense(found.product)).a) < 1e-7);
    rows(0, 0) *= 1.01;
    auto const other = nearest_kronecker(rows, out, in);
    CHECK_FALSE(relative_error(to_dense(block.block()), ::reference::from(to_dense(other.product)).a) < 1e-6);
  }
}

}  // namespace

TEST_CASE("the nearest factors from vectors are those of the dense blocks") {
  check_nearest<classes>(ref::targets::labels);
  check_nearest<tokens>(ref::targets::vectors);
}

namespace {

// EKFAC's bases are those of K-FAC's factors, and Λ the curvature along their products, whether the basis of A comes
// from A or, of few samples, from the inputs that A is made of.
template <class Objective, auto Factors, auto Measured>
void check_bases(ref::targets kind) {
  auto const theta = ref::random_theta<typename Objective::network, double>(3);
  for (int samples : {1, 4, 5, 6, 13}) {
    CAPTURE(samples);
    auto const b = ref::random_batch<Objective, double>(samples, 4, kind);
    auto const q = derive<Objective>(theta, view<Objective>(b), Factors, Measured);
    auto const measured = q[Measured];
    // How far U M Uᵀ is from diagonal.
    auto const beside_diagonal = [](matrix<double> const& basis, matrix<double> const& m) {
      auto const u = ::reference::from(basis);
      auto const turned = ::reference::times(::reference::times(u, ::reference::from(m)), ::reference::transposed(u));
      long double beside = 0, all = 0;
      for (std::size_t i = 0; i < turned.n; ++i)
        for (std::size_t j = 0; j < turned.n; ++j) {
          all += turned(i, j) * turned(i, j);
          if (i != j) beside += turned(i, j) * turned(i, j);
        }
      return static_cast<double>(std::sqrt(beside / all));
    };
    auto const factors = q.factors(Factors);
    for (std::size_t p = 0; p < factors.size(); ++p) {
      auto const& block = measured.blocks()[p].block();
      auto a = factors[p].inputs.copy();
      CHECK(beside_diagonal(block.right_basis(), a) < 1e-13);
      CHECK(beside_diagonal(block.left_basis(), factors[p].outputs.copy()) < 1e-13);
      if (a.size() > 1) {
        a(0, 0) *= 1.01;
        CHECK_FALSE(beside_diagonal(block.right_basis(), a) < 1e-6);
      }
    }
    if constexpr (Measured.source == curvature_source::exact) {
      auto const g = ref::ggn<Objective, double>(theta, b);
      auto const size = static_cast<std::size_t>(Objective::parameter_count);
      std::size_t first = 0;
      for (auto const& part : measured.blocks()) {
        auto const& block = part.block();
        auto const& lambda = block.basis_eigenvalues();
        std::vector<double> along;
        for (std::size_t o = 0; o < lambda.shape(0); ++o)
          for (std::size_t i = 0; i < lambda.shape(1); ++i) {
            std::vector<double> v(size);
            for (std::size_t e = 0; e < block.size(); ++e)
              v[first + part.indices()[e]] =
                  block.left_basis()(o, e / lambda.shape(1)) * block.right_basis()(i, e % lambda.shape(1));
            double sum = 0;
            for (std::size_t r = 0; r < size; ++r)
              for (std::size_t c = 0; c < size; ++c) sum += v[r] * g[r * size + c] * v[c];
            along.push_back(sum);
          }
        CHECK(relative_error(lambda, ::reference::column(along.begin(), along.end())) < 1e-12);
        first += block.size();
      }
      CHECK(first == size);
    }
  }
}

}  // namespace

TEST_CASE("EKFAC's bases are its factors', of few samples as well") {
  check_bases<wide_classes, kfac<expand>, ekfac<expand>>(ref::targets::labels);
  check_bases<wide_fit, kfac<expand, exact, separate_bias>, ekfac<expand, exact, separate_bias>>(ref::targets::vectors);
  check_bases<wide_classes, kfac<expand, empirical>, ekfac<expand, empirical>>(ref::targets::labels);
}

TEST_CASE("KFRA in float, and what it refuses") {
  auto const theta = ref::random_theta<mlp, double>(1);
  auto const b = ref::random_batch<classes, double>(9, 2, ref::targets::labels);
  std::vector<float> const t(theta.begin(), theta.end()), x(b.inputs.begin(), b.inputs.end());
  auto const narrow = to_dense(kfra<classes, float>(t, batch<float>(x, b.labels)));
  auto const wide = ::reference::from(to_dense(kfra<classes, double>(theta, view<classes>(b))));
  CHECK(relative_error(narrow, wide.a) < 1e-5);
  CHECK_THROWS_AS((kfra<classes, float>(std::vector<float>(3), batch<float>(x, b.labels))), shape_mismatch);
  std::vector<int> const none(9, 7);
  CHECK_THROWS_AS((kfra<classes, float>(t, batch<float>(x, none))), invalid_value);
}

// K-FAC with biases apart: the operator, EKFAC in its bases, accumulators, disk, the optimiser, and what its errors
// say. Where its blocks are exact is a part of the test matrix (kfac_matrix_*.cpp).

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive/kfac_accumulator.hpp>
#include <kappa/io/kfac_file.hpp>
#include <kappa/layers.hpp>
#include <kappa/methods/kfac_optimiser.hpp>
#include <kappa/methods/laplace_evidence.hpp>

#include "algebra_reference.hpp"
#include "io_scratch.hpp"
#include "reference.hpp"

using namespace kappa;

namespace {

namespace ref = kappa::reference;
using column = ::reference::column;
using ::reference::relative_error;

// Parameters: W b (8 + 4), W without bias (12), W b (6 + 2).
struct net : network<input<4, 2> | ragged | dense<4, "first"> | act::tanh | dense<3, no_bias> | act::tanh |
                     masked_mean_over_positions | dense<2>> {};
struct classes : objective<net, cross_entropy> {};

constexpr auto apart = kfac<automatic, exact, separate_bias>;
constexpr auto measured = ekfac<automatic, exact, separate_bias>;
constexpr auto P = static_cast<std::size_t>(net::parameter_count);

struct data {
  ref::batch<double> all = ref::random_batch<classes, double>(9, 6, ref::targets::labels);
  vector<double> theta = zeros<double>(P);
  data() {
    auto const t = ref::random_theta<net, double>(5);
    std::copy(t.begin(), t.end(), theta.begin());
    for (int n = 0; n < 9; ++n)
      for (int r = 0; r < 4; ++r) all.beside.mask.push_back(r <= n % 4);
  }
  batch<double> part(std::size_t begin, std::size_t end) const {
    batch<double> b(std::span(all.inputs).subspan(8 * begin, 8 * (end - begin)),
                    std::span(all.labels).subspan(begin, end - begin));
    b.side.mask = std::span(all.beside.mask).subspan(4 * begin, 4 * (end - begin));
    return b;
  }
};

column flat(auto const& m) { return column(m.begin(), m.end()); }

}  // namespace

TEST_CASE("a block for the weight and one for the bias, from the joint factors, and nothing between") {
  data const d;
  auto const q = derive<classes>(d.theta, d.part(0, 9), kfac<automatic>, apart);
  auto const joint_factors = q.factors(kfac<automatic>), factors = q.factors(apart);
  REQUIRE(factors.size() == 5);
  auto const k = to_dense(q[apart]);
  column expected(P * P), swapped(P * P);
  std::size_t at = 0;
  for (auto const& f : joint_factors) {
    auto const in = static_cast<std::size_t>(f.parameter.inputs), out = f.outputs.rows;
    for (std::size_t o = 0; o < out; ++o)
      for (std::size_t p = 0; p < out; ++p) {
        for (std::size_t i = 0; i < in; ++i)
          for (std::size_t j = 0; j < in; ++j) {
            expected[(at + o * in + i) * P + at + p * in + j] = f.outputs(o, p) * f.inputs(i, j);
            swapped[(at + o * in + i) * P + at + p * in + j] = f.outputs(p, p) * f.inputs(i, j);
          }
        if (f.parameter.bias) expected[(at + out * in + o) * P + at + out * in + p] = f.outputs(o, p);
      }
    at += out * in + (f.parameter.bias ? out : 0);
  }
  CHECK(relative_error(k, expected) < 1e-14);
  CHECK_FALSE(relative_error(k, swapped) < 1e-2);
  CHECK_FALSE(relative_error(to_dense(q[kfac<automatic>]), expected) < 1e-2);  // what is between W and b
  CHECK(factors[1].inputs.rows == 1);
  CHECK(factors[1].inputs(0, 0) == 1);
  CHECK(factors[1].part == kfac_part::bias_alone);
  CHECK(factors[2].part == kfac_part::whole);

  // Every damping against a dense inverse; with a factor of order one, π damping is exact.
  auto const v = ref::random_vector<double>(net::parameter_count, 8);
  auto const direction = std::span<double const>(v);
  auto const solves = [&](auto const& damped, auto const& x) {
    return relative_error(apply(damped, x), column(v.begin(), v.end()));
  };
  auto const exactly = solve(damp(q[apart], exact_damping{0.03}), direction);
  CHECK(solves(q[apart] + 0.03 * identity, exactly) < 1e-11);
  CHECK_FALSE(solves(q[apart] + 0.031 * identity, exactly) < 1e-4);
  auto const factored = solve(damp(q[apart], pi_damping{0.03}), direction);
  CHECK(solves(damp(q[apart], pi_damping{0.03}), factored) < 1e-11);
  for (std::size_t i : {8u, 9u, 10u, 11u}) CHECK(factored(i) == Approx(exactly(i)).epsilon(1e-10));
  CHECK(std::abs(factored(0) - exactly(0)) > 1e-3 * std::abs(exactly(0)));
  auto const relative = damp(q[apart], block_relative_damping{0.1});
  CHECK(solves(relative, solve(relative, direction)) < 1e-11);
}

TEST_CASE("EKFAC with biases apart keeps the traces, and a bias block that reduce gives is the Gauss-Newton matrix's") {
  data const d;
  auto const q = derive<classes>(d.theta, d.part(0, 9), ggn, apart, measured, ekfac<expand, exact, separate_bias>);
  auto const g = to_dense(q[ggn]), k = to_dense(q[apart]), e = to_dense(q[measured]);
  auto const x = to_dense(q[ekfac<expand, exact, separate_bias>]);
  std::size_t begin = 0;
  for (std::size_t size : {8u, 4u, 12u, 6u, 2u}) {
    double of_g = 0, of_e = 0, of_x = 0, of_k = 0, from_e = 0, from_k = 0, norm = 0;
    for (std::size_t i = begin; i < begin + size; ++i) {
      of_g += g(i, i), of_e += e(i, i), of_x += x(i, i), of_k += k(i, i);
      for (std::size_t j = begin; j < begin + size; ++j) {
        from_e += std::pow(e(i, j) - g(i, j), 2), from_k += std::pow(k(i, j) - g(i, j), 2),
            norm += std::pow(g(i, j), 2);
      }
    }
    CHECK(of_e == Approx(of_g).epsilon(1e-12));
    CHECK(of_x == Approx(of_g).epsilon(1e-12));
    CHECK(from_e <= from_k + 1e-20);
    bool const is_bias = begin == 8 || size == 2;
    if (is_bias)
      CHECK(std::sqrt(from_k / norm) < 1e-12);
    else
      CHECK(of_k != Approx(of_g).epsilon(1e-3));
    begin += size;
  }
  CHECK(q.nearest_kfac(measured).blocks().size() == 5);
  CHECK(relative_error(to_dense(q.nearest_kfac(measured)), flat(k)) > 1e-3);
}

TEST_CASE("batches of padded sequences, appended, merged and kept on disk, are one batch") {
  data const d;
  auto const check = [&]<auto Quantity>() {
    auto const at_once = to_dense(derive<classes>(d.theta, d.part(0, 9), Quantity)[Quantity]);
    kfac_accumulator<classes, double, Quantity> parts(d.theta, 4), left(d.theta, 4), resumed(d.theta, 4);
    for (auto const& [begin, end] : {std::pair{0u, 4u}, {4u, 6u}, {6u, 9u}}) parts.append(d.part(begin, end));
    CHECK(relative_error(to_dense(parts.curvature()), flat(at_once)) < 1e-13);
    left.append(d.part(6, 9));
    scratch::folder folder;
    io::save_kfac_sums(folder.path, "net", left.sums());
    resumed.append(d.part(0, 4));
    resumed.merge(io::load_kfac_sums(folder.path, "net"));
    CHECK_FALSE(relative_error(to_dense(resumed.curvature()), flat(at_once)) < 1e-3);
    resumed.append(d.part(4, 6));
    CHECK(relative_error(to_dense(resumed.curvature()), flat(at_once)) < 1e-13);
  };
  check.template operator()<apart>();
  check.template operator()<kfac<expand>>();  // a mean over positions, of which batches have different numbers
  kfac_accumulator<classes, double, apart> both(d.theta, 9);
  kfac_accumulator<classes, double, kfac<automatic>> other(d.theta, 9);
  both.append(d.part(0, 9));
  other.append(d.part(0, 9));
  CHECK_THROWS_WITH(both.merge(other.sums()), Catch::Matchers::Contains("layers"));
  using second_pass = ekfac_accumulator<classes, double, measured>;
  CHECK_THROWS_AS((second_pass(d.theta, 9, other.curvature())), shape_mismatch);
  second_pass moments(d.theta, 9, both.curvature());
  moments.append(d.part(0, 9));
  auto const at_once = to_dense(derive<classes>(d.theta, d.part(0, 9), measured)[measured]);
  CHECK(relative_error(to_dense(moments.curvature()), flat(at_once)) < 1e-10);
}

TEST_CASE("the optimiser's step is the damped inverse of the blocks apart") {
  data const d;
  auto const q = derive<classes>(d.theta, d.part(0, 9), gradient, apart, measured, kfac<automatic>);
  auto const moved_by = [&]<auto Quantity>() {
    auto theta = d.theta;
    kfac_optimiser<classes, double, Quantity> o(
        9, {.learning_rate = 0.5, .momentum = 0, .damping = 0.02, .kl_clip = no_clip});
    o.step(elements(theta), d.part(0, 9));
    column u;
    for (std::size_t i = 0; i < P; ++i) u.push_back((d.theta(i) - theta(i)) / 0.5L);
    return std::pair(u, to_dense(o.curvature()));
  };
  auto const [u, averaged] = moved_by.template operator()<apart>();
  CHECK(relative_error(solve(q[apart] + 0.02 * identity, q[gradient]), u) < 1e-10);
  CHECK_FALSE(relative_error(solve(q[kfac<automatic>] + 0.02 * identity, q[gradient]), u) < 1e-3);
  CHECK(relative_error(averaged, flat(to_dense(q[apart]))) < 1e-13);
  auto const [w, moments] = moved_by.template operator()<measured>();
  CHECK(relative_error(solve(q[measured] + 0.02 * identity, q[gradient]), w) < 1e-9);
  CHECK_FALSE(relative_error(solve(q[measured] + 0.02 * identity, q[gradient]), u) < 1e-3);
  CHECK(relative_error(moments, flat(to_dense(q[measured]))) < 1e-9);
}

TEST_CASE("the evidence has a prior precision for each weight and each bias") {
  data const d;
  auto const q = derive<classes>(d.theta, d.part(0, 9), apart);
  laplace_evidence const evidence(-3, q[apart], elements(d.theta), 9);
  std::vector<double> const precisions{0.5, 2, 0.7, 1.5, 3};
  double expected = -3;
  auto const k = q[apart];
  std::size_t at = 0;
  for (std::size_t l = 0; l < 5; ++l) {
    auto const& block = k.blocks()[l];
    double squares = 0;
    for (std::size_t i = 0; i < block.size(); ++i, ++at) squares += d.theta(at) * d.theta(at);
    auto const count = static_cast<double>(block.size());
    expected -= 0.5 * (precisions[l] * squares - count * std::log(precisions[l]) +
                       log_det(9.0 * block + precisions[l] * identity));
  }
  CHECK(evidence(precisions) == Approx(expected).epsilon(1e-11));
  CHECK(evidence(std::vector<double>{2, 0.5, 0.7, 1.5, 3}) != Approx(expected).epsilon(1e-3));
  CHECK_THROWS_AS(evidence(std::vector<double>{1, 1, 1}), shape_mismatch);
}

TEST_CASE("errors say whether it is the weight or the bias") {
  data const d;
  auto const q = derive<classes>(d.theta, d.part(0, 9), apart);
  auto factors = q.factors(apart);
  matrix<double> const zero = zeros<double>(4, 4);
  factors[1].outputs = {zero.data(), 4, 4};
  auto const v = ref::random_vector<double>(net::parameter_count, 8);
  std::vector<double> const good_a{2, 0.5, 0.5, 1}, good_b{2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2};
  factors[0].inputs = {good_a.data(), 2, 2};
  factors[0].outputs = {good_b.data(), 4, 4};
  CHECK_THROWS_WITH(solve(kfac_matrix<double>(factors), std::span<double const>(v)),
                    Catch::Matchers::Contains("the bias of layer 0 \"first\""));
  auto bad = zeros<double>(2, 2);
  bad(0, 0) = std::numeric_limits<double>::infinity();
  factors[3].outputs = {bad.data(), 2, 2};
  CHECK_THROWS_WITH(kfac_matrix<double>(factors), Catch::Matchers::Contains("the weight of layer 2"));
}

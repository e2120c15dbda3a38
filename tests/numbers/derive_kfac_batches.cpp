// K-FAC and EKFAC over batches of any sizes are those of one batch of all samples; moments in bases of one's own;
// failures name the layer.

#include <cmath>
#include <limits>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>
#include <kappa/derive/kfac_accumulator.hpp>

#include "algebra_reference.hpp"
#include "reference.hpp"

namespace {

using namespace kappa;
namespace ref = kappa::reference;
using matrix_reference = ::reference::dense;
using ::reference::relative_error;

struct plain : network<input<4> | dense<3, "first"> | act::tanh | dense<3>> {};
struct classes : objective<plain, cross_entropy> {};
struct shared_net : network<input<3, 2> | dense<3> | act::tanh | dense<2>> {};
struct tokens : objective<shared_net, squared_error, mean_over_positions> {};
struct tied : network<input<3> | dense<3, "E", no_bias> | act::tanh | dense<3, "E", no_bias> | act::tanh | dense<2>> {};
struct tied_sum : objective<tied, cross_entropy, sum> {};

template <class Objective>
struct data {
  ref::batch<double> all;
  explicit data(int samples)
      : all(ref::random_batch<Objective, double>(
            samples, 22, std::same_as<Objective, tokens> ? ref::targets::vectors : ref::targets::labels)) {}
  // Samples [begin, end).
  batch<double> part(std::size_t begin, std::size_t end) const {
    auto const slice = [&](auto const& v) {
      auto const each = v.size() / static_cast<std::size_t>(all.samples);
      return std::span(v).subspan(begin * each, (end - begin) * each);
    };
    if (all.labels.empty()) return batch<double>(slice(all.inputs), slice(all.vectors));
    return batch<double>(slice(all.inputs), slice(all.labels));
  }
};

template <class Op>
double distance(Op const& x, Op const& y) {
  auto const a = to_dense(x), b = to_dense(y);
  return relative_error(a, std::vector<long double>(b.begin(), b.end()));
}

template <class Objective, auto Quantity>
void check_batches() {
  data<Objective> const d(11);
  auto const theta = ref::random_theta<typename Objective::network, double>(21);
  auto const whole = derive<Objective>(theta, d.part(0, 11), Quantity)[Quantity];
  kfac_accumulator<Objective, double, Quantity> one(theta, 11), three(theta, 4), left(theta, 4), right(theta, 4);
  one.append(d.part(0, 11));
  for (auto const& [begin, end] : {std::pair{0u, 4u}, {4u, 8u}, {8u, 11u}}) three.append(d.part(begin, end));
  left.append(d.part(8, 11));
  right.append(d.part(0, 4));
  right.append(d.part(4, 8));
  left.merge(right);
  CHECK(three.samples() == 11);
  CHECK(left.samples() == 11);
  CHECK(distance(one.curvature(), whole) < 1e-14);
  CHECK(distance(three.curvature(), whole) < 1e-13);
  CHECK(distance(left.curvature(), whole) < 1e-13);
  // Twins: a batch left out, a batch twice, and the mean of the batches' own curvatures.
  kfac_accumulator<Objective, double, Quantity> two(theta, 4), four(theta, 4);
  two.append(d.part(0, 4));
  two.append(d.part(4, 8));
  CHECK_FALSE(distance(two.curvature(), whole) < 1e-3);
  four.merge(three);
  four.append(d.part(8, 11));
  CHECK_FALSE(distance(four.curvature(), whole) < 1e-3);
  auto const n = static_cast<std::size_t>(Objective::parameter_count);
  matrix_reference mean_of_three(n, n);
  for (auto const& [begin, end] : {std::pair{0u, 4u}, {4u, 8u}, {8u, 11u}})
    mean_of_three = ::reference::plus(
        mean_of_three, ::reference::from(to_dense(derive<Objective>(theta, d.part(begin, end), Quantity)[Quantity])),
        (end - begin) / 11.0L);
  CHECK_FALSE(relative_error(to_dense(whole), mean_of_three.a) < 1e-3);
}

}  // namespace

TEST_CASE("the factors of batches are those of all samples") {
  check_batches<classes, kfac<expand>>();
  check_batches<classes, kfac<expand, empirical>>();
  check_batches<tokens, kfac<expand>>();
  check_batches<tokens, kfac<reduce_unaggregated>>();
  check_batches<tied_sum, kfac<expand>>();
}

TEST_CASE("the accumulator in float sums in double") {
  data<classes> const d(11);
  auto const theta = ref::random_theta<plain, double>(21);
  kfac_accumulator<classes, double> wide(theta, 4);
  std::vector<float> const narrow_theta(theta.begin(), theta.end());
  std::vector<float> const x(d.all.inputs.begin(), d.all.inputs.end());
  kfac_accumulator<classes, float> narrow(narrow_theta, 4);
  for (std::size_t n = 0; n < 11; ++n) {
    wide.append(d.part(n, n + 1));
    narrow.append(batch<float>(std::span(x).subspan(n * 4, 4), std::span(d.all.labels).subspan(n, 1)));
  }
  auto const a = to_dense(narrow.curvature());
  auto const b = ::reference::from(to_dense(wide.curvature()));
  CHECK(relative_error(a, b.a) < 1e-6);
  CHECK_THROWS_AS((kfac_accumulator<classes, double>(theta, 4).curvature()), capacity_exceeded);
}

TEST_CASE("what does not belong together is not merged") {
  auto const theta = ref::random_theta<plain, double>(21);
  auto const other_theta = ref::random_theta<shared_net, double>(21);
  data<classes> const d(3);
  kfac_accumulator<classes, double> a(theta, 4);
  a.append(d.part(0, 3));
  kfac_accumulator<tokens, double> const b(other_theta, 4);
  auto const before = to_dense(a.curvature());
  CHECK_THROWS_WITH(a.merge(b.sums()), Catch::Matchers::Contains("layer 0 \"first\" (dense, 3 x 4)"));
  CHECK(relative_error(to_dense(a.curvature()), std::vector<double>(before.begin(), before.end())) == 0);
}

namespace {

// The sum of the dense Gauss-Newton matrix's diagonal.
template <class Objective>
long double ggn_trace(std::vector<double> const& theta, ref::batch<double> const& b) {
  auto const g = ref::ggn<Objective, double>(theta, b);
  auto const n = static_cast<std::size_t>(Objective::parameter_count);
  long double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += g[i * n + i];
  return sum;
}

template <class Objective, auto Factors, auto Moments>
void check_second_pass() {
  data<Objective> const d(11);
  auto const theta = ref::random_theta<typename Objective::network, double>(21);
  kfac_accumulator<Objective, double, Factors> factors(theta, 11);
  factors.append(d.part(0, 11));
  auto const k = factors.curvature();
  ekfac_accumulator<Objective, double, Moments> one(theta, 11, k), three(theta, 4, k);
  one.append(d.part(0, 11));
  for (auto const& [begin, end] : {std::pair{0u, 4u}, {4u, 8u}, {8u, 11u}}) three.append(d.part(begin, end));
  CHECK(distance(three.curvature(), one.curvature()) < 1e-12);
  auto const derived = derive<Objective>(theta, d.part(0, 11), Moments)[Moments];
  CHECK(distance(three.curvature(), derived) < 1e-10);
  auto const exact_trace = ggn_trace<Objective>(theta, d.all);
  CHECK(relative_error(trace(three.curvature()), exact_trace) < 1e-12);
  CHECK_FALSE(relative_error(trace(k), exact_trace) < 1e-4);  // K-FAC does not keep the trace
  // Λ is the diagonal of the Gauss-Newton matrix in the basis: block by block, from the dense matrix.
  auto const dense_ggn = ref::ggn<Objective, double>(theta, d.all);
  auto const n = static_cast<std::size_t>(Objective::parameter_count);
  auto const collected = three.curvature();
  for (std::size_t p = 0; p < k.blocks().size(); ++p) {
    auto const& block = collected.blocks()[p];
    auto const &u_b = block.block().left_basis(), &u_a = block.block().right_basis();
    auto const offset = static_cast<std::size_t>(Objective::network::parameters[p].offset);
    auto const& order = block.indices();
    std::size_t const out = u_b.shape(0), in = u_a.shape(0);
    for (std::size_t o = 0; o < out; ++o)
      for (std::size_t i = 0; i < in; ++i) {
        long double value = 0, swapped = 0;
        for (std::size_t x = 0; x < out * in; ++x)
          for (std::size_t y = 0; y < out * in; ++y) {
            auto const entry = dense_ggn[(offset + order[x]) * n + offset + order[y]];
            value += u_b(o, x / in) * u_a(i, x % in) * entry * u_b(o, y / in) * u_a(i, y % in);
            swapped += u_b(x / in, o) * u_a(x % in, i) * entry * u_b(y / in, o) * u_a(y % in, i);
          }
        double const got = block.block().basis_eigenvalues()(o, i);
        CHECK(got == Approx(static_cast<double>(value)).epsilon(1e-9).margin(1e-14));
        if (o == 0 && i == 0) CHECK_FALSE(got == Approx(static_cast<double>(swapped)).epsilon(1e-4));
      }
  }
}

}  // namespace

TEST_CASE("the second pass measures the moments of all samples") {
  check_second_pass<classes, kfac<expand>, ekfac<expand>>();
  check_second_pass<tokens, kfac<reduce_unaggregated>, ekfac<reduce_unaggregated>>();
  check_second_pass<tied_sum, kfac<expand>, ekfac<expand>>();
}

TEST_CASE("failures name the layer, and both condition numbers") {
  using Catch::Matchers::Contains;
  data<classes> const d(2);
  auto const theta = ref::random_theta<plain, double>(21);
  auto const q = derive<classes>(theta, d.part(0, 2), gradient, kfac<expand>, ekfac<expand>);
  auto const k = q[kfac<expand>];
  CHECK_THROWS_AS(solve(k, q[gradient]), singular_matrix);
  CHECK_THROWS_WITH(solve(k, q[gradient]),
                    Contains("K-FAC, layer 0 \"first\" (dense, 3 x 4)") && Contains("condition number of A is inf"));
  CHECK_THROWS_WITH(log_det(k), Contains("layer 0"));
  CHECK_THROWS_WITH(inverse(q[ekfac<expand>]), Contains("EKFAC, layer 0 \"first\"") && Contains("inf"));
  CHECK_NOTHROW(solve(k + 0.1 * identity, q[gradient]));
  // A well-conditioned pair tells its numbers: κ(A) = 4 and κ(B) = 2 beside a damping that is too negative.
  auto a = zeros<double>(5, 5), b = zeros<double>(3, 3);
  for (std::size_t i = 0; i < 5; ++i) a(i, i) = i == 0 ? 4 : 1;
  for (std::size_t i = 0; i < 3; ++i) b(i, i) = i == 0 ? 2 : 1;
  std::vector<kfac_factors<double>> const views{{plain::parameters[0], {a.data(), 5, 5}, {b.data(), 3, 3}}};
  CHECK_THROWS_WITH(log_det(kfac_matrix<double>(views) + -3 * identity),
                    Contains("condition number of A is 4, that of B 2"));
  b(1, 2) = b(2, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(kfac_matrix<double>(views), Contains("layer 0 \"first\"") && Contains("the factor B: element 5"));
  CHECK_THROWS_AS(kfac_matrix<double>(views), invalid_value);

  auto const left = std::vector{symmetric<double>(a).basis().vectors};
  CHECK_THROWS_AS(q.second_moments(ekfac<expand>, left, left), shape_mismatch);
}

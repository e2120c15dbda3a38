// K-FAC of an embedding beyond one batch: collected, saved, in the optimiser, the nearest product, a large vocabulary.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/derive/kfac_accumulator.hpp>
#include <kappa/io/kfac_file.hpp>
#include <kappa/layers.hpp>
#include <kappa/methods/kfac_optimiser.hpp>

#include "io_scratch.hpp"
#include "one_hot.hpp"
#include "reference.hpp"

using namespace kappa;
namespace ref = kappa::reference;

namespace {

constexpr int length = 5, vocabulary = 4, features = 3;

struct token_net : network<input<length> | ragged | embedding<vocabulary, features> | act::tanh | dense<2> |
                           masked_sum_over_positions | dense<3>> {};
struct token_classes : objective<token_net, cross_entropy> {};
struct hot_net : network<input<length, vocabulary> | ragged | dense<features, no_bias> | act::tanh | dense<2> |
                         masked_sum_over_positions | dense<3>> {};
struct hot_classes : objective<hot_net, cross_entropy> {};

std::vector<double> const tokens{0, 1, 1, 2, 0, 1, 0, 1, 3, 1, 2, 2, 0, 1, 1, 0, 2, 3, 1, 2};
std::vector<int> const labels{0, 2, 1, 2};
std::vector<unsigned char> const mask{1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0};

std::vector<double> by_rows(std::span<double const> twin) {
  return kappa::one_hot::as_table(twin, vocabulary, features);
}
/// Samples [begin, end), whose elements may have `width` numbers a position.
batch<double> part(std::vector<double> const& inputs, std::size_t width, std::size_t begin, std::size_t end) {
  batch<double> b(std::span<double const>(inputs).subspan(begin * length * width, (end - begin) * length * width),
                  std::span<int const>(labels).subspan(begin, end - begin));
  b.side.mask = std::span<unsigned char const>(mask).subspan(begin * length, (end - begin) * length);
  return b;
}

double distance(std::span<double const> x, std::span<double const> y) {
  REQUIRE(x.size() == y.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference += (x[i] - y[i]) * (x[i] - y[i]);
    norm += y[i] * y[i];
  }
  return std::sqrt(difference / norm);
}
template <class X, class Y>
double apart(X const& x, Y const& y) {
  auto const a = to_dense(x), b = to_dense(y);
  return distance(elements(a), elements(b));
}

}  // namespace

TEST_CASE("a table's factors are collected from batches of other lengths") {
  auto const theta = ref::random_theta<token_net, double>(5);
  auto const all = part(tokens, 1, 0, 4);
  auto const q = derive<token_classes>(theta, all, kfac<expand>, ekfac<expand>);
  using collector = kfac_accumulator<token_classes, double>;
  collector one(theta, 4), first(theta, 3), second(theta, 3);
  one.append(all);
  first.append(part(tokens, 1, 0, 1));
  second.append(part(tokens, 1, 1, 4));
  CHECK(one.sums().layers[0].inputs.shape(0) == 1);
  CHECK(one.sums().layers[0].inputs.shape(1) == vocabulary);
  CHECK(one.sums().layers[0].weight == 13);  // positions that are none of padding
  auto const alone = first.curvature();
  first.merge(second);
  CHECK(apart(one.curvature(), q[kfac<expand>]) < 1e-13);
  CHECK(apart(first.curvature(), q[kfac<expand>]) < 1e-13);
  CHECK(apart(alone, q[kfac<expand>]) > 1e-2);
  ekfac_accumulator<token_classes, double> moments(theta, 3, first.curvature());
  moments.append(part(tokens, 1, 0, 1));
  CHECK(apart(moments.curvature(), q[ekfac<expand>]) > 1e-2);
  moments.append(part(tokens, 1, 1, 4));
  CHECK(apart(moments.curvature(), q[ekfac<expand>]) < 1e-12);
  // Second moments in bases of one's own: of a table the right one is the natural basis, and no other.
  auto const k = first.curvature();
  std::vector<matrix<double>> left, right;
  for (auto const& block : k.blocks()) {
    left.push_back(block.block().left().basis().vectors);
    right.push_back(block.block().right().basis().vectors);
  }
  REQUIRE(right[0].shape(0) == 0);
  REQUIRE(right[0].shape(1) == vocabulary);
  CHECK(q.second_moments(ekfac<expand>, left, right)[0].shape(1) == vocabulary);
  right[0] = zeros<double>(vocabulary, vocabulary);
  CHECK_THROWS_AS(q.second_moments(ekfac<expand>, left, right), shape_mismatch);
}

TEST_CASE("a table's sums live on disk as its diagonal") {
  scratch::folder folder;
  auto const theta = ref::random_theta<token_net, double>(5);
  using collector = kfac_accumulator<token_classes, double>;
  collector entire(theta, 4), resumed(theta, 4);
  entire.append(part(tokens, 1, 0, 3));
  auto const save = [&] { io::save_kfac_sums(folder.path, "tokens", entire.sums()); };
  save();
  resumed.merge(io::load_kfac_sums(folder.path, "tokens"));
  CHECK(distance(elements(resumed.sums().layers[0].inputs), elements(entire.sums().layers[0].inputs)) == 0);
  CHECK(resumed.sums().layers[0].weight == entire.sums().layers[0].weight);
  for (auto* c : {&entire, &resumed}) c->append(part(tokens, 1, 3, 4));
  CHECK(apart(resumed.curvature(), entire.curvature()) == 0);
  auto text = scratch::content(folder.path / "manifest.json");
  auto const at = text.find("\"diagonal\": true");
  REQUIRE(at != std::string::npos);
  std::ofstream(folder.path / "manifest.json") << text.replace(at, 16, "\"diagonal\": false");
  CHECK(scratch::says(scratch::message<format_error>([&] { io::load_kfac_sums(folder.path, "tokens"); }),
                      "expected a matrix of order 4", "1 x 4"));
  // What an earlier version had collected as a dense block is other sums.
  auto other = entire.sums();
  other.layers[0].inputs = zeros<double>(1, 1);
  CHECK_THROWS_AS(resumed.merge(other), shape_mismatch);
}

TEST_CASE("the optimiser takes a table as the dense layer over one-hot rows") {
  auto const hot = kappa::one_hot::rows_of(tokens, vocabulary);
  auto const run = [&]<auto Curvature>(kfac_options o, bool same) {
    auto theta_twin = ref::random_theta<hot_net, double>(5);
    auto theta = by_rows(theta_twin);
    kfac_optimiser<token_classes, double, Curvature> optimiser(4, o);
    if (!same) o.damping *= 1.01;
    kfac_optimiser<hot_classes, double, Curvature> twin(4, o);
    for (std::size_t step = 0; step < 7; ++step) {
      std::size_t const begin = step % 2, end = 3 + step % 2;
      optimiser.step(theta, part(tokens, 1, begin, end));
      twin.step(theta_twin, part(hot, vocabulary, begin, end));
    }
    return distance(theta, by_rows(theta_twin));
  };
  kfac_options const o{.damping = 0.05, .decomposition_period = 2, .kl_clip = no_clip};
  CHECK(run.operator()<kfac<expand>>(o, true) < 1e-10);
  CHECK(run.operator()<kfac<expand>>(o, false) > 1e-6);
  CHECK(run.operator()<ekfac<expand>>(o, true) < 1e-10);
  auto by_pi = o;
  by_pi.damping_rule = kfac_damping::pi;
  CHECK(run.operator()<kfac<expand>>(by_pi, true) < 1e-10);
  CHECK(run.operator()<kfac<expand>>(by_pi, false) > 1e-6);
}

TEST_CASE("the nearest product of a table is the nearest with a diagonal factor") {
  auto const theta = ref::random_theta<token_net, double>(5);
  auto const q = derive<token_classes>(theta, part(tokens, 1, 0, 4), ggn, kfac<expand>, ekfac<expand>);
  constexpr std::size_t v = vocabulary, d = features;
  auto const g = to_dense(q[ggn]);
  auto const error = [&](auto const& k) {
    auto const block = to_dense(k.blocks().front());
    double total = 0;
    for (std::size_t i = 0; i < v * d; ++i)
      for (std::size_t j = 0; j < v * d; ++j) total += (block(i, j) - g(i, j)) * (block(i, j) - g(i, j));
    return total;
  };
  // The rows of the rearrangement are G's diagonal blocks; its largest singular value by power iteration.
  std::vector<long double> a(v, 1), b(d * d);
  long double sigma = 0, norm = 0;
  for (int i = 0; i < 500; ++i) {
    std::ranges::fill(b, 0);
    for (std::size_t r = 0; r < v; ++r)
      for (std::size_t e = 0; e < d * d; ++e) b[e] += a[r] * g(r * d + e / d, r * d + e % d);
    std::ranges::fill(a, 0);
    long double length_b = 0, length_a = 0;
    for (long double x : b) length_b += x * x;
    for (std::size_t r = 0; r < v; ++r) {
      for (std::size_t e = 0; e < d * d; ++e) a[r] += b[e] / std::sqrt(length_b) * g(r * d + e / d, r * d + e % d);
      length_a += a[r] * a[r];
    }
    sigma = std::sqrt(length_a);
    for (long double& x : a) x /= sigma;
  }
  for (std::size_t i = 0; i < v * d; ++i)
    for (std::size_t j = 0; j < v * d; ++j) norm += g(i, j) * g(i, j);
  double const nearest = error(q.nearest_kfac(ekfac<expand>));
  CHECK(nearest == Approx(static_cast<double>(norm - sigma * sigma)).epsilon(1e-8));
  CHECK(nearest < 0.999 * error(q[kfac<expand>]));
  CHECK(error(q[ekfac<expand>]) <= error(q[kfac<expand>]));
}

namespace {

constexpr int many = 50000, wide = 16, words = 6;
struct large_net : network<input<words> | embedding<many, wide> | act::tanh | mean_over_positions | dense<3>> {};
struct large : objective<large_net, cross_entropy> {};

}  // namespace

TEST_CASE("a vocabulary of 50 000 has V + d² numbers, and everything of an operator") {
  std::vector<double> const text{0, 49999, 7, 7, 31415, 0, 7, 12, 31415, 5, 49999, 7};
  std::vector<int> const classes{0, 2};
  batch<double> const b(text, classes);
  std::vector<double> theta(static_cast<std::size_t>(large_net::parameter_count));
  counter_random random(1);
  for (double& x : theta) x = 0.1 * random.normal();
  using work = workspace<large, double, gradient_t, std::remove_cvref_t<decltype(kfac<expand>)>,
                         std::remove_cvref_t<decltype(ekfac<expand>)>>;
  // The gradient, the frequencies and little more, whatever the batch.
  CHECK(work::bytes(2, 1) < 8 * (large_net::parameter_count + many + 50000));
  auto const text_of_table = coverage<large_net>().text;
  INFO(text_of_table);
  CHECK(
      text_of_table.find("layer 0 (embedding, 50000 x 16)                                   0     800000        50256  "
                         "B 16 x 16, diagonal of 50000 frequencies, expand over 6 positions\n") != std::string::npos);
  work memory(2);
  auto const q = derive(memory, theta, b, gradient, kfac<expand>, ekfac<expand>);
  auto const factors = q.factors(kfac<expand>)[0];
  REQUIRE(factors.inputs.elements().size() == many);
  REQUIRE(factors.outputs.elements().size() == wide * wide);
  double total = 0;
  for (double f : factors.inputs.elements()) total += f;
  CHECK(total == Approx(1).epsilon(1e-14));
  CHECK(factors.inputs(0, 7) == Approx(4.0 / 12).epsilon(1e-14));
  CHECK(factors.inputs(0, 31415) == Approx(2.0 / 12).epsilon(1e-14));
  CHECK(factors.inputs(0, 8) == 0);

  constexpr double lambda = 1e-3;
  auto const k = q[kfac<expand>];
  auto const table = k.blocks().front();
  auto const posterior = inverse(table + lambda * identity);
  symmetric<double> const outputs(factors.outputs.copy());
  auto const eigen = lapack::symmetric_eigen(outputs.entries());
  // log det of B ⊗ diag(a) + λ I by hand, and a row of its inverse: (a_v B + λ I)⁻¹ on the row of token v.
  double log_volume = 0;
  for (double f : factors.inputs.elements())
    for (double e : elements(eigen.values)) log_volume += std::log(f * e + lambda);
  CHECK(log_det(table + lambda * identity) == Approx(log_volume).epsilon(1e-12));
  auto const g = q[gradient];
  auto const step = solve(k + lambda * identity, g);
  auto const variances = diagonal(posterior);
  for (std::size_t token : {7u, 8u, 31415u}) {
    auto scaled = factors.outputs.copy();
    for (double& x : elements(scaled)) x *= factors.inputs(0, token);
    auto const row = solve(symmetric<double>(scaled) + lambda * identity, g.subspan(token * wide, wide));
    auto const spread = to_dense(inverse(symmetric<double>(scaled) + lambda * identity));
    for (std::size_t e = 0; e < wide; ++e) {
      CHECK(step(token * wide + e) == Approx(row(e)).epsilon(1e-9).margin(1e-14));
      CHECK(variances(token * wide + e) == Approx(spread(e, e)).epsilon(1e-10));
    }
  }
  CHECK(trace(table) == Approx(trace(outputs)).epsilon(1e-12));
  auto const largest = std::ranges::max(factors.inputs.elements()) * eigen.values(0);
  CHECK(top_eigenpairs(table, 1).values(0) == Approx(largest).epsilon(1e-12));
  CHECK(eigenvalues(table)(0) == Approx(largest).epsilon(1e-12));
  CHECK(sample(posterior, 3).size() == static_cast<std::size_t>(many * wide));
  // EKFAC's trace is the Gauss-Newton matrix's, here from products with the unit vectors of the rows that were read.
  auto const e = q[ekfac<expand>];
  CHECK(e.blocks().front().block().basis_eigenvalues().size() == static_cast<std::size_t>(many * wide));
  CHECK(trace(e.blocks().front()) > 0);
  workspace<large, double, ggn_vector_product_t> products(2);
  std::vector<double> unit(theta.size());
  double diagonal_sum = 0;
  for (std::size_t token : {0u, 5u, 7u, 12u, 31415u, 49999u})
    for (std::size_t i = token * wide; i < (token + 1) * wide; ++i) {
      unit[i] = 1;
      diagonal_sum += derive(products, theta, b, ggn_vector_product(unit))[ggn_vector_product][i];
      unit[i] = 0;
    }
  CHECK(trace(e.blocks().front()) == Approx(diagonal_sum).epsilon(1e-12));
}

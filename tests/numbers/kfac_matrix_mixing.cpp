// K-FAC where positions mix: the exact source against the shortcut of as many columns as one loss term has, and what
// random signs make of it; fused and separate queries, keys and values; a matrix tied in depth.

#include <cmath>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

#include "reference.hpp"
#include "worst.hpp"

using namespace kappa;

namespace {

namespace ref = kappa::reference;

template <class Objective>
batch<double> view(ref::batch<double> const& b) {
  return b.labels.empty() ? batch<double>(b.inputs, b.vectors) : batch<double>(b.inputs, b.labels);
}

std::vector<double> copied(matrix_view<double> const& m) { return {m.elements().begin(), m.elements().end()}; }

// ‖x - y‖ / ‖y‖.
double distance(std::vector<double> const& x, std::vector<double> const& y) {
  REQUIRE(x.size() == y.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference += std::pow(x[i] - y[i], 2);
    norm += y[i] * y[i];
  }
  return std::sqrt(difference / norm);
}

double trace_of(std::vector<double> const& b) {
  auto const order = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(b.size()))));
  double sum = 0;
  for (std::size_t i = 0; i < order; ++i) sum += b[i * (order + 1)];
  return sum;
}

// B of expand from C columns a sample: column k of all loss terms at once, as if positions did not meet.
template <class Objective>
std::vector<double> shortcut(int index, std::vector<double> const& theta, ref::batch<double> const& b, double rho) {
  using net = typename Objective::network;
  constexpr int terms = net::output_shape.positions(), outputs = net::output_shape.features();
  auto const out = static_cast<std::size_t>(net::parameters[static_cast<std::size_t>(index)].outputs);
  std::vector<double> factor(out * out);
  for (int n = 0; n < b.samples; ++n) {
    auto const x = ref::sample_of<net>(b, n);
    auto const v = ref::values<net, double>(theta, x);
    std::vector<std::vector<std::vector<double>>> roots;
    for (int m = 0; m < terms; ++m)
      roots.push_back(ref::term_root<typename Objective::loss, double>(
          std::span<double const>(v.back()).subspan(static_cast<std::size_t>(m * outputs), outputs),
          ref::detail::target_of(b, n * terms + m, Objective::target_size)));
    for (auto const& here : ref::detail::positions_of<net, double>(index, theta, v, x))
      for (std::size_t k = 0; k < roots[0].size(); ++k) {
        std::vector<double> g(out);
        for (std::size_t m = 0; m < roots.size(); ++m)
          for (std::size_t c = 0; c < outputs; ++c)
            for (std::size_t o = 0; o < out; ++o) g[o] += here.jacobian[(m * outputs + c) * out + o] * roots[m][k][c];
        for (std::size_t o = 0; o < out; ++o)
          for (std::size_t p = 0; p < out; ++p) factor[o * out + p] += rho * g[o] * g[p];
      }
  }
  return factor;
}

struct stacked : network<input<6, 2> | conv<3, 3, padding<1>> | conv<3, 3, padding<1>> | dense<2>> {};
struct pixels : objective<stacked, squared_error, kappa::mean_over_positions> {};
struct attended : network<input<6, 2> | dense<4> | residual(attention<heads<2>>) | act::tanh | dense<3>> {};
struct words : objective<attended, cross_entropy> {};
struct single_net : network<input<3> | dense<4> | act::tanh | dense<3>> {};
struct single : objective<single_net, cross_entropy> {};

struct ratios {
  std::vector<double> of_shortcut, of_signs;  // tr B over the exact tr B, layer by layer
};

template <class Objective>
ratios check_sources(ref::targets kind, double rho_of_four, bool positive) {
  using net = typename Objective::network;
  constexpr std::uint64_t seeds = 300;
  auto theta = ref::random_theta<net, double>(5);
  if (positive)
    for (double& t : theta) t = std::abs(t);
  auto const b = ref::random_batch<Objective, double>(4, 6, kind);
  auto const brute = ref::kfac<Objective, double>(theta, b, ref::sharing::expand);
  constexpr auto signs = kfac<expand, random_signs<1>>;
  std::vector<std::vector<double>> mean;
  ratios all;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    auto const q = derive<Objective>(theta, view<Objective>(b), kfac<expand>, signs(seed));
    auto const exact_factors = q.factors(kfac<expand>), drawn = q.factors(signs);
    for (std::size_t p = 0; p < drawn.size(); ++p) {
      if (seed == 1) {
        CHECK(distance(copied(exact_factors[p].outputs), brute[p].b) < 1e-12);  // all M C columns
        CHECK(distance(copied(exact_factors[p].inputs), brute[p].a) < 1e-12);
        CHECK(copied(drawn[p].inputs) == copied(exact_factors[p].inputs));
        mean.emplace_back(brute[p].b.size());
      }
      for (std::size_t i = 0; i < mean[p].size(); ++i)
        mean[p][i] += drawn[p].outputs.data[i] / static_cast<double>(seeds);
    }
  }
  for (std::size_t p = 0; p < mean.size(); ++p) {
    auto const wrong = shortcut<Objective>(static_cast<int>(p), theta, b, rho_of_four);
    all.of_shortcut.push_back(trace_of(wrong) / trace_of(brute[p].b));
    all.of_signs.push_back(trace_of(mean[p]) / trace_of(brute[p].b));
    CHECK(distance(mean[p], brute[p].b) < 0.15);
  }
  return all;
}

}  // namespace

TEST_CASE("the exact source has the columns of every loss term, and needs them where convolutions are stacked") {
  auto const r = check_sources<pixels>(ref::targets::vectors, 1.0 / 24, true);  // kernels that smooth
  CAPTURE(r.of_shortcut, r.of_signs);
  CHECK(r.of_shortcut[0] == Approx(2.457).margin(0.0005));
  CHECK(r.of_shortcut[1] == Approx(1).epsilon(1e-12));  // under the 1 x 1 head positions no longer meet
  CHECK(r.of_shortcut[2] == Approx(1).epsilon(1e-12));
  for (double t : r.of_signs) CHECK(std::abs(t - 1) < 0.1);
}

TEST_CASE("and under attention") {
  auto const r = check_sources<words>(ref::targets::labels, 1.0 / 4, false);
  CAPTURE(r.of_shortcut, r.of_signs);
  CHECK(r.of_shortcut[0] == Approx(0.914).margin(0.0005));
  CHECK(r.of_shortcut[1] == Approx(5.19).margin(0.005));  // queries, keys and values; 6 positions
  CHECK(r.of_shortcut[3] == Approx(1).epsilon(1e-12));    // the last layer
  for (double t : r.of_signs) CHECK(std::abs(t - 1) < 0.1);
}

TEST_CASE("random signs: draws are averaged and shared, depend on the seed alone, and do nothing to one loss term") {
  auto const theta = ref::random_theta<stacked, double>(5);
  auto const b = ref::random_batch<pixels, double>(4, 6, ref::targets::vectors);
  auto const derived = [&](std::uint64_t seed, int thread_count) {
    set_threads(thread_count);
    return derive<pixels>(theta, view<pixels>(b), kfac<expand, random_signs<4>>(seed), ggn_from<random_signs<4>>,
                          ggn_diagonal_from<random_signs<4>>, ekfac<expand, random_signs<4>>);
  };
  auto const q = derived(3, 1), same = derived(3, 2), other = derived(4, 1);
  auto const factor = [](auto const& d) { return copied(d.factors(kfac<expand, random_signs<4>>)[0].outputs); };
  CHECK(factor(q) == factor(same));
  CHECK(distance(factor(other), factor(q)) > 1e-2);
  auto const many = ref::random_batch<pixels, double>(200, 6, ref::targets::vectors);
  auto const of_many = [&](int thread_count) {
    set_threads(thread_count);
    return factor(derive<pixels>(theta, view<pixels>(many), kfac<expand, random_signs<4>>(3)));
  };
  CHECK(distance(of_many(2), of_many(1)) < 1e-13);
  auto const dense = to_dense(q[ggn_from<random_signs<4>>]);
  CHECK(q[ggn_from<random_signs<4>>].root().columns() == 4 * 4 * 2);
  std::vector<double> diagonal_of_dense;
  for (std::size_t i = 0; i < dense.shape(0); ++i) diagonal_of_dense.push_back(dense(i, i));
  auto const d = q[ggn_diagonal_from<random_signs<4>>];
  CHECK(distance({d.begin(), d.end()}, diagonal_of_dense) < 1e-12);
  CHECK(q[ekfac<expand, random_signs<4>>].trace() == Approx(trace(q[ggn_from<random_signs<4>>])).epsilon(1e-12));

  auto const t = ref::random_theta<single_net, double>(5);
  auto const y = ref::random_batch<single, double>(4, 6, ref::targets::labels);
  auto const one = derive<single>(t, view<single>(y), kfac<expand>, kfac<expand, random_signs<1>>(9));
  for (std::size_t p = 0; p < 2; ++p)
    CHECK(distance(copied(one.factors(kfac<expand, random_signs<1>>)[p].outputs),
                   copied(one.factors(kfac<expand>)[p].outputs)) < 1e-14);

  auto const alone = derive<single>(t, view<single>(y), kfac<expand, forward_only>);  // without any other quantity
  for (std::size_t p = 0; p < 2; ++p) {
    auto const f = alone.factors(kfac<expand, forward_only>)[p];
    CHECK(copied(f.inputs) == copied(one.factors(kfac<expand>)[p].inputs));
    CHECK(f.outputs(0, 0) == 1);
    CHECK(f.outputs(0, 1) == 0);
  }
}

namespace {

struct fused_net : network<input<5, 4> | attention<heads<2>> | act::tanh | mean_over_positions | dense<3>> {};
struct fused : objective<fused_net, cross_entropy> {};
struct separate_net
    : network<input<5, 4> | attention<heads<2>, separate_weights> | act::tanh | mean_over_positions | dense<3>> {};
struct separate : objective<separate_net, cross_entropy> {};
struct one_word_net : network<input<1, 4> | attention<heads<2>> | dense<2>> {};
struct one_word : objective<one_word_net, squared_error> {};

// W_q W_k W_v b_q b_k b_v to W_q b_q W_k b_k W_v b_v; the rest stays.
std::vector<double> taken_apart(std::vector<double> const& theta) {
  constexpr std::size_t d = 4;
  std::vector<double> t;
  auto const append = [&](std::size_t begin, std::size_t count) {
    for (std::size_t i = begin; i < begin + count; ++i) t.push_back(theta[i]);
  };
  for (std::size_t part = 0; part < 3; ++part) {
    append(part * d * d, d * d);
    append(3 * d * d + part * d, d);
  }
  append(3 * d * (d + 1), theta.size() - 3 * d * (d + 1));
  return t;
}

}  // namespace

TEST_CASE("a fused block has the three separate ones on its diagonal, and what is between them beside") {
  auto const theta = ref::random_theta<fused_net, double>(5);
  auto const b = ref::random_batch<fused, double>(4, 6, ref::targets::labels);
  auto const check = [&](auto const&... quantities) {
    auto const q = derive<fused>(theta, view<fused>(b), quantities...);
    auto const s = derive<separate>(taken_apart(theta), view<fused>(b), quantities...);
    auto const one = [&](auto const& quantity) {
      auto const whole_one = q.factors(quantity), parts = s.factors(quantity);
      REQUIRE(whole_one.size() == 3);
      REQUIRE(parts.size() == 5);
      double between = 0, size = 0;
      for (std::size_t part = 0; part < 3; ++part) {
        CHECK(distance(copied(parts[part].inputs), copied(whole_one[0].inputs)) < 1e-13);
        for (std::size_t i = 0; i < 4; ++i)
          for (std::size_t j = 0; j < 12; ++j) {
            double const v = whole_one[0].outputs(4 * part + i, j);
            size = worst_of(size, std::abs(v));
            if (j / 4 != part)
              between = worst_of(between, std::abs(v));
            else
              CHECK(parts[part].outputs(i, j % 4) == Approx(v).epsilon(1e-11).margin(1e-15));
          }
      }
      if (std::remove_cvref_t<decltype(quantity)>::source == curvature_source::forward_only)
        CHECK(between == 0);
      else
        CHECK(between > 1e-3 * size);
      CHECK(distance(copied(parts[3].outputs), copied(whole_one[1].outputs)) < 1e-12);
    };
    (one(quantities), ...);
  };
  check(kfac<expand>, kfac<reduce>, kfac<expand, empirical>, kfac<reduce, monte_carlo<2>>(7),
        kfac<expand, forward_only>);
}

TEST_CASE("attention to a single position is linear: the fused block is exact") {
  auto const theta = ref::random_theta<one_word_net, double>(5);
  auto const b = ref::random_batch<one_word, double>(4, 6, ref::targets::vectors);
  auto const q = derive<one_word>(theta, view<one_word>(b), kfac<expand>, kfac<reduce>, kfac<expand, empirical>);
  auto const g = ref::ggn<one_word, double>(theta, b);
  constexpr auto count = static_cast<std::size_t>(one_word_net::parameter_count);
  auto const error = [&](auto const& quantity) {
    auto const k = to_dense(q[quantity]);
    std::vector<double> of_k, of_g;
    for (std::size_t i = 0; i < 60; ++i)
      for (std::size_t j = 0; j < 60; ++j) {
        of_k.push_back(k(i, j));
        of_g.push_back(g[i * count + j]);
      }
    return distance(of_k, of_g);
  };
  CHECK(error(kfac<expand>) < 1e-12);
  CHECK(error(kfac<reduce>) < 1e-12);
  CHECK(error(kfac<expand, empirical>) > 1e-2);
}

namespace {

struct deep_net : network<input<3> | dense<3, "W", no_bias> | dense<3, "W", no_bias> | dense<2>> {};
struct deep : objective<deep_net, squared_error> {};

}  // namespace

TEST_CASE("a matrix tied in depth is exact with neither: its uses see each other") {
  auto const theta = ref::random_theta<deep_net, double>(5);
  auto const b = ref::random_batch<deep, double>(4, 6, ref::targets::vectors);
  auto const q = derive<deep>(theta, view<deep>(b), kfac<expand>, kfac<reduce>, ekfac<expand>, ggn);
  auto const g = to_dense(q[ggn]);
  auto const errors = [&](auto const& quantity) {
    auto const k = to_dense(q[quantity]);
    double difference = 0, norm = 0, trace_k = 0, trace_g = 0;
    for (std::size_t i = 0; i < 9; ++i) {
      trace_k += k(i, i), trace_g += g(i, i);
      for (std::size_t j = 0; j < 9; ++j) {
        difference += std::pow(k(i, j) - g(i, j), 2);
        norm += std::pow(g(i, j), 2);
      }
    }
    return std::pair(std::sqrt(difference / norm), trace_k / trace_g);
  };
  CHECK(errors(kfac<expand>).first > 1e-2);
  CHECK(errors(kfac<reduce>).first > 1e-2);
  CHECK(errors(ekfac<expand>).first < errors(kfac<expand>).first);
  CHECK(errors(ekfac<expand>).second == Approx(1).epsilon(1e-12));
}

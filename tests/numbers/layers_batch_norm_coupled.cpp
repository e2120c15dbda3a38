// Batch norms that take their statistics from the batch. The reference is the whole batch's loss: a network of frozen
// statistics under statistics found layer by layer in long double, differentiated by differences, so that samples act
// on one another. Then what is said and refused at run time.

#include <functional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>
#include <kappa/methods/evaluate.hpp>
#include <kappa/methods/mini_batches.hpp>
#include <kappa/methods/running_statistics.hpp>

#include "reference.hpp"

using namespace kappa;

namespace {

namespace ref = kappa::reference;
using extended = long double;
using numbers = std::vector<extended>;

constexpr auto frozen = statistics::frozen;
constexpr auto of_the_batch = statistics::of_the_batch;

template <statistics From>
struct deep_net : network<input<2, 2> | dense<3> | batch_norm<From> | act::tanh |
                          residual(dense<3> | batch_norm<From, no_bias, norm_epsilon<1, 50>>) | flatten | dense<2>> {};
template <statistics From>
struct deep : objective<deep_net<From>, cross_entropy> {};

template <statistics From>
struct ragged_net : network<input<3, 2> | ragged | batch_norm<From> | dense<3> | act::tanh | batch_norm<From, "N"> |
                            masked_mean_over_positions | dense<3> | batch_norm<From, "N"> | act::silu | dense<2>> {};
template <statistics From>
struct padded : objective<ragged_net<From>, squared_error, sum> {};

/// The statistics of every batch norm, each under those before it.
template <class Net>
numbers statistics_of(numbers const& theta, ref::batch<extended> b) {
  b.beside.statistics.assign(static_cast<std::size_t>(Net::statistics_count), 0);
  for (node const& n : Net::nodes) {
    if (n.layer == nullptr || std::string(n.layer->name) != "batch_norm") continue;
    node const& operand = Net::nodes[static_cast<std::size_t>(n.a)];
    int const channels = n.out.features(), of_a_row = n.out.size() / n.out.extent[0];
    for (int c = 0; c < channels; ++c) {
      numbers seen;
      for (int k = 0; k < b.samples; ++k) {
        auto const x = ref::sample_of<Net>(b, k);
        auto const v = ref::values<Net, extended>(theta, x)[static_cast<std::size_t>(n.a)];
        for (int e = c; e < n.out.size(); e += channels)
          if (!operand.ragged || x.beside.mask == nullptr || x.beside.mask[e / of_a_row] != 0)
            seen.push_back(v[static_cast<std::size_t>(e)]);
      }
      extended mean = 0, variance = 0;
      for (extended e : seen) mean += e / static_cast<extended>(seen.size());
      for (extended e : seen) variance += (e - mean) * (e - mean) / static_cast<extended>(seen.size());
      b.beside.statistics[static_cast<std::size_t>(n.shift + c)] = mean;
      b.beside.statistics[static_cast<std::size_t>(n.shift + channels + c)] = variance;
    }
  }
  return b.beside.statistics;
}

/// The outputs of all samples, one after the other.
template <class Net>
numbers outputs(numbers const& theta, ref::batch<extended> b) {
  b.beside.statistics = statistics_of<Net>(theta, b);
  numbers f;
  for (int k = 0; k < b.samples; ++k) {
    auto const y = ref::forward<Net, extended>(theta, ref::sample_of<Net>(b, k));
    f.insert(f.end(), y.begin(), y.end());
  }
  return f;
}
template <class Objective>
numbers loss(numbers const& theta, ref::batch<extended> b) {
  b.beside.statistics = statistics_of<typename Objective::network>(theta, b);
  return {ref::loss<Objective, extended>(theta, b)};
}

/// d/dε f(θ + ε v) at 0 by five points.
numbers slope(numbers const& theta, numbers const& v, extended h, std::function<numbers(numbers const&)> const& f) {
  numbers total;
  for (auto const& [steps, factor] : {std::pair{2, -1}, std::pair{1, 8}, std::pair{-1, -8}, std::pair{-2, 1}}) {
    numbers moved = theta;
    for (std::size_t i = 0; i < v.size(); ++i) moved[i] += steps * h * v[i];
    numbers const value = f(moved);
    total.resize(value.size());
    for (std::size_t i = 0; i < value.size(); ++i) total[i] += factor * value[i] / (12 * h);
  }
  return total;
}
numbers unit(std::size_t size, std::size_t i) {
  numbers e(size);
  e[i] = 1;
  return e;
}
/// ∇f of a number.
numbers gradient_of(numbers const& theta, extended h, std::function<numbers(numbers const&)> const& f) {
  numbers g;
  for (std::size_t i = 0; i < theta.size(); ++i) g.push_back(slope(theta, unit(theta.size(), i), h, f)[0]);
  return g;
}

template <class Range>
numbers widened(Range const& range) {
  numbers v;
  for (auto const& e : range) v.push_back(static_cast<extended>(e));
  return v;
}
void agrees(char const* what, numbers const& got, numbers const& expected, extended tolerance) {
  INFO(what);
  CHECK(ref::relative_error(got, expected) < tolerance);
  numbers wrong = got;
  for (extended& e : wrong) e *= 1.001L;
  CHECK(ref::relative_error(wrong, expected) > tolerance);
}

template <template <statistics> class Objective>
void check_coupled(ref::targets kind, std::vector<unsigned char> mask = {}) {
  using coupled = Objective<of_the_batch>;
  using constant = Objective<frozen>;
  using net = typename constant::network;
  constexpr int samples = 4;
  auto const theta = ref::random_theta<net, double>(21);
  auto b = ref::random_batch<constant, double>(samples, 22, kind);
  b.beside.mask = mask;
  auto const v = ref::random_vector<double>(net::parameter_count, 23);
  auto const wide = widened(theta), along = widened(v);
  auto const exact = ref::convert<extended>(b);
  batch<double> data = b.labels.empty() ? batch<double>(b.inputs, b.vectors) : batch<double>(b.inputs, b.labels);
  data.side.mask = b.beside.mask;

  auto const q = derive<coupled>(theta, data, loss_value, gradient, ggn_vector_product(v), hessian_vector_product(v));
  auto const of = [&](numbers const& t) { return loss<constant>(t, exact); };
  agrees("loss", {static_cast<extended>(q[loss_value])}, of(wide), 1e-14L);
  agrees("gradient", widened(q[gradient]), gradient_of(wide, 1e-4L, of), 1e-12L);
  agrees("Hessian product", widened(q[hessian_vector_product]),
         slope(wide, along, 3e-4L, [&](numbers const& t) { return gradient_of(t, 3e-4L, of); }), 1e-9L);

  // ρ Jᵀ H J v, J of all outputs of the batch.
  auto const f = [&](numbers const& t) { return outputs<net>(t, exact); };
  numbers const jv = slope(wide, along, 1e-4L, f), at = f(wide);
  std::size_t const each = at.size() / samples;
  numbers hjv;
  for (int n = 0; n < samples; ++n) {
    auto const first = at.begin() + static_cast<std::ptrdiff_t>(each) * n;
    auto const h = ref::differentiate_terms<constant, extended>(
                       numbers(first, first + static_cast<std::ptrdiff_t>(each)), exact, n)
                       .hessian;
    for (std::size_t i = 0; i < each; ++i) {
      extended total = 0;
      for (std::size_t k = 0; k < each; ++k) total += h[i * each + k] * jv[static_cast<std::size_t>(n) * each + k];
      hjv.push_back(total * static_cast<extended>(constant::scale(samples)));
    }
  }
  numbers product;
  for (std::size_t p = 0; p < theta.size(); ++p) {
    numbers const column = slope(wide, unit(theta.size(), p), 1e-4L, f);
    extended total = 0;
    for (std::size_t i = 0; i < column.size(); ++i) total += column[i] * hjv[i];
    product.push_back(total);
  }
  agrees("Gauss-Newton product", widened(q[ggn_vector_product]), product, 1e-12L);

  // The statistics by themselves; with them for constants the value is the same and the gradient another.
  auto const found = batch_statistics<net>(theta, data);
  agrees("statistics", widened(found), statistics_of<net>(wide, exact), 1e-14L);
  CHECK(widened(batch_statistics<typename coupled::network>(theta, data)) == widened(found));
  auto held = data;
  held.side.statistics = {found.data(), found.size()};
  auto const p = derive<constant>(theta, held, loss_value, gradient);
  CHECK(p[loss_value] == Approx(q[loss_value]).epsilon(1e-13));
  CHECK(ref::relative_error(widened(p[gradient]), widened(q[gradient])) > 1e-3L);

  auto const whole = predict<typename coupled::network>(theta, b.inputs, 1, data.side);  // never in chunks
  agrees("outputs", widened(whole), at, 1e-13L);
}

template <class Exception, class F>
void refuses(F&& f, std::vector<std::string> const& words) {
  try {
    f();
    FAIL("nothing was thrown");
  } catch (Exception const& e) {
    INFO(e.what());
    for (auto const& word : words) CHECK(std::string(e.what()).find(word) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("statistics of the batch, differentiated through") { check_coupled<deep>(ref::targets::labels); }
TEST_CASE("statistics of a ragged batch leave padding out") {
  check_coupled<padded>(ref::targets::vectors, {1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1});
}

TEST_CASE("data sets: all samples at once, or frozen statistics beside each batch") {
  auto const theta = ref::random_theta<deep_net<frozen>, double>(1);
  auto const b = ref::random_batch<deep<frozen>, double>(10, 2, ref::targets::labels);
  batch data(b.inputs, b.labels);
  auto const at_once = derive<deep<of_the_batch>>(theta, data, loss_value);
  CHECK(evaluate<deep<of_the_batch>>(theta, data, 3) == Approx(at_once[loss_value]).epsilon(1e-13));
  auto const found = batch_statistics<deep_net<frozen>>(theta, data);
  data.side.statistics = {found.data(), found.size()};
  CHECK(evaluate<deep<frozen>>(theta, data, 3) == Approx(at_once[loss_value]).epsilon(1e-13));
  mini_batches<deep<frozen>, double> parts(data, 4, 1);
  double total = 0;
  for (std::size_t i = 0; i < parts.count(); ++i) {
    auto const part = parts.gather(i);
    total += derive<deep<frozen>>(theta, part, loss_value)[loss_value] * static_cast<double>(part.labels.size());
  }
  CHECK(total / 10 == Approx(at_once[loss_value]).epsilon(1e-13));
  std::vector<std::size_t> const some{1, 5};
  sub_batch<double> const two(data, 10, some);
  CHECK(two.view().side.statistics.size() == found.size());
}

TEST_CASE("the running average of statistics is right from the first batch on") {
  running_statistics<double> average(0.75);
  CHECK(average.values().empty());
  std::vector<double> const first{1, 4}, second{3, 0};
  average.update(std::span<double const>(first));
  CHECK(std::vector<double>(average.values().begin(), average.values().end()) == first);
  average.update(std::span<double const>(second));
  // (β F₁ + F₂) / (β + 1), which is (1 - β) (β F₁ + F₂) / (1 - β²)
  CHECK(average.values()[0] == Approx((0.75 * 1 + 3) / 1.75));
  CHECK(average.values()[1] == Approx((0.75 * 4 + 0) / 1.75));
  CHECK(average.values()[0] != Approx(0.75 * 1 + 0.25 * 3));  // without the correction, begun at the first
  std::vector<double> const longer(3);
  refuses<shape_mismatch>([&] { average.update(std::span<double const>(longer)); }, {"2 elements", "3 came"});
  refuses<invalid_value>([] { running_statistics<double>(1.0); }, {"from 0 to below 1"});
}

TEST_CASE("statistics that do not fit are refused") {
  auto const theta = ref::random_theta<deep_net<frozen>, double>(1);
  auto const b = ref::random_batch<deep<frozen>, double>(2, 2, ref::targets::labels);
  batch data(b.inputs, b.labels);
  auto const run = [&] { derive<deep<frozen>>(theta, data, gradient); };
  refuses<shape_mismatch>(run, {"statistics", "12 elements", "0 came"});
  std::vector<double> given(12, 1.0);
  data.side.statistics = given;
  run();
  given[10] = -0.5;
  refuses<invalid_value>(run, {"variance of feature 1", "`batch_norm`, node 5", "-0.5", "at least 0"});
  refuses<invalid_value>([&] { predict<deep_net<frozen>>(theta, b.inputs, 8, data.side); }, {"variance of feature 1"});
  given[10] = std::numeric_limits<double>::infinity();
  refuses<invalid_value>(run, {"statistics"});
  given[10] = 0;
  given[6] = -0.5;  // a mean may be negative, a variance zero
  run();
  refuses<invalid_value>([&] { derive<deep<of_the_batch>>(theta, data, gradient); }, {"statistics::frozen"});
  data.side.statistics = {};
  derive<deep<of_the_batch>>(theta, data, gradient);

  // A single sample has statistics only where it has several positions.
  batch const one(std::span<double const>(b.inputs).first(4), std::span<int const>(b.labels).first(1));
  CHECK(std::isfinite(derive<deep<of_the_batch>>(theta, one, gradient)[gradient][0]));
  struct flat_net : network<input<4> | batch_norm<of_the_batch, no_parameters> | dense<2>> {};
  struct flat : objective<flat_net, cross_entropy> {};
  auto const t = ref::random_theta<flat_net, double>(1);
  refuses<capacity_exceeded>([&] { derive<flat>(t, one, gradient); }, {"at least 2", "`batch_norm`"});
  batch const two(std::span<double const>(b.inputs), std::span<int const>(b.labels));
  derive<flat>(t, two, gradient);
  std::vector<unsigned char> const hidden(6, 0);
  auto const s = ref::random_theta<ragged_net<frozen>, double>(1);
  auto const x = ref::random_batch<padded<frozen>, double>(2, 2, ref::targets::vectors);
  batch with_mask(x.inputs, x.vectors);
  with_mask.side.mask = hidden;
  refuses<invalid_value>([&] { batch_statistics<ragged_net<frozen>>(s, with_mask); }, {"hides every position"});
}

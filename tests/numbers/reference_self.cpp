// The reference checked against itself: differences against tangents, the GGN against roots of the losses, K-FAC where
// theory says it is exact. Each check has a twin that a planted fault fails.

#include <numeric>

#include <catch2/catch.hpp>

#include "networks.hpp"
#include "reference.hpp"

namespace {

namespace ref = kappa::reference;
namespace nets = kappa::test_networks;
using ref::relative_error;
using extended = long double;

constexpr int samples = 3;
constexpr extended tight = 1e-15L;        // of long double arithmetic alone
constexpr extended differences = 3e-13L;  // of five-point differences

template <class Entry>
struct drawn {
  using objective = typename Entry::objective;
  using net = typename objective::network;
  std::vector<extended> theta = ref::random_theta<net, extended>(11);
  ref::batch<extended> batch = ref::random_batch<objective, extended>(samples, 12, Entry::kind);
};

std::vector<extended> scaled(std::vector<extended> v, extended factor) {
  for (auto& e : v) e *= factor;
  return v;
}

TEST_CASE("the relative error of something against nothing is infinite") {
  std::vector<double> const zero(3), one(3, 1.0), nan(3, std::nan(""));
  CHECK(std::isinf(relative_error(zero, zero)));
  CHECK(std::isinf(relative_error(one, zero)));
  CHECK(std::isinf(relative_error(one, nan)));
  CHECK(std::isinf(relative_error(nan, one)));
  CHECK(std::isinf(relative_error(one, std::vector<double>(2, 1.0))));
  CHECK(std::isinf(relative_error(std::vector<double>{}, std::vector<double>{})));
  CHECK(relative_error(one, one) == 0);
  CHECK(relative_error(zero, one) == 1);
}

TEST_CASE("a two-layer network by hand") {
  struct tiny : kappa::network<kappa::input<2> | kappa::dense<1> | kappa::act::tanh | kappa::dense<2>> {};
  struct fit : kappa::objective<tiny, kappa::squared_error> {};
  std::vector<double> const theta{0.5, -0.25, 0.125, 2, -3, 0.5, 1};  // W [1, 2], b [1], V [2, 1], c [2]
  std::vector<double> const x{3, 4};
  double const h = std::tanh(0.5 * 3 - 0.25 * 4 + 0.125);
  std::vector<double> const f{2 * h + 0.5, -3 * h + 1};
  CHECK(relative_error(ref::forward<tiny, double>(theta, std::span<double const>(x)), f) < 1e-15L);
  ref::batch<double> const b{1, x, {}, {1, 1}};
  CHECK(relative_error(std::vector{ref::loss<fit, double>(theta, b)},
                       std::vector{((f[0] - 1) * (f[0] - 1) + (f[1] - 1) * (f[1] - 1)) / 2}) < 1e-15L);
  double const back = (1 - h * h) * (2 * (f[0] - 1) - 3 * (f[1] - 1));
  std::vector<double> const g{back * 3, back * 4, back, (f[0] - 1) * h, (f[1] - 1) * h, f[0] - 1, f[1] - 1};
  CHECK(relative_error(ref::gradient<fit, double>(theta, b), g) < 1e-14L);
}

TEST_CASE("the gradient is the difference quotient of the loss") {
  nets::for_each_objective([](auto e) {
    drawn<decltype(e)> const d;
    using objective = typename decltype(e)::objective;
    INFO(e.name);
    CHECK(objective::parameter_count <= 300);
    auto const exact = ref::gradient<objective, extended>(d.theta, d.batch);
    auto const quotient = ref::gradient_by_differences<objective>(d.theta, d.batch);
    CHECK(relative_error(quotient, exact) < differences);
    CHECK_FALSE(relative_error(quotient, scaled(exact, 1 + 1e-11L)) < differences);
    // In double it is the same up to double's rounding.
    auto const coarse = ref::gradient<objective, double>(ref::convert<double>(d.theta), ref::convert<double>(d.batch));
    CHECK(relative_error(coarse, exact) < 1e-13L);
  });
}

TEST_CASE("every parameter but the idle one has a gradient") {
  nets::for_each_objective([](auto e) {
    drawn<decltype(e)> const d;
    using objective = typename decltype(e)::objective;
    auto const g = ref::gradient<objective, extended>(d.theta, d.batch);
    int number = 0;
    for (kappa::parameter const& p : objective::network::parameters) {
      auto const first = g.begin() + p.offset;
      bool const alive = std::any_of(first, first + p.size(), [](extended v) { return v != 0; });
      bool const idle = std::same_as<objective, nets::recalled> && number == 1;
      INFO(e.name << ", parameter " << number);
      CHECK(alive != idle);
      ++number;
    }
  });
}

TEST_CASE("rho agrees with the objective's own scale") {
  nets::for_each_objective([](auto e) {
    using objective = typename decltype(e)::objective;
    INFO(e.name);
    CHECK(ref::rho<objective, double>(7) == Approx(objective::scale(7)).epsilon(1e-15));
  });
}

/// ρ Σ_n Σ_m Σ_k (Jᵀ s)(Jᵀ s)ᵀ with the root the loss itself gives.
template <class Objective>
std::vector<extended> ggn_of_roots(std::vector<extended> const& theta, ref::batch<extended> const& b) {
  using net = typename Objective::network;
  using loss = typename Objective::loss;
  constexpr int order = net::parameter_count;
  constexpr int outputs = Objective::outputs;
  constexpr int columns = loss::root_columns(outputs);
  constexpr int in = net::input_shape.size();
  using ref::detail::get;
  std::vector<extended> g(static_cast<std::size_t>(order) * order);
  extended const rho = ref::rho<Objective, extended>(b.samples);
  for (int n = 0; n < b.samples; ++n) {
    auto const x = ref::detail::part(b.inputs, n * in, in);
    auto const f = ref::forward<net, extended>(theta, x);
    auto const j = ref::jacobian<net, extended>(theta, x);
    for (int m = 0; m < Objective::terms; ++m) {
      std::vector<extended> s(static_cast<std::size_t>(columns) * outputs);
      loss::root(ref::detail::part(f, m * outputs, outputs),
                 ref::detail::target_of(b, n * Objective::terms + m, outputs), std::span<extended>(s));
      for (int k = 0; k < columns; ++k) {
        std::vector<extended> v(order);
        for (int c = 0; c < outputs; ++c)
          for (int p = 0; p < order; ++p) get(v, p) += get(s, k * outputs + c) * get(j, (m * outputs + c) * order + p);
        for (int p = 0; p < order; ++p)
          for (int q = 0; q < order; ++q) get(g, p * order + q) += rho * get(v, p) * get(v, q);
      }
    }
  }
  return g;
}

TEST_CASE("the GGN is made of the losses' roots") {
  nets::for_each_objective([](auto e) {
    drawn<decltype(e)> const d;
    using objective = typename decltype(e)::objective;
    INFO(e.name);
    auto const dense = ref::ggn<objective, extended>(d.theta, d.batch);
    auto const rooted = ggn_of_roots<objective>(d.theta, d.batch);
    CHECK(relative_error(rooted, dense) < tight);
    CHECK_FALSE(relative_error(scaled(rooted, 1 + 1e-13L), dense) < tight);
  });
}

TEST_CASE("losses are differentiated rightly, by the reference and by themselves") {
  nets::for_each_objective([](auto e) {
    drawn<decltype(e)> const d;
    using loss = typename decltype(e)::objective::loss;
    constexpr int outputs = decltype(e)::objective::outputs;
    INFO(e.name);
    auto const f = ref::random_vector<extended>(outputs, 5);
    auto const y = ref::detail::target_of(d.batch, 0, outputs);
    auto const at = [](std::vector<extended> const& v) { return std::span<extended const>(v); };
    // one value, the loss's own and the formula's
    CHECK(relative_error(std::vector{loss::value(at(f), y)}, std::vector{ref::term_value<loss, extended>(at(f), y)}) <
          tight);
    // its gradient
    auto const g = ref::term_gradient<loss, extended>(at(f), y);
    std::vector<extended> own(outputs), quotient;
    loss::gradient(at(f), y, std::span<extended>(own));
    CHECK(relative_error(own, g) < tight);
    // its Hessian, column by column
    auto const h = ref::term_hessian<loss, extended>(at(f), y);
    for (int c = 0; c < outputs; ++c) {
      auto const moved = [&](extended step) {
        auto there = f;
        ref::detail::get(there, c) += step;
        return there;
      };
      quotient.push_back(ref::detail::derivative_by_differences(
          [&](extended step) { return std::vector{ref::term_value<loss, extended>(at(moved(step)), y)}; })[0]);
      auto const column = ref::detail::derivative_by_differences(
          [&](extended step) { return ref::term_gradient<loss, extended>(at(moved(step)), y); });
      std::vector<extended> unit(outputs), times(outputs), expected;
      ref::detail::get(unit, c) = 1;
      loss::hessian_times(at(f), y, at(unit), std::span<extended>(times));
      for (int i = 0; i < outputs; ++i) expected.push_back(ref::detail::get(h, i * outputs + c));
      CHECK(relative_error(column, expected) < differences);
      CHECK(relative_error(times, expected) < tight);
      CHECK_FALSE(relative_error(scaled(times, 1 + 1e-13L), expected) < tight);
    }
    CHECK(relative_error(quotient, g) < differences);
    CHECK_FALSE(relative_error(scaled(quotient, 1 + 1e-11L), g) < differences);
  });
}

TEST_CASE("Hessian-vector products: symmetric, and the GGN's for a network linear in its parameters") {
  nets::for_each_objective([](auto e) {
    drawn<decltype(e)> const d;
    using objective = typename decltype(e)::objective;
    INFO(e.name);
    auto const u = ref::random_vector<extended>(objective::parameter_count, 21);
    auto const v = ref::random_vector<extended>(objective::parameter_count, 22);
    auto const hu = ref::hessian_times<objective>(d.theta, d.batch, u);
    auto const hv = ref::hessian_times<objective>(d.theta, d.batch, v);
    extended const left = std::inner_product(u.begin(), u.end(), hv.begin(), extended{});
    extended const right = std::inner_product(v.begin(), v.end(), hu.begin(), extended{});
    extended const size = std::inner_product(hv.begin(), hv.end(), hv.begin(), extended{});
    CHECK(std::abs(left - right) < 1e-11L * std::sqrt(size));
    CHECK(size > 0);
  });
  struct one_layer : kappa::network<kappa::input<4> | kappa::dense<3>> {};
  struct softmax : kappa::objective<one_layer, kappa::cross_entropy> {};
  drawn<nets::entry<softmax, ref::targets::labels>> const d;
  auto const v = ref::random_vector<extended>(softmax::parameter_count, 23);
  auto const g = ref::ggn<softmax, extended>(d.theta, d.batch);
  std::vector<extended> gv;
  for (std::size_t p = 0; p < v.size(); ++p)
    gv.push_back(std::inner_product(v.begin(), v.end(), g.begin() + static_cast<std::ptrdiff_t>(p * v.size()), 0.0L));
  auto const hv = ref::hessian_times<softmax>(d.theta, d.batch, v);
  CHECK(relative_error(hv, gv) < differences);
  CHECK_FALSE(relative_error(hv, scaled(gv, 2)) < differences);
}

TEST_CASE("pseudo-gradients build the blocks of the GGN") {
  nets::for_each_objective([](auto e) {
    drawn<decltype(e)> const d;
    using objective = typename decltype(e)::objective;
    using net = typename objective::network;
    auto const g = ref::ggn<objective, extended>(d.theta, d.batch);
    for (int index = 0; index < static_cast<int>(net::parameters.size()); ++index) {
      INFO(e.name << ", parameter " << index);
      auto const expected = ref::block<net>(g, index);
      std::vector<extended> built(expected.size());
      for (auto const& t : ref::pseudo_gradients<objective, extended>(index, d.theta, d.batch))
        for (std::size_t i = 0; i < t.size(); ++i)
          for (std::size_t j = 0; j < t.size(); ++j)
            built[i * t.size() + j] += ref::rho<objective, extended>(samples) * t[i] * t[j];
      if (std::same_as<objective, nets::recalled> && index == 1) {
        CHECK(built == expected);  // both zero: this parameter is idle
        continue;
      }
      CHECK(relative_error(built, expected) < tight);
      CHECK_FALSE(relative_error(scaled(built, samples), expected) < tight);
    }
  });
}

/// The largest and the smallest error of K-FAC's blocks over the parameters; the smallest over the first `first` ones.
template <class Entry>
std::pair<extended, extended> errors_of_kfac(ref::sharing how, int first, extended scale_a = 1) {
  drawn<Entry> const d;
  using objective = typename Entry::objective;
  auto const g = ref::ggn<objective, extended>(d.theta, d.batch);
  auto const factors = ref::kfac<objective, extended>(d.theta, d.batch, how);
  extended largest = 0, smallest = std::numeric_limits<extended>::infinity();
  for (int index = 0; index < static_cast<int>(factors.size()); ++index) {
    auto f = ref::detail::get(factors, index);
    f.a = scaled(f.a, scale_a);
    auto const error = relative_error(ref::kronecker(f), ref::block<typename objective::network>(g, index));
    largest = std::max(largest, error);
    if (index < first) smallest = std::min(smallest, error);
  }
  return {largest, smallest};
}

TEST_CASE("K-FAC is exact for deep linear networks in their setting and wrong in the other") {
  nets::for_each_linear_objective([](auto e) {
    INFO(e.name);
    CHECK(errors_of_kfac<decltype(e)>(ref::sharing::expand, 0).first < tight);
    CHECK(errors_of_kfac<decltype(e)>(ref::sharing::reduce, 0).first < tight);
    CHECK_FALSE(errors_of_kfac<decltype(e)>(ref::sharing::expand, 0, samples).first < tight);
  });
  nets::for_each_expand_objective([](auto e) {
    INFO(e.name);
    CHECK(errors_of_kfac<decltype(e)>(ref::sharing::expand, 0).first < tight);
    CHECK(errors_of_kfac<decltype(e)>(ref::sharing::reduce, 3).second > 1e-3L);
    CHECK_FALSE(errors_of_kfac<decltype(e)>(ref::sharing::expand, 0, 3).first < tight);  // a lost 1/R
  });
  nets::for_each_reduce_objective([](auto e) {
    INFO(e.name);
    CHECK(errors_of_kfac<decltype(e)>(ref::sharing::reduce, 0).first < tight);
    CHECK(errors_of_kfac<decltype(e)>(ref::sharing::expand, 1).second > 1e-3L);  // later layers have one position
    CHECK_FALSE(errors_of_kfac<decltype(e)>(ref::sharing::reduce, 0, 9).first < tight);  // sums instead of means
  });
}

TEST_CASE("with one sample and no positions K-FAC is exact for any network, empirical too") {
  nets::for_each_nonlinear_objective([](auto e) {
    using objective = typename decltype(e)::objective;
    using net = typename objective::network;
    auto const theta = ref::random_theta<net, extended>(11);
    auto const batch = ref::random_batch<objective, extended>(1, 12, decltype(e)::kind);
    for (auto from : {ref::source::exact, ref::source::empirical}) {
      auto const g = ref::ggn<objective, extended>(theta, batch, from);
      auto const factors = ref::kfac<objective, extended>(theta, batch, ref::sharing::expand, from);
      for (int index = 0; index < static_cast<int>(factors.size()); ++index) {
        bool const idle = std::same_as<objective, nets::recalled> && index == 1;
        int uses = 0;
        for (kappa::node const& n : net::nodes) uses += n.parameter == index ? n.out.positions() : 0;
        if (uses != 1 || idle) continue;
        INFO(e.name << ", parameter " << index);
        CHECK(relative_error(ref::kronecker(ref::detail::get(factors, index)), ref::block<net>(g, index)) < tight);
      }
    }
  });
}

}  // namespace

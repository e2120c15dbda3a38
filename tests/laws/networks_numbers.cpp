// Laws of the algebra of networks that hold in numbers rather than as graphs: distributivity over a shared matrix,
// commutativity, the rules of differentiation, ties. Judged by the reference interpreter alone.

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>

#include "../numbers/networks.hpp"
#include "../numbers/reference.hpp"
#include "../numbers/worst.hpp"

namespace {

using namespace kappa;
namespace ref = kappa::reference;
using ref::relative_error;
using ref::detail::get;
using extended = long double;
using numbers = std::vector<extended>;

constexpr extended tight = 1e-16L;

template <auto Expression>
using on = network<input<3> | Expression>;

numbers inputs() { return ref::random_vector<extended>(3, 31); }

template <class Net>
numbers output(numbers const& theta) {
  auto const x = inputs();
  return ref::forward<Net, extended>(theta, std::span<extended const>(x));
}
template <class Net>
numbers jacobian(numbers const& theta) {
  auto const x = inputs();
  return ref::jacobian<Net, extended>(theta, std::span<extended const>(x));
}
template <class Net>
numbers input_jacobian(numbers const& theta) {
  auto const x = inputs();
  return ref::jacobian_at_node<Net, extended>(theta, ref::values<Net, extended>(theta, std::span<extended const>(x)),
                                              0);
}

/// Two networks with the same parameters compute the same function with the same derivatives.
template <class A, class B>
extended difference() {
  static_assert(A::parameter_count == B::parameter_count);
  // At run time: g++ -fsanitize=undefined does not compare addresses of different objects in constant expressions.
  REQUIRE_FALSE(same_graph<A, B>());
  auto const theta = ref::random_theta<B, extended>(32);
  extended worst = worst_of(relative_error(output<A>(theta), output<B>(theta)),
                            relative_error(input_jacobian<A>(theta), input_jacobian<B>(theta)));
  if constexpr (B::parameter_count > 0) worst = worst_of(worst, relative_error(jacobian<A>(theta), jacobian<B>(theta)));
  return worst;
}

inline constexpr auto a = dense<4, "A"> | act::tanh;
inline constexpr auto f = dense<2, "f"> | act::gelu;
inline constexpr auto g = dense<2, "g"> | act::silu;

TEST_CASE("composition distributes over sums and products from the left") {
  CHECK(difference<on<a | (f + g)>, on<(a | f) + (a | g)>>() < tight);
  CHECK(difference<on<a | (f * g)>, on<(a | f) * (a | g)>>() < tight);
  CHECK_FALSE(difference<on<a | (f + g)>, on<(a | f) * (a | g)>>() < tight);
}

TEST_CASE("a linear map distributes from the right, an affine or a curved one does not") {
  CHECK(difference<on<(id + act::tanh) | dense<2, "L", no_bias>>,
                   on<(id | dense<2, "L", no_bias>)+(act::tanh | dense<2, "L", no_bias>)>>() < tight);
  CHECK_FALSE(difference<on<(id + act::tanh) | dense<2, "L">>, on<dense<2, "L"> + (act::tanh | dense<2, "L">)>>() <
              1e-3L);
  CHECK_FALSE(difference<on<(id + act::tanh) | act::gelu>, on<act::gelu + (act::tanh | act::gelu)>>() < 1e-3L);
}

TEST_CASE("products distribute over sums") {
  CHECK(difference<on<id*(act::tanh + act::gelu)>, on<(id * act::tanh) + (id * act::gelu)>>() < tight);
  CHECK_FALSE(difference<on<id*(act::tanh + act::gelu)>, on<(id * act::tanh) + act::gelu>>() < 1e-3L);
}

TEST_CASE("sums and products commute") {
  CHECK(difference<on<act::tanh + act::gelu + id>, on<id + act::gelu + act::tanh>>() < tight);
  CHECK(difference<on<act::tanh * act::gelu * id>, on<id * act::gelu * act::tanh>>() < tight);
  CHECK_FALSE(difference<on<act::tanh * act::gelu * id>, on<id * act::gelu * act::sigmoid>>() < 1e-3L);
}

TEST_CASE("scales multiply and add like rationals") {
  CHECK(difference<on<scale<2, 3> | scale<3, 4>>, on<scale<1, 2>>>() < tight);
  CHECK(difference<on<scale<1, 3> + scale<1, 6>>, on<scale<1, 2>>>() < tight);
  CHECK(difference<on<id + id>, on<scale<2>>>() < tight);
  CHECK(difference<on<id + scale<-1, 4>>, on<scale<3, 4>>>() < tight);
  CHECK_FALSE(difference<on<id + scale<1, 4>>, on<scale<3, 4>>>() < 1e-3L);
}

TEST_CASE("activations are made of each other") {
  CHECK(difference<on<id * act::sigmoid>, on<act::silu>>() < tight);
  CHECK(difference<on<act::relu + (scale<-1> | act::relu | scale<-1, 5>)>, on<act::leaky<1, 5>>>() < tight);
  CHECK(difference<on<act::softplus + (scale<-1> | act::softplus | scale<-1>)>, on<id | act::identity>>() < 1e-15L);
  CHECK(difference<on<act::gelu + (scale<-1> | act::gelu | scale<-1>)>, on<id | act::identity>>() < 1e-15L);
  CHECK_FALSE(difference<on<act::relu + (scale<-1> | act::relu | scale<-1, 5>)>, on<act::leaky<1, 6>>>() < 1e-3L);
}

TEST_CASE("the four functions of a map of one's own agree") {
  namespace own = kappa::test_networks;
  auto const in = [](numbers const& v) { return std::span<extended const>(v); };
  using ring = network<input<4> | map<own::ring_products>>;
  auto const x = ref::random_vector<extended>(4, 33);
  auto const j = ref::jacobian_at_node<ring, extended>({}, ref::values<ring, extended>({}, in(x)), 0);
  numbers expected(16);
  for (int i = 0; i < 4; ++i) {
    get(expected, 4 * i + i) = get(x, (i + 1) % 4);
    get(expected, 4 * i + (i + 1) % 4) = get(x, i);
  }
  CHECK(relative_error(j, expected) < tight);
  // pull is push transposed; push_pull is the derivative of pull
  auto const gy = ref::random_vector<extended>(4, 34);
  auto const dx = ref::random_vector<extended>(4, 35);
  numbers pulled(4), transposed(4), pushed_pull(4);
  own::ring_products::pull(in(x), in(gy), std::span<extended>(pulled));
  for (int i = 0; i < 4; ++i)
    for (int k = 0; k < 4; ++k) get(transposed, k) += get(expected, 4 * i + k) * get(gy, i);
  CHECK(relative_error(pulled, transposed) < tight);
  own::ring_products::push_pull(in(x), in(dx), in(gy), std::span<extended>(pushed_pull));
  auto const quotient = ref::detail::derivative_by_differences([&](extended step) {
    auto moved = x;
    numbers there(4);
    for (int i = 0; i < 4; ++i) get(moved, i) += step * get(dx, i);
    own::ring_products::pull(in(moved), in(gy), std::span<extended>(there));
    return there;
  });
  CHECK(relative_error(pushed_pull, quotient) < 1e-12L);
  CHECK_FALSE(relative_error(pulled, quotient) < 1e-3L);
}

// J of f, g and of their combinations in the input, [2, 3] each.
TEST_CASE("the rules of differentiation") {
  using net_f = on<f>;
  using net_g = on<g>;
  auto const theta_f = ref::random_theta<net_f, extended>(41);
  auto const theta_g = ref::random_theta<net_g, extended>(42);
  auto both = theta_f;
  both.insert(both.end(), theta_g.begin(), theta_g.end());
  auto const y_f = output<net_f>(theta_f), y_g = output<net_g>(theta_g);
  auto const j_f = input_jacobian<net_f>(theta_f), j_g = input_jacobian<net_g>(theta_g);

  numbers sum, product, wrong;
  for (int i = 0; i < 2; ++i)
    for (int k = 0; k < 3; ++k) {
      auto const at = 3 * i + k;
      sum.push_back(get(j_f, at) + get(j_g, at));
      product.push_back(get(y_g, i) * get(j_f, at) + get(y_f, i) * get(j_g, at));
      wrong.push_back(get(y_f, i) * get(j_f, at) + get(y_g, i) * get(j_g, at));  // factors swapped
    }
  CHECK(relative_error(input_jacobian<on<f + g>>(both), sum) < tight);
  CHECK(relative_error(input_jacobian<on<f * g>>(both), product) < tight);
  CHECK_FALSE(relative_error(input_jacobian<on<f * g>>(both), wrong) < 1e-3L);

  SECTION("the chain rule") {
    using second = network<input<2> | dense<2> | act::tanh>;
    using whole = on<f | dense<2> | act::tanh>;
    auto const theta = ref::random_theta<second, extended>(43);
    auto all = theta_f;
    all.insert(all.end(), theta.begin(), theta.end());
    auto const j = ref::jacobian_at_node<second, extended>(
        theta, ref::values<second, extended>(theta, std::span<extended const>(y_f)), 0);
    numbers chained(6), reversed(6);
    for (int i = 0; i < 2; ++i)
      for (int k = 0; k < 3; ++k)
        for (int m = 0; m < 2; ++m) {
          get(chained, 3 * i + k) += get(j, 2 * i + m) * get(j_f, 3 * m + k);
          get(reversed, 3 * i + k) += get(j, 2 * m + i) * get(j_f, 3 * m + k);
        }
    CHECK(relative_error(input_jacobian<whole>(all), chained) < tight);
    CHECK_FALSE(relative_error(input_jacobian<whole>(all), reversed) < 1e-3L);
  }

  SECTION("a residual adds the identity") {
    using inner = on<dense<3> | act::tanh>;
    using outer = on<residual(dense<3> | act::tanh)>;
    auto const theta = ref::random_theta<inner, extended>(44);
    auto j = input_jacobian<inner>(theta);
    CHECK_FALSE(relative_error(input_jacobian<outer>(theta), j) < 1e-3L);
    for (int i = 0; i < 3; ++i) get(j, 4 * i) += 1;
    CHECK(relative_error(input_jacobian<outer>(theta), j) < tight);
  }
}

// Where one weight stands at several places its gradient is the sum of theirs.
template <class Tied, class Untied>
extended error_of_ties(int copies, bool sums) {
  struct tied : objective<Tied, squared_error> {};
  struct untied : objective<Untied, squared_error> {};
  static_assert(Untied::parameter_count % Tied::parameter_count == 0);
  auto const theta = ref::random_theta<Tied, extended>(51);
  numbers repeated;
  for (int c = 0; c < copies; ++c) repeated.insert(repeated.end(), theta.begin(), theta.end());
  auto const batch = ref::random_batch<tied, extended>(4, 52, ref::targets::vectors);
  auto const each = ref::gradient<untied, extended>(repeated, batch);
  numbers expected(theta.size());
  for (int c = 0; c < (sums ? copies : 1); ++c)
    for (std::size_t p = 0; p < theta.size(); ++p) expected[p] += each[static_cast<std::size_t>(c) * theta.size() + p];
  return relative_error(ref::gradient<tied, extended>(theta, batch), expected);
}

TEST_CASE("the gradient of a tied weight is the sum over its places") {
  using recurrence = on<tied_repeat<3>(dense<3> | act::tanh)>;
  using named = on<dense<3, "W"> | act::tanh | dense<3, "W"> | act::tanh | dense<3, "W"> | act::tanh>;
  using copies = on<repeat<3>(dense<3> | act::tanh)>;
  CHECK(error_of_ties<recurrence, copies>(3, true) < tight);
  CHECK(error_of_ties<named, copies>(3, true) < tight);
  CHECK_FALSE(error_of_ties<recurrence, copies>(3, false) < 1e-3L);
}

TEST_CASE("positions are samples of their own until something mixes them") {
  using alone = network<input<2> | dense<3> | act::tanh | dense<2>>;
  using together = network<input<2, 2> | dense<3> | act::tanh | dense<2>>;
  using averaged = network<input<2, 2> | dense<3> | act::tanh | dense<2> | mean_over_positions>;
  auto const theta = ref::random_theta<alone, extended>(61);
  auto const x = ref::random_vector<extended>(4, 62);
  std::span<extended const> const all(x);
  auto rows = ref::forward<alone, extended>(theta, all.first(2));
  auto const second = ref::forward<alone, extended>(theta, all.last(2));
  numbers mean;
  for (int c = 0; c < 2; ++c) mean.push_back((get(rows, c) + get(second, c)) / 2);
  rows.insert(rows.end(), second.begin(), second.end());
  CHECK(relative_error(ref::forward<together, extended>(theta, all), rows) < tight);
  CHECK(relative_error(ref::forward<averaged, extended>(theta, all), mean) < tight);
  CHECK_FALSE(relative_error(ref::forward<averaged, extended>(theta, all), second) < 1e-3L);
}

}  // namespace

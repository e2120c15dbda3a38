// Pooling, padding, upsampling, the order of axes and dropout between layers with parameters: what is derived.

#include <kappa/layers.hpp>

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

namespace {
struct pooled_net : network<input<2, 4, 5> | channels_last | dense<3> | act::tanh | max_pool<2, stride<2, 1>> |
                            zero_pad<1> | average_pool<3, stride<1>> | dense<2> | act::tanh | upsample<2> |
                            slice<0, 1, 2> | adaptive_average_pool<2, 3> | channels_first | flatten | dense<2>> {};
struct pooled : objective<pooled_net, cross_entropy> {};
struct sequence_net
    : network<input<4, 2> | dense<3> | act::tanh | dropout<1, 3> | circular_pad<1, 2> | max_pool<3, stride<2>> |
              dense<3> | act::tanh | dropout<1, 4> | global_max_pool | dense<2>> {};
struct sequence : objective<sequence_net, squared_error, sum> {};

// A relu that kappa does not know, so it stays where it is declared.
struct rectifier {
  static constexpr char const* name = "rectifier";
  static auto value(auto s) { return s > 0 ? s : decltype(s)(0); }
  static auto first_derivative(auto s) { return decltype(s)(s > 0 ? 1 : 0); }
  static auto second_derivative(auto s) { return decltype(s)(0); }
};
template <auto Rectify, auto Pool>
struct rectified_net : network<input<7, 7, 1> | conv<4, 3> | Rectify | Pool | conv<3, 2> | act::tanh | dense<4> |
                               Rectify | global_max_pool | dense<3>> {};
// The graph says where the relu went, and that it stays for another reader and for another pool.
template <auto A, auto B>
constexpr bool same = same_graph<network<input<4, 4, 2> | A>, network<input<4, 4, 2> | B>>();
static_assert(same<act::relu | max_pool<2>, max_pool<2> | act::relu>);
static_assert(same<act::relu | max_pool<2> | max_pool<2>, max_pool<2> | max_pool<2> | act::relu>);
static_assert(network<input<4, 4, 2> | act::relu | global_max_pool>::nodes[1].op == operation::layer);
static_assert(!same<act::relu | average_pool<2>, average_pool<2> | act::relu>);
static_assert(!same<act::tanh | max_pool<2>, max_pool<2> | act::tanh>);
static_assert(!same<act::custom<rectifier> | max_pool<2>, max_pool<2> | act::relu>);
inline constexpr auto read_twice = act::relu | mark<"r"> | max_pool<2> | upsample<2>;
static_assert(network<input<4, 4, 2> | read_twice>::nodes[1].op == operation::layer);
static_assert(network<input<4, 4, 2> | (read_twice + recall<"r">)>::nodes[1].op == operation::activation);

template <auto Rectify, auto Pool>
struct rectified : objective<rectified_net<Rectify, Pool>, cross_entropy> {};
}  // namespace

TEST_CASE("derive against brute force: pooling, padding and dropout") {
  check_objective<double>(entry<pooled, targets::labels>{"pooled"});
  check_objective<double>(entry<sequence, targets::vectors>{"dropped"}, 2e-12L, [](auto& b) { b.beside.seed = 5; });
}

TEST_CASE("a relu before a maximum pool is taken behind it, which nothing shows") {
  constexpr auto pool = max_pool<2, stride<1, 2>, padding<1>>;
  using moved = rectified<act::relu, pool>;
  using declared = rectified<act::custom<rectifier>, pool>;
  using other = rectified<act::relu, average_pool<2, stride<1, 2>, padding<1>>>;
  counter_random random(3, 0);
  std::vector<double> theta(static_cast<std::size_t>(moved::parameter_count)), v(theta.size());
  for (double& t : theta) t = 0.4 * random.normal();
  for (double& t : v) t = random.normal();
  auto x = zeros<double>(9, 49);
  for (double& e : elements(x)) e = random.normal();
  std::vector<int> const labels{0, 1, 2, 0, 1, 2, 0, 1, 2};
  auto const all = [&]<class O>(std::type_identity<O>) {
    auto const q = derive<O>(theta, batch(x, labels), loss_value, gradient, per_sample_gradient, ggn_diagonal,
                             hessian_vector_product(v), ggn_vector_product(v));
    std::vector<double> out{q[loss_value]};
    auto const append = [&](auto const& part) { out.insert(out.end(), part.begin(), part.end()); };
    auto const& rows = q[per_sample_gradient];
    out.insert(out.end(), rows.data, rows.data + rows.rows * rows.columns);
    append(q[gradient]);
    append(q[ggn_diagonal]);
    append(q[hessian_vector_product(v)]);
    append(q[ggn_vector_product(v)]);
    return out;
  };
  auto const expected = all(std::type_identity<declared>());
  CHECK(kappa::reference::relative_error(all(std::type_identity<moved>()), expected) < 1e-14);
  CHECK(kappa::reference::relative_error(all(std::type_identity<other>()), expected) > 1e-2);
}

// Huber's loss and the Gaussian negative log-likelihood through every quantity, by brute force. The second is not
// convex: its Gauss-Newton quantities are the Fisher matrix's, its Hessian products the Hessian's.

#include <kappa/derive/hessian_diagonal.hpp>

#include "derive_check.hpp"
#include "textbook_losses.hpp"

using namespace kappa;
using namespace kappa::test_derive;
using test_networks::entry;
using test_networks::targets;

namespace {

struct pairs_network : network<input<2, 3> | dense<4> | act::tanh | dense<4>> {};
struct pairs : objective<pairs_network, gaussian_negative_log_likelihood, mean_over_positions> {};
struct robust_network : network<input<3> | dense<4> | act::tanh | dense<3>> {};
struct robust : objective<robust_network, huber<0.8>> {};

void draw_pairs(ref::batch<double>& b) { b.vectors = ref::random_vector<double>(3 * 2 * 2, 17); }

ref::batch<double> pairs_batch() {
  auto b = ref::random_batch<pairs, double>(3, 12, ref::targets::vectors);
  draw_pairs(b);
  return b;
}

template <class Objective>
std::vector<extended> true_diagonal(std::vector<double> const& theta, ref::batch<double> const& b) {
  std::vector<extended> all;
  for (std::size_t p = 0; p < theta.size(); ++p) {
    std::vector<extended> unit(theta.size());
    unit[p] = 1;
    all.push_back(ref::hessian_times<Objective>(widened(theta), ref::convert<extended>(b), unit)[p]);
  }
  return all;
}

}  // namespace

TEST_CASE("the Gaussian negative log-likelihood against brute force") {
  check_objective<double>(entry<pairs, targets::vectors>{"pairs"}, 2e-12L, draw_pairs);
}

TEST_CASE("Huber's loss against brute force") {
  auto const b = ref::random_batch<robust, double>(3, 12, ref::targets::vectors);
  check_objective<double>(entry<robust, targets::vectors>{"robust"});

  // Both sides of the threshold are met.
  auto const theta = ref::random_theta<robust_network, double>(11);
  int far = 0;
  for (int n = 0; n < 3; ++n) {
    auto const f = ref::forward<robust_network, double>(theta, ref::detail::part(b.inputs, n * 3, 3));
    for (std::size_t c = 0; c < 3; ++c) far += std::abs(f[c] - b.vectors[static_cast<std::size_t>(n) * 3 + c]) > 0.8;
  }
  CHECK(far > 1);
  CHECK(far < 8);
}

TEST_CASE("the Hessian's diagonal has what the Fisher matrix leaves out") {
  auto const b = pairs_batch();
  auto const theta = ref::random_theta<pairs_network, double>(11);
  batch<double> const data(b.inputs, b.vectors);
  auto const d = hessian_diagonal_of<pairs>(theta, data);
  auto const expected = true_diagonal<pairs>(theta, b);
  agrees("diagonal of the Hessian", widened(d.diagonal), expected, 1e-9L);
  agrees("its Gauss-Newton part", widened(d.ggn), widened(derive<pairs>(theta, data, ggn_diagonal)[ggn_diagonal]),
         1e-12L);
  CHECK(relative_error(widened(d.ggn), expected) > 1e-2);
}

TEST_CASE("one direction in both matrices: the Fisher matrix's and the Hessian's products") {
  auto const b = pairs_batch();
  auto const theta = ref::random_theta<pairs_network, double>(11);
  auto const v = ref::random_vector<double>(pairs_network::parameter_count, 3);
  auto const q =
      derive<pairs>(theta, batch<double>(b.inputs, b.vectors), ggn, ggn_vector_product(v), hessian_vector_product(v));
  auto const by_root = widened(apply(q[ggn], std::span<double const>(v)));
  agrees("the same matrix from its root", widened(q[ggn_vector_product]), by_root, 1e-12L);
  CHECK(relative_error(widened(q[hessian_vector_product]), by_root) > 1e-2);
}

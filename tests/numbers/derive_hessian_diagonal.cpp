// The Hessian's diagonal by signed roots against five-point differences of the reference's gradient.

#include <kappa/derive/hessian_diagonal.hpp>

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;

namespace {
using test_derive::agrees;
using test_derive::extended;
using test_derive::widened;

template <class Entry>
void check(Entry const& e, bool curved) {
  using goal = typename Entry::objective;
  using net = typename goal::network;
  INFO("objective " << e.name);
  auto const theta = reference::random_theta<net, double>(41);
  auto const b = reference::random_batch<goal, double>(3, 42, Entry::kind);
  reference::batch<extended> wide{3};
  wide.inputs = widened(b.inputs);
  wide.labels = b.labels;
  wide.vectors = widened(b.vectors);
  batch<double> const data = b.labels.empty() ? batch<double>(b.inputs, b.vectors) : batch<double>(b.inputs, b.labels);
  auto const d = hessian_diagonal_of<goal>(theta, data);
  auto const wide_theta = widened(theta);
  std::vector<extended> expected, ggn_part, residual;
  auto const dense = reference::ggn<goal, extended>(wide_theta, wide);
  auto const n = static_cast<std::size_t>(net::parameter_count);
  for (std::size_t p = 0; p < n; ++p) {
    std::vector<extended> unit(n);
    unit[p] = 1;
    expected.push_back(reference::hessian_times<goal>(wide_theta, wide, unit)[p]);
    ggn_part.push_back(dense[p * n + p]);
    residual.push_back(expected[p] - ggn_part[p]);
  }
  agrees("diagonal of the Hessian", widened(d.diagonal), expected, 1e-9L);
  agrees("its Gauss-Newton part", widened(d.ggn), ggn_part, 1e-11L);
  if (curved)
    agrees("its residual", widened(d.residual), residual, 1e-8L);
  else
    CHECK(test_derive::largest(widened(d.residual)) == 0);
}
}  // namespace

TEST_CASE("the Hessian's diagonal by signed roots") {
  check(entry<labelled, targets::labels>{"labelled"}, true);
  check(entry<smooth, targets::vectors>{"smooth"}, true);
  check(entry<one_output, targets::vectors>{"one output"}, true);
  check(entry<own, targets::vectors>{"terms of one's own"}, true);
  check(entry<gates, targets::vectors>{"gates"}, true);
  check(entry<residual_blocks, targets::labels>{"residual blocks"}, true);
  check(entry<image, targets::vectors>{"image"}, true);
  check(entry<tokens, targets::labels>{"tokens"}, true);
  check(entry<linear_sum, targets::vectors>{"linear"}, false);
}

TEST_CASE("the Hessian's diagonal of tied weights by Hessian-vector products") {
  check(entry<recurrent, targets::labels>{"recurrent"}, true);
}

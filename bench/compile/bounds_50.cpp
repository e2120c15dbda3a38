// ceiling: 30
// The statements of the theory found for a linear network of 50 layers, and its report; -DKAPPA_WITHOUT_BOUNDS is the
// same file without them.
#include <kappa/declare.hpp>
#include <kappa/theory.hpp>

namespace {
using namespace kappa;
struct deep : network<input<32> | repeat<49>(dense<32, no_bias>) | dense<10, no_bias>> {};
#ifndef KAPPA_WITHOUT_BOUNDS
static_assert(theory::bounds_for<deep>::contains<theory::product_bound_t>);
static_assert(!theory::bounds_for<deep>::contains<theory::lemma_2_t>);
static_assert(theory::linear_layers<deep>().size() == 50);
static_assert(theory::refusals_for<deep>().size() == theory::known_statements::size - theory::bounds_for<deep>::size);
#endif
}  // namespace

double slack(vector<double> const& theta, theory::covariance const& data) {
#ifndef KAPPA_WITHOUT_BOUNDS
  return theory::condition_report<deep>(theta, data).bounds.front().slack;
#else
  return static_cast<double>(theta.size() - deep::parameter_count) + data.condition_number();
#endif
}

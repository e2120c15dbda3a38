// ceiling: 4
// A 500-block residual network, declared, checked and planned: nothing here may be worse than linear.
#include <kappa/declare.hpp>
#include <kappa/plan/program.hpp>

namespace {
using namespace kappa;
inline constexpr auto block = residual(dense<64> | act::relu | dense<64>);
struct deep : network<input<64> | repeat<500>(block) | dense<10>> {};
struct goal : objective<deep, cross_entropy> {};
}  // namespace

static_assert(deep::node_count == 2002);
static_assert(deep::parameter_count == 500 * 2 * 65 * 64 + 65 * 10);
static_assert(program<goal, request_of<gradient_t>()>::value.elements_per_sample > 0);

int main() {}

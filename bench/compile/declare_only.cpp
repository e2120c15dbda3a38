// ceiling: 2
// The declarative rooms alone, with a network and an objective.
#include <kappa/declare.hpp>

namespace {
using namespace kappa;
struct mlp : network<input<784> | dense<128> | act::relu | dense<10>> {};
struct digits : objective<mlp, cross_entropy> {};
}  // namespace

static_assert(digits::parameter_count == 101'770);

int main() {}

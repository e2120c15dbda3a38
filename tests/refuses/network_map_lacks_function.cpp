// refuses: a map is a struct with
#include <kappa/declare.hpp>

using namespace kappa;

struct square {
  static constexpr char const* name = "square";
  static constexpr shape output(shape s) { return s; }
  static void apply(auto x, auto y) {
    for (unsigned i = 0; i < y.size(); ++i) y[i] = x[i] * x[i];
  }
  static void push(auto x, auto dx, auto dy) {
    for (unsigned i = 0; i < dy.size(); ++i) dy[i] = 2 * x[i] * dx[i];
  }
  static void pull(auto x, auto gy, auto gx) { push(x, gy, gx); }
#ifdef CORRECTED
  static void push_pull(auto, auto dx, auto gy, auto gx) { push(dx, gy, gx); }
#endif
};

struct net : network<input<64> | dense<32> | map<square> | dense<10>> {};

// refuses: .halves. does not take
#include <kappa/declare.hpp>

using namespace kappa;

struct halves {  // pairs are summed: an even number of elements
  static constexpr char const* name = "halves";
  static constexpr shape output(shape s) { return s.size() % 2 == 0 ? shape{1, {s.size() / 2}} : shape{}; }
  static void apply(auto x, auto y) {
    for (unsigned i = 0; i < y.size(); ++i) y[i] = x[2 * i] + x[2 * i + 1];
  }
  static void push(auto, auto dx, auto dy) { apply(dx, dy); }
  static void pull(auto, auto gy, auto gx) {
    for (unsigned i = 0; i < gx.size(); ++i) gx[i] = gy[i / 2];
  }
  static void push_pull(auto, auto, auto, auto gx) {
    for (auto& g : gx) g = 0;
  }
};

#ifndef CORRECTED
struct net : network<input<64> | dense<33> | map<halves> | dense<10>> {};
#else
struct net : network<input<64> | dense<32> | map<halves> | dense<10>> {};
#endif

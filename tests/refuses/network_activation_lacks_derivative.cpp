// refuses: second_derivative
#include <kappa/declare.hpp>

using namespace kappa;

struct cube {
  static constexpr char const* name = "cube";
  static auto value(auto s) { return s * s * s; }
  static auto first_derivative(auto s) { return 3 * s * s; }
#ifdef CORRECTED
  static auto second_derivative(auto s) { return 6 * s; }
#endif
};

struct net : network<input<64> | dense<32> | act::custom<cube> | dense<10>> {};

#pragma once
/// \file
/// Intervals that hold the exact result of every operation: Boost.Interval with a rounding policy that needs neither
/// the processor's rounding mode nor a compiler flag.

#include <cmath>
#include <limits>
#include <type_traits>

#include <boost/numeric/interval/arith.hpp>
#include <boost/numeric/interval/arith2.hpp>
#include <boost/numeric/interval/checking.hpp>
#include <boost/numeric/interval/interval.hpp>
#include <boost/numeric/interval/policies.hpp>
#include <boost/numeric/interval/utility.hpp>

#include <kappa/theory/arithmetic.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

namespace detail {

/// At least as far from x as the next double, for what was rounded to nearest: |x| ε + η moves by one or two units in
/// the last place, also among subnormal numbers (Rump, Zimmermann, Boldo, Melquiond 2009, with a factor to spare, so
/// that contracting x = a b with the subtraction does no harm). A finite result of +-infinity stays where it is sound:
/// an upper end at +infinity, a lower one at the largest finite number.
constexpr double below(double x) {
  constexpr double largest = std::numeric_limits<double>::max();
  if (x == std::numeric_limits<double>::infinity()) return largest;
  double const size = x < 0 ? -x : x;
  return x - (size * std::numeric_limits<double>::epsilon() + std::numeric_limits<double>::denorm_min());
}
constexpr double above(double x) { return -below(-x); }

/// Boost's rounding policy: every operation to nearest, then outward.
struct outward {
  using unprotected_rounding = outward;
  static double conv_down(double x) { return x; }
  static double conv_up(double x) { return x; }
  static double add_down(double x, double y) { return exact_sum(x, y) ? x + y : below(x + y); }
  static double add_up(double x, double y) { return exact_sum(x, y) ? x + y : above(x + y); }
  static double sub_down(double x, double y) { return exact_sum(x, -y) ? x - y : below(x - y); }
  static double sub_up(double x, double y) { return exact_sum(x, -y) ? x - y : above(x - y); }
  static double mul_down(double x, double y) { return special(x) || special(y) ? x * y : below(x * y); }
  static double mul_up(double x, double y) { return special(x) || special(y) ? x * y : above(x * y); }
  static double div_down(double x, double y) { return special(x) ? x / y : below(x / y); }
  static double div_up(double x, double y) { return special(x) ? x / y : above(x / y); }
  static double sqrt_down(double x) { return x > 0 ? below(std::sqrt(x)) : 0; }
  static double sqrt_up(double x) { return x > 0 ? above(std::sqrt(x)) : 0; }
  static double median(double x, double y) { return x / 2 + y / 2; }

 private:
  // With a zero or an infinity nothing is rounded, nor where a sum is zero.
  static bool special(double x) { return x == 0 || x - x != 0; }
  static bool exact_sum(double x, double y) { return special(x) || special(y) || x == -y; }
};

}  // namespace detail

/// A closed interval of doubles; + - * / and sqrt round outward. Made from a double it is that number.
using interval = boost::numeric::interval<
    double,
    boost::numeric::interval_lib::policies<detail::outward, boost::numeric::interval_lib::checking_base<double>>>;

/// Statements in intervals: what a hypothesis needs to hold is taken to hold when it is proved.
template <>
struct arithmetic<interval> {
  static interval infinite() { return std::numeric_limits<double>::infinity(); }
  /// Encloses over / under for every pair of numbers in the two, over >= 0; +infinity where `under` may be zero.
  static interval quotient(interval const& over, interval const& under) {
    double const infinity = std::numeric_limits<double>::infinity();
    if (!(under.upper() > 0)) return infinite();
    double const low = over.lower() == infinity ? infinity : detail::outward::div_down(over.lower(), under.upper());
    double const high = under.lower() > 0 ? detail::outward::div_up(over.upper(), under.lower()) : infinity;
    return {low, high};
  }
  static interval least(interval const& a, interval const& b) { return boost::numeric::min(a, b); }
  static interval greatest(interval const& a, interval const& b) { return boost::numeric::max(a, b); }
  static bool positive(interval const& a) { return a.lower() > 0; }
};

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH

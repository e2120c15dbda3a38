#pragma once
/// \file
/// A statement about κ(G) tried on many random instances of one network type; a failure is shrunk to the smallest one.
/// No test framework here: bounds.hpp has the Catch2 matchers.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <kappa/testing/random_instance.hpp>
#include <kappa/theory/enclosed_gauss_newton.hpp>
#include <kappa/theory/enclosed_relu.hpp>
#include <kappa/theory/statement.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace testing {

/// What to try. Instance i has seed `seed + i`; its law of weights, number of samples and spectrum of the data follow
/// from that.
struct sweep {
  int instances = 200;
  std::uint64_t seed = 1;
  double largest_data_condition = 1e4;  ///< κ(Σ) is drawn log-uniformly from 1 to this
  bool whitened = false;                ///< only data with Σ = I
  bool may_be_vacuous = false;          ///< accept a bound that is +infinity on every instance
  bool rigorous = false;                ///< in intervals: a failure is proved, and so is what holds; small networks
};

/// What one instance says.
enum class outcome {
  holds,
  attained,  ///< in intervals: the two numbers are equal to 1e-6, and cannot be told apart
  fails,
  vacuous,   ///< the bound is infinite
  undecided  ///< κ(G) is too large for double: rounding may move it by more than 0.1 %, or hides G's rank
};

/// One instance tried.
struct trial {
  instance which;
  double exact = 0;   ///< κ(G), over non-zero eigenvalues
  double stated = 0;  ///< the statement's number
  outcome result = outcome::undecided;
  double exact_error = 0;  ///< in intervals: half the width of the enclosure whose middle `exact` is
  double stated_error = 0;

  double slack() const { return stated / exact; }
};

/// What a sweep found.
struct verdict {
  std::string statement;
  std::string network;  ///< widths and number of parameters
  theory::relation claims = theory::relation::upper_bound;
  sweep tried;
  int failures = 0, vacuous = 0, undecided = 0, attained = 0;
  std::optional<trial> first;              ///< the first failure met
  std::optional<trial> smallest;           ///< what it was shrunk to
  std::optional<trial> tightest, loosest;  ///< where it holds, the stated number nearest to κ(G) and farthest from it

  /// No failure, at most half of the instances undecided, and not every bound infinite.
  bool holds() const {
    return failures == 0 && 2 * undecided <= tried.instances &&
           (tried.may_be_vacuous || vacuous + undecided < tried.instances);
  }
  /// The finding as text: both numbers, seed, shapes, and the line that draws the smallest failure again.
  std::string text() const;
};

namespace detail {

/// λ_min of an m by m matrix is known to m ε λ_max, so κ to a relative m ε κ; a small factor of safety.
inline double rounding(std::size_t order, double condition) {
  return 16 * static_cast<double>(order) * std::numeric_limits<double>::epsilon() * condition;
}

inline trial judge(instance const& which, theory::relation claims, std::size_t order, double exact, double stated) {
  trial t{.which = which, .exact = exact, .stated = stated, .result = outcome::holds};
  double const slack = rounding(order, exact);
  if (stated == std::numeric_limits<double>::infinity() && claims != theory::relation::lower_bound)
    t.result = outcome::vacuous;
  else if (slack > 1e-3)
    t.result = outcome::undecided;
  else {
    bool const above = claims == theory::relation::lower_bound || exact <= stated * (1 + slack);
    bool const below = claims == theory::relation::upper_bound || stated <= exact * (1 + slack);
    if (!above || !below) t.result = outcome::fails;  // NaN too
  }
  return t;
}

/// The same from enclosures: what is proved.
inline trial judge(instance const& which, theory::relation claims, theory::interval const& exact,
                   theory::interval const& stated) {
  double const infinity = std::numeric_limits<double>::infinity();
  trial t{.which = which};
  auto const middle = [&](theory::interval const& x, double& centre, double& error) {
    centre = x.upper() < infinity ? boost::numeric::median(x) : x.lower();
    error = x.upper() < infinity ? boost::numeric::width(x) / 2 : infinity;
  };
  middle(exact, t.exact, t.exact_error), middle(stated, t.stated, t.stated_error);
  bool const below = stated.upper()<exact.lower(), above = stated.lower()> exact.upper();
  bool const equal = !below && !above && boost::numeric::width(exact) <= 1e-6 * exact.lower() &&
                     boost::numeric::width(stated) <= 1e-6 * stated.lower();
  if (stated.lower() == infinity && claims != theory::relation::lower_bound) {
    t.result = outcome::vacuous, t.stated_error = 0;
  } else if ((below && claims != theory::relation::lower_bound) || (above && claims != theory::relation::upper_bound)) {
    t.result = outcome::fails;
  } else if ((above && claims == theory::relation::upper_bound) || (below && claims == theory::relation::lower_bound)) {
    t.result = outcome::holds;
  } else {
    t.result = equal ? outcome::attained : outcome::undecided;
  }
  return t;
}

/// What a statement says in intervals. \throws invalid_value when it is not written for them.
template <class Statement>
theory::interval enclose(auto const& g) {
  if constexpr (requires { Statement::value(g); }) {
    return Statement::value(g);
  } else {
    throw invalid_value(std::string(Statement::name) +
                        ": a rigorous sweep needs a static `value(auto const& g)` written for any number");
  }
}

using experiment = std::function<trial(instance const&)>;

/// The smallest failure reachable from `found`: white data before a spread spectrum, a simpler law of weights, fewer
/// samples, a smaller seed, each tried with the failing seed and the 20 smallest, until nothing gets smaller.
inline trial shrunk(trial found, experiment const& attempt) {
  constexpr std::uint64_t seeds = 20;
  auto const accept = [&](instance candidate) {
    std::uint64_t const own = candidate.seed;
    for (std::uint64_t s = 0; s <= seeds; ++s) {
      candidate.seed = s < seeds ? s : own;
      if (trial const t = attempt(candidate); t.result == outcome::fails) {
        found = t;
        return true;
      }
    }
    return false;
  };
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (double condition = 1; condition < found.which.data_condition && !smaller; condition *= 10) {
      instance c = found.which;
      c.data_condition = condition;
      smaller = accept(c);
    }
    for (int law = 0; law < static_cast<int>(found.which.law) && !smaller; ++law) {
      instance c = found.which;
      c.law = static_cast<weights>(law);
      smaller = accept(c);
    }
    for (int n = 1; n < found.which.samples && !smaller; ++n) {
      instance c = found.which;
      c.samples = n;
      smaller = accept(c);
    }
    for (std::uint64_t s = 0; s < std::min<std::uint64_t>(found.which.seed, 200) && !smaller; ++s) {
      instance c = found.which;
      c.seed = s;
      if (trial const t = attempt(c); t.result == outcome::fails) {
        found = t;
        smaller = true;
      }
    }
  }
  return found;
}

/// Instance i of a sweep. Every law of weights comes in turn (in intervals only those of full rank: zero to rounding is
/// not zero); a quarter of the instances has fewer samples than features.
inline instance planned(sweep const& s, int i, int features) {
  instance which{.seed = s.seed + static_cast<std::uint64_t>(i)};
  counter_random random(which.seed, 0x6b61707061);
  which.law = static_cast<weights>(i % (s.rigorous ? static_cast<int>(weights::rank_deficient) : weight_laws));
  int const few = std::max(1, static_cast<int>(random.below(static_cast<std::uint64_t>(features))));
  int const many = features + static_cast<int>(random.below(static_cast<std::uint64_t>(2 * features)));
  which.samples = random.uniform() < 0.25 ? few : many;
  double const spread = random.uniform();
  which.data_condition = s.whitened ? 1 : std::pow(s.largest_data_condition, spread);
  return which;
}

/// The same for a network type. The kernel matrix of a ReLU network is of order n k: no more samples than features.
template <drawable Net>
instance planned_for(sweep const& s, int i) {
  constexpr int features = Net::input_shape.size();
  instance which = planned(s, i, features);
  if constexpr (!theory::linear_network<Net>) which.samples = std::min(which.samples, features);
  return which;
}

using planner = std::function<instance(sweep const&, int)>;

inline verdict run(verdict v, planner const& plan, experiment const& attempt) {
  for (int i = 0; i < v.tried.instances; ++i) {
    trial const t = attempt(plan(v.tried, i));
    v.vacuous += t.result == outcome::vacuous;
    v.undecided += t.result == outcome::undecided;
    v.attained += t.result == outcome::attained;
    if (t.result == outcome::holds || t.result == outcome::attained) {
      auto const distance = [](trial const& x) { return std::abs(std::log(x.slack())); };
      if (!v.tightest || distance(t) < distance(*v.tightest)) v.tightest = t;
      if (!v.loosest || distance(t) > distance(*v.loosest)) v.loosest = t;
    }
    if (t.result == outcome::fails && v.failures++ == 0) v.first = t;
  }
  if (v.first) v.smallest = shrunk(*v.first, attempt);
  return v;
}

template <drawable Net>
std::string name_of_network() {
  std::string widths = std::to_string(Net::input_shape.size());
  for (theory::linear_layer const& layer : layers_drawn<Net>())
    widths += (layer.shift != 0 ? "=" : "-") + std::to_string(layer.outputs);
  return widths + (theory::linear_network<Net> ? "" : " with ReLU") + " (" + std::to_string(Net::parameter_count) +
         " parameters)";
}

/// One instance of a statement about linear networks.
template <theory::linear_network Net, class Statement>
trial attempt(Statement const& s, instance const& which, theory::relation claims, bool rigorous) {
  drawn const d = draw<Net>(which);
  theory::linear_gauss_newton<Net> const g(d.theta, theory::covariance_of(d.inputs));
  // A zero map has no condition number, and nothing is said about it.
  if (g.rank() == 0) return trial{.which = which};
  if (rigorous) {
    theory::enclosed_gauss_newton const in(g);
    if (!in.decided()) return trial{.which = which};
    return judge(which, claims, in.condition_number(), enclose<Statement>(in));
  }
  auto const spectrum = g.spectrum();
  trial t = judge(which, claims, g.order(), theory::condition_number(spectrum), theory::detail::number_of(s(g)));
  // Two ways to the rank that disagree: an eigenvalue is too small to tell from zero.
  if (spectrum.rank != g.rank()) t.result = outcome::undecided;
  return t;
}

/// One instance of a statement about one hidden layer with ReLU.
template <theory::relu_network Net, class Statement>
trial attempt(Statement const& s, instance const& which, theory::relation claims, bool rigorous) {
  drawn const d = draw<Net>(which);
  if (rigorous) {
    constexpr theory::relu_layers l = theory::relu_layers_of<Net>;
    auto const weight = [&](int offset, int rows, int columns) {
      auto m = zeros<double>(static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
      std::copy_n(d.theta.data() + offset, m.size(), m.data());
      return m;
    };
    theory::enclosed_relu_kernel const in(weight(l.output_offset, l.outputs, l.hidden),
                                          weight(l.hidden_offset, l.hidden, l.inputs), d.inputs, l.slope);
    if (!in.decided()) return trial{.which = which};
    return judge(which, claims, in.condition_number(), enclose<Statement>(in));
  }
  theory::relu_gauss_newton<Net> const g(d.theta, d.inputs);
  auto const spectrum = theory::ends_of(elements(g.eigenvalues()));
  if (spectrum.rank == 0) return trial{.which = which};
  trial t = judge(which, claims, g.order(), theory::condition_number(spectrum), theory::detail::number_of(s(g)));
  // The statements are about nonsingular kernel matrices.
  if (spectrum.rank != g.order() && t.result != outcome::vacuous) t.result = outcome::undecided;
  return t;
}

}  // namespace detail

inline std::string verdict::text() const {
  auto const number = [](double x) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.10g", x);
    return std::string(digits);
  };
  char const* const kind = claims == theory::relation::upper_bound   ? "upper bound"
                           : claims == theory::relation::lower_bound ? "lower bound"
                                                                     : "stated value";
  std::string t = statement + " on network " + network + ": " + std::to_string(failures) + " of " +
                  std::to_string(tried.instances) + " instances fail, " + std::to_string(vacuous) + " vacuous, " +
                  std::to_string(undecided) + " undecided" +
                  (tried.rigorous ? ", " + std::to_string(attained) + " equal; in intervals" : std::string()) +
                  "; seeds " + std::to_string(tried.seed) + " to " +
                  std::to_string(tried.seed + static_cast<std::uint64_t>(std::max(tried.instances, 1)) - 1);
  auto const about = [&](trial const& f) {
    return "seed " + std::to_string(f.which.seed) + ", " + std::to_string(f.which.samples) + " samples, " +
           name_of(f.which.law) + " weights, data condition number " + number(f.which.data_condition);
  };
  auto const with_error = [&](double x, double error) {
    return number(x) + (error > 0 ? " +- " + number(error) : std::string());
  };
  auto const tell = [&](char const* which, trial const& f) {
    t += std::string("\n  ") + which + " failure: " + about(f) + "\n    exact condition number " +
         with_error(f.exact, f.exact_error) + ", " + kind + " " + with_error(f.stated, f.stated_error) +
         ", exact / stated " + number(f.exact / f.stated);
  };
  if (first) tell("first", *first);
  if (smallest) {
    tell("smallest", *smallest);
    t += "\n    again: kappa::testing::draw<Net>(" + smallest->which.text() + ")";
  }
  if (tightest) t += "\n  tightest: stated / exact " + number(tightest->slack()) + ", " + about(*tightest);
  if (loosest) t += "\n  loosest: stated / exact " + number(loosest->slack()) + ", " + about(*loosest);
  if (!first && 2 * undecided > tried.instances)
    t += "\n  most instances are too ill-conditioned to decide in double precision";
  else if (!first && !holds())
    t += "\n  the bound is infinite wherever it could be decided: it says nothing here (may_be_vacuous accepts that)";
  return t;
}

/// Tries a statement on random instances of the network `Net` and shrinks the first failure. `claims` overrides what
/// the statement says of itself: `equality` asks whether a bound is attained. Reproducible for a sweep.
/// A network the statement does not cover is refused in one sentence that names the layer.
template <network_type Net, theory::statement Statement>
verdict try_statement(Statement const& s, sweep const& plan = {},
                      theory::relation claims = theory::detail::relation_of<Statement>()) {
  static_assert(theory::detail::refuse_unless_covered<Net, Statement>());
  verdict v{.statement = Statement::name,
            .network = {},
            .claims = claims,
            .tried = plan,
            .first = {},
            .smallest = {},
            .tightest = {},
            .loosest = {}};
  if constexpr (theory::detail::covers<Net, Statement>) {
    v.network = detail::name_of_network<Net>();
    return detail::run(std::move(v), detail::planned_for<Net>,
                       [&](instance const& which) { return detail::attempt<Net>(s, which, claims, plan.rigorous); });
  } else {
    return v;
  }
}

}  // namespace testing
}  // namespace kappa::inline KAPPA_ARCH

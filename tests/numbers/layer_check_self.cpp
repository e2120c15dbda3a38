// The judge of layers is judged: a right layer passes, and each planted mistake is found under its name.

#include "layer_check.hpp"

using namespace kappa;
using kappa::test_layers::faults_of_layers;
using kappa::test_layers::layer_case;

namespace {

enum class mistake {
  none,
  apply_scaled,
  push_swaps,
  push_forgets_parameters,
  pull_overwrites,
  pull_first_vector_only,
  weigh_shifted,
  push_pull_halved,
  push_pull_overwrites,
  push_weigh_missing,
  beside_result,
  beside_scratch,
  reads_scratch,
  float_is_coarse
};

/// y_0 = θ_0 x_0 x_1 + θ_1 x_2², y_1 = θ_1 x_2³ θ_0.
template <mistake M>
struct trial {
  static constexpr char const* name = "trial";
  static constexpr shape output(shape, layer_settings const&) { return {1, {2}}; }
  static constexpr int parameters(shape, layer_settings const&) { return 2; }
  static constexpr std::size_t scratch(shape, layer_settings const&) { return 2; }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    T const a = s.theta[0], b = s.theta[1];
    if (M == mistake::beside_scratch) s.scratch[2] = 0;
    if (M == mistake::beside_result) y[2] = 0;
    T const stale = M == mistake::reads_scratch ? 1 + 0 * s.scratch[0] : T(1);
    T const coarse = M == mistake::float_is_coarse && sizeof(T) == 4 ? T(1.001) : T(1);
    y[0] = stale * coarse * (a * x[0] * x[1] + b * x[2] * x[2]) * T(M == mistake::apply_scaled ? 1.001 : 1);
    y[1] = coarse * a * b * x[2] * x[2] * x[2];
  }
  template <class T>
  static void push(site<T> const& s, T const* x, T const* dx, T* dy) {
    T const a = s.theta[0], b = s.theta[1];
    T const d0 = dx ? dx[M == mistake::push_swaps ? 1 : 0] : T(0),
            d1 = dx ? dx[M == mistake::push_swaps ? 0 : 1] : T(0);
    T const d2 = dx ? dx[2] : T(0);
    bool const moves = s.direction && M != mistake::push_forgets_parameters;
    T const da = moves ? s.direction[0] : T(0), db = moves ? s.direction[1] : T(0);
    dy[0] = a * (d0 * x[1] + x[0] * d1) + 2 * b * x[2] * d2 + da * x[0] * x[1] + db * x[2] * x[2];
    dy[1] = 3 * a * b * x[2] * x[2] * d2 + (da * b + a * db) * x[2] * x[2] * x[2];
  }
  template <class T>
  static void pull(site<T> const& s, T const* x, int count, T const* g, T* gx, bool adds) {
    T const a = s.theta[0], b = s.theta[1];
    if (M == mistake::pull_overwrites) adds = false;
    for (int k = 0; k < count; ++k) {
      T const* const gk = M == mistake::pull_first_vector_only ? g : g + 2 * k;
      T const r[3] = {gk[0] * a * x[1], gk[0] * a * x[0], gk[0] * 2 * b * x[2] + gk[1] * 3 * a * b * x[2] * x[2]};
      for (int i = 0; i < 3; ++i) gx[3 * k + i] = adds ? gx[3 * k + i] + r[i] : r[i];
    }
  }
  template <class T>
  static void push_pull(site<T> const& s, T const* x, T const* dx, T const* g, T* gx) {
    T const a = s.theta[0], b = s.theta[1];
    T const d0 = dx ? dx[0] : T(0), d1 = dx ? dx[1] : T(0), d2 = dx ? dx[2] : T(0);
    T const da = s.direction ? s.direction[0] : T(0), db = s.direction ? s.direction[1] : T(0);
    T const f = M == mistake::push_pull_halved ? T(0.5) : T(1);
    T const r[3] = {
        g[0] * (da * x[1] + a * d1), g[0] * (da * x[0] + a * d0),
        g[0] * 2 * (db * x[2] + b * d2) + g[1] * 3 * ((da * b + a * db) * x[2] * x[2] + 2 * a * b * x[2] * d2)};
    for (int i = 0; i < 3; ++i) gx[i] = M == mistake::push_pull_overwrites ? r[i] : gx[i] + f * r[i];
  }
  template <class T>
  static void weigh(site<T> const& s, T const* x, int count, T const* g, T* w) {
    int const shift = M == mistake::weigh_shifted ? 1 : 0;
    for (int k = 0; k < count; ++k) {
      T const cube = x[2] * x[2] * x[2];
      w[2 * k + shift] = g[2 * k] * x[0] * x[1] + g[2 * k + 1] * s.theta[1] * cube;
      w[2 * k + 1 - shift] = g[2 * k] * x[2] * x[2] + g[2 * k + 1] * s.theta[0] * cube;
    }
  }
  template <class T>
  static void push_weigh(site<T> const& s, T const* x, T const* dx, T const* g,
                         T* w) requires(M != mistake::push_weigh_missing) {
    T const a = s.theta[0], b = s.theta[1];
    T const d0 = dx ? dx[0] : T(0), d1 = dx ? dx[1] : T(0), d2 = dx ? dx[2] : T(0);
    T const da = s.direction ? s.direction[0] : T(0), db = s.direction ? s.direction[1] : T(0);
    T const cube = x[2] * x[2] * x[2], dcube = 3 * x[2] * x[2] * d2;
    w[0] += g[0] * (d0 * x[1] + x[0] * d1) + g[1] * (db * cube + b * dcube);
    w[1] += g[0] * 2 * x[2] * d2 + g[1] * (da * cube + a * dcube);
  }
};

struct definition {
  template <class N>
  static bool value(reference::textbook::place const& at, reference::sample<long double> const&, N const* own,
                    std::vector<N> const& x, std::vector<N>& y) {
    if (at.name != "trial") return false;
    y[0] = own[0] * x[0] * x[1] + own[1] * x[2] * x[2];
    y[1] = own[0] * own[1] * x[2] * x[2] * x[2];
    return true;
  }
};

template <mistake M>
struct trial_t : term_base<trial_t<M>> {
  static constexpr int emit(auto& g, int x) { return g.layer(x, &layer_rule_of<trial<M>>, {}); }
};

template <mistake M>
std::string faults() {
  std::string all;
  for (auto const& fault : faults_of_layers<network<(input<3> | trial_t<M>{})>, definition>()) all += fault + "\n";
  return all;
}

}  // namespace

TEST_CASE("a right layer has no fault, and each planted mistake is found") {
  using Catch::Matchers::Contains;
  CHECK(faults<mistake::none>() == "");
  CHECK_THAT(faults<mistake::apply_scaled>(), Contains("apply: off by"));
  CHECK_THAT(faults<mistake::push_swaps>(), Contains("push along x: off by"));
  CHECK_THAT(faults<mistake::push_forgets_parameters>(), Contains("push along θ: ") && Contains("no influence"));
  CHECK_THAT(faults<mistake::pull_overwrites>(), Contains("pull that adds: off by"));
  CHECK_THAT(faults<mistake::pull_first_vector_only>(),
             Contains("pull of all basis vectors: off by") && !Contains("pull of one vector"));
  CHECK_THAT(faults<mistake::weigh_shifted>(), Contains("weigh of all basis vectors: off by"));
  CHECK_THAT(faults<mistake::push_pull_halved>(), Contains("push_pull along both: off by"));
  CHECK_THAT(faults<mistake::push_pull_overwrites>(), Contains("push_pull that adds along x: off by"));
  CHECK_THAT(faults<mistake::push_weigh_missing>(), Contains("push_weigh along both: off by"));
  CHECK_THAT(faults<mistake::beside_result>(), Contains("apply writes beside its result"));
  CHECK_THAT(faults<mistake::beside_scratch>(), Contains("apply writes beside its scratch"));
  CHECK_THAT(faults<mistake::reads_scratch>(), Contains("apply: off by"));
  CHECK_THAT(faults<mistake::float_is_coarse>(), Contains("apply in float: off by"));
}

TEST_CASE("a layer that the textbook does not know is a fault") {
  auto const faults = faults_of_layers<network<(input<3> | trial_t<mistake::none>{})>>();
  REQUIRE(!faults.empty());
  CHECK(faults[0] == "trial: the textbook does not know this layer");
}

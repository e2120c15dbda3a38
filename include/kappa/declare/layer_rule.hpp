#pragma once
/// \file
/// A layer of one's own or of kappa's: a differentiable map of one sample's value that may have parameters, read a
/// mask or a graph that comes with the batch, and be written once for every shape. A graph holds it as a value.

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <kappa/arch.hpp>
#include <kappa/declare/patch_geometry.hpp>
#include <kappa/declare/scalar_table.hpp>
#include <kappa/declare/shape.hpp>

namespace kappa {

/// The integers of a term, such as a kernel's extents: what they mean is the rule's business.
struct layer_settings {
  static constexpr int capacity = 12;
  int value[capacity]{};
  constexpr bool operator==(layer_settings const&) const = default;
  constexpr int operator[](int i) const { return value[i]; }
};

/// Why a layer does not take a shape: "<says> <expected> <than> <got> <after>". No fault says nothing.
struct layer_fault {
  char const* says = nullptr;
  int expected = 0;
  char const* than = "";
  int got = 0;
  char const* after = "";
};

/// The first element of a sample's input that a layer does not take: "<wants> <limit>" was expected there. None where
/// `element` is negative.
struct input_fault {
  int element = -1;
  char const* wants = "";
  int limit = 0;
};

}  // namespace kappa

namespace kappa::inline KAPPA_ARCH {

/// What comes with a batch beside inputs and targets, as one sample sees it.
template <class T>
struct sample_side {
  unsigned char const* mask = nullptr;  ///< [positions]: zero where a position is padding; null when all are valid
  T const* adjacency = nullptr;         ///< [nodes, nodes], row-major, or null
  int const* row_begin = nullptr;       ///< [nodes + 1]: where a node's edges begin, or null
  int const* column = nullptr;          ///< an edge's other node, within the sample
  T const* weight = nullptr;            ///< of an edge; null for ones
  std::uint64_t seed = 0;               ///< of random layers; 0 switches them off
  T const* statistics = nullptr;        ///< of the network's batch norms; a layer's begin at its `shift`
};

/// Where a layer is applied: shapes, the term's settings, its parameters, one sample's side data.
template <class T>
struct site {
  shape in{};
  shape out{};
  layer_settings set{};
  int shift = 0;                 ///< one more setting, in which equal layers may differ
  T const* theta = nullptr;      ///< the layer's parameters
  T const* direction = nullptr;  ///< the parameters' part of a tangent, or null for zero
  std::size_t sample = 0;        ///< the sample's number in the batch
  std::size_t samples = 1;       ///< how many come at once: all of the batch where the rule couples them
  int place = 0;                 ///< the node's number in its graph: tells equal layers apart
  sample_side<T> side{};
  T* scratch = nullptr;  ///< as many elements as the rule's `scratch` says
};

/// The functions of a rule in one scalar type. x is [in], y [out], vectors come `count` at a time, one after the other;
/// "adds" adds to what is there instead of overwriting it. A rule that couples samples sees all of them, x [samples,
/// in], y [samples, out], and gives one w for the batch.
template <class T>
struct layer_functions {
  /// y = m(x, θ).
  void (*apply)(site<T> const&, T const* x, T* y);
  /// dy = ∂m/∂x dx + ∂m/∂θ direction; dx may be null for zero.
  void (*push)(site<T> const&, T const* x, T const* dx, T* dy);
  /// gx = (∂m/∂x)ᵀ g.
  void (*pull)(site<T> const&, T const* x, int count, T const* g, T* gx, bool adds);
  /// gx += d/dε (∂m/∂x)ᵀ g at (x + ε dx, θ + ε direction); null where that is zero.
  void (*push_pull)(site<T> const&, T const* x, T const* dx, T const* g, T* gx);
  /// w = (∂m/∂θ)ᵀ g, [count, parameters]; null without parameters.
  void (*weigh)(site<T> const&, T const* x, int count, T const* g, T* w);
  /// w += d/dε (∂m/∂θ)ᵀ g at (x + ε dx, θ + ε direction); null where that is zero.
  void (*push_weigh)(site<T> const&, T const* x, T const* dx, T const* g, T* w);
  /// What of x is no input of this layer, such as a token beyond its vocabulary; null where everything is one.
  input_fault (*fault_of_input)(site<T> const&, T const* x);
  /// Of a layer that takes the largest: y = m(x, θ), and for each element of y [positions, features] the number of the
  /// position of x that it comes from. Exact in float below 2^24.
  void (*choose)(site<T> const&, T const* x, T* y, T* places);
  /// Of a table: the row that a position of x reads, -1 where it reads none; null for other layers.
  int (*row_at)(site<T> const&, T const* x, int position);
};

/// A layer as a value.
struct layer_rule : scalar_table<layer_functions> {
  char const* name = "";
  layer_fault (*fault_of)(shape, layer_settings const&) = nullptr;
  shape (*output)(shape, layer_settings const&) = nullptr;
  int (*parameters)(shape, layer_settings const&) = nullptr;
  std::size_t (*scratch)(shape, layer_settings const&) = nullptr;
  /// The mean and deviation of parameter `index` where a network's parameters are drawn.
  double (*initial_mean)(shape, layer_settings const&, int index) = nullptr;
  double (*initial_deviation)(shape, layer_settings const&, int index) = nullptr;
  /// Of a layer whose parameters are a table, of which every position of the operand reads a row into its own position
  /// of the result and nothing else depends on: the length of a row. 0 for other layers.
  int (*row)(shape, layer_settings const&) = nullptr;
  bool linear = false;            ///< in x, with no parameters: the adjoint does not read x
  bool keeps_positions = false;   ///< position r of the result belongs to position r of the operand
  bool reads_graph = false;       ///< wants adjacency or edges
  bool gathers = false;           ///< linear, and cheaper to do again than to read from memory: patches
  bool takes_largest = false;     ///< each element of the result is the largest of some of the operand's same feature
  bool sums_positions = false;    ///< [positions, features] -> [features] by a sum
  bool couples_samples = false;   ///< a sample's value depends on the other samples: called once for the whole batch
  bool reads_statistics = false;  ///< wants `statistics` of its features with the batch
  /// Of a layer that takes the largest: whether it takes no element twice.
  bool (*takes_once)(shape, layer_settings const&) = nullptr;
  /// Of a layer that gathers: the patches it makes of an image of this shape.
  patch_geometry (*patches)(shape, layer_settings const&) = nullptr;
  /// Features whose means and variances over a batch are this layer's `statistics`; 0 for other layers than batch
  /// norms.
  int (*normalised)(shape, layer_settings const&) = nullptr;
};

namespace detail {

template <class L, class T>
constexpr layer_functions<T> layer_functions_of() {
  layer_functions<T> f{};
  f.apply = [](site<T> const& s, T const* x, T* y) { L::template apply<T>(s, x, y); };
  if constexpr (requires { L::linear; }) {
    f.push = [](site<T> const& s, T const*, T const* dx, T* dy) { L::template apply<T>(s, dx, dy); };
  } else {
    f.push = [](site<T> const& s, T const* x, T const* dx, T* dy) { L::template push<T>(s, x, dx, dy); };
  }
  f.pull = [](site<T> const& s, T const* x, int count, T const* g, T* gx, bool adds) {
    L::template pull<T>(s, x, count, g, gx, adds);
  };
  if constexpr (requires { &L::template push_pull<T>; })
    f.push_pull = [](site<T> const& s, T const* x, T const* dx, T const* g, T* gx) {
      L::template push_pull<T>(s, x, dx, g, gx);
    };
  if constexpr (requires { &L::template weigh<T>; })
    f.weigh = [](site<T> const& s, T const* x, int count, T const* g, T* w) {
      L::template weigh<T>(s, x, count, g, w);
    };
  if constexpr (requires { &L::template push_weigh<T>; })
    f.push_weigh = [](site<T> const& s, T const* x, T const* dx, T const* g, T* w) {
      L::template push_weigh<T>(s, x, dx, g, w);
    };
  if constexpr (requires { &L::template fault_of_input<T>; })
    f.fault_of_input = [](site<T> const& s, T const* x) { return L::template fault_of_input<T>(s, x); };
  if constexpr (requires { &L::template choose<T>; })
    f.choose = [](site<T> const& s, T const* x, T* y, T* places) { L::template choose<T>(s, x, y, places); };
  if constexpr (requires { &L::template row_at<T>; })
    f.row_at = [](site<T> const& s, T const* x, int position) { return L::template row_at<T>(s, x, position); };
  return f;
}

}  // namespace detail

/// The value of a rule L, a struct of static functions templated on the scalar: `name`, `output(shape, settings)`,
/// `apply`, `pull`, and as far as they are not zero or implied `fault_of`, `push`, `push_pull`, `parameters`, `weigh`,
/// `push_weigh`, `scratch`, `initial_mean`, `initial_deviation`, `linear`, `keeps_positions`, `reads_graph`, `gathers`,
/// `takes_largest` with `takes_once` and `choose`, `patches`, `sums_positions`, `couples_samples`, `reads_statistics`,
/// `normalised`, `fault_of_input`, and for a table `row` and `row_at`.
template <class L>
inline constexpr layer_rule layer_rule_of = [] {
  layer_rule r{{detail::layer_functions_of<L, float>(), detail::layer_functions_of<L, double>(),
                detail::layer_functions_of<L, long double>()}};
  r.name = L::name;
  r.output = [](shape in, layer_settings const& s) { return L::output(in, s); };
  r.fault_of = [](shape in, layer_settings const& s) {
    if constexpr (requires { L::fault_of(in, s); }) {
      return L::fault_of(in, s);
    } else {
      return layer_fault{};
    }
  };
  r.parameters = [](shape in, layer_settings const& s) {
    if constexpr (requires { L::parameters(in, s); }) {
      return L::parameters(in, s);
    } else {
      return 0;
    }
  };
  r.scratch = [](shape in, layer_settings const& s) -> std::size_t {
    if constexpr (requires { L::scratch(in, s); }) {
      return L::scratch(in, s);
    } else {
      return 0;
    }
  };
  r.initial_mean = [](shape in, layer_settings const& s, int index) {
    if constexpr (requires { L::initial_mean(in, s, index); }) {
      return L::initial_mean(in, s, index);
    } else {
      return 0.0;
    }
  };
  r.initial_deviation = [](shape in, layer_settings const& s, int index) {
    if constexpr (requires { L::initial_deviation(in, s, index); }) {
      return L::initial_deviation(in, s, index);
    } else {
      return 0.0;
    }
  };
  r.normalised = [](shape in, layer_settings const& s) {
    if constexpr (requires { L::normalised(in, s); }) {
      return L::normalised(in, s);
    } else {
      return 0;
    }
  };
  r.takes_once = [](shape in, layer_settings const& s) {
    if constexpr (requires {
                    L::takes_once(in, s);
                    &L::template choose<float>;
                  }) {
      return L::takes_once(in, s);
    } else {
      return false;
    }
  };
  r.patches = [](shape in, layer_settings const& s) {
    if constexpr (requires { L::patches(in, s); }) {
      return L::patches(in, s);
    } else {
      return patch_geometry{};
    }
  };
  r.row = [](shape in, layer_settings const& s) {
    if constexpr (requires { L::row(in, s); }) {
      return L::row(in, s);
    } else {
      return 0;
    }
  };
  r.linear = requires { L::linear; };
  r.keeps_positions = requires { L::keeps_positions; };
  r.reads_graph = requires { L::reads_graph; };
  r.gathers = requires { L::gathers; };
  r.takes_largest = requires { L::takes_largest; };
  if constexpr (requires { L::sums_positions; }) r.sums_positions = L::sums_positions;
  if constexpr (requires { L::couples_samples; }) r.couples_samples = L::couples_samples;
  r.reads_statistics = requires { L::reads_statistics; };
  return r;
}();

}  // namespace kappa::inline KAPPA_ARCH

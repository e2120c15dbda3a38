#pragma once
/// \file
/// Dropout, reproducible: which elements are dropped is a function of a seed and of where they are.

#include <cstddef>
#include <cstdint>

#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/term.hpp>
#include <kappa/layers/sums.hpp>
#include <kappa/tensor/random.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// Settings: the probability as a fraction. Draws one number for each element, from a stream of the seed, the sample
/// and the node.
struct dropout_rule {
  static constexpr char const* name = "dropout";
  static constexpr bool linear = true;
  static constexpr bool keeps_positions = true;

  static constexpr layer_fault fault_of(shape const&, layer_settings const& s) {
    if (s[1] < 1 || s[0] < 0 || s[0] >= s[1]) return {"wants a probability from 0 to below 1, not", s[0], "over", s[1]};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const&) { return in; }
  static constexpr std::size_t scratch(shape const& in, layer_settings const&) {
    return static_cast<std::size_t>(in.size());
  }
  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    draw(s);
    store(false, s.in.size(), y, [&](int e) { return x[e] * s.scratch[e]; });
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    draw(s);
    int const size = s.in.size();
    for (int k = 0; k < count; ++k, g += size, gx += size)
      store(adds, size, gx, [&](int e) { return g[e] * s.scratch[e]; });
  }

 private:
  /// The factors: 0 with the probability, 1 / (1 - probability) otherwise.
  template <class T>
  static void draw(site<T> const& s) {
    int const dropped = s.set[0], of = s.set[1];
    if (s.side.seed == 0) return store(false, s.in.size(), s.scratch, [](int) { return T(1); });
    std::uint64_t const of_sample = counter_random(s.side.seed, s.sample).bits();
    counter_random random(of_sample, static_cast<std::uint64_t>(s.place));
    T const kept = static_cast<T>(of) / static_cast<T>(of - dropped);
    for (int e = 0; e < s.in.size(); ++e) s.scratch[e] = kept * static_cast<T>(random.uniform() * of >= dropped);
  }
};

}  // namespace detail

template <int Numerator, int Denominator>
struct dropout_t : term_base<dropout_t<Numerator, Denominator>> {
  static constexpr int emit(auto& g, int x) {
    return g.layer(x, &layer_rule_of<detail::dropout_rule>, {{Numerator, Denominator}});
  }
};
/// `dropout<1, 10>`: every element is zero with probability 1/10 and else divided by 9/10 (Srivastava et al. 2014,
/// "Dropout", in its inverted form: the expectation is the operand). The elements are drawn from the seed of the batch
/// (`batch_side::seed`), the sample's number in it and the place in the network: equal for equal seeds, whatever the
/// thread count, and the same for the value and all derivatives. Seed 0 switches it off. Give every step its own seed.
template <int Numerator, int Denominator>
inline constexpr dropout_t<Numerator, Denominator> dropout{};

}  // namespace kappa::inline KAPPA_ARCH

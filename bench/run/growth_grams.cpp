// Where ways of summing over positions cross: the Gram matrix of columns and their squared norms, over pairs of
// positions or through the columns' entries. 16 samples, 9 columns each.
#include <tuple>
#include <vector>

#include <kappa/kernels/factors.hpp>

#include "growth.hpp"
#include "problem.hpp"

namespace {

using kappa::kernels::column_gram;

// The ways themselves are private. An explicit instantiation may name private members, and hands them to a friend.
template <int In, int Out>
struct layer {
  using factors = kappa::kernels::factors<float, In, Out>;
};
struct narrow : layer<16, 32> {
  friend constexpr auto ways_of(narrow);
};
struct square : layer<64, 64> {
  friend constexpr auto ways_of(square);
};
template <class Layer, auto... Ways>
struct opened {
  friend constexpr auto ways_of(Layer) { return std::tuple(Ways...); }
};
template struct opened<narrow, &column_gram<float>::add_by_pairs, &column_gram<float>::add_by_columns,
                       &narrow::factors::norms_by_pairs<float>, &narrow::factors::norms_by_entries<float>>;
template struct opened<square, &column_gram<float>::add_by_pairs, &column_gram<float>::add_by_columns,
                       &square::factors::norms_by_pairs<float>, &square::factors::norms_by_entries<float>>;

template <class Layer, int In, int Out>
void measure(bench::growth_options const& options, layer<In, Out> const&, std::size_t r) {
  constexpr std::size_t n = 16, k = 9, in = In, out = Out;
  constexpr auto ways = ways_of(Layer{});
  constexpr column_gram<float> gram{in, out};
  auto const a = bench::uniform(1, n * r * in), s = bench::uniform(2, n * k * r * out);
  std::size_t const nk = n * k, wide = nk * r + 128;
  std::vector<float> g(nk * nk), norms(nk);
  std::vector<float> scratch(2 * (gram.scratch_elements(n, k, r, 1) + wide * (in + out + 4 * 96 + 4 * k * r)));
  std::string const which = std::to_string(In) + " -> " + std::to_string(Out) + ", R = " + std::to_string(r);
  auto const add = [&](auto way, auto... further) {
    (gram.*way)(n, k, r, a.data(), s.data(), true, g.data(), scratch.data(), 1, false, further...);
  };
  kappa::kernels::chosen_vectors<float> const none;
  std::vector<bench::contender> const grams{{"pairs", [&] { add(std::get<0>(ways), false); }},
                                            {"columns", [&] { add(std::get<1>(ways), none, nullptr); }}};
  bench::print_choice("Gram matrix", which, grams, bench::compare(grams, options.seconds),
                      gram.by_pairs(n, k, r) ? 0 : 1);
  auto const each = [&](auto const& way) {
    for (std::size_t i = 0; i < n; ++i)
      way(k, r, a.data() + i * r * in, s.data() + i * k * r * out, true, norms.data() + i * k);
  };
  std::vector<bench::contender> const both{{"pairs", [&] { each(std::get<2>(ways)); }},
                                           {"entries", [&] { each(std::get<3>(ways)); }}};
  bench::print_choice("squared norms", which, both, bench::compare(both, options.seconds),
                      Layer::factors::norms_by_pairs_pay(k, r) ? 0 : 1);
}

}  // namespace

int main(int count, char** arguments) {
  bench::growth_options const options(count, arguments);
  for (std::size_t const r : {2U, 3U, 4U, 6U, 8U, 12U, 16U, 24U, 32U, 64U}) {
    if (options.short_form && r > 4) break;
    measure<narrow>(options, narrow{}, r);
    measure<square>(options, square{}, r);
  }
}

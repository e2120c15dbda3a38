// Which networks the theory takes for linear, and how it reads them.
#include <kappa/declare.hpp>
#include <kappa/theory/linear_network.hpp>

namespace {

using namespace kappa;
using theory::linear_layer;

struct plain : network<input<5> | dense<8, no_bias> | dense<3, no_bias>> {};
static_assert(theory::linear_network<plain> && theory::one_hidden_layer<plain>);
static_assert(theory::linear_layers<plain>()[0] == linear_layer{0, 8, 5, 0, 1, 0});
static_assert(theory::linear_layers<plain>()[1] == linear_layer{1, 3, 8, 40, 1, 0});

// A scale belongs to the layer it stands at; in front of a residual it multiplies both branches.
struct scaled : network<input<2, 2> | flatten | scale<1, 2> | residual(dense<4, no_bias>) | act::identity |
                        residual(dense<4, no_bias> | scale<1, 4>) | dense<3, no_bias> | scale<2>> {};
static_assert(theory::linear_network<scaled> && !theory::one_hidden_layer<scaled>);
static_assert(theory::linear_layers<scaled>()[0] == linear_layer{0, 4, 4, 0, 0.5, 0.5});
static_assert(theory::linear_layers<scaled>()[1] == linear_layer{1, 4, 4, 16, 0.25, 1});
static_assert(theory::linear_layers<scaled>()[2] == linear_layer{2, 3, 4, 32, 2, 0});

// A β-residual behind a layer, and a residual of scales only.
struct beta : network<input<3> | dense<4, no_bias> | (scale<1, 8> + dense<4, no_bias>) | residual(scale<-3>)> {};
static_assert(theory::linear_layers<beta>().size() == 2);
static_assert(theory::linear_layers<beta>()[1] == linear_layer{1, 4, 4, 12, -2, -0.25});

// A layer that the output does not see has no part in the chain.
struct unseen : network<input<3> | dense<4, no_bias> | mark<"here"> | dense<9, no_bias> | recall<"here">> {};
static_assert(theory::linear_network<unseen> && theory::linear_layers<unseen>().size() == 1);

// Ranks for almost all weights.
static_assert(theory::generic_rank<plain>() == 15 && theory::generic_rank<plain>(2) == 6);

struct activated : network<input<5> | dense<8, no_bias> | act::relu | dense<3, no_bias>> {};
struct biased : network<input<5> | dense<8> | dense<3, no_bias>> {};
struct tied : network<input<5> | tied_repeat<2>(dense<5, no_bias>)> {};
struct at_positions : network<input<4, 5> | dense<3, no_bias>> {};
struct averaged : network<input<4, 5> | mean_over_positions | dense<3, no_bias>> {};
struct gated : network<input<5> | (dense<4, no_bias> * dense<4, no_bias>)> {};
struct branched : network<input<5> | (dense<4, no_bias> + dense<4, no_bias>)> {};
struct long_skip : network<input<5> | residual(dense<5, no_bias> | dense<5, no_bias>)> {};
struct silenced : network<input<5> | scale<0> | dense<4, no_bias>> {};
struct cancelled : network<input<5> | dense<4, no_bias> | (id + scale<-1>)> {};
struct without_layers : network<input<5> | scale<2>> {};
template <class... Net>
inline constexpr bool none_linear = !(theory::linear_network<Net> || ...);
static_assert(none_linear<activated, biased, tied, at_positions, averaged, gated, branched, long_skip, silenced,
                          cancelled, without_layers, int>);

}  // namespace

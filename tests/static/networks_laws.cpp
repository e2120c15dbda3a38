// Laws of the algebra of networks, as equality of graphs.
#include <kappa/declare.hpp>

namespace {
using namespace kappa;

inline constexpr auto f = dense<4> | act::tanh;
inline constexpr auto g = dense<4, no_bias> | act::relu;
inline constexpr auto h = act::silu | dense<4>;

template <auto A, auto B>
constexpr bool same = same_graph<network<input<4> | A>, network<input<4> | B>>();

// `same` sees a difference of an activation, a bias, an order, a name, and of what is shared.
static_assert(!same<f, dense<4> | act::relu>);
static_assert(!same<dense<4>, dense<4, no_bias>>);
static_assert(!same<f | h, h | f>);
static_assert(!same<dense<4>, dense<4, "E">>);
static_assert(!same<dense<4, "E"> | dense<4, "E">, dense<4, "E"> | dense<4, "F">>);
static_assert(!same<id + f, f + id>);  // the same function, another order of nodes
static_assert(!same<scale<1, 2>, scale<1, 3>>);

// --- associativity
// ----------------------------------------------------------------------------------------------------
static_assert(same<(f | g) | h, f | (g | h)>);
static_assert(same<(f + g) + h, f + (g + h)>);
static_assert(same<(f * g) * h, f*(g* h)>);
// and in the types: nested uses are one list
static_assert(std::same_as<decltype((f | g) | h), decltype(f | (g | h))>);
static_assert(std::same_as<decltype((f + g) + h), decltype(f + (g + h))>);
static_assert(std::same_as<decltype((f * g) * h), decltype(f * (g * h))>);
// * binds before + (g++ -Wall wants parentheses where + meets |, so they are written)
static_assert(same<g + h * f, g + (h * f)>);

// --- units
// ------------------------------------------------------------------------------------------------------------
static_assert(same<id | f, f>);
static_assert(same<f | id, f>);
static_assert(same<id | id, id>);
static_assert(same<(id + id) | id, id + id>);

// --- repetition
// -------------------------------------------------------------------------------------------------------
static_assert(same<repeat<1>(f), f>);
static_assert(same<repeat<3>(f), f | f | f>);
static_assert(same<repeat<2>(repeat<3>(f)), repeat<6>(f)>);
static_assert(same<repeat<2>(f) | repeat<3>(f), repeat<5>(f)>);
static_assert(same<tied_repeat<1>(f), f>);
static_assert(same<tied_repeat<2>(tied_repeat<3>(f)), tied_repeat<6>(f)>);
static_assert(!same<tied_repeat<2>(f), repeat<2>(f)>);
static_assert(same<tied_repeat<3>(act::tanh), repeat<3>(act::tanh)>);  // nothing to tie

// --- derived forms
// ----------------------------------------------------------------------------------------------------
static_assert(same<residual(f), id + f>);
static_assert(same<mark<"x"> | (recall<"x"> + f), residual(f)>);
static_assert(same<mark<"x"> | ((f | g) + recall<"x">), (f | g) + id>);
static_assert(same<mark<"x"> | f, f>);

// --- traced agrees with the point-free form
// ---------------------------------------------------------------------------
static_assert(same<traced<[](variable x) { return act::tanh(dense<4>(x)); }>, f>);
static_assert(same<traced<[](variable x) { return x + dense<4>(x); }>, residual(dense<4>)>);
static_assert(same<traced<[](variable x) { return dense<4>(x) * dense<4>(x); }>, dense<4> * dense<4>>);
static_assert(same<traced<[](variable x) {
                     for (int i = 0; i < 3; ++i) x = x + f(x);
                     return x;
                   }>,
                   repeat<3>(residual(f))>);
static_assert(same<traced<[](variable x) { return x; }>, id>);
// f is emitted at each call: two calls are two layers, one variable used twice is one
static_assert(!same<traced<[](variable x) { return f(x) + f(x); }>, traced<[](variable x) {
                      variable const y = f(x);
                      return y + y;
                    }>>);

// --- names are scoped per copy
// ----------------------------------------------------------------------------------------
template <auto A>
using on = network<input<4> | A>;

using shared = on<dense<4, "E"> | act::tanh | dense<4, "E">>;
static_assert(shared::parameters.size() == 1 && shared::parameters[0].uses == 2);
static_assert(shared::parameter_count == 20);

using copied = on<repeat<3>(dense<4, "E"> | act::tanh | dense<4, "E">)>;
static_assert(copied::parameters.size() == 3 && copied::parameter_count == 60);
static_assert(copied::parameters[0].uses == 2 && copied::parameters[2].uses == 2);
static_assert(copied::parameters[0].name == label{"E", 0} && copied::parameters[2].name == label{"E", 2});
static_assert(copied::nodes[1].parameter == 0 && copied::nodes[3].parameter == 0 && copied::nodes[4].parameter == 1);

// outside the copies the name is another one
using around = on<dense<4, "E"> | repeat<2>(dense<4, "E">) | dense<4, "E">>;
static_assert(around::parameters.size() == 3 && around::parameters[0].uses == 2);
static_assert(around::parameters[0].name == label{"E", -1});

// copies of copies have scopes of their own
using nested_copies = on<repeat<2>(repeat<2>(dense<4, "E">))>;
static_assert(nested_copies::parameters.size() == 4);

// a recall sees the marks of its own copy first, then the enclosing ones
using marks = on<mark<"x"> | repeat<2>(act::tanh | mark<"x"> | act::relu | (act::gelu * recall<"x">))>;
static_assert(marks::nodes[4].op == operation::multiply && marks::nodes[4].b == 1);
static_assert(marks::nodes[8].op == operation::multiply && marks::nodes[8].b == 5);
using far_mark = on<mark<"x"> | repeat<2>(act::tanh | (act::relu + recall<"x">))>;
static_assert(far_mark::nodes[3].b == 0 && far_mark::nodes[6].b == 0);
// the last mark of a name wins
using marked_twice = on<mark<"x"> | act::tanh | mark<"x"> | (act::relu + recall<"x">)>;
static_assert(marked_twice::nodes[3].b == 1);

// --- ties
// -------------------------------------------------------------------------------------------------------------
using recurrence = on<tied_repeat<5>(dense<4> | act::tanh)>;
static_assert(recurrence::parameters.size() == 1 && recurrence::parameters[0].uses == 5);
static_assert(recurrence::parameter_count == 20 && recurrence::node_count == 11);

// nested: the inner recurrence has one W, the outer one another, each used as often as it runs
using nested = on<tied_repeat<3>(dense<4, no_bias> | tied_repeat<2>(dense<4> | act::tanh) | dense<4>)>;
static_assert(nested::parameters.size() == 3);
static_assert(nested::parameters[0].uses == 3 && nested::parameters[1].uses == 6 && nested::parameters[2].uses == 3);
static_assert(nested::nodes[6].parameter == 2 && nested::nodes[7].parameter == 0 && nested::nodes[8].parameter == 1);
using deeper = on<tied_repeat<2>(tied_repeat<2>(tied_repeat<2>(dense<4>) | dense<4>) | dense<4>)>;
static_assert(deeper::parameters.size() == 3);
static_assert(deeper::parameters[0].uses == 8 && deeper::parameters[1].uses == 4 && deeper::parameters[2].uses == 2);

// fresh copies inside a recurrence repeat with it; a recurrence inside fresh copies is fresh
using fresh_inside = on<tied_repeat<2>(repeat<3>(dense<4>))>;
static_assert(fresh_inside::parameters.size() == 3 && fresh_inside::parameters[2].uses == 2);
static_assert(fresh_inside::nodes[4].parameter == 0 && fresh_inside::nodes[6].parameter == 2);
using tied_inside = on<repeat<3>(tied_repeat<2>(dense<4>))>;
static_assert(tied_inside::parameters.size() == 3 && tied_inside::parameters[1].uses == 2);
using named_inside = on<tied_repeat<2>(dense<4, "E"> | act::relu | dense<4, "E">)>;
static_assert(named_inside::parameters.size() == 1 && named_inside::parameters[0].uses == 4);

}  // namespace

// Shapes, parameters, flops and bytes of networks, all constants.
#include <kappa/declare.hpp>

namespace {
using namespace kappa;

struct mlp : network<input<784> | dense<128> | act::relu | dense<10>> {};
static_assert(mlp::parameter_count == 784 * 128 + 128 + 128 * 10 + 10);
static_assert(mlp::node_count == 4);
static_assert(mlp::input_shape == shape{1, {784}} && mlp::output_shape == shape{1, {10}});
static_assert(mlp::parameters[0] == parameter{128, 784, true, 0, 1, {}});
static_assert(mlp::parameters[1] == parameter{10, 128, true, 785 * 128, 1, {}});
static_assert(mlp::flops == 128 * (2 * 784 + 1) + 128 + 10 * (2 * 128 + 1));
static_assert(mlp::parameter_bytes<float> == 4L * mlp::parameter_count);
static_assert(mlp::parameter_bytes<double> == 8L * mlp::parameter_count);
static_assert(mlp::value_bytes<float> == 4 * (784 + 128 + 128 + 10));

// a dense term acts on the last axis; leading axes are positions
struct tokens : network<input<5, 3> | dense<4> | act::tanh | dense<2, no_bias>> {};
static_assert(tokens::output_shape == shape{2, {5, 2}});
static_assert(tokens::output_shape.positions() == 5 && tokens::output_shape.features() == 2);
static_assert(tokens::parameter_count == 4 * 4 + 2 * 4);
static_assert(tokens::flops == 20 * (2 * 3 + 1) + 20 + 10 * 2 * 4);
struct image : network<input<2, 3, 4> | dense<5> | mean_over_positions | dense<6>> {};
static_assert(image::nodes[1].out == shape{3, {2, 3, 5}} && image::nodes[1].out.positions() == 6);
static_assert(image::nodes[2].out == shape{1, {5}} && image::output_shape == shape{1, {6}});
static_assert(image::flops == 30 * (2 * 4 + 1) + 30 + 6 * (2 * 5 + 1));
struct summed : network<input<3, 4> | sum_over_positions> {};
static_assert(summed::output_shape == shape{1, {4}} && summed::parameter_count == 0 && summed::flops == 12);

// flatten makes one axis, costs nothing and stores nothing
struct flat : network<input<2, 3, 4> | flatten | dense<2>> {};
static_assert(flat::nodes[1].out == shape{1, {24}} && flat::parameter_count == 50);
static_assert(flat::flops == 2 * (2 * 24 + 1) && flat::value_bytes<double> == 8 * (24 + 2));

// elementwise terms keep the shape: one operation for each element
struct elementwise : network<input<2, 3> | (act::tanh + scale<1, 2>)*act::sigmoid> {};
static_assert(elementwise::output_shape == shape{2, {2, 3}} && elementwise::flops == 5 * 6);
static_assert(elementwise::nodes[2].numerator == 1 && elementwise::nodes[2].denominator == 2);

// a user's map says its own shape
struct halves {
  static constexpr char const* name = "halves";
  static constexpr shape output(shape s) {
    s.extent[s.rank - 1] /= 2;
    return s.features() > 0 ? s : shape{};
  }
  static void apply(auto, auto) {}
  static void push(auto, auto, auto) {}
  static void pull(auto, auto, auto) {}
  static void push_pull(auto, auto, auto, auto) {}
};
struct mapped : network<input<3, 8> | map<halves> | map<halves> | dense<1>> {};
static_assert(mapped::nodes[2].out == shape{2, {3, 2}} && mapped::parameter_count == 3);

// a deep network: 500 residual blocks
struct deep : network<input<16> | repeat<500>(residual(dense<16> | act::relu | dense<16>)) | dense<2>> {};
static_assert(deep::node_count == 1 + 500 * 4 + 1 && deep::parameter_count == 500 * 2 * 17 * 16 + 2 * 17);

// the result is the last node, also where a recall names an early one
struct early : network<input<4> | dense<3> | mark<"h"> | dense<2> | recall<"h">> {};
static_assert(early::output_shape == shape{1, {3}} && early::nodes.back().a == 1);

// objectives: outputs of one loss term, loss terms of one sample, columns of the root, ρ
struct labels : objective<mlp, cross_entropy> {};
static_assert(labels::outputs == 10 && labels::terms == 1 && labels::root_columns == 9);
static_assert(labels::parameter_count == mlp::parameter_count && labels::scale(4) == 0.25);
struct per_token : objective<tokens, squared_error, mean_over_positions> {};
static_assert(per_token::outputs == 2 && per_token::terms == 5 && per_token::root_columns == 10);
static_assert(per_token::scale(4) == 0.05);
struct mean_of_tokens : objective<tokens, squared_error> {};
static_assert(mean_of_tokens::scale(4) == 0.25);
struct sum_of_tokens : objective<tokens, binary_cross_entropy, sum> {};
static_assert(sum_of_tokens::scale(4) == 1 && sum_of_tokens::root_columns == 10);

// what is no network, term, activation, loss or reduction
struct nothing {};
static_assert(network_type<mlp> && !network_type<nothing> && !network_type<labels>);
static_assert(objective_type<labels> && !objective_type<mlp> && !objective_type<nothing>);
static_assert(term<decltype(act::tanh)> && !term<int> && !term<nothing>);
static_assert(activation<activations::gelu> && !activation<nothing>);
static_assert(loss<cross_entropy_t> && !loss<nothing> && !loss<mean_t>);
static_assert(reduction<mean_over_positions_t> && !reduction<cross_entropy_t>);
static_assert(differentiable_map<halves> && !differentiable_map<nothing>);

}  // namespace

// The algebra of networks in one page: what docs/networks.md quotes. Prints what the compiler knows of each network.

#include <cstdio>

#include <kappa/declare.hpp>

namespace {

using namespace kappa;

// [first]
struct mlp : network<input<784> | dense<128> | act::relu | dense<10>> {};
struct digits : objective<mlp, cross_entropy> {};

static_assert(mlp::parameter_count == 101'770);
static_assert(mlp::output_shape == shape{1, {10}});
static_assert(mlp::flops == 203'530);
// [/first]

// [operators]
inline constexpr auto block = residual(dense<64> | act::relu | dense<64>);  // id + (...)
struct resnet : network<input<64> | repeat<9>(block) | dense<10>> {};
struct gate : network<input<32> | (dense<32> * (dense<32> | act::sigmoid)) | dense<10>> {};
struct damped : network<input<64> | (id + (dense<64> | act::tanh | scale<1, 3>)) | dense<10>> {};
// [/operators]

// [sharing]
struct shared : network<input<64> | dense<64, "E"> | act::tanh | dense<64, "E">> {};
static_assert(shared::parameters.size() == 1 && shared::parameters[0].uses == 2);

struct recurrent : network<input<64> | tied_repeat<5>(dense<64> | act::tanh) | dense<10>> {};
static_assert(recurrent::parameters.size() == 2 && recurrent::parameters[0].uses == 5);

// A name inside repeat belongs to its copy: three matrices, each used twice.
struct copies : network<input<64> | repeat<3>(dense<64, "E"> | act::tanh | dense<64, "E">)> {};
static_assert(copies::parameters.size() == 3 && copies::parameters[0].uses == 2);
// [/sharing]

// [marks]
struct skip : network<input<32> | dense<64> | act::relu | mark<"early"> |  //
                      dense<16> | act::relu | dense<64> | (id + recall<"early">) | dense<10>> {};
// [/marks]

// [positions]
struct tagger : network<input<16, 32> | dense<64> | act::gelu | dense<10>> {};  // 16 positions, one label each
struct tags : objective<tagger, cross_entropy, mean_over_positions> {};
static_assert(tags::terms == 16 && tags::outputs == 10);

struct classifier : network<input<16, 32> | dense<64> | act::gelu | mean_over_positions | dense<10>> {};
struct classes : objective<classifier, cross_entropy> {};
static_assert(classes::terms == 1 && classifier::nodes[1].out.positions() == 16);
// [/positions]

// [traced]
constexpr variable equations(variable x) {
  variable h = x;
  for (int i = 0; i < 9; ++i) h = h + dense<64>(act::relu(dense<64>(h)));
  return h;
}
struct by_equations : network<input<64> | traced<equations> | dense<10>> {};
static_assert(same_graph<by_equations, resnet>());
// [/traced]

// [nesting]
struct body : network<input<64> | dense<32> | act::silu> {};
struct whole : network<body::declaration{} | dense<10>> {};
// [/nesting]

// [laws]
inline constexpr auto f = dense<64> | act::tanh;
inline constexpr auto g = dense<64> | act::silu;
inline constexpr auto h = act::relu | dense<64>;
template <auto A, auto B>
constexpr bool same = same_graph<network<input<64> | A>, network<input<64> | B>>();

static_assert(same<(f | g) | h, f | (g | h)>);  // so do + and *
static_assert(same<id | f, f> && same<f | id, f>);
static_assert(same<repeat<1>(f), f> && same<repeat<2>(repeat<3>(f)), repeat<6>(f)>);
static_assert(same<tied_repeat<2>(tied_repeat<3>(f)), tied_repeat<6>(f)>);
static_assert(same<residual(f), id + f> && same<mark<"x"> | (recall<"x"> + f), residual(f)>);
// [/laws]

// [losses]
struct fit_network : network<input<8> | dense<16> | act::tanh | dense<3>> {};
struct fit : objective<fit_network, squared_error> {};                        // L = 1/N Σ ½‖f - y‖²
struct total : objective<fit_network, squared_error, sum> {};                 // L = Σ ½‖f - y‖²
struct detect : objective<fit_network, binary_cross_entropy> {};              // three yes-no answers
struct per_token : objective<tagger, cross_entropy, mean_over_positions> {};  // L = 1/(16 N) Σ Σ ℓ
static_assert(fit::scale(4) == 0.25 && total::scale(4) == 1 && per_token::scale(4) == 1.0 / 64);
// [/losses]

template <class Network>
void print(char const* name) {
  std::printf("%-12s %6d %8zu %11d %10ld  [", name, Network::node_count, Network::parameters.size(),
              Network::parameter_count, Network::flops);
  for (int i = 0; i < Network::output_shape.rank; ++i) std::printf(i ? ", %d" : "%d", Network::output_shape.extent[i]);
  std::printf("]\n");
}

}  // namespace

int main() {
  std::printf("%-12s %6s %8s %11s %10s  %s\n", "", "nodes", "matrices", "parameters", "flops", "output");
  print<mlp>("mlp");
  print<resnet>("resnet");
  print<gate>("gate");
  print<damped>("damped");
  print<shared>("shared");
  print<recurrent>("recurrent");
  print<copies>("copies");
  print<skip>("skip");
  print<tagger>("tagger");
  print<classifier>("classifier");
  print<by_equations>("by_equations");
  print<whole>("whole");
}

// Where register tiles and BLAS cross: the three products of a layer [out, in] by both, 128 rows.
#include <vector>

#include <kappa/kernels/product.hpp>

#include "growth.hpp"
#include "problem.hpp"

namespace {

using kappa::route;

/// Forward, back through the weight, and the weight gradient.
template <route Route, int In, int Out>
struct layer {
  using kernel = kappa::kernels::product<float, In, Out, Route>;
  static constexpr std::size_t rows = 128, in = In, out = Out;
  std::vector<float> const w = bench::uniform(1, in*out), b = bench::uniform(2, out);
  std::vector<float> const x = bench::uniform(3, rows*in), dy = bench::uniform(4, rows*out);
  std::vector<float> y = std::vector<float>(rows * out), dx = std::vector<float>(rows * in);
  std::vector<float> dw = std::vector<float>(in * out), db = std::vector<float>(out);
  std::vector<float> scratch = std::vector<float>(kernel::scratch_elements(1) + 16);

  void operator()() {
    auto const room = scratch.data() + (16 - reinterpret_cast<std::uintptr_t>(scratch.data()) / 4 % 16) % 16;
    kernel::forward(rows, x.data(), w.data(), b.data(), y.data(), room);
    kernel::pull(rows, dy.data(), w.data(), dx.data(), false, room);
    kernel::weight_gradient(rows, dy.data(), x.data(), dw.data(), db.data(), room, false);
  }
};

template <int In, int Out>
void one(bench::growth_options const& options) {
  if (options.short_form && In * Out > 70000) return;
  layer<route::tiles, In, Out> tiles;
  layer<route::blas, In, Out> blas;
  std::vector<bench::contender> const both{{"tiles", [&] { tiles(); }}, {"BLAS", [&] { blas(); }}};
  bool const chosen = kappa::choose_route(In, Out, sizeof(float), kappa::kernels::simd_bytes) == route::tiles;
  bench::print_choice("product", std::to_string(In) + " -> " + std::to_string(Out), both,
                      bench::compare(both, options.seconds), chosen ? 0 : 1);
}

template <int In>
void row(bench::growth_options const& options) {
  one<In, 3>(options), one<In, 10>(options), one<In, 64>(options), one<In, 512>(options), one<In, 4096>(options);
}

}  // namespace

int main(int count, char** arguments) {
  bench::growth_options const options(count, arguments);
  row<3>(options), row<20>(options), row<128>(options), row<784>(options), row<4096>(options);
}

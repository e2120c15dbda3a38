// Where the Krylov method and LAPACK cross for the k leading eigenpairs of a Gram matrix, and where inner products of
// layers and directions in parameter space cross for the samples' slopes. 784-128-10 and 64-32-10.
#include <vector>

#include <kappa/algebra/operations.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>
#include <kappa/derive/directions.hpp>

#include "growth.hpp"
#include "problem.hpp"

namespace {

using namespace kappa;

template <int In, int Hidden>
struct one_hidden : network<input<In> | dense<Hidden> | act::relu | dense<10>> {};
template <int In, int Hidden>
struct classified : objective<one_hidden<In, Hidden>, cross_entropy> {};

std::string at(std::size_t k, std::string const& what, std::size_t size) {
  return what + " " + std::to_string(size) + ", k = " + std::to_string(k);
}

/// \param most_gram  The largest N for which eigenpairs are timed.
template <int In, int Hidden>
void of_network(bench::growth_options const& options, std::size_t most_gram) {
  using objective = classified<In, Hidden>;
  bench::problem const p{"", {In, Hidden, 10}, true, {}};
  auto const theta = bench::parameters(p);
  std::string const name = std::to_string(In) + "-" + std::to_string(Hidden) + "-10, ";
  for (std::size_t const n : {8U, 16U, 32U, 64U, 128U, 256U}) {
    if (options.short_form && n > 16) break;
    auto const x = bench::inputs(p, n);
    auto const y = bench::labels(p, n);
    auto const q = derive<objective>(theta, batch(x, y), gradient, ggn);
    auto const root = q[ggn].root();
    auto const gradients = q.gradients_of(ggn, 0);
    auto const m = root.columns();
    auto const gram = root.gram();
    for (std::size_t const k : {1U, 4U, 10U, 30U, 100U}) {
      if (k > m / 2) continue;
      if (n <= most_gram) {
        auto const krylov = [&] { return detail::leading_by_krylov(m, gram.data(), k, 1e-5, {}); };
        bool const converges = krylov().has_value();
        std::vector<bench::contender> const both{{"Krylov",
                                                  [&] {
                                                    if (!krylov()) detail::certified_by_lapack(m, gram.data(), k);
                                                  }},
                                                 {"LAPACK", [&] { detail::certified_by_lapack(m, gram.data(), k); }}};
        bench::print_choice("eigenpairs", name + at(k, "order", m) + (converges ? "" : " (falls back)"), both,
                            bench::compare(both, options.seconds), detail::krylov_pays(m, k) ? 0 : 1);
      }
      auto const some = bench::uniform(5, k * m);
      auto weights = zeros<float>(k, m);
      std::copy(some.begin(), some.end(), weights.data());
      auto projections = zeros<float>(k, n);
      auto const v = root.layer_view(), g = gradients.layer_view();
      std::vector<bench::contender> const ways{{"pairs",
                                                [&] {
                                                  auto const inner = cross_gram(v, g);
                                                  lapack::gemm(false, false, k, n, m, root.vectors_factor(),
                                                               weights.data(), inner.data(), 0.0f, projections.data());
                                                }},
                                               {"directions", [&] {
                                                  auto directions = unset<float>(k, root.rows());
                                                  root.multiply(elements(std::as_const(weights)), elements(directions));
                                                  gradients.multiply(elements(std::as_const(directions)),
                                                                     elements(projections));
                                                }}};
      bench::print_choice("slopes", name + at(k, "N =", n), ways, bench::compare(ways, options.seconds),
                          detail::cheaper_by_pairs(v, g, k) ? 0 : 1);
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  bench::growth_options const options(count, arguments);
  of_network<784, 128>(options, 256);
  of_network<64, 32>(options, 64);
}

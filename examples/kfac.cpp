// K-FAC and everything around its factors, in the order of docs/kfac.md, which quotes this file. It checks what the
// page says and returns 0, or 1.

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <vector>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/io/kfac_file.hpp>
#include <kappa/methods.hpp>

using namespace kappa;

// [network]
// Eight positions share the first layer; they are averaged before the loss.
struct net : network<input<8, 4> | dense<16, "shared"> | act::tanh | mean_over_positions | dense<3>> {};
struct goal : objective<net, cross_entropy> {};
// [/network]

namespace {

constexpr std::size_t samples = 96;

struct sequences {
  matrix<double> x = zeros<double>(samples, 8 * 4);
  std::vector<int> y = std::vector<int>(samples);
  sequences() {
    counter_random random(1);
    for (std::size_t n = 0; n < samples; ++n) {
      y[n] = static_cast<int>(random.below(3));
      for (std::size_t i = 0; i < 32; ++i) x(n, i) = random.normal() + (static_cast<int>(i % 4) == y[n] ? 0.7 : 0.0);
    }
  }
  batch<double> all() const { return {x, y}; }
  batch<double> part(std::size_t begin, std::size_t count) const {
    return {elements(x).subspan(32 * begin, 32 * count), std::span(y).subspan(begin, count)};
  }
};

bool good = true;
void expect(char const* what, bool holds) {
  std::printf("%-70s %s\n", what, holds ? "yes" : "NO");
  good &= holds;
}

double norm(vector<double> const& v) {
  double squares = 0;
  for (double x : v) squares += x * x;
  return std::sqrt(squares);
}
double distance(vector<double> const& a, vector<double> const& b) {
  vector<double> const d = a - b;
  return norm(d) / norm(b);
}

}  // namespace

int main() {
  sequences const data;
  auto const theta = initialise<net, double>(2);

  // [sources]
  auto const q = derive<goal>(theta, data.all(), gradient,      // one sweep for all of them
                              kfac<expand>, kfac<reduce>,       // exact: all columns of the loss's Hessian
                              kfac<reduce, monte_carlo<1>>(7),  // one target drawn per loss term, seed 7
                              kfac<reduce, empirical>,          // the actual targets
                              ekfac<reduce>);                   // second moments in the eigenbases
  kfac_matrix<double> const k = q[kfac<reduce>];                // an operator [P, P] that owns its factors
  auto const factors = q.factors(kfac<reduce>);                 // or A and B of every layer, as views
  // [/sources]

  // [damping]
  auto const g = q[gradient];
  auto const exact_step = solve(k + 0.01 * identity, g);              // exact, in the eigenbases: the default
  auto const factored = solve(damp(k, pi_damping{0.01}), g);          // √λ on each factor, balanced by π
  auto const relative = solve(damp(k, block_relative_damping{}), g);  // a tenth of each block's mean eigenvalue
  // [/damping]
  expect("π damping over-damps", norm(factored) < norm(exact_step));
  expect("relative damping gives a step", norm(relative) > 0);
  expect("one pair of factors per parameter", factors.size() == 2);

  // [operators]
  auto const posterior = inverse(k + 0.01 * identity);  // decomposed once
  auto const step = apply(posterior, g);
  auto const variances = diagonal(posterior);  // of every parameter
  auto const draw = sample(posterior, 3);      // N(0, (K + λI)⁻¹), seed 3
  double const volume = log_det(k + 0.01 * identity);
  auto const spectrum = eigenvalues(q[ekfac<reduce>]);
  // [/operators]
  expect("the inverse's product is a solve", distance(step, exact_step) < 1e-12);
  expect("variances, a draw, a determinant, a spectrum",
         variances(0) > 0 && norm(draw) > 0 && std::isfinite(volume) && spectrum(0) > 0);

  // [batches]
  kfac_accumulator<goal, double, kfac<reduce>> collected(theta, 40);  // batches of up to 40
  accumulate(collected, data.all(), samples, 40);                     // 40, 40 and 16 samples
  ekfac_accumulator<goal, double, ekfac<reduce>> moments(theta, 40, collected.curvature());
  accumulate(moments, data.all(), samples, 40);  // the second pass
  // [/batches]
  expect("batches give the factors of all samples", distance(apply(collected.curvature(), g), apply(k, g)) < 1e-12);
  expect("and EKFAC the trace of all samples",
         std::abs(trace(moments.curvature()) / trace(q[ekfac<reduce>]) - 1) < 1e-10);

  // [disk]
  auto const folder = std::filesystem::temp_directory_path() / "kappa_kfac_example";
  io::save_kfac_sums(folder, "net", collected.sums());  // NPY files and manifest.json
  kfac_accumulator<goal, double, kfac<reduce>> resumed(theta, 40);
  resumed.merge(io::load_kfac_sums(folder, "net"));  // and goes on appending
  // [/disk]
  std::filesystem::remove_all(folder);
  expect("what was saved comes back", distance(apply(resumed.curvature(), g), apply(collected.curvature(), g)) == 0);

  // [optimisers]
  kfac_optimiser<goal, double, kfac<reduce>> plain(samples, {.learning_rate = 0.3, .damping = 0.01});
  kfac_optimiser<goal, double, ekfac<reduce>> measured(samples, {.learning_rate = 0.3, .damping = 0.01});
  kfac_optimiser<goal, double, kfac<reduce>, rescaled> chosen(samples, {.damping = 0.1, .adaptation_period = 5});
  kfac_optimiser<goal, double, kfac<reduce>> grafted(
      samples, {.learning_rate = 0.1, .damping = 0.01, .kl_clip = no_clip, .grafting = kfac_grafting::adam});
  // [/optimisers]
  auto const trained = [&](auto& optimiser) {
    auto t = theta;
    for (int i = 0; i < 30; ++i) optimiser.step(elements(t), data.all());
    return evaluate<goal>(t, data.all());
  };
  double const start = evaluate<goal>(theta, data.all());
  std::printf("loss %.3f at the start; after 30 steps:\n", start);
  double const after[] = {trained(plain), trained(measured), trained(chosen), trained(grafted)};
  std::printf("  K-FAC %.4f   EKFAC %.4f   rescaled %.4f   grafted %.4f\n", after[0], after[1], after[2], after[3]);
  for (double loss : after) good &= loss < 0.7 * start;
  std::printf("  α = %.3f, μ = %.3f, λ = %.4f in the end\n", chosen.last_step().length, chosen.last_step().momentum,
              chosen.damping());

  auto t = theta;
  for (int i = 0; i < 30; ++i) plain.step(elements(t), data.all());
  // [evidence]
  auto const mode = derive<goal>(t, data.all(), loss_value, kfac<reduce>);
  double const n = samples;  // the objective is a mean over samples, a likelihood is about their sum
  laplace_evidence const evidence(-n * mode[loss_value], mode[kfac<reduce>], elements(t), n);
  auto const precisions = evidence.fitted({1, 1});  // MacKay's fixed point: one prior N(0, I/δ) for each layer
  double const log_z = evidence(precisions);
  auto const shared = evidence.merged();  // one δ for all
  // [/evidence]
  std::printf("log Z = %.2f at δ = %.3f, %.3f\n", log_z, precisions[0], precisions[1]);
  expect("a prior for each layer has more evidence than a common one", log_z >= shared(shared.fitted({1})));

  // [references]
  auto const nearest = q.nearest_kfac(ekfac<reduce>);  // no Kronecker factors are nearer to the Gauss-Newton blocks
  inverse_free_factors<double> roots(16, 5, {.damping = 0.1, .learning_rate = 0.05});
  for (int i = 0; i < 500; ++i) roots.update(factors[0].inputs.copy(), factors[0].outputs.copy());  // SINGD
  // [/references]
  expect("the nearest factors are a curvature too", trace(nearest) > 0 && trace(roots.inverse()) > 0);
  return good ? 0 : 1;
}

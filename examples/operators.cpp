// The algebra of operators in one page: what docs/operators.md quotes. Each operator is checked against its dense
// matrix at the end; the program says so and returns 0, or 1.

#include <cmath>
#include <cstdio>

#include <kappa/algebra.hpp>
#include <kappa/spectrum.hpp>

namespace {

// [root]
// V = diag(s) C, which is never formed: rows of a cheap handle, its products, and its Gram matrix.
struct scaled_columns {
  using value_type = double;
  std::span<double const> s;       // [n]
  kappa::matrix<double> const* c;  // [n, columns]
  std::span<double const> gram_values;

  std::size_t rows() const { return c->shape(0); }
  std::size_t columns() const { return c->shape(1); }
  void multiply(std::span<double const> x, std::span<double> y) const {
    for (std::size_t i = 0; i < rows(); ++i) {
      y[i] = 0;
      for (std::size_t j = 0; j < columns(); ++j) y[i] += s[i] * (*c)(i, j) * x[j];
    }
  }
  void multiply_transposed(std::span<double const> y, std::span<double> x) const {
    for (std::size_t j = 0; j < columns(); ++j) {
      x[j] = 0;
      for (std::size_t i = 0; i < rows(); ++i) x[j] += s[i] * (*c)(i, j) * y[i];
    }
  }
  std::span<double const> gram() const { return gram_values; }
};
// [/root]

kappa::matrix<double> random_matrix(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  kappa::counter_random random(seed);
  auto m = kappa::zeros<double>(rows, columns);
  for (auto& x : kappa::elements(m)) x = random.normal();
  return m;
}

bool good = true;
void expect(char const* what, double error) {
  std::printf("%-52s %.1e\n", what, error);
  good = good && error < 1e-9;
}

// ‖A x - g‖ / ‖g‖
template <class Op>
double residual(Op const& op, kappa::vector<double> const& x, kappa::vector<double> const& g) {
  auto const image = kappa::apply(op, x);
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < g.size(); ++i) {
    difference += (image(i) - g(i)) * (image(i) - g(i));
    norm += g(i) * g(i);
  }
  return std::sqrt(difference / norm);
}

}  // namespace

int main() {
  auto const A = kappa::lapack::gram(random_matrix(9, 4, 1));  // positive definite, [4, 4]
  auto const B = kappa::lapack::gram(random_matrix(9, 3, 2));  // [3, 3]
  auto const V = random_matrix(12, 5, 3);
  auto const C = random_matrix(12, 2, 4);
  auto const g = kappa::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  double const damping = 0.1;

  {
    // [expressions]
    using namespace kappa;
    auto const ggn = low_rank(V);       // V Vᵀ, [12, 12]
    auto const kfac = kronecker(B, A);  // B ⊗ A, [12, 12]

    auto const step = solve(ggn + damping * identity, g);        // Woodbury: one Cholesky of VᵀV + λI, [5, 5]
    auto const kfac_step = solve(kfac + damping * identity, g);  // the two eigenbases, exact damping
    double const evidence = log_det(kfac + damping * identity);  // the sum of log(bᵢ aⱼ + λ)
    double const kappa_of = condition_number(kfac);              // κ(B) κ(A)
    auto const sums = eigenvalues(kronecker_sum(A, B));          // all aᵢ + bⱼ, descending
    // [/expressions]
    expect("solve(ggn + damping * identity, g)", residual(ggn + damping * identity, step, g));
    expect("solve(kfac + damping * identity, g)", residual(kfac + damping * identity, kfac_step, g));
    expect("log_det(kfac + damping * identity)",
           std::abs(evidence - log_det(symmetric(to_dense(kfac + damping * identity)))));
    expect("condition_number(kfac)", std::abs(kappa_of / condition_number(symmetric(to_dense(kfac))) - 1));
    expect("eigenvalues(kronecker_sum(A, B))",
           std::abs(sums(0) - eigenvalues(symmetric(A))(0) - eigenvalues(symmetric(B))(0)));
  }
  {
    // [by-name]
    using namespace kappa;
    auto const op = low_rank(V) + kronecker(B, A) + damping * identity;  // no direct solve is known for this sum
    auto const x = solve(op, g, conjugate_gradients{.tolerance = 1e-12});
    auto const faster =
        solve(op, g,
              conjugate_gradients{.tolerance = 1e-12, .preconditioner = inverse(kronecker(B, A) + damping * identity)});
    auto const top = top_eigenpairs(op, 2, lanczos{.tolerance = 1e-10, .seed = 7});
    // top.values [2], top.vectors [2, 12], top.residuals [2]
    // [/by-name]
    expect("conjugate gradients", residual(op, x, g));
    expect("conjugate gradients, preconditioned", residual(op, faster, g));
    expect("lanczos", std::abs(top.values(0) / eigenvalues(symmetric(to_dense(op)))(0) - 1));
  }
  {
    // [factorise]
    using namespace kappa;
    auto const solver = factorise(kronecker(B, A) + damping * identity);
    auto x = solver.solve(g);      // a new vector
    solver.solve(x, elements(x));  // in place, nothing is factorised again
    // [/factorise]
    auto const op = kronecker(B, A) + damping * identity;
    expect("factorise", residual(op, apply(op, x), g));
  }
  {
    // [blocks]
    using namespace kappa;
    // A layer with W [3, 3] and b [3]: its K-FAC block acts on [W b], so row o is gathered from W's row and b's entry.
    std::vector<std::size_t> order;
    for (std::size_t o = 0; o < 3; ++o) {
      for (std::size_t i = 0; i < 3; ++i) order.push_back(3 * o + i);
      order.push_back(9 + o);
    }
    auto const layer = permuted(kronecker(B, A), order);
    auto const network = block_diagonal(layer, diagonal_matrix(vector<double>{1, 2}), low_rank(V));
    auto const f = factorise(network + damping * identity);  // block by block, each its own way
    // [/blocks]
    auto ones = zeros<double>(network.size());
    ones.fill(1);
    expect("block_diagonal", residual(network + damping * identity, f.solve(ones), ones));
  }
  {
    std::vector<double> const s(12, 2.0);
    auto scaled = C;
    for (auto& x : kappa::elements(scaled)) x *= 2;
    auto const gram = kappa::lapack::gram(scaled);
    // [use-root]
    using namespace kappa;
    auto const op = low_rank(scaled_columns{s, &C, elements(gram)});
    auto const x = solve(op + damping * identity, g);
    auto const pairs = top_eigenpairs(op, 2);  // from the Gram, [2, 2]: eigenvectors by two products with V
    // [/use-root]
    expect("a root of one's own", residual(op + damping * identity, x, g));
    expect("its eigenpairs", pairs.residuals(0) / pairs.values(0));
  }
  {
    // [estimates]
    using namespace kappa;
    auto const op = matrix_free<double>(12, [&](std::span<double const> x, std::span<double> y) {
      for (std::size_t i = 0; i < 12; ++i) y[i] = (1.0 + static_cast<double>(i)) * x[i];
    });
    auto const tr = hutchinson_trace(op, {.samples = 20, .seed = 1});  // tr.value, tr.standard_error
    auto const density = density_of(op, {.probes = 8, .steps = 12, .seed = 1});
    auto const mean_log = density.mean([](double x) { return std::log(x); });  // log det / n, with its error
    auto const height = density.at(6.0, 0.5);                                  // smoothed by a normal of deviation ½
    // [/estimates]
    expect("hutchinson_trace of a diagonal", std::abs(tr.value - 78));
    good = good && std::isfinite(mean_log.standard_error) && height.value > 0;
  }
  std::puts(good ? "as they should be" : "NOT as they should be");
  return good ? 0 : 1;
}

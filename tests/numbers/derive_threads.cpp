// The same numbers on one thread and on two, and in float and in double, on a network large enough to be split: the
// gradient's family, and what is made of the Gauss-Newton matrix.

#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra/operations.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/derive/directions.hpp>

#include "reference.hpp"

namespace {

using namespace kappa;
using reference::relative_error;

struct net : network<input<784> | dense<128> | act::relu | dense<64> | act::tanh | dense<10>> {};
struct goal : objective<net, cross_entropy> {};
constexpr std::size_t samples = 512;

template <class T>
struct results {
  double loss;
  std::vector<double> gradient, norms, inputs, outputs, product;
};

template <class T>
results<T> results_on(int thread_count) {
  set_threads(thread_count);
  auto const theta = initialise<net, T>(3);
  std::vector<T> x(samples * 784), v(static_cast<std::size_t>(net::parameter_count));
  std::vector<int> y(samples);
  counter_random random(4);
  for (T& e : x) e = static_cast<T>(random.normal());
  for (T& e : v) e = static_cast<T>(random.normal());
  for (int& e : y) e = static_cast<int>(random.below(10));
  auto const q = derive<goal>(theta, batch(x, y), loss_value, gradient, per_sample_gradient_norms, kfac<expand>,
                              ggn_vector_product(v));
  auto const wide = [](auto const& s) { return std::vector<double>(s.begin(), s.end()); };
  auto const factors = q.factors(kfac<expand>);
  return {q[loss_value],
          wide(q[gradient]),
          wide(q[per_sample_gradient_norms]),
          wide(factors.front().inputs.elements()),
          wide(factors.front().outputs.elements()),
          wide(q[ggn_vector_product])};
}

template <class A, class B>
void agree(A const& a, B const& b, double tolerance) {
  CHECK(std::abs(a.loss - b.loss) < tolerance * std::abs(b.loss));
  CHECK(relative_error(a.gradient, b.gradient) < tolerance);
  CHECK(relative_error(a.norms, b.norms) < tolerance);
  CHECK(relative_error(a.inputs, b.inputs) < tolerance);
  CHECK(relative_error(a.outputs, b.outputs) < tolerance);
  CHECK(relative_error(a.product, b.product) < tolerance);
}

}  // namespace

TEST_CASE("one thread and two agree to rounding; a thread count repeats itself bit for bit") {
  auto const one = results_on<double>(1), two = results_on<double>(2), again = results_on<double>(2);
  agree(one, two, 1e-13);
  CHECK(two.gradient == again.gradient);
  CHECK(two.inputs == again.inputs);
}

TEST_CASE("float agrees with double to float's rounding, and no better") {
  auto const narrow = results_on<float>(1);
  auto const wide = results_on<double>(1);
  agree(narrow, wide, 2e-5);
  CHECK(relative_error(narrow.gradient, wide.gradient) > 1e-9);
}

namespace {

template <class T>
struct curvature_results {
  std::vector<double> gram, second_factor, values, pairs, vectors, slopes, curvatures;
};

template <class T>
curvature_results<T> curvature_on(int thread_count) {
  set_threads(thread_count);
  constexpr std::size_t n = 96, k = 3;
  auto const theta = initialise<net, T>(5);
  std::vector<T> x(n * 784);
  std::vector<int> y(n);
  counter_random random(6);
  for (T& e : x) e = static_cast<T>(random.normal());
  for (int& e : y) e = static_cast<int>(random.below(10));
  auto const q = derive<goal>(theta, batch(x, y), gradient, ggn, kfac<expand>);
  auto const wide = [](auto const& s) { return std::vector<double>(s.begin(), s.end()); };
  // Of an eigenvector, what does not depend on its sign.
  auto const squares = [&](auto const& m) {
    auto all = wide(elements(m));
    for (double& v : all) v *= v;
    return all;
  };
  auto const top = top_eigenpairs(q[ggn], k);
  auto const d = directional_derivatives_of(q, k);
  return {wide(q[ggn].root().gram()),
          wide(q.factors(kfac<expand>)[1].inputs.elements()),
          wide(elements(eigenvalues(q[ggn]))),
          wide(elements(top.values)),
          squares(top.vectors),
          squares(d.slopes),
          wide(elements(d.curvatures))};
}

}  // namespace

TEST_CASE("Gram matrices, their eigenpairs and directional derivatives: the same on any number of threads") {
  auto const one = curvature_on<double>(1), two = curvature_on<double>(2), again = curvature_on<double>(2);
  CHECK(relative_error(one.gram, two.gram) < 1e-13);
  CHECK(relative_error(one.second_factor, two.second_factor) < 1e-13);
  CHECK(relative_error(one.values, two.values) < 1e-12);
  CHECK(relative_error(one.pairs, two.pairs) < 1e-12);
  // Vectors are as exact as the residual's bound, 1e-10 of the largest eigenvalue, over the gap.
  CHECK(relative_error(one.vectors, two.vectors) < 1e-7);
  CHECK(relative_error(one.slopes, two.slopes) < 1e-7);
  CHECK(relative_error(one.curvatures, two.curvatures) < 1e-7);
  CHECK(two.gram == again.gram);
  CHECK(two.second_factor == again.second_factor);
  CHECK(two.values == again.values);
  CHECK(two.pairs == again.pairs);
  CHECK(two.vectors == again.vectors);
  CHECK(two.slopes == again.slopes);
  CHECK(two.curvatures == again.curvatures);
  // The comparison would see another arithmetic.
  auto const narrow = curvature_on<float>(2);
  CHECK(relative_error(narrow.gram, two.gram) < 1e-4);
  CHECK(relative_error(narrow.gram, two.gram) > 1e-9);
}

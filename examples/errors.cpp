// What kappa throws, met on purpose: what docs/errors.md quotes. Prints each sentence; returns 0 if all came, else 1.

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <vector>

#include <kappa/io/npy.hpp>
#include <kappa/kappa.hpp>

namespace {

using namespace kappa;

struct net : network<input<3> | dense<4> | act::tanh | dense<2>> {};
struct goal : objective<net, cross_entropy> {};

int missed = 0;

/// Calls f and prints what it throws, which must be an Exception.
template <class Exception, class F>
void expect(char const* type, F const& f) {
  try {
    f();
  } catch (Exception const& e) {
    std::printf("%-18s %s\n", type, e.what());
    return;
  }
  std::printf("%-18s was expected\n", type);
  ++missed;
}

}  // namespace

int main() {
  auto const theta = initialise<net, double>(1);
  std::vector<double> x{1, 2, 3, 4, 5, 6};
  std::vector<int> y{0, 1};

  // [catch]
  try {
    derive<goal>(theta, batch(x, std::vector<int>{0, 2}), gradient);
  } catch (invalid_value const& e) {
    std::printf("%s\n", e.what());  // label 1 is 2, a class from 0 to 1 was expected
  } catch (error const& e) {        // the base of all others
    std::printf("kappa: %s\n", e.what());
  }
  // [/catch]

  expect<shape_mismatch>("shape_mismatch", [&] {
    // [shape_mismatch]
    derive<goal>(theta, batch(std::vector<double>(7), y), gradient);  // 7 numbers, 3 per sample
    // [/shape_mismatch]
  });
  expect<invalid_value>("invalid_value", [&] {
    // [invalid_value]
    x[1] = std::nan("");
    derive<goal>(theta, batch(x, y), gradient);
    // [/invalid_value]
  });
  x[1] = 2;
  expect<capacity_exceeded>("capacity_exceeded", [&] {
    // [capacity_exceeded]
    derive<goal>(theta, batch(std::vector<double>{}, std::vector<int>{}), gradient);  // no samples
    // [/capacity_exceeded]
  });
  expect<singular_matrix>("singular_matrix", [&] {
    // [singular_matrix]
    auto a = zeros<double>(2, 2);
    a(0, 0) = 1;  // diag(1, 0)
    solve(symmetric(a), std::vector<double>{1, 1});
    // [/singular_matrix]
  });
  expect<not_converged>("not_converged", [&] {
    // [not_converged]
    auto a = zeros<double>(3, 3);
    for (std::size_t i = 0; i < 3; ++i) a(i, i) = 1 + static_cast<double>(i);
    solve(symmetric(a), std::vector<double>{1, 1, 1}, conjugate_gradients{.tolerance = 1e-12, .max_iterations = 1});
    // [/not_converged]
  });
  expect<format_error>("format_error", [] {
    // [format_error]
    io::read_npy<float>(std::filesystem::path("no such file.npy"));
    // [/format_error]
  });
  return missed;
}

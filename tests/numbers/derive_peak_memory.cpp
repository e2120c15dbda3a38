// How much memory directional derivatives and Newton steps need at their peak, beside the Gram matrix, what the layers
// keep, and the parameters: on 784-512-256-10 with 512 samples, where the Gram matrix has 85 MB.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <new>
#include <vector>

#include <malloc.h>

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/methods/directional_newton.hpp>

namespace {
// Bytes that are allocated now, and the most there were.
std::size_t present = 0, peak = 0;

void* counted(void* p) {
  if (!p) throw std::bad_alloc();
  present += malloc_usable_size(p);
  peak = std::max(peak, present);
  return p;
}
void* counted(std::size_t bytes, std::align_val_t alignment) {
  auto const a = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(a, (bytes + a - 1) / a * a));
}
void uncounted(void* p) {
  present -= malloc_usable_size(p);
  std::free(p);
}
}  // namespace

void* operator new(std::size_t n) { return counted(std::malloc(n)); }
void* operator new[](std::size_t n) { return counted(std::malloc(n)); }
void* operator new(std::size_t n, std::align_val_t a) { return counted(n, a); }
void* operator new[](std::size_t n, std::align_val_t a) { return counted(n, a); }
void* operator new(std::size_t n, std::nothrow_t const&) noexcept { return counted(std::malloc(n)); }
void* operator new[](std::size_t n, std::nothrow_t const&) noexcept { return counted(std::malloc(n)); }
void operator delete(void* p) noexcept { uncounted(p); }
void operator delete[](void* p) noexcept { uncounted(p); }
void operator delete(void* p, std::size_t) noexcept { uncounted(p); }
void operator delete[](void* p, std::size_t) noexcept { uncounted(p); }
void operator delete(void* p, std::align_val_t) noexcept { uncounted(p); }
void operator delete[](void* p, std::align_val_t) noexcept { uncounted(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { uncounted(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { uncounted(p); }

namespace {
using namespace kappa;

struct net : network<input<784> | dense<512> | act::relu | dense<256> | act::relu | dense<10>> {};
struct goal : objective<net, cross_entropy> {};
constexpr std::size_t samples = 512, order = samples * 9;

/// The most bytes that `f` has at a time, beyond those that were there.
template <class F>
std::size_t peak_of(F&& f) {
  std::size_t const before = present;
  peak = present;
  f();
  return peak - before;
}

}  // namespace

TEST_CASE("directional derivatives and Newton steps need a fifth more than Gram matrix, activations and parameters") {
  // The count sees what arrays and vectors allocate.
  CHECK(peak_of([] { zeros<float>(1000, 1000); }) >= 4000000);
  CHECK(peak_of([] { std::vector<float>(1000000); }) >= 4000000);

  set_threads(2);  // each has scratch of its own
  auto const theta = initialise<net, float>(1);
  std::vector<float> x(samples * 784);
  std::vector<int> y(samples);
  counter_random random(2);
  for (float& v : x) v = static_cast<float>(random.normal());
  for (int& v : y) v = static_cast<int>(random.below(10));

  // What the request keeps: values of every layer, and the vectors of gradient and Gauss-Newton root at its outputs.
  std::size_t const gram = sizeof(float) * order * order;
  std::size_t const of_parameters = sizeof(float) * static_cast<std::size_t>(net::parameter_count);
  std::size_t const units = 512 + 256 + 10;
  std::size_t const activations = sizeof(float) * samples * (784 + units + (1 + 9) * units);
  std::size_t const counted = gram + activations + of_parameters;

  std::size_t const for_directions = peak_of([&] {
    auto const q = derive<goal>(theta, batch(x, y), gradient, ggn);
    CHECK(directional_derivatives_of(q, 10).count() == 10);
  });
  {  // The slopes, taken some samples at a time, are those along the directions themselves.
    auto const q = derive<goal>(theta, batch(x, y), gradient, ggn);
    auto const d = directional_derivatives_of(q, 10);
    auto const e = directions_of(q[ggn], d);
    auto const slopes = d.mean_slopes();
    for (std::size_t k = 0; k < 10; ++k) {
      double slope = 0, length = 0;
      for (std::size_t i = 0; i < e.shape(1); ++i) {
        slope += static_cast<double>(e(k, i)) * static_cast<double>(q[gradient][i]);
        length += static_cast<double>(q[gradient][i]) * static_cast<double>(q[gradient][i]);
      }
      CHECK(std::abs(static_cast<double>(slopes(k)) - slope) < 1e-4 * std::sqrt(length));
      CHECK(std::abs(-static_cast<double>(slopes(k)) - slope) > 1e-4 * std::sqrt(length));  // a wrong sign shows
    }
  }
  std::size_t const newton = peak_of([&] {
    auto const q = derive<goal>(theta, batch(x, y), gradient, ggn);
    CHECK(directional_newton_step_of(q, ggn, leading{10}, constant_damping{1e-2}).step.size() > 0);
  });
  double const share = static_cast<double>(for_directions) / static_cast<double>(counted);
  double const step_share = static_cast<double>(newton) / static_cast<double>(counted);
  WARN("peak over Gram matrix, activations and parameters: directions " << share << ", Newton step " << step_share);
  CHECK(share < 1.2);
  CHECK(step_share < 1.2);
  // It cannot be less than what is kept; and a second Gram matrix would show, as for all eigenvalues.
  CHECK(share > 0.9);
  std::size_t const all = peak_of([&] {
    auto const q = derive<goal>(theta, batch(x, y), ggn);
    auto const copy = zeros<float>(order, order);
    CHECK(copy.size() == q[ggn].root().gram().size());
  });
  CHECK(static_cast<double>(all) > 1.2 * static_cast<double>(counted));
}

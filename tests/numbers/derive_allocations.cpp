// Deriving into a workspace allocates nothing, whatever is asked for.

#include <cstdlib>
#include <new>

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>

namespace {
std::size_t allocations = 0;
void* counted(std::size_t bytes) {
  ++allocations;
  if (void* p = std::malloc(bytes)) return p;
  throw std::bad_alloc();
}
void* counted(std::size_t bytes, std::align_val_t alignment) {
  ++allocations;
  auto const a = static_cast<std::size_t>(alignment);
  if (void* p = std::aligned_alloc(a, (bytes + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t n) { return counted(n); }
void* operator new[](std::size_t n) { return counted(n); }
void* operator new(std::size_t n, std::align_val_t a) { return counted(n, a); }
void* operator new[](std::size_t n, std::align_val_t a) { return counted(n, a); }
// The nothrow forms, too: a sanitizer's own would not match the deletes below.
void* operator new(std::size_t n, std::nothrow_t const&) noexcept { return ++allocations, std::malloc(n); }
void* operator new[](std::size_t n, std::nothrow_t const&) noexcept { return ++allocations, std::malloc(n); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace {
using namespace kappa;

struct shared_net : network<input<6, 20> | dense<33> | act::gelu |
                            residual(dense<33, "E"> | act::tanh | dense<33, "E">) | mean_over_positions | dense<5>> {};
struct shared_objective : objective<shared_net, cross_entropy> {};
struct large_net : network<input<784> | dense<128> | act::relu | dense<10>> {};
struct large_objective : objective<large_net, cross_entropy> {};

template <class Objective, class T, class... Q>
std::size_t allocations_of(std::size_t samples, Q const&... quantities) {
  using net = typename Objective::network;
  auto const theta = initialise<net, T>(1);
  std::vector<T> x(samples * static_cast<std::size_t>(net::input_shape.size()));
  std::vector<int> y(samples);
  counter_random random(2);
  for (T& v : x) v = static_cast<T>(random.normal());
  for (int& v : y) v = static_cast<int>(random.below(5));
  auto work = workspace_for<Objective, T>(samples, quantities...);
  derive(work, theta, batch(x, y), quantities...);  // the thread pool starts
  std::size_t const before = allocations;
  derive(work, theta, batch(x, y), quantities...);
  return allocations - before;
}
}  // namespace

TEST_CASE("the counter counts") {
  std::size_t const before = allocations;
  std::vector<int> v(10);
  CHECK(allocations == before + 1);
  CHECK(v.size() == 10);
}

TEMPLATE_TEST_CASE("deriving allocates nothing", "", float, double) {
  using T = TestType;
  for (int count : {1, 2}) {
    set_threads(count);
    std::vector<T> v(static_cast<std::size_t>(shared_net::parameter_count), T(0.1));
    CHECK(allocations_of<shared_objective, T>(
              40, loss_value, gradient, per_sample_gradient, per_sample_gradient_norms, gradient_variance, ggn,
              ggn_diagonal, kfac<expand>, kfac<reduce>, kfac<expand, monte_carlo<2>>(3), kfac<reduce, empirical>,
              kfac<expand, random_signs<2>>(3), kfac<reduce, forward_only, separate_bias>, ggn_vector_product(v),
              hessian_vector_product(v)) == 0);
    CHECK(allocations_of<large_objective, T>(128, loss_value, gradient, ggn, kfac<expand>) == 0);
  }
}

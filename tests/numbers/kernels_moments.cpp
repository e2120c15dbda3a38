// Second moments, sums and means over positions.

#include "kernels_factors.hpp"

namespace {

using namespace kernel_factors;

template <class T, int D, kappa::route Route>
void check_moment(std::size_t rows, int threads) {
  INFO("D " << D << " rows " << rows << " bytes " << sizeof(T) << " route " << static_cast<int>(Route));
  kappa::set_threads(threads);
  auto const x = draw<T>(rows * D, 1);
  T const scale = T(0.375);
  for (bool homogeneous : {false, true}) {
    std::size_t const n = D + (homogeneous ? 1u : 0u);
    std::vector<T> m(n * n);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) m[i * n + j] = T(0.125) * static_cast<T>(i + j);
    auto const before = widen(m);
    second_moment<T, D, Route>(rows, x.data(), scale, m.data(), homogeneous);
    extended e(n * n);
    auto const at = [&](std::size_t q, std::size_t i) -> long double {
      return i < D ? static_cast<long double>(x[q * D + i]) : 1.0L;
    };
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        for (std::size_t q = 0; q < rows; ++q) e[i * n + j] += static_cast<long double>(scale) * at(q, i) * at(q, j);
    // Large entries of `before` would hide a fault, so the scale is that of the sum.
    check<T>(m, before, e, rows);
    bool symmetric = true;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < i; ++j) symmetric = symmetric && m[i * n + j] == m[j * n + i];
    REQUIRE(symmetric);
    // Without `add` what was there does not matter, not even if it is no number.
    std::vector<T> fresh(n * n, std::numeric_limits<T>::quiet_NaN());
    second_moment<T, D, Route>(rows, x.data(), scale, fresh.data(), homogeneous, false);
    REQUIRE(std::all_of(fresh.begin(), fresh.end(), [](T v) { return std::isfinite(v); }));
    check<T>(fresh, extended(n * n), e, rows);
    if (Route == kappa::route::tiles && threads > 1) {  // threads share the rows, not the sums
      kappa::set_threads(1);
      std::vector<T> alone(n * n);
      second_moment<T, D, Route>(rows, x.data(), scale, alone.data(), homogeneous, false);
      kappa::set_threads(threads);
      REQUIRE(fresh == alone);
    }
    // In parts, of which the last mirrors.
    std::vector<T> parts(n * n, std::numeric_limits<T>::quiet_NaN());
    std::size_t const first = rows / 3, second = rows / 2;
    auto const add = [&](std::size_t begin, std::size_t end, bool adds, bool mirrors) {
      second_moment<T, D, Route>(end - begin, x.data() + begin * D, scale, parts.data(), homogeneous, adds, mirrors);
    };
    add(0, first, false, false);
    add(first, second, true, false);
    add(second, rows, true, true);
    REQUIRE(std::all_of(parts.begin(), parts.end(), [](T v) { return std::isfinite(v); }));
    check<T>(parts, extended(n * n), e, rows);
  }
}

template <int D>
void check_moments() {
  for (std::size_t rows : {0u, 1u, 6u, 128u, 257u})
    for (int threads : {1, 2, 3}) {
      check_moment<float, D, kappa::route::tiles>(rows, threads);
      check_moment<double, D, kappa::route::tiles>(rows, threads);
      check_moment<double, D, kappa::route::blas>(rows, threads);
      check_moment<float, D, kappa::route::blas>(rows, threads);
    }
}

TEST_CASE("second moments") {
  check_moments<1>();
  check_moments<7>();
  check_moments<16>();
  check_moments<33>();
  check_moments<130>();
}

TEST_CASE("sums and means over positions") {
  constexpr int d = 19;
  std::size_t const n = 6, r = 5;
  auto const x = draw<double>(n * r * d, 1);
  std::vector<double> sums(n * d, 3), means(n * d, 3);
  sum_positions<double, d>(n, r, x.data(), sums.data());
  mean_positions<double, d>(n, r, x.data(), means.data());
  extended e(n * d);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t q = 0; q < r; ++q)
      for (std::size_t j = 0; j < d; ++j) e[i * d + j] += x[(i * r + q) * d + j];
  check<double>(sums, extended(n * d), e, r);
  check<double>(means, extended(n * d), scaled(e, 1.0L / 5), r);
}

}  // namespace

#pragma once
/// \file
/// Which loop a linear layer's products run on, decided at compile time from its sizes and the vector width.

#include <algorithm>

namespace kappa {

/// `tiles`: register tiles with every feature size a constant; `blas`: BLAS in place, in slabs of rows.
enum class route { tiles, blas };

/// Cycles a core spends on the three products of a layer (forward, back through the weight, weight gradient), 32 rows
/// each, on register tiles. Measured: 95 % of the peak where vectors are full (AVX-512, AVX2), less by the part of the
/// last vector that is padding; W is packed once for the forward product. Without fused multiply-add (SSE2) a cycle
/// holds two multiplications and two additions of short vectors, of which three quarters were reached.
constexpr double tiles_cycles(int in, int out, int scalar_bytes, int simd_bytes) {
  double const lanes = static_cast<double>(simd_bytes) / scalar_bytes;
  auto const full = [&](int columns) {
    int const whole = simd_bytes / scalar_bytes;
    return static_cast<double>(columns) / ((columns + whole - 1) / whole * whole);
  };
  double const flops = 2.0 * 32 * in * out, rate = 4 * lanes * (simd_bytes >= 32 ? 0.95 : 0.75);
  double const packing = 4.0 * in * out / lanes;
  return flops / rate * (1 / full(out) + 2 / full(in)) + packing;
}

/// The same through BLAS, which is taken to find AVX2 or better at run time whatever this code is compiled for.
/// Measured (OpenBLAS 0.3.21): 90 % of that peak on large products, less when a side is short beside its own tiles of
/// about 8, W packed for two of the three products, and 400 cycles a call.
constexpr double blas_cycles(int in, int out, int scalar_bytes, int simd_bytes) {
  double const lanes = static_cast<double>(std::max(32, simd_bytes)) / scalar_bytes;
  double const short_sides = static_cast<double>(in) / (in + 8) * out / (out + 8);
  double const packing = 2 * 4.0 * in * out / lanes;
  return 3 * (2.0 * 32 * in * out / (4 * lanes * 0.9 * short_sides) + 400) + packing;
}

/// The cheaper route for a layer [out, in]. Measured on Zen 3 beside OpenBLAS 0.3.21, three products of 32 and of 256
/// rows in float on one thread, nine layers from 10 x 10 to 3,072 x 3,072: tiles took 0.34 to 1.03 of BLAS's time with
/// AVX2 and 1.1 to 2.8 of it with SSE2, and no choice cost more than 11 % over the better of the two. With AVX2 and
/// wider that is tiles for nearly every size, because they are specialised for the shape and have no call to pay;
/// without, BLAS for all but the smallest layers. Tiles stream W once per hundred rows when it outgrows the
/// second-level cache; beyond 32 MiB, or beyond 4 MiB when rows of x are long too, BLAS's blocking in both directions
/// is preferred (4,096 inputs, 512 outputs: by 6 to 24 %).
constexpr route choose_route(int in, int out, int scalar_bytes, int simd_bytes) {
  double const bytes = static_cast<double>(in) * out * scalar_bytes, mebibyte = 1024 * 1024;
  bool const huge = bytes > 32 * mebibyte || (bytes > 4 * mebibyte && in * scalar_bytes >= 16 * 1024);
  return huge || blas_cycles(in, out, scalar_bytes, simd_bytes) < tiles_cycles(in, out, scalar_bytes, simd_bytes)
             ? route::blas
             : route::tiles;
}

}  // namespace kappa

#pragma once
/// \file
/// Which loop a linear layer's products run on, decided at compile time.

namespace kappa {

/// `tiles`: register tiles with every feature size a constant; `blas`: BLAS in place, in slabs of rows.
enum class route { tiles, blas };

constexpr route choose_route(int, int, int, int) { return route::tiles; }

}  // namespace kappa

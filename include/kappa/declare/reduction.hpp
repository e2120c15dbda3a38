#pragma once

namespace kappa {

/// Reductions: L = ρ Σ_n Σ_m ℓ(f_nm, y_nm) over N samples with M loss terms each. Another one is
/// `mean_over_positions`, ρ = 1/(N M), the term of the same name.
struct mean_t {};           ///< ρ = 1/N
struct sum_t {};            ///< ρ = 1
struct weighted_mean_t {};  ///< ρ = 1/Σ_nm w(y_nm): over the terms that are not ignored, by their class weights
inline constexpr mean_t mean{};
inline constexpr sum_t sum{};
inline constexpr weighted_mean_t weighted_mean{};

}  // namespace kappa

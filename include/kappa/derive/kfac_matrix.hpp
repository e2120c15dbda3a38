#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <kappa/algebra/block_diagonal.hpp>
#include <kappa/algebra/embedded.hpp>
#include <kappa/algebra/kronecker.hpp>
#include <kappa/shapes/graph.hpp>
#include <kappa/tensor/matrix_view.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The two factors of one parameter's K-FAC block B ⊗ A on [W b], as views of the workspace.
template <real T>
struct kfac_factors {
  kappa::parameter parameter;
  matrix_view<T> inputs;   ///< A, [in (+1), in (+1)]: the mean of a aᵀ, a in homogeneous coordinates
  matrix_view<T> outputs;  ///< B, [out, out]: the sum of g gᵀ, carrying ρ
};

namespace detail {
/// Where the elements of [W b], row by row, lie in the parameter's part of the flat vector.
inline std::vector<std::size_t> order_in_rows(parameter const& w) {
  auto const inputs = static_cast<std::size_t>(w.inputs), outputs = static_cast<std::size_t>(w.outputs);
  std::vector<std::size_t> order;
  for (std::size_t o = 0; o < outputs; ++o) {
    for (std::size_t i = 0; i < inputs; ++i) order.push_back(o * inputs + i);
    if (w.bias) order.push_back(outputs * inputs + o);
  }
  return order;
}
}  // namespace detail

/// K-FAC of a whole network: block diagonal in the flat parameter order, one block B ⊗ A per dense parameter. Where
/// there is a bias the block acts on the rows of [W b], gathered from the flat vector. Owns copies of the factors.
template <real T>
class kfac_matrix : public block_diagonal<std::vector<embedded<kronecker<T>>>> {
  using base = block_diagonal<std::vector<embedded<kronecker<T>>>>;

 public:
  /// One block per entry, in the order of the parameters. \throws invalid_value when a factor is not finite.
  explicit kfac_matrix(std::vector<kfac_factors<T>> const& factors) : base(blocks_of(factors)) {}

 private:
  static std::vector<embedded<kronecker<T>>> blocks_of(std::vector<kfac_factors<T>> const& factors) {
    std::vector<embedded<kronecker<T>>> blocks;
    for (auto const& f : factors) {
      auto order = detail::order_in_rows(f.parameter);
      auto const size = order.size();
      blocks.emplace_back(kronecker<T>(f.outputs.copy(), f.inputs.copy()), std::move(order), size);
    }
    return blocks;
  }
};

}  // namespace kappa::inline KAPPA_ARCH

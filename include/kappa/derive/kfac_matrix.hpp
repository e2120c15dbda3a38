#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/block_diagonal.hpp>
#include <kappa/algebra/embedded.hpp>
#include <kappa/algebra/kronecker.hpp>
#include <kappa/shapes/graph.hpp>
#include <kappa/tensor/matrix_view.hpp>

namespace kappa::inline KAPPA_ARCH {

/// What of a layer a K-FAC block is for.
enum class kfac_part {
  whole,         ///< [W b], or W where there is no bias
  weight_alone,  ///< W, of a layer whose bias is apart
  bias_alone     ///< b, as a weight [out, 1] whose input is one
};

/// Whose a K-FAC block is: the parameter that it would be, were it a layer by itself. A table E [V, d] is a weight
/// [d, V], Eᵀ, whose inputs are the unit vectors of the rows read.
struct kfac_block {
  kappa::parameter parameter;
  kfac_part part = kfac_part::whole;
};

/// The two factors of one K-FAC block B ⊗ A, as views of the workspace.
template <real T>
struct kfac_factors {
  kappa::parameter parameter;
  matrix_view<T> inputs;   ///< A, [in (+1), in (+1)]: the mean of a aᵀ, a in homogeneous coordinates; of a table only
                           ///< its diagonal, [1, V], how often each row is read
  matrix_view<T> outputs;  ///< B, [out, out]: the sum of g gᵀ, carrying ρ
  kfac_part part = kfac_part::whole;
};

namespace detail {
/// Where the elements of [W b], row by row, lie in the parameter's part of the flat vector.
inline std::vector<std::size_t> order_in_rows(parameter const& w) {
  auto const inputs = static_cast<std::size_t>(w.inputs), outputs = static_cast<std::size_t>(w.outputs);
  std::vector<std::size_t> order;
  if (w.is_table()) {  // Eᵀ, row by row
    order.reserve(inputs * outputs);
    for (std::size_t o = 0; o < outputs; ++o)
      for (std::size_t i = 0; i < inputs; ++i) order.push_back(i * outputs + o);
    return order;
  }
  for (std::size_t o = 0; o < outputs; ++o) {
    for (std::size_t i = 0; i < inputs; ++i) order.push_back(o * inputs + i);
    if (w.bias) order.push_back(outputs * inputs + o);
  }
  return order;
}

/// The blocks of K-FAC in the order of the flat parameters: one for each parameter, or two where its bias is apart.
template <class Parameters>
std::vector<kfac_block> kfac_blocks(Parameters const& all, bool biases_apart) {
  std::vector<kfac_block> blocks;
  for (parameter const& p : all) {
    if (p.is_table()) {
      parameter table = p;
      table.outputs = p.row;
      table.inputs = p.outputs / p.row;
      blocks.push_back({table, kfac_part::whole});
      continue;
    }
    if (!biases_apart || !p.bias) {
      blocks.push_back({p, kfac_part::whole});
      continue;
    }
    parameter first = p, second = p;
    first.bias = second.bias = false;
    second.inputs = 1;
    second.offset += p.weight_size();
    blocks.push_back({first, kfac_part::weight_alone});
    blocks.push_back({second, kfac_part::bias_alone});
  }
  return blocks;
}

/// What the user would call a parameter in a sentence.
inline std::string title_of(parameter const& w, std::size_t index) {
  std::string name = w.name.empty() ? "" : " \"" + std::string(w.name.s) + "\"";
  if (!name.empty() && w.name.copy >= 0) name += " of copy " + std::to_string(w.name.copy);
  return "layer " + std::to_string(index) + name + " (" + (w.layer == nullptr ? "dense" : w.layer->name) + ", " +
         std::to_string(w.is_table() ? w.size() / w.row : w.outputs) + " x " +
         std::to_string(w.is_table() ? w.row : w.inputs) + ")";
}

/// What the user would call each of some blocks, in their order.
template <class Blocks>
std::vector<std::string> titles_of(Blocks const& blocks) {
  std::vector<std::string> all;
  std::size_t layers = 0;
  for (auto const& b : blocks) {
    bool const is_bias = b.part == kfac_part::bias_alone;  // of the layer before
    if (!is_bias) ++layers;
    char const* const part = is_bias ? "the bias of " : b.part == kfac_part::weight_alone ? "the weight of " : "";
    all.push_back(part + title_of(b.parameter, layers - 1));
  }
  return all;
}

/// The condition number of a matrix with these eigenvalues; infinite when rounding hides the smallest.
template <real T>
double condition_of(std::span<double const> values) {
  if (values.empty()) return 1;
  double largest = values[0], smallest = values[0];  // not std::ranges::max, which instantiates hundreds of classes
  for (double v : values) largest = std::max(largest, v), smallest = std::min(smallest, v);
  double const resolution =
      static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(values.size()) * largest;
  return smallest > resolution ? largest / smallest : std::numeric_limits<double>::infinity();
}
/// "; the condition number of A is 12, that of B 3e+07".
template <real T>
std::string said_conditions(std::span<double const> a, std::span<double const> b) {
  return "; the condition number of A is " + number(condition_of<T>(a)) + ", that of B " + number(condition_of<T>(b));
}

/// The blocks' factors, each failure told with its layer's title and what `more(block)` adds.
template <class Block, class More>
auto factorise_titled(std::vector<Block> const& blocks, std::vector<std::string> const& titles, char const* what,
                      double shift, More&& more) {
  using factor = decltype(blocks.front().factorise(shift));
  std::vector<factor> factors;
  std::vector<std::size_t> sizes;
  for (std::size_t p = 0; p < blocks.size(); ++p) {
    sizes.push_back(blocks[p].size());
    try {
      factors.push_back(blocks[p].factorise(shift));
    } catch (singular_matrix const& e) {
      throw singular_matrix(what + (", " + titles[p]) + ": " + e.what() + more(blocks[p]));
    } catch (not_converged const& e) {
      throw not_converged(what + (", " + titles[p]) + ": " + e.what() + "; its condition number is not known");
    }
  }
  return blocks_factor<value_t<Block>, std::vector<factor>>(std::move(factors), std::move(sizes));
}
}  // namespace detail

/// K-FAC of a whole network: block diagonal in the flat parameter order, one block B ⊗ A per dense parameter, or one
/// for its weight and one for its bias. Where a block has both it acts on the rows of [W b], gathered from the flat
/// vector. A table has one as well, whose A is diagonal: B [d, d] and V numbers. Owns copies of the factors, decomposes
/// them in double at the first operation that needs it, and only once.
///
/// `solve`, `factorise`, `log_det` and `inverse` of K + λ I throw singular_matrix when a block is not positive definite
/// and not_converged when a decomposition fails. Both name the layer, the first also both factors' condition numbers.
template <real T>
class kfac_matrix : public block_diagonal<std::vector<embedded<kronecker<T>>>> {
  using block = embedded<kronecker<T>>;
  using base = block_diagonal<std::vector<block>>;

 public:
  /// One block per entry, in the order of the parameters, a weight before its bias. \throws invalid_value when a factor
  /// is not finite, naming the layer.
  explicit kfac_matrix(std::vector<kfac_factors<T>> const& factors)
      : base(blocks_of(factors)),
        titles(std::make_shared<std::vector<std::string> const>(detail::titles_of(factors))) {}

  auto factorise(double shift) const {
    return detail::factorise_titled(this->blocks(), *titles, "K-FAC", shift, [](block const& b) {
      return detail::said_conditions<T>(elements(b.block().right().basis().values),
                                        elements(b.block().left().basis().values));
    });
  }

 private:
  static std::vector<block> blocks_of(std::vector<kfac_factors<T>> const& factors) {
    std::vector<block> blocks;
    auto const names = detail::titles_of(factors);
    for (std::size_t p = 0; p < factors.size(); ++p) {
      auto const& f = factors[p];
      auto const title = "K-FAC, " + names[p];
      check_finite((title + ": the factor A").c_str(), f.inputs.elements());
      check_finite((title + ": the factor B").c_str(), f.outputs.elements());
      auto order = detail::order_in_rows(f.parameter);
      auto const size = order.size();
      blocks.emplace_back(product_of(f), std::move(order), size);
    }
    return blocks;
  }
  static kronecker<T> product_of(kfac_factors<T> const& f) {
    if (!f.parameter.is_table() || f.inputs.rows != 1) return {f.outputs.copy(), f.inputs.copy()};
    auto diagonal = zeros<T>(f.inputs.columns);
    std::ranges::copy(f.inputs.elements(), diagonal.data());
    return {symmetric<T>(f.outputs.copy()), diagonal_matrix<T>(std::move(diagonal))};
  }

  std::shared_ptr<std::vector<std::string> const> titles;
};

}  // namespace kappa::inline KAPPA_ARCH

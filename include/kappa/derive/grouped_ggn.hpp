#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <kappa/algebra/block_diagonal.hpp>
#include <kappa/algebra/embedded.hpp>
#include <kappa/algebra/low_rank.hpp>
#include <kappa/derive/ggn_root.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The diagonal blocks of a low-rank curvature matrix for a partition of the parameters, as one operator in the flat
/// parameter order: a low_rank per group, whose Gram matrices were made in one sweep.
template <real T, objective_type Objective, request R>
class grouped_ggn : public embedded<block_diagonal<std::vector<low_rank<ggn_root<T, Objective, R>>>>> {
 public:
  using block_type = low_rank<ggn_root<T, Objective, R>>;

  /// Of request `index` among R's Gauss-Newton matrices.
  grouped_ggn(detail::context<T> const& c, std::shared_ptr<void const> const& memory, int index)
      : base(blocks(c, memory, index), indices_of_all(index), static_cast<std::size_t>(Objective::parameter_count)),
        wanted(layout<Objective, R>::asked.ggn[index]) {}

  std::size_t groups() const { return this->block().blocks().size(); }
  /// The block of group g, on that group's parameters only, in declaration order.
  block_type const& group(std::size_t g) const& { return this->block().blocks()[g]; }
  block_type group(std::size_t g) && { return this->block().blocks()[g]; }
  /// Where the group's parameters lie in the flat vector.
  std::vector<std::size_t> indices_of(std::size_t g) const { return indices_of(wanted, g); }

 private:
  using base = embedded<block_diagonal<std::vector<block_type>>>;
  static constexpr std::size_t parameters = Objective::network::parameters.size();

  static block_diagonal<std::vector<block_type>> blocks(detail::context<T> const& c,
                                                        std::shared_ptr<void const> const& memory, int index) {
    std::vector<block_type> all;
    for (int g = 0; g < layout<Objective, R>::asked.ggn[index].groups(static_cast<int>(parameters)); ++g)
      all.emplace_back(ggn_root<T, Objective, R>(c, memory, index, g));
    return block_diagonal<std::vector<block_type>>(std::move(all));
  }
  static std::vector<std::size_t> indices_of(ggn_request const& wanted, std::size_t g) {
    std::vector<std::size_t> at;
    for (std::size_t p = 0; p < parameters; ++p) {
      if (wanted.group(static_cast<int>(p)) != static_cast<int>(g)) continue;
      parameter const& w = Objective::network::parameters[p];
      for (int i = 0; i < w.size(); ++i) at.push_back(static_cast<std::size_t>(w.offset + i));
    }
    return at;
  }
  static std::vector<std::size_t> indices_of_all(int index) {
    std::vector<std::size_t> at;
    for (int g = 0; g < layout<Objective, R>::asked.ggn[index].groups(static_cast<int>(parameters)); ++g) {
      auto const some = indices_of(layout<Objective, R>::asked.ggn[index], static_cast<std::size_t>(g));
      at.insert(at.end(), some.begin(), some.end());
    }
    return at;
  }

  ggn_request wanted;
};

}  // namespace kappa::inline KAPPA_ARCH

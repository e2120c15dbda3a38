#pragma once
/// \file
/// The only door to xtensor. xtensor 0.26 moved every header into sub-folders and clang 19 needs one more
/// partial specialisation than 0.24 has; both facts are known here and nowhere else.

#include <cstddef>
#include <memory>

#if __has_include(<xtensor/containers/xtensor.hpp>)
#include <xtensor/containers/xtensor.hpp>
#else
#include <xtensor/xexception.hpp>
#include <xtensor/xstorage.hpp>

#if defined(__clang__) && __clang_major__ >= 19
namespace xt {
// With P0522 on by default, `svector<T, N, A, true>` matches two of xtensor's specialisations equally well.
template <class X, class T, std::size_t N>
struct rebind_container<X, svector<T, N, std::allocator<T>, true>> {
  using type = svector<X, N, std::allocator<X>, true>;
};
}  // namespace xt
#endif

#include <xtensor/xtensor.hpp>
#endif

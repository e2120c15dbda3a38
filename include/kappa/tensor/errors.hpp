#pragma once
/// \file
/// What kappa throws: one type per cause, each with a sentence that says what was expected and what came.
/// Whatever throws leaves its arguments unchanged.

#include <concepts>
#include <stdexcept>
#include <string>

#include <kappa/arch.hpp>

namespace kappa {

/// The base of every exception kappa throws.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Two sizes that must agree do not: the length of a span, the order of a matrix, the features of a batch.
struct shape_mismatch : error {
  using error::error;
};

/// A value outside its domain: a label that is no class, a negative damping, a NaN or an infinity in the data.
struct invalid_value : error {
  using error::error;
};

/// A batch that is empty or larger than the workspace it is to be derived in.
struct capacity_exceeded : error {
  using error::error;
};

/// A matrix that must be invertible, or positive definite, is not.
struct singular_matrix : error {
  using error::error;
};

/// An iteration ended before it reached its tolerance.
struct not_converged : error {
  using error::error;
};

/// A file that cannot be read, or does not hold what its format promises.
struct format_error : error {
  using error::error;
};

}  // namespace kappa

namespace kappa::inline KAPPA_ARCH {
namespace detail {
/// Throws an `Error` whose sentence consists of strings and numbers. Out of line: a check should cost its comparison,
/// and let the function that makes it be inlined.
template <class Error, class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void fail(Parts... parts) {
  std::string sentence;
  auto const add = [&](auto const& part) {
    if constexpr (std::constructible_from<std::string, decltype(part)>)
      sentence += part;
    else
      sentence += std::to_string(part);
  };
  (add(parts), ...);
  throw Error(sentence);
}
}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH

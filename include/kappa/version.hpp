#pragma once

namespace kappa {

/// The library's version, as in `project(kappa VERSION ...)`; a test compares the two.
struct version {
  static constexpr int major = 0;
  static constexpr int minor = 1;
  static constexpr int patch = 0;
};

}  // namespace kappa

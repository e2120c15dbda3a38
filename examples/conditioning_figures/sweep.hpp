#pragma once
/// \file
/// Many independent points, measured on several threads, each stored when it is done.

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "store.hpp"

namespace conditioning_figures {

/// One point to measure: `count` numbers, a function of the key alone.
struct task {
  point_key key;
  std::size_t count = 0;
  std::function<std::vector<double>()> measure;
};

/// Measures what the store has not yet, on `workers` threads, with a progress bar called `title`. Says how many were
/// there. What a measurement throws ends the sweep; the points done stay in the store.
void sweep(std::string const& title, std::vector<task> const& tasks, point_store& store, std::size_t workers);

}  // namespace conditioning_figures

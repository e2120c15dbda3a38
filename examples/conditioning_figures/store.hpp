#pragma once
/// \file
/// Measured points in a file, one a line, written when they are done: a sweep that was interrupted goes on from there.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace conditioning_figures {

/// Which point: the figure or table, the place on its x axis, the draw.
struct point_key {
  std::string panel;
  double x = 0;
  std::uint64_t seed = 0;

  auto operator<=>(point_key const&) const = default;
};

/// A file of points. Its first line says for which settings they were measured; the others are panel,x,seed,values...
/// with every number written so that it is read back bit for bit. A last line that was not finished is dropped.
class point_store {
 public:
  /// Reads the file, if there is one and not `restart`.
  /// \throws kappa::invalid_value when it is of other settings; kappa::format_error when a line is none of a store's;
  /// kappa::write_error
  point_store(std::filesystem::path file, std::string settings, bool restart);

  /// The point's values; null when it was not measured, or with another number of values.
  std::vector<double> const* find(point_key const& key, std::size_t count) const;
  /// Adds a point to the file. \throws kappa::write_error
  void add(point_key const& key, std::vector<double> values);
  std::size_t size() const { return points.size(); }

 private:
  void read(std::string const& settings);

  std::filesystem::path path;
  std::map<point_key, std::vector<double>> points;
  std::ofstream out;
};

}  // namespace conditioning_figures

#pragma once
/// \file
/// A network's parameters on disk: a few readable lines that say whose they are, an empty line, and an NPY array.
/// From Python: `f = open(path, "rb")`, read lines up to the empty one, then `numpy.load(f)`.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <kappa/io/npy.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

/// What a checkpoint says of itself.
struct checkpoint_manifest {
  std::string network;
  std::size_t parameter_count = 0;
  std::string scalar;       ///< "float32" or "float64"
  std::uint32_t crc32 = 0;  ///< of the parameters' bytes, little-endian
};

namespace detail {

template <real T>
std::string_view scalar_name() {
  return sizeof(T) == 4 ? "float32" : "float64";
}

inline constexpr std::string_view checkpoint_title = "kappa checkpoint 1";

template <real T>
std::uint32_t checksum(std::span<T const> values) {
  auto crc = ::crc32(0, nullptr, 0);
  std::array<unsigned char, sizeof(T)> bytes{};
  for (auto const value : values) {
    boost::endian::endian_store<T, sizeof(T), boost::endian::order::little>(bytes.data(), value);
    crc = ::crc32(crc, bytes.data(), sizeof(T));
  }
  return static_cast<std::uint32_t>(crc);
}

inline std::string read_line(input_file& file) {
  std::string line;
  for (std::byte c{}; line.size() < 4096; line += static_cast<char>(c)) {
    file.read({&c, 1}, "the checkpoint's manifest");
    if (c == std::byte{'\n'}) return line;
  }
  file.fail("expected a checkpoint's manifest, but a line is longer than 4096 bytes");
}

inline checkpoint_manifest read_manifest(input_file& file) {
  std::string title(checkpoint_title.size() + 1, ' ');
  file.read(std::as_writable_bytes(std::span(title)), "the checkpoint's title");
  if (title != say(checkpoint_title, '\n'))
    file.fail("expected a checkpoint, which begins with the line '", checkpoint_title, "'");
  auto const field = [&](std::string_view name) {
    auto line = read_line(file);
    if (!line.starts_with(say(name, ' '))) file.fail("expected '", name, "' in the manifest, but found '", line, "'");
    return line.substr(name.size() + 1);
  };
  auto const number = [&](std::string_view name, auto value) {
    auto const text = field(name);
    auto const parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
      file.fail("expected a whole number as ", name, ", but found '", text, "'");
    return value;
  };
  checkpoint_manifest manifest;
  manifest.network = field("network");
  manifest.parameter_count = number("parameter_count", std::size_t{});
  manifest.scalar = field("scalar");
  manifest.crc32 = number("crc32", std::uint32_t{});
  if (auto const line = read_line(file); !line.empty())
    file.fail("expected an empty line after the manifest, but found '", line, "'");
  return manifest;
}

}  // namespace detail

/// Writes the parameters `theta` of the network called `network`. An older checkpoint of that name stays whole until
/// the new one is.
/// \throws invalid_value  a parameter that is not finite, or a name with a line break
/// \throws write_error
template <real T>
void save_checkpoint(std::filesystem::path const& path, std::string_view network, std::span<T const> theta) {
  using detail::say;
  if (network.find_first_of("\r\n") != std::string_view::npos || network.size() > 4000)
    throw invalid_value("expected a network's name on one line of at most 4000 bytes");
  for (std::size_t i = 0; i < theta.size(); ++i)
    if (!std::isfinite(theta[i]))
      throw invalid_value(say(path.string(), ": parameter ", i, " is ", theta[i], ", expected a finite number"));
  auto content = say(detail::checkpoint_title, "\nnetwork ", network, "\nparameter_count ", theta.size(), "\nscalar ",
                     detail::scalar_name<T>(), "\ncrc32 ", detail::checksum(theta), "\n\n");
  content += detail::npy_bytes<T>({theta.size()}, theta);
  detail::write_file(path, content);
}
template <real T>
void save_checkpoint(std::filesystem::path const& path, std::string_view network, vector<T> const& theta) {
  save_checkpoint<T>(path, network, elements(theta));
}

/// What the checkpoint says of itself, without its parameters.
/// \throws format_error
inline checkpoint_manifest read_manifest(std::filesystem::path const& path) {
  detail::input_file file(path);
  return detail::read_manifest(file);
}

/// Reads the parameters of the network called `network` into `theta`, which has as many.
/// \throws format_error  another network, parameter count or scalar type (with both), a truncated or corrupt file
/// \throws invalid_value  a parameter that is not finite
template <real T>
void load_checkpoint(std::filesystem::path const& path, std::string_view network, std::span<T> theta) {
  detail::input_file file(path);
  auto const manifest = detail::read_manifest(file);
  if (manifest.network != network)
    file.fail("expected parameters of network '", network, "', but they are of '", manifest.network, "'");
  if (manifest.parameter_count != theta.size())
    file.fail("expected ", theta.size(), " parameters, but the checkpoint holds ", manifest.parameter_count);
  if (manifest.scalar != detail::scalar_name<T>())
    file.fail("expected parameters of type ", detail::scalar_name<T>(), ", but they are ", manifest.scalar);
  auto const header = detail::read_npy_header(file);
  if (header.shape != std::vector{theta.size()} || detail::name_of(header.type) != manifest.scalar)
    file.fail("the manifest says ", theta.size(), " of ", manifest.scalar, ", but the array has shape ",
              detail::shape_text(header.shape), " of ", detail::name_of(header.type));
  auto const array = detail::read_array<T>(file, header);
  if (auto const crc = detail::checksum<T>(array.values); crc != manifest.crc32)
    file.fail("corrupt: expected checksum ", manifest.crc32, ", but the parameters have ", crc);
  std::ranges::copy(array.values, theta.begin());
}
template <real T>
void load_checkpoint(std::filesystem::path const& path, std::string_view network, vector<T>& theta) {
  load_checkpoint<T>(path, network, elements(theta));
}

}
}  // namespace kappa::io

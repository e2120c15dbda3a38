#pragma once
/// \file
/// Collected K-FAC sums on disk: a folder with one NPY file a factor (of a diagonal one its diagonal, [1, n]) and
/// `manifest.json`, which says whose they are. From Python: `json.load`, then `numpy.load(entry["file"])`. Needs the
/// Debian package nlohmann-json3-dev, so it is not part of <kappa/io.hpp>.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

#include <kappa/derive/kfac_sums.hpp>
#include <kappa/io/checkpoint.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

namespace detail {

inline constexpr std::string_view kfac_format = "kappa K-FAC sums 2";

/// The manifest of a folder. \throws format_error.
inline nlohmann::json read_json(std::filesystem::path const& path) {
  input_file file(path);
  std::string text(std::min<std::uintmax_t>(file.most_bytes(), std::uintmax_t{1} << 26U), ' ');
  text.resize(file.read_some(std::as_writable_bytes(std::span(text))));
  try {
    return nlohmann::json::parse(text);
  } catch (nlohmann::json::exception const& e) {
    file.fail("expected JSON, but ", e.what());
  }
}

/// The value called `key`. \throws format_error when there is none or it is of another type.
template <class V>
V json_field(std::filesystem::path const& path, nlohmann::json const& from, char const* key) {
  try {
    return from.at(key).get<V>();
  } catch (nlohmann::json::exception const& e) {
    throw format_error(say(path.string(), ": the entry '", key, "': ", e.what()));
  }
}

/// The files that a manifest lists, for tidying up; none when it cannot be read.
inline std::vector<std::string> listed_files(std::filesystem::path const& path) {
  std::vector<std::string> files;
  try {
    auto const manifest = read_json(path);
    for (auto const& layer : manifest.at("layers"))
      for (char const* factor : {"inputs", "outputs"}) files.push_back(layer.at(factor).at("file").get<std::string>());
  } catch (std::exception const&) {
  }
  return files;
}

inline bool is_plain_name(std::string const& name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of("/\\") == std::string::npos;
}

}  // namespace detail

/// Writes the sums of the network called `network` into `folder`, which is made when there is none. What an earlier
/// call left there stays whole until the new manifest is, and is removed then: saving after every batch makes a
/// collection that can be resumed. \throws invalid_value  a sum that is not finite \throws write_error
inline void save_kfac_sums(std::filesystem::path const& folder, std::string_view network, kfac_sums const& sums) {
  using detail::say;
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) throw write_error(say(folder.string(), ": cannot be made: ", failure.message()));
  auto const path = folder / "manifest.json";
  auto stale = std::filesystem::exists(path) ? detail::listed_files(path) : std::vector<std::string>{};
  nlohmann::json manifest{{"format", detail::kfac_format}, {"network", network},  {"samples", sums.samples},
                          {"batches", sums.batches},       {"scalar", "float64"}, {"layers", nlohmann::json::array()}};
  for (std::size_t p = 0; p < sums.layers.size(); ++p) {
    auto const& layer = sums.layers[p];
    auto const entry = [&](char const* factor, matrix<double> const& m) {
      for (double v : elements(m))
        if (!std::isfinite(v))
          throw invalid_value(say(layer.title, ", ", factor, ": ", v, ", expected a finite number"));
      auto const crc = detail::checksum<double>(elements(m));
      // The checksum in the name: files of an earlier manifest are never overwritten by other contents.
      auto const name = say("layer_", p, "_", factor, "_", crc, ".npy");
      write_npy<double>(folder / name, {m.shape(0), m.shape(1)}, elements(m));
      std::erase(stale, name);
      nlohmann::json said{{"file", name}, {"order", m.shape(1)}, {"crc32", crc}};
      if (m.shape(0) != m.shape(1)) said["diagonal"] = true;
      return said;
    };
    manifest["layers"].push_back({{"title", layer.title},
                                  {"weight", layer.weight},
                                  {"inputs", entry("inputs", layer.inputs)},
                                  {"outputs", entry("outputs", layer.outputs)}});
  }
  detail::write_file(path, manifest.dump(2) + "\n");
  for (auto const& name : stale)
    if (detail::is_plain_name(name)) std::filesystem::remove(folder / name, failure);
}

/// Reads the sums of the network called `network`. `accumulator.merge(load_kfac_sums(...))` resumes a collection and
/// checks that the layers are its own.
/// \throws format_error  no manifest, another format or network, an entry missing or of another type, a factor that is
///         missing, truncated, corrupt, not square or of another order than the manifest says
/// \throws invalid_value  a number that is not finite
inline kfac_sums load_kfac_sums(std::filesystem::path const& folder, std::string_view network) {
  using detail::say;
  auto const path = folder / "manifest.json";
  auto const manifest = detail::read_json(path);
  auto const text = [&](char const* key) { return detail::json_field<std::string>(path, manifest, key); };
  auto const expect = [&](char const* what, std::string_view expected, std::string const& came) {
    if (came != expected)
      throw format_error(say(path.string(), ": expected the ", what, " '", expected, "', but it is '", came, "'"));
  };
  expect("format", detail::kfac_format, text("format"));
  expect("network", network, text("network"));
  expect("scalar", "float64", text("scalar"));
  kfac_sums sums;
  sums.samples = detail::json_field<std::size_t>(path, manifest, "samples");
  sums.batches = detail::json_field<std::size_t>(path, manifest, "batches");
  for (auto const& layer : detail::json_field<std::vector<nlohmann::json>>(path, manifest, "layers")) {
    auto const factor = [&](char const* key) {
      auto const entry = detail::json_field<nlohmann::json>(path, layer, key);
      auto const name = detail::json_field<std::string>(path, entry, "file");
      auto const order = detail::json_field<std::size_t>(path, entry, "order");
      if (!detail::is_plain_name(name))
        throw format_error(say(path.string(), ": expected the name of a file in this folder, but it is '", name, "'"));
      bool const diagonal = entry.contains("diagonal") && detail::json_field<bool>(path, entry, "diagonal");
      auto m = read_npy_matrix<double>(folder / name);
      if (m.shape(0) != (diagonal ? 1 : order) || m.shape(1) != order)
        throw format_error(say((folder / name).string(), ": expected ", diagonal ? "the diagonal of " : "",
                               "a matrix of order ", order, ", but it is ", m.shape(0), " x ", m.shape(1)));
      auto const expected = detail::json_field<std::uint32_t>(path, entry, "crc32");
      if (auto const crc = detail::checksum<double>(elements(m)); crc != expected)
        throw format_error(
            say((folder / name).string(), ": corrupt: expected checksum ", expected, ", but the factor has ", crc));
      return m;
    };
    sums.layers.push_back({detail::json_field<std::string>(path, layer, "title"), factor("inputs"), factor("outputs"),
                           detail::json_field<double>(path, layer, "weight")});
  }
  return sums;
}

}  // namespace io
}  // namespace kappa::inline KAPPA_ARCH

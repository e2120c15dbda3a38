#pragma once
/// \file
/// Files for the tests of io: a folder that vanishes, files with given bytes, and what an exception said.

#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <zlib.h>

namespace scratch {

/// A fresh folder, removed at the end of its scope.
struct folder {
  std::filesystem::path path;

  folder() {
    static int count = 0;
    path = std::filesystem::temp_directory_path() /
           ("kappa-io-" + std::to_string(getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path);
  }
  folder(folder const&) = delete;
  folder& operator=(folder const&) = delete;
  ~folder() { std::filesystem::remove_all(path); }

  /// Writes a file and returns its path.
  std::filesystem::path file(std::string const& name, std::string_view bytes) const {
    std::ofstream(path / name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path / name;
  }

  /// Writes a gzipped file and returns its path.
  std::filesystem::path gzipped(std::string const& name, std::string_view bytes) const {
    auto const file = gzopen((path / name).c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return path / name;
  }
};

inline std::string content(std::filesystem::path const& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The message of the `Exception` that `f` throws; what else happened if it does not.
template <class Exception, class F>
std::string message(F&& f) {
  try {
    f();
  } catch (Exception const& e) {
    return e.what();
  } catch (std::exception const& e) {
    return std::string("ANOTHER EXCEPTION: ") + e.what();
  }
  return "NO EXCEPTION";
}

/// Whether the message holds each of the parts.
template <class... Parts>
bool says(std::string const& message, Parts const&... parts) {
  return message.find("EXCEPTION") == std::string::npos && ((message.find(parts) != std::string::npos) && ...);
}

}  // namespace scratch

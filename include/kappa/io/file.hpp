#pragma once
/// \file
/// Reading a file that may be gzipped, with every failure a sentence; writing a file all at once.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <zlib.h>

#include <kappa/io/text.hpp>
#include <kappa/tensor/errors.hpp>

namespace kappa {

/// A file that cannot be written: no such folder, no permission, no space.
struct write_error : error {
  using error::error;
};

}  // namespace kappa

namespace kappa::inline KAPPA_ARCH {
namespace io {
namespace detail {

/// A file opened for reading; gzip is recognised by its first bytes and unpacked on the way. Every failure is a
/// `format_error` that names the file.
class input_file {
 public:
  explicit input_file(std::filesystem::path path) : path_(std::move(path)) {
    std::error_code failure;
    auto const status = std::filesystem::status(path_, failure);
    if (!std::filesystem::exists(status)) fail("expected a file, but there is none with this name");
    if (!std::filesystem::is_regular_file(status)) fail("expected a file, but this is a folder or a device");
    auto const size = std::filesystem::file_size(path_, failure);
    if (failure) fail("cannot be read: ", failure.message());
    if (size == 0) fail("expected data, but the file is empty");
    file_.reset(gzopen(path_.c_str(), "rb"));
    if (!file_) fail("cannot be opened for reading");
    gzbuffer(file_.get(), 1U << 17U);
    bool const packed = gzdirect(file_.get()) == 0;
    if (!packed && path_.extension() == ".gz")
      fail("expected gzip data, as its name says, but it holds something else");
    // Deflate cannot pack better than 1032:1, so the size on disk bounds what a header may honestly announce.
    most_ = !packed ? size : size < std::numeric_limits<std::uintmax_t>::max() / 1032 ? size * 1032 : size;
  }

  std::filesystem::path const& path() const { return path_; }

  /// No more bytes than this can come out of the file.
  std::uintmax_t most_bytes() const { return most_; }

  /// Reads up to `into.size()` bytes; fewer only at the end of the file.
  std::size_t read_some(std::span<std::byte> into) {
    std::size_t done = 0;
    while (done < into.size()) {
      auto const part = static_cast<unsigned>(std::min<std::size_t>(into.size() - done, 1U << 30U));
      auto const got = gzread(file_.get(), into.data() + done, part);
      if (got < 0) fail_packed();
      done += static_cast<std::size_t>(got);
      if (static_cast<unsigned>(got) < part) break;
    }
    int code = Z_OK;
    gzerror(file_.get(), &code);
    if (code != Z_OK && code != Z_STREAM_END) fail_packed();
    return done;
  }

  /// Fills `into`, which is to hold `what`.
  void read(std::span<std::byte> into, std::string_view what) {
    auto const got = read_some(into);
    if (got < into.size())
      fail("truncated: expected ", into.size(), " bytes of ", what, ", but the file ends after ", got);
  }

  /// The file must end here.
  void expect_end() {
    std::byte extra{};
    if (read_some({&extra, 1}) != 0) fail("expected the end of the file after its data, but more bytes follow");
  }

  /// Throws a `format_error`: the file's name, then the parts.
  template <class... Parts>
  [[noreturn]] void fail(Parts const&... parts) const {
    throw format_error(say(path_.string(), ": ", parts...));
  }

 private:
  struct closer {
    void operator()(gzFile file) const { gzclose(file); }
  };

  [[noreturn]] void fail_packed() {
    int code = Z_OK;
    std::string reason = gzerror(file_.get(), &code);
    if (reason.starts_with(path_.string() + ": ")) reason.erase(0, path_.string().size() + 2);  // as fail says it
    if (code == Z_BUF_ERROR) fail("truncated: the gzip data ends before its end mark");
    fail("expected intact gzip data, but it is corrupt or unreadable (", reason.empty() ? "read error" : reason, ")");
  }

  std::filesystem::path path_;
  std::unique_ptr<gzFile_s, closer> file_;
  std::uintmax_t most_ = 0;
};

/// Writes `content` to `path`: to a neighbour first, which then takes the name, so that a failure leaves an
/// older file of that name whole.
/// \throws write_error
inline void write_file(std::filesystem::path const& path, std::string_view content) {
  std::error_code failure;
  auto const status = std::filesystem::status(path, failure);
  bool const in_place = std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
  auto target = path;
  if (!in_place) target += ".partial";
  std::ofstream out(target, std::ios::binary | std::ios::trunc);
  if (!out) throw write_error(say(path.string(), ": cannot be opened for writing"));
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (!out) throw write_error(say(path.string(), ": ", content.size(), " bytes could not all be written"));
  if (in_place) return;
  std::filesystem::rename(target, path, failure);
  if (failure) throw write_error(say(path.string(), ": cannot be replaced: ", failure.message()));
}

}
}
}  // namespace kappa::io::detail

// IDX files, plain and gzipped: bytes written out by hand as the specification says, and every way to break them.

#include <catch2/catch.hpp>

#include <limits>
#include <string>
#include <vector>

#include <kappa/io/idx.hpp>
#include <kappa/io/load.hpp>

#include "io_scratch.hpp"

using namespace kappa;
using namespace std::string_literals;
using scratch::message;
using scratch::says;

namespace {

// Two images of 2 × 3 pixels, and their labels, byte by byte.
auto const images =
    "\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x03\x00\x01\x02\x03\x04\x05\xff\xfe\xfd\xfc\xfb\xfa"s;
auto const labels = "\x00\x00\x08\x01\x00\x00\x00\x02\x09\x00"s;

}  // namespace

TEST_CASE("bytes become numbers, plain and gzipped") {
  scratch::folder folder;
  for (auto const& path : {folder.file("images", images), folder.gzipped("images.gz", images)}) {
    auto const array = io::read_idx<double>(path);
    CHECK(array.shape == std::vector<std::size_t>{2, 2, 3});
    CHECK(array.values == std::vector<double>{0, 1, 2, 3, 4, 5, 255, 254, 253, 252, 251, 250});
    CHECK(io::read_idx<float>(path).values[6] == 255.0F);
    CHECK(io::read_idx<std::uint8_t>(path).values[11] == 250);
  }
}

TEST_CASE("every element type is read big-endian") {
  scratch::folder folder;
  auto const one = [&](std::string const& code, std::string const& element) {
    return io::read_idx<double>(folder.file("x", "\x00\x00"s + code + "\x01\x00\x00\x00\x01"s + element)).values.at(0);
  };
  CHECK(one("\x08", "\x80") == 128);
  CHECK(one("\x09", "\x80") == -128);
  CHECK(one("\x0B", "\x01\x02") == 258);
  CHECK(one("\x0B", "\xff\xfe") == -2);
  CHECK(one("\x0C", "\x00\x01\x00\x00"s) == 65536);
  CHECK(one("\x0D", "\x3f\xc0\x00\x00"s) == 1.5);
  CHECK(one("\x0E", "\xc0\x04\x00\x00\x00\x00\x00\x00"s) == -2.5);
  CHECK(one("\x0B", "\x01\x02") != 513);  // what little-endian would give
}

TEST_CASE("written and read again, all types") {
  scratch::folder folder;
  auto const check = [&]<class T>(std::vector<T> const& values) {
    io::write_idx<T>(folder.path / "x", {values.size() / 2, 2}, values);
    auto const back = io::read_idx<T>(folder.path / "x");
    CHECK(back.values == values);
    CHECK(back.shape == std::vector<std::size_t>{values.size() / 2, 2});
  };
  check(std::vector<std::uint8_t>{0, 255, 3, 4});
  check(std::vector<int>{-5, std::numeric_limits<int>::max()});
  check(std::vector<float>{1.25F, -3e38F});
  check(std::vector<double>{0.1, 1e308, -1e-308, 0});
  io::write_idx<std::uint8_t>(folder.path / "y", {2}, std::vector<std::uint8_t>{9, 0});
  CHECK(scratch::content(folder.path / "y") == labels);
}

TEST_CASE("a truncated file is refused at every length, plain and gzipped") {
  scratch::folder folder;
  auto const packed = scratch::content(folder.gzipped("whole.gz", images));
  for (std::size_t n = 0; n < images.size(); ++n) {
    auto const path = folder.file("cut", images.substr(0, n));
    CHECK(says(message<format_error>([&] { io::read_idx<float>(path); }), "cut"));
  }
  for (std::size_t n = 0; n < packed.size(); ++n) {
    auto const path = folder.file("cut.gz", packed.substr(0, n));
    CHECK(says(message<format_error>([&] { io::read_idx<float>(path); }), "cut.gz"));
  }
}

TEST_CASE("a flipped byte in gzip data is refused, or harms nothing") {
  scratch::folder folder;
  auto const path = folder.gzipped("whole.gz", images);
  auto const packed = scratch::content(path);
  auto const whole = io::read_idx<float>(path).values;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < packed.size(); ++i) {
    auto bytes = packed;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x10);
    auto const broken = folder.file("broken.gz", bytes);
    INFO("byte " << i);
    try {
      auto const values = io::read_idx<float>(broken).values;
      CHECK(values == whole);  // a time stamp, or padding bits
    } catch (format_error const& e) {
      CHECK(says(e.what(), "broken.gz"));
      ++refused;
    }
  }
  CHECK(refused >= packed.size() - 8);
}

TEST_CASE("a malformed header is refused with what was expected and what came") {
  scratch::folder folder;
  auto const refused = [&](std::string const& bytes) {
    auto const path = folder.file("bad", bytes);
    return message<format_error>([&] { io::read_idx<float>(path); });
  };
  CHECK(says(refused("\x01\x00\x08\x01\x00\x00\x00\x01\x05"s), "two zero bytes", "1 and 0"));
  CHECK(says(refused("\x00\x00\x0A\x01\x00\x00\x00\x01\x05"s), "type code", "10"));
  CHECK(says(refused("\x00\x00\x08\x00"s), "rank 1 to 8", "0"));
  CHECK(says(refused("\x00\x00\x08\x09"s), "rank 1 to 8", "9"));
  CHECK(says(refused(labels + "x"), "more bytes follow"));
  CHECK(says(refused(""), "empty"));
  // 2³²-1 to the third power bytes: refused before anything is allocated; with a zero extent too.
  auto const most = "\xff\xff\xff\xff"s, none = "\x00\x00\x00\x00"s;
  CHECK(says(refused("\x00\x00\x08\x03"s + most + most + most), "announces", "4294967295", "at most 16"));
  CHECK(says(refused("\x00\x00\x0E\x08"s + none + most + most + most + most + most + most + most), "announces"));
  CHECK(refused("\x00\x00\x08\x01\x00\x00\x00\x01\x05"s) == "NO EXCEPTION");
}

TEST_CASE("a file that is none is refused") {
  scratch::folder folder;
  auto const refused = [](std::filesystem::path const& path) {
    return message<format_error>([&] { io::read_idx<float>(path); });
  };
  CHECK(says(refused(folder.path / "missing"), "missing", "there is none"));
  CHECK(says(refused(folder.path), "folder"));
  CHECK(says(refused(folder.file("plain.gz", images)), "plain.gz", "gzip"));
}

TEST_CASE("values that are not finite, or do not fit, are refused") {
  scratch::folder folder;
  auto const refused = [&]<class T>(T, std::string const& code, std::string const& element) {
    auto const path = folder.file("bad", "\x00\x00"s + code + "\x01\x00\x00\x00\x01"s + element);
    return message<invalid_value>([&] { io::read_idx<T>(path); });
  };
  CHECK(says(refused(0.0F, "\x0D", "\x7f\xc0\x00\x00"s), "element 0", "finite"));
  CHECK(says(refused(0.0, "\x0D", "\xff\x80\x00\x00"s), "-inf", "finite"));
  CHECK(says(refused(0.0F, "\x0E", "\x7f\xe0\x00\x00\x00\x00\x00\x00"s), "float cannot hold"));
  CHECK(refused(0.0, "\x0E", "\x7f\xe0\x00\x00\x00\x00\x00\x00"s) == "NO EXCEPTION");
  CHECK(says(refused(std::uint8_t{}, "\x0C", "\x00\x00\x01\x00"s), "256", "255"));
  CHECK(says(refused(std::uint8_t{}, "\x09", "\xff"), "-1"));
  CHECK(says(refused(int{}, "\x0D", "\x3f\xc0\x00\x00"s), "1.5", "whole number"));
  CHECK(says(refused(int{}, "\x0D", "\x7f\xc0\x00\x00"s), "nan", "whole number"));
}

TEST_CASE("what IDX cannot say is not written") {
  scratch::folder folder;
  std::vector<double> const six(6);
  CHECK(says(message<shape_mismatch>([&] { io::write_idx<double>(folder.path / "x", {2, 2}, six); }), "4", "6"));
  CHECK(says(message<shape_mismatch>([&] { io::write_idx<double>(folder.path / "x", {}, std::vector<double>(1)); }),
             "rank"));
  CHECK(says(message<write_error>([&] { io::write_idx<double>(folder.path / "no" / "x", {6}, six); }), "no/x"));
  CHECK(std::filesystem::is_empty(folder.path));
}

TEST_CASE("MNIST's folder") {
  scratch::folder folder;
  auto const load = [&] { return io::load_mnist<float>(folder.path, {.test_fraction = 0.5, .seed = 3}); };
  CHECK(says(message<format_error>(load), "train-images-idx3-ubyte", "neither"));

  folder.gzipped("t10k-images-idx3-ubyte.gz", images);
  CHECK(says(message<format_error>(load), "t10k-images", "no t10k-labels"));

  folder.file("t10k-labels-idx1-ubyte", labels);
  auto const halves = load();  // the only pair is split
  CHECK(halves.train.size() == 1);
  CHECK(halves.test.size() == 1);
  CHECK(says(halves.source, "only the t10k pair", "1 training"));
  CHECK(halves.train.classes == 10);
  CHECK(halves.train.feature_shape == std::vector<std::size_t>{2, 3});
  bool const nine_first = halves.train.labels(0) == 9;
  CHECK((nine_first ? halves.train : halves.test).inputs(0, 5) == 5.0F / 255.0F);
  CHECK((nine_first ? halves.test : halves.train).inputs(0, 0) == 1.0F);

  folder.file("train-images-idx3-ubyte", images);
  folder.file("train-labels.idx1-ubyte", labels);  // the other spelling
  auto const both = load();
  CHECK(both.train.size() == 2);
  CHECK(both.test.size() == 2);
  CHECK(both.train.labels(0) == 9);

  folder.file("train-labels.idx1-ubyte", "\x00\x00\x08\x01\x00\x00\x00\x03\x01\x02\x03"s);
  CHECK(says(message<shape_mismatch>(load), "2 samples", "3 labels"));
  folder.file("train-labels.idx1-ubyte", "\x00\x00\x08\x01\x00\x00\x00\x02\x01\x0a"s);
  CHECK(says(message<invalid_value>(load), "label 1 is 10", "[0, 10)"));
  folder.file("train-labels.idx1-ubyte", "\x00\x00\x08\x02\x00\x00\x00\x02\x00\x00\x00\x01\x01\x02"s);
  CHECK(says(message<format_error>(load), "rank 1", "[2, 1]"));
  folder.file("train-labels.idx1-ubyte", labels);
  folder.file("train-images-idx3-ubyte", "\x00\x00\x08\x02\x00\x00\x00\x02\x00\x00\x00\x01\x01\x02"s);
  CHECK(says(message<format_error>(load), "rank 3", "[2, 1]"));
  folder.file("train-images-idx3-ubyte", "\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01\x01\x02"s);
  CHECK(says(message<shape_mismatch>(load), "[1, 1]", "[2, 3]"));
}

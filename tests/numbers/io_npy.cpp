// NPY files against bytes that numpy 1.24 wrote, and every way to break them.

#include <catch2/catch.hpp>

#include <limits>
#include <string>
#include <vector>

#include <kappa/io/npy.hpp>

#include "io_scratch.hpp"

using namespace kappa;
using namespace std::string_literals;
using scratch::message;
using scratch::says;

namespace {

// numpy.save's header: 118 bytes of dictionary, padded so that the data begin at byte 128.
std::string npy(std::string dictionary, std::string const& data) {
  dictionary.resize(117, ' ');
  return "\x93NUMPY\x01\x00\x76\x00"s + dictionary + "\n" + data;
}
std::string dictionary(std::string const& type, std::string const& shape, std::string const& fortran = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

// numpy.array([[1.5, -2, 3], [4, 5, 6]], "<f4")
auto const six =
    npy(dictionary("<f4", "(2, 3)"),
        "\x00\x00\xc0\x3f\x00\x00\x00\xc0\x00\x00\x40\x40\x00\x00\x80\x40\x00\x00\xa0\x40\x00\x00\xc0\x40"s);

}  // namespace

TEST_CASE("what numpy wrote is read") {
  scratch::folder folder;
  for (auto const& path : {folder.file("six.npy", six), folder.gzipped("six.npy.gz", six)}) {
    auto const m = io::read_npy_matrix<double>(path);
    CHECK(m.shape(0) == 2);
    CHECK(m.shape(1) == 3);
    CHECK(m(0, 0) == 1.5);
    CHECK(m(0, 1) == -2);
    CHECK(m(1, 0) == 4);
  }
  auto const read = [&]<class T>(T, std::string const& type, std::string const& shape, std::string const& data) {
    return io::read_npy<T>(folder.file("x.npy", npy(dictionary(type, shape), data)));
  };
  CHECK(read(0.0, "<i8", "(2,)", "\x01\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0"s).values ==
        std::vector<double>{1, 1099511627776.0});
  CHECK(read(0.0F, "|u1", "(2,)", "\x07\x00"s).values == std::vector<float>{7, 0});
  CHECK(read(int{}, "<i4", "(1, 1)", "\xfe\xff\xff\xff").values == std::vector<int>{-2});
  CHECK(read(0.0, ">f8", "(1,)", "\x3f\xf8\0\0\0\0\0\0"s).values == std::vector<double>{1.5});
  CHECK(read(0.0, "<f8", "()", "\0\0\0\0\0\0\xf8\x3f"s).shape.empty());
  CHECK(read(0.0, "<f8", "(0, 784)", "").values.empty());
  CHECK(read(0.0, "<u2", "(1,)", "\x01\x02").values == std::vector<double>{513});
}

TEST_CASE("what is written is, byte for byte, what numpy writes") {
  scratch::folder folder;
  matrix<float> m{{1.5F, -2, 3}, {4, 5, 6}};
  io::write_npy(folder.path / "m.npy", m);
  CHECK(scratch::content(folder.path / "m.npy") == six);
  m(1, 2) = 7;
  io::write_npy(folder.path / "m.npy", m);
  CHECK(scratch::content(folder.path / "m.npy") != six);
}

TEST_CASE("written and read again, bit for bit") {
  scratch::folder folder;
  auto const check = [&]<class T>(std::vector<T> const& values, std::vector<std::size_t> const& shape) {
    io::write_npy<T>(folder.path / "x.npy", shape, values);
    auto const back = io::read_npy<T>(folder.path / "x.npy");
    CHECK(back.values == values);
    CHECK(back.shape == shape);
  };
  check(std::vector<double>{0.1, -1e308, 5e-324, 0}, {4});
  check(std::vector<float>{0.1F, -3e38F}, {1, 2, 1});
  check(std::vector<int>{-1, std::numeric_limits<int>::min()}, {2, 1});
  check(std::vector<std::uint8_t>{255}, {});
  check(std::vector<double>(50000, 0.25), {100, 500});  // more than one buffer
}

TEST_CASE("a truncated file is refused at every length") {
  scratch::folder folder;
  for (std::size_t n = 0; n < six.size(); ++n) {
    auto const path = folder.file("cut.npy", six.substr(0, n));
    CHECK(says(message<format_error>([&] { io::read_npy_matrix<float>(path); }), "cut.npy"));
  }
}

TEST_CASE("a flipped byte in the header never reads as the same array without a word") {
  scratch::folder folder;
  for (int const flip : {0x01, 0x10, 0x80})
    for (std::size_t i = 0; i < 128; ++i) {
      auto broken = six;
      broken[i] = static_cast<char>(broken[i] ^ flip);
      auto const path = folder.file("broken.npy", broken);
      try {
        auto const m = io::read_npy_matrix<float>(path);
        INFO("byte " << i << " flipped by " << flip);
        // What still reads differs by a byte that says nothing, or says another byte order, type or shape.
        bool const harmless = i == 6 || i == 7 || i >= 68 || six[i] == '<' || six[i] == 'f' || six[i] == ' ' ||
                              (six[i] >= '0' && six[i] <= '9');
        CHECK(harmless);
      } catch (error const&) {
        SUCCEED();
      }
    }
}

TEST_CASE("a malformed header is refused with what was expected and what came") {
  scratch::folder folder;
  auto const refused = [&](std::string const& bytes) {
    auto const path = folder.file("bad.npy", bytes);
    return message<format_error>([&] { io::read_npy<float>(path); });
  };
  std::string const two(8, '\0');
  CHECK(says(refused("PK\x03\x04 not numpy at all"), "magic"));
  CHECK(says(refused("\x93NUMPY\x04\x00\x76\x00"s), "version", "4"));
  CHECK(says(refused("\x93NUMPY\x02\x00\xff\xff\xff\xff"s), "at most 65536", "4294967295"));
  CHECK(says(refused(npy(dictionary("<c8", "(1,)"), two)), "<c8"));
  CHECK(says(refused(npy(dictionary("<U2", "(1,)"), two)), "<U2"));
  CHECK(says(refused(npy(dictionary("|O", "(1,)"), two)), "|O"));
  CHECK(says(refused(npy(dictionary("|b1", "(1,)"), two)), "|b1"));
  CHECK(says(refused(npy(dictionary("|f8", "(1,)"), two)), "|f8"));
  CHECK(says(refused(npy("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,), }", two)), "records"));
  CHECK(says(refused(npy(dictionary("<f4", "(1, 2)", "True"), two)), "Fortran order"));
  CHECK(refused(npy(dictionary("<f4", "(2,)", "True"), two)) == "NO EXCEPTION");  // rank 1 has no order
  CHECK(says(refused(npy(dictionary("<f4", "(2,)", "Maybe"), two)), "malformed"));
  CHECK(says(refused(npy(dictionary("<f4", "(-2,)"), two)), "whole numbers"));
  CHECK(says(refused(npy(dictionary("<f4", "(2"), two)), "NPY"));
  CHECK(says(refused(npy("", two)), "malformed"));
  CHECK(says(refused(npy("{", two)), "malformed"));
  CHECK(says(refused(npy("{'descr", two)), "malformed"));
  CHECK(says(refused(npy("{'descr': '<f4', 'shape': (2,), }", two)), "missing"));
  CHECK(says(refused(npy("{'colour': '<f4'}", two)), "colour"));
  CHECK(says(refused(npy(dictionary("<f4", "(2,)") + " more", two)), "malformed"));
  CHECK(says(refused(npy(dictionary("<f4", "(3,)"), two)), "NPY") == false);  // truncated, said below
  CHECK(says(refused(npy(dictionary("<f4", "(3,)"), two)), "truncated", "3 elements", "after 2"));
  CHECK(says(refused(npy(dictionary("<f4", "(1,)"), two)), "more bytes follow"));
  CHECK(says(refused(npy(dictionary("<f8", "(4611686018427387904, 4)"), two)), "announces", "4611686018427387904"));
  CHECK(says(refused(npy(dictionary("<f8", "(99999999999999999999,)"), two)), "whole numbers"));
  CHECK(says(refused(npy(dictionary("<f8", "(0, 4611686018427387904, 4)"), two)), "announces"));
  CHECK(says(message<format_error>([&] {
               io::read_npy_matrix<float>(folder.file("scalar.npy", npy(dictionary("<f4", "()"), two.substr(4))));
             }),
             "scalar"));
}

TEST_CASE("values that are not finite, or do not fit, are refused") {
  scratch::folder folder;
  auto const refused = [&]<class T>(T, std::string const& type, std::string const& data) {
    auto const path = folder.file("bad.npy", npy(dictionary(type, "(2,)"), data));
    return message<invalid_value>([&] { io::read_npy<T>(path); });
  };
  CHECK(says(refused(0.0F, "<f4", "\0\0\0\0\0\0\xc0\x7f"s), "element 1", "finite"));
  CHECK(says(refused(0.0F, "<f8", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xe0\x7f"s), "element 1", "float cannot hold"));
  CHECK(says(refused(int{}, "<i8", "\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0"s), "4294967296", "2147483647"));
  CHECK(says(refused(int{}, "<u4", "\0\0\0\0\xff\xff\xff\xff"s), "4294967295"));
}

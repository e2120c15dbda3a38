// Checkpoints: what is saved comes back bit for bit; anything that does not belong is refused and theta untouched.

#include <catch2/catch.hpp>

#include <cmath>
#include <string>
#include <vector>

#include <kappa/io/checkpoint.hpp>

#include "io_scratch.hpp"

using namespace kappa;
using scratch::message;
using scratch::says;

TEMPLATE_TEST_CASE("saved and loaded, bit for bit", "", float, double) {
  scratch::folder folder;
  vector<TestType> const theta{TestType(0.1), TestType(-1e-30), TestType(1) / 3, 0};
  io::save_checkpoint(folder.path / "net.kappa", "lenet", theta);
  auto back = zeros<TestType>(4);
  io::load_checkpoint(folder.path / "net.kappa", "lenet", back);
  CHECK((back == theta));
  auto const manifest = io::read_manifest(folder.path / "net.kappa");
  CHECK(manifest.network == "lenet");
  CHECK(manifest.parameter_count == 4);
  CHECK(manifest.scalar == (sizeof(TestType) == 4 ? "float32" : "float64"));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);  // no partial file stays
}

TEST_CASE("a checkpoint of something else is refused with both, and theta stays") {
  scratch::folder folder;
  vector<double> const theta{1, 2, 3};
  auto const path = folder.path / "net.kappa";
  io::save_checkpoint(path, "784-128-10", theta);
  auto four = zeros<double>(4), three = zeros<double>(3);
  auto single = zeros<float>(3);
  CHECK(says(message<format_error>([&] { io::load_checkpoint(path, "784-128-10", four); }), "net.kappa", "expected 4",
             "holds 3"));
  CHECK(says(message<format_error>([&] { io::load_checkpoint(path, "784-64-10", three); }), "784-64-10", "784-128-10"));
  CHECK(says(message<format_error>([&] { io::load_checkpoint(path, "784-128-10", single); }), "float32", "float64"));
  CHECK((three == zeros<double>(3)));
  CHECK((four == zeros<double>(4)));
}

TEST_CASE("every truncation and every flipped byte is noticed") {
  scratch::folder folder;
  vector<double> const theta{1, 2, 3};
  io::save_checkpoint(folder.path / "whole", "net", theta);
  auto const whole = scratch::content(folder.path / "whole");
  auto into = zeros<double>(3);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    auto const path = folder.file("cut", whole.substr(0, n));
    CHECK(says(message<format_error>([&] { io::load_checkpoint(path, "net", into); }), "cut"));
  }
  for (int const flip : {0x01, 0x40})
    for (std::size_t i = 0; i < whole.size(); ++i) {
      auto broken = whole;
      broken[i] = static_cast<char>(broken[i] ^ flip);
      auto const path = folder.file("broken", broken);
      INFO("byte " << i << " flipped by " << flip);
      auto const minor_version = whole.find("\x93NUMPY") + 7;
      if (i != minor_version) CHECK_THROWS_AS(io::load_checkpoint(path, "net", into), error);
    }
  auto const longer = folder.file("longer", whole + "x");
  CHECK(says(message<format_error>([&] { io::load_checkpoint(longer, "net", into); }), "more bytes follow"));
  CHECK((into == zeros<double>(3)));
  io::load_checkpoint(folder.file("again", whole), "net", into);
  CHECK((into == theta));
}

TEST_CASE("what cannot be saved leaves the older checkpoint whole") {
  scratch::folder folder;
  auto const path = folder.path / "net.kappa";
  io::save_checkpoint(path, "net", vector<double>{1, 2});
  auto const before = scratch::content(path);
  CHECK(says(message<invalid_value>([&] {
               io::save_checkpoint(path, "net", vector<double>{1, std::nan("")});
             }),
             "parameter 1", "nan"));
  CHECK(says(message<invalid_value>([&] { io::save_checkpoint(path, "two\nlines", vector<double>{1}); }), "one line"));
  CHECK(scratch::content(path) == before);
  CHECK(says(message<write_error>([&] { io::save_checkpoint(folder.path / "no" / "x", "net", vector<double>{1}); }),
             "no/x"));
}

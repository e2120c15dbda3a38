// CSV tables: the forms that are read, and the line and column of what is not.

#include <catch2/catch.hpp>

#include <limits>
#include <string>
#include <vector>

#include <kappa/io/csv.hpp>
#include <kappa/io/load.hpp>

#include "io_scratch.hpp"

using namespace kappa;
using scratch::message;
using scratch::says;

TEST_CASE("numbers with and without a header, LF and CRLF, blanks, quotes, a byte-order mark") {
  scratch::folder folder;
  for (std::string const text : {"1,2.5\n-3e2,4\n", "1,2.5\r\n-3e2,4\r\n", " 1 ,\t2.5\n-300,+4",
                                 "a,b\n1,2.5\n-3e2,4\n\n\n", "\"a, with a comma\",b\n\"1\",2.5\n-3e2,4\n",
                                 "\xEF\xBB\xBF"
                                 "1,2.5\n-3e2,4\n"}) {
    INFO(text);
    for (auto const& path : {folder.file("x.csv", text), folder.gzipped("x.csv.gz", text)}) {
      auto const table = io::read_csv<double>(path);
      REQUIRE(table.values.shape(0) == 2);
      REQUIRE(table.values.shape(1) == 2);
      CHECK(table.values(0, 0) == 1);
      CHECK(table.values(0, 1) == 2.5);
      CHECK(table.values(1, 0) == -300);
      CHECK(table.values(1, 1) == 4);
    }
  }
  CHECK(io::read_csv<float>(folder.file("x.csv", "\"a, b\",c\n1,2\n")).names == std::vector<std::string>{"a, b", "c"});
  CHECK(io::read_csv<float>(folder.file("x.csv", "1;2\n"), ';').values(0, 1) == 2);
  CHECK(io::read_csv<double>(folder.file("x.csv", "1e-400\n")).values(0, 0) == 0);
}

TEST_CASE("written and read again, bit for bit") {
  scratch::folder folder;
  matrix<double> const m{{0.1, -1e308, 5e-324}, {1.0 / 3, 0, 12345678.9}};
  io::write_csv(folder.path / "m.csv", m, {"a", "b, c", "d"});
  auto const back = io::read_csv<double>(folder.path / "m.csv");
  CHECK((back.values == m));
  CHECK(back.names == std::vector<std::string>{"a", "b, c", "d"});
  CHECK_THROWS_AS(io::write_csv(folder.path / "m.csv", m, {"a"}), shape_mismatch);
}

TEST_CASE("what is no table of numbers is refused with its line and column") {
  scratch::folder folder;
  auto const refused = [&](std::string const& text) {
    auto const path = folder.file("bad.csv", text);
    return message<format_error>([&] { io::read_csv<float>(path); });
  };
  CHECK(says(refused("1,2\n3\n"), "bad.csv", "line 2", "expected 2 fields", "has 1"));
  CHECK(says(refused("1,2\n3,4,5\n"), "line 2", "has 3"));
  CHECK(says(refused("a,b\n1,2\n3,x\n"), "line 3, column 2", "'x'"));
  CHECK(says(refused("1,2\n3,4 5\n"), "line 2, column 2", "'4 5'"));
  CHECK(says(refused("1,2\n3,\n"), "line 2, column 2", "''"));
  CHECK(says(refused("1,2\n\n3,4\n"), "line 2", "has 1"));
  CHECK(says(refused("1,2\n3,0x10\n"), "0x10"));
  CHECK(says(refused("1,2\n3,\"4\n"), "line 2, column 2"));
  CHECK(says(refused("1,2\n3,+-4\n"), "+-4"));
  CHECK(says(refused(""), "empty"));
  CHECK(says(refused("\n\n"), "there are none"));
  CHECK(says(refused("a,b\n"), "there are none"));
  CHECK(says(refused(std::string("1,2\n3,\0004\n", 9)), "line 2, column 2"));
  CHECK(refused("1,2\n3,4\n") == "NO EXCEPTION");
}

TEST_CASE("numbers that are not finite are refused") {
  scratch::folder folder;
  auto const refused = [&](std::string const& text) {
    auto const path = folder.file("bad.csv", text);
    return message<invalid_value>([&] { io::read_csv<float>(path); });
  };
  CHECK(says(refused("1,2\nnan,4\n"), "line 2, column 1", "finite", "nan"));
  CHECK(says(refused("1,2\n3,-inf\n"), "line 2, column 2"));
  CHECK(says(refused("1,2\n3,1e39\n"), "line 2, column 2"));
  CHECK(says(refused("1,2\n3,-1e999\n"), "-1e999"));
  CHECK(io::read_csv<double>(folder.file("good.csv", "1,2\n3,1e39\n")).values(1, 1) == 1e39);
}

TEST_CASE("labelled data from one file and from two") {
  scratch::folder folder;
  auto const one = io::load_csv<float>(folder.file("one.csv", "x,y,label\n1,2,0\n3,4,2\n5,6,1\n"));
  CHECK(one.size() == 3);
  CHECK(one.features() == 2);
  CHECK(one.classes == 3);
  CHECK(one.labels(1) == 2);
  CHECK(one.inputs(2, 0) == 5);
  auto const two = io::load_csv<float>(folder.file("f.csv", "1,2\n3,4\n5,6\n"), folder.file("l.csv", "0\n2\n1\n"));
  CHECK((two.inputs == one.inputs));
  CHECK((two.labels == one.labels));

  auto const refused = [&](std::string const& text, int classes = 0) {
    auto const path = folder.file("bad.csv", text);
    return message<invalid_value>([&] { io::load_csv<float>(path, classes); });
  };
  CHECK(says(refused("1,0\n2,1.5\n"), "sample 1", "1.5"));
  CHECK(says(refused("1,0\n2,-1\n"), "sample 1", "-1"));
  CHECK(says(refused("1,0\n2,1e9\n"), "sample 1", "65536"));
  CHECK(says(refused("1,0\n2,3\n", 3), "label 1 is 3", "[0, 3)"));
  CHECK(refused("1,0\n2,2\n", 3) == "NO EXCEPTION");
  CHECK(says(message<format_error>([&] { io::load_csv<float>(folder.file("n.csv", "1\n2\n")); }), "1 column"));
  CHECK(says(message<shape_mismatch>(
                 [&] { io::load_csv<float>(folder.file("f.csv", "1\n2\n"), folder.file("l.csv", "0\n2\n1\n")); }),
             "2 samples", "3 labels"));
  CHECK(says(message<format_error>(
                 [&] { io::load_csv<float>(folder.file("f.csv", "1\n2\n"), folder.file("l.csv", "0,1\n2,1\n")); }),
             "l.csv", "one column", "2"));
}

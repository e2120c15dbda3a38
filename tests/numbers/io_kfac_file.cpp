// Collected K-FAC sums on disk: back bit for bit, resumed as if never interrupted, everything else refused by name.

#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive/initialise.hpp>
#include <kappa/derive/kfac_accumulator.hpp>
#include <kappa/io/kfac_file.hpp>

#include "algebra_reference.hpp"
#include "io_scratch.hpp"

using namespace kappa;
using scratch::message;
using scratch::says;

namespace {

struct net : network<input<4> | dense<3, "first"> | act::tanh | dense<2>> {};
struct classes : objective<net, cross_entropy> {};

struct samples_of_classes {
  matrix<double> x = zeros<double>(12, 4);
  std::vector<int> y = std::vector<int>(12);
  samples_of_classes() {
    counter_random random(3);
    for (double& v : elements(x)) v = random.normal();
    for (int& c : y) c = static_cast<int>(random.below(2));
  }
  batch<double> part(std::size_t begin, std::size_t end) const {
    return {elements(x).subspan(4 * begin, 4 * (end - begin)), std::span(y).subspan(begin, end - begin)};
  }
};

bool same(kfac_sums const& a, kfac_sums const& b) {
  bool equal = a.samples == b.samples && a.batches == b.batches && a.layers.size() == b.layers.size();
  for (std::size_t p = 0; equal && p < a.layers.size(); ++p)
    equal = a.layers[p].title == b.layers[p].title && a.layers[p].inputs == b.layers[p].inputs &&
            a.layers[p].outputs == b.layers[p].outputs;
  return equal;
}

void replace(std::filesystem::path const& path, std::string const& from, std::string const& to) {
  auto text = scratch::content(path);
  auto const at = text.find(from);
  REQUIRE(at != std::string::npos);
  std::ofstream(path) << text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a collection is resumed as if it had never stopped") {
  scratch::folder folder;
  samples_of_classes const d;
  auto const theta = initialise<net, double>(1);
  using collector = kfac_accumulator<classes, double>;
  collector entire(theta, 5), first(theta, 5), second(theta, 5);
  for (auto* c : {&entire, &first}) {
    c->append(d.part(0, 5));
    c->append(d.part(5, 7));
  }
  io::save_kfac_sums(folder.path / "run", "net", first.sums());
  auto const kept = io::load_kfac_sums(folder.path / "run", "net");
  CHECK(same(kept, first.sums()));
  CHECK_FALSE(same(kept, collector(theta, 5).sums()));
  second.merge(kept);
  second.append(d.part(7, 12));
  entire.append(d.part(7, 12));
  CHECK(same(second.sums(), entire.sums()));  // bit for bit

  // Saving again replaces, and leaves nothing of before.
  io::save_kfac_sums(folder.path / "run", "net", second.sums());
  CHECK(same(io::load_kfac_sums(folder.path / "run", "net"), entire.sums()));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path / "run"), {}) == 5);  // 4 factors, 1 manifest
  auto const text = scratch::content(folder.path / "run" / "manifest.json");
  CHECK(text.find("\"samples\": 12") != std::string::npos);
  CHECK(text.find("layer 0 \\\"first\\\" (dense, 3 x 4)") != std::string::npos);
}

TEST_CASE("what is missing, damaged or of something else is refused") {
  scratch::folder folder;
  samples_of_classes const d;
  auto const theta = initialise<net, double>(1);
  kfac_accumulator<classes, double> collector(theta, 12);
  collector.append(d.part(0, 12));
  auto const path = folder.path / "manifest.json";
  auto const save = [&] { io::save_kfac_sums(folder.path, "net", collector.sums()); };
  auto const refused = [&](char const* network = "net") {
    return message<format_error>([&] { io::load_kfac_sums(folder.path, network); });
  };
  CHECK(says(refused(), "manifest.json", "there is none"));
  save();
  CHECK(says(refused("other"), "expected the network 'other'", "'net'"));
  replace(path, "kappa K-FAC sums 2", "kappa K-FAC sums 9");
  CHECK(says(refused(), "sums 9"));
  save();
  replace(path, "\"samples\": 12", "\"samples\": \"many\"");
  CHECK(says(refused(), "'samples'"));
  save();
  replace(path, "\"batches\"", "\"patches\"");
  CHECK(says(refused(), "'batches'"));
  save();
  replace(path, "\"order\": 5", "\"order\": 6");
  CHECK(says(refused(), "order 6", "5 x 5"));
  save();
  replace(path, "\"file\": \"layer_0", "\"file\": \"../layer_0");
  CHECK(says(refused(), "../layer_0"));
  save();
  replace(path, "{", "[");
  CHECK(says(refused(), "manifest.json", "expected JSON"));
  save();
  std::filesystem::path factor;
  for (auto const& entry : std::filesystem::directory_iterator(folder.path))
    if (entry.path().filename().string().starts_with("layer_1_inputs")) factor = entry.path();
  auto bytes = scratch::content(factor);
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 1);
  std::ofstream(factor, std::ios::binary) << bytes;
  CHECK(says(refused(), "layer_1_inputs", "corrupt"));
  bytes.resize(bytes.size() - 9);
  std::ofstream(factor, std::ios::binary | std::ios::trunc) << bytes;
  CHECK(says(refused(), "layer_1_inputs"));
  std::filesystem::remove(factor);
  CHECK(says(refused(), "layer_1_inputs", "there is none"));
  save();
  CHECK_NOTHROW(io::load_kfac_sums(folder.path, "net"));

  auto bad = collector.sums();
  bad.layers[0].outputs(0, 1) = NAN;
  CHECK_THROWS_AS(io::save_kfac_sums(folder.path, "net", bad), invalid_value);
  CHECK(same(io::load_kfac_sums(folder.path, "net"), collector.sums()));  // the one before is whole
  CHECK_THROWS_AS(io::save_kfac_sums("/dev/null/folder", "net", bad), write_error);
}

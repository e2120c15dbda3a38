// Bad input throws the documented exception, says what was expected and what came, and changes nothing.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

namespace {

using namespace kappa;

struct net : network<input<3> | dense<4> | act::tanh | dense<2>> {};
struct labelled : objective<net, cross_entropy> {};
struct regression : objective<net, squared_error> {};
struct logistic : objective<net, binary_cross_entropy> {};

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

struct fixture {
  vector<float> theta = initialise<net, float>(1);
  std::vector<float> x = {1, 2, 3, 4, 5, 6};
  std::vector<int> labels = {0, 1};
  std::vector<float> vectors = {0.5f, 0.5f, 0.25f, 0.75f};
};

template <class Exception, class F>
void refuses(F&& f, std::vector<std::string> const& words) {
  try {
    f();
    FAIL("nothing was thrown");
  } catch (Exception const& e) {
    INFO(e.what());
    for (auto const& word : words) CHECK(std::string(e.what()).find(word) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("well-formed input derives") {
  fixture f;
  CHECK(std::isfinite(derive<labelled>(f.theta, batch(f.x, f.labels), loss_value)[loss_value]));
  CHECK(std::isfinite(derive<labelled>(f.theta, batch(f.x, f.vectors), loss_value)[loss_value]));
  CHECK(std::isfinite(derive<regression>(f.theta, batch(f.x, f.vectors), loss_value)[loss_value]));
}

TEST_CASE("sizes that do not match") {
  fixture f;
  f.x.pop_back();
  refuses<shape_mismatch>([&] { derive<labelled>(f.theta, batch(f.x, f.labels), gradient); }, {"inputs", "3", "5"});
  f.x.push_back(6);
  f.labels.push_back(0);
  refuses<shape_mismatch>([&] { derive<labelled>(f.theta, batch(f.x, f.labels), gradient); }, {"labels", "2", "3"});
  f.vectors.pop_back();
  refuses<shape_mismatch>([&] { derive<regression>(f.theta, batch(f.x, f.vectors), gradient); }, {"targets", "4", "3"});
  std::vector<float> const short_theta(7);
  refuses<shape_mismatch>(
      [&] {
        derive<labelled>(short_theta, batch(f.x, std::vector<int>{0, 1}), gradient);
      },
      {"parameters", "26", "7"});
  std::vector<float> const direction(5);
  refuses<shape_mismatch>(
      [&] {
        derive<labelled>(f.theta, batch(f.x, std::vector<int>{0, 1}), ggn_vector_product(direction));
      },
      {"direction", "26", "5"});
}

TEST_CASE("labels and targets outside their domain") {
  fixture f;
  f.labels[1] = 2;
  refuses<invalid_value>([&] { derive<labelled>(f.theta, batch(f.x, f.labels), gradient); },
                         {"label 1 is 2", "from 0 to 1"});
  f.labels[1] = -1;
  refuses<invalid_value>([&] { derive<labelled>(f.theta, batch(f.x, f.labels), gradient); }, {"label 1 is -1"});
  f.labels[1] = 1;
  refuses<invalid_value>([&] { derive<regression>(f.theta, batch(f.x, f.labels), gradient); },
                         {"squared_error takes target vectors"});
  f.vectors[2] = 0.9f;
  refuses<invalid_value>([&] { derive<labelled>(f.theta, batch(f.x, f.vectors), gradient); },
                         {"target 1", "sum to one"});
  f.vectors[2] = -0.25f;
  refuses<invalid_value>([&] { derive<labelled>(f.theta, batch(f.x, f.vectors), gradient); }, {"target 1", "negative"});
  refuses<invalid_value>([&] { derive<logistic>(f.theta, batch(f.x, f.vectors), gradient); }, {"target 1", "[0, 1]"});
}

TEST_CASE("NaN and infinity") {
  fixture f;
  for (float bad : {not_a_number, infinity, -infinity}) {
    auto x = f.x;
    x[4] = bad;
    refuses<invalid_value>([&] { derive<labelled>(f.theta, batch(x, f.labels), gradient); }, {"inputs: element 4"});
    auto theta = f.theta;
    theta(3) = bad;
    refuses<invalid_value>([&] { derive<labelled>(theta, batch(f.x, f.labels), gradient); }, {"parameters: element 3"});
    auto targets = f.vectors;
    targets[0] = bad;
    refuses<invalid_value>([&] { derive<regression>(f.theta, batch(f.x, targets), gradient); }, {"targets: element 0"});
    std::vector<float> direction(26);
    direction[25] = bad;
    refuses<invalid_value>([&] { derive<labelled>(f.theta, batch(f.x, f.labels), hessian_vector_product(direction)); },
                           {"direction: element 25"});
  }
}

TEST_CASE("no samples, and more than the workspace holds") {
  fixture f;
  auto work = workspace_for<labelled, float>(1, gradient);
  refuses<capacity_exceeded>([&] { derive(work, f.theta, batch(f.x, f.labels), gradient); },
                             {"2 samples", "workspace for 1"});
  std::vector<float> const none;
  std::vector<int> const no_labels;
  refuses<capacity_exceeded>([&] { derive(work, f.theta, batch<float>(none, no_labels), gradient); }, {"0 samples"});
  refuses<capacity_exceeded>([&] { derive<labelled>(f.theta, batch<float>(none, no_labels), gradient); }, {"0"});
  refuses<capacity_exceeded>([&] { workspace_for<labelled, float>(0, gradient); }, {"0"});
}

TEST_CASE("a refused derivation leaves the results of the one before") {
  fixture f;
  auto work = workspace_for<labelled, float>(2, gradient);
  auto const q = derive(work, f.theta, batch(f.x, f.labels), gradient);
  std::vector<float> const before(q[gradient].begin(), q[gradient].end());
  f.labels[0] = 9;
  CHECK_THROWS_AS(derive(work, f.theta, batch(f.x, f.labels), gradient), invalid_value);
  CHECK(std::vector<float>(q[gradient].begin(), q[gradient].end()) == before);
}

TEST_CASE("a singular factor is named when it is to be inverted") {
  fixture f;
  std::vector<float> const x(6, 0.0f);  // the first layer's input factor has rank one
  auto const q = derive<labelled>(f.theta, batch(x, f.labels), gradient, kfac<expand>);
  CHECK_THROWS_AS(solve(q[kfac<expand>], q[gradient]), singular_matrix);
  CHECK_NOTHROW(solve(q[kfac<expand>] + 0.1 * identity, q[gradient]));
  CHECK_THROWS_AS(solve(q[kfac<expand>] + (-0.1) * identity, q[gradient]), singular_matrix);
}

TEST_CASE("saturated probabilities keep the loss Hessian's root finite and exact") {
  for (double gap : {0.0, 30.0, 800.0, -800.0}) {
    std::vector<double> const f{gap, 1, 0, -gap / 2};
    std::vector<double> s(3 * 4), p(4);
    cross_entropy_t::root<double>(f, {}, s);
    cross_entropy_t::probabilities<double>(f, p);
    for (std::size_t a = 0; a < 4; ++a)
      for (std::size_t b = 0; b < 4; ++b) {
        double total = 0;
        for (std::size_t k = 0; k < 3; ++k) total += s[k * 4 + a] * s[k * 4 + b];
        CHECK(std::abs(total - ((a == b ? p[a] : 0) - p[a] * p[b])) < 1e-15);
      }
  }
}

namespace {
struct reader : network<input<3> | ragged | embedding<4, 2> | masked_sum_over_positions | dense<2>> {};
struct reading : objective<reader, cross_entropy> {};
struct late_reader : network<input<4> | slice<0, 1, 3> | embedding<4, 2> | flatten | dense<2>> {};
struct late : objective<late_reader, cross_entropy> {};
}  // namespace

TEST_CASE("tokens beyond a vocabulary are refused before anything is computed") {
  auto const theta = initialise<reader, float>(1);
  std::vector<float> x = {0, 1, 2, 3, 0, 3};
  std::vector<int> const y = {0, 1};
  auto work = workspace_for<reading, float>(2, gradient);
  auto const before = derive(work, theta, batch(x, y), gradient);
  std::vector<float> const kept(before[gradient].begin(), before[gradient].end());
  for (auto const& [token, said] : {std::pair{4.0f, "4"}, {-1.0f, "-1"}, {1.5f, "1.5"}, {1e9f, "1e+09"}}) {
    x[5] = token;
    std::vector<std::string> const words = {"sample 1", "position 2", said, "0 to 3", "`embedding`, node 1"};
    refuses<invalid_value>([&] { derive(work, theta, batch(x, y), gradient); }, words);
    refuses<invalid_value>([&] { derive<reading>(theta, batch(x, y), gradient, ggn); }, words);
    refuses<invalid_value>([&] { predict<reader>(theta, x, 1); }, words);  // with the number among all samples
    refuses<invalid_value>([&] { hessian_diagonal_of<reading>(theta, batch(x, y)); }, words);
    CHECK(std::vector<float>(before[gradient].begin(), before[gradient].end()) == kept);
  }
  // What a mask hides is not looked up.
  std::vector<unsigned char> const mask = {1, 1, 1, 1, 1, 0};
  batch padded(x, y);
  padded.side.mask = mask;
  derive<reading>(theta, padded, gradient);
  predict<reader>(theta, x, 1, padded.side);
  // Behind another layer it has a row of zeros.
  std::vector<float> const late_x = {9, 1, 7, 2};
  std::vector<int> const one = {0};
  derive<late>(initialise<late_reader, float>(1), batch(late_x, one), gradient);
}

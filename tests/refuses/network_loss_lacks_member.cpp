// refuses: hessian_times
#include <kappa/declare.hpp>

using namespace kappa;

struct absolute_error : loss_tag {
  static constexpr char const* name = "absolute_error";
  static constexpr int smallest_output = 1;
  static constexpr bool takes_labels = false;
  static constexpr bool takes_vectors = true;
  template <class T>
  static T value(std::span<T const> f, target<T> y) {
    return std::abs(f[0] - y.values[0]);
  }
  template <class T>
  static void gradient(std::span<T const> f, target<T> y, std::span<T> g) {
    g[0] = f[0] < y.values[0] ? T(-1) : T(1);
  }
  static constexpr int root_columns(int outputs) { return outputs; }
  template <class T>
  static void root(std::span<T const>, target<T>, std::span<T> s) {
    s[0] = 0;
  }
#ifdef CORRECTED
  template <class T>
  static void hessian_times(std::span<T const>, target<T>, std::span<T const>, std::span<T> u) {
    u[0] = 0;
  }
#endif
  template <class T, class Random>
  static void sample(std::span<T const>, Random&, std::span<T> g) {
    g[0] = 0;
  }
  template <class T>
  static char const* fault_of(std::span<T const>) {
    return nullptr;
  }
};

struct net : network<input<64> | dense<1>> {};
struct goal : objective<net, absolute_error{}> {};

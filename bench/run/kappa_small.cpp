// kappa on 784-128-10.
#include "classifiers.hpp"
#include "kappa.hpp"

int main(int count, char** arguments) {
  return bench::run_kappa<bench::digits<bench::small_classifier>>(count, arguments, bench::small());
}

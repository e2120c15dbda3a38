// kappa on 784-512-256-10.
#include "classifiers.hpp"
#include "kappa.hpp"

int main(int count, char** arguments) {
  return bench::run_kappa<bench::digits<bench::large_classifier>>(count, arguments, bench::large());
}

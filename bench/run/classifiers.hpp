#pragma once
/// \file
/// The two dense classifiers that most benchmarks are about.

#include <kappa/declare.hpp>

namespace bench {

struct small_classifier : kappa::network<kappa::input<784> | kappa::dense<128> | kappa::act::relu | kappa::dense<10>> {
};
struct large_classifier : kappa::network<kappa::input<784> | kappa::dense<512> | kappa::act::relu | kappa::dense<256> |
                                         kappa::act::relu | kappa::dense<10>> {};

template <class Network>
struct digits : kappa::objective<Network, kappa::cross_entropy> {};

}  // namespace bench

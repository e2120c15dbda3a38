// refuses: relu at node 2: Lemma 2
#include <catch2/catch.hpp>
#include <kappa/declare.hpp>
#include <kappa/testing/bounds.hpp>

using namespace kappa;
using namespace kappa::testing;

#ifndef CORRECTED
struct net : network<input<5> | dense<8, no_bias> | act::relu | dense<3, no_bias>> {};
#else
struct net : network<input<5> | dense<8, no_bias> | dense<3, no_bias>> {};
#endif

TEST_CASE("Lemma 2") { REQUIRE_THAT(network_of<net>, satisfies(theory::lemma_2)); }

#pragma once
/// \file
/// Derivation: quantities of an objective, as numbers and as operators.

#include <kappa/derive/derive.hpp>
#include <kappa/derive/directions.hpp>
#include <kappa/derive/explain.hpp>
#include <kappa/derive/initialise.hpp>

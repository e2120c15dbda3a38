#pragma once
/// \file
/// Derivation: quantities of an objective, as numbers and as operators.

#include <kappa/derive/accumulated_ggn.hpp>
#include <kappa/derive/batch_statistics.hpp>
#include <kappa/derive/coverage.hpp>
#include <kappa/derive/derive.hpp>
#include <kappa/derive/directions.hpp>
#include <kappa/derive/explain.hpp>
#include <kappa/derive/hessian_diagonal.hpp>
#include <kappa/derive/initialise.hpp>
#include <kappa/derive/kfac_accumulator.hpp>
#include <kappa/derive/kfra.hpp>
#include <kappa/tensor/sub_batch.hpp>

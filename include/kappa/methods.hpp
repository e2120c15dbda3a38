#pragma once
/// \file
/// What people do with curvature: optimisers, a training loop, evaluation.

#include <kappa/methods/accumulate.hpp>
#include <kappa/methods/adam.hpp>
#include <kappa/methods/damping.hpp>
#include <kappa/methods/directional_newton.hpp>
#include <kappa/methods/evaluate.hpp>
#include <kappa/methods/inverse_free.hpp>
#include <kappa/methods/kfac_optimiser.hpp>
#include <kappa/methods/laplace_evidence.hpp>
#include <kappa/methods/levenberg_marquardt.hpp>
#include <kappa/methods/mini_batches.hpp>
#include <kappa/methods/optimiser.hpp>
#include <kappa/methods/running_average.hpp>
#include <kappa/methods/running_statistics.hpp>
#include <kappa/methods/sgd.hpp>
#include <kappa/methods/train.hpp>

#pragma once
/// \file
/// Condition numbers of the Gauss-Newton matrix of linear networks and their kin: exact values, bounds, their
/// hypotheses. Apart from it, because of Boost.Math: kappa/theory/lyapunov.hpp.

#include <kappa/theory/arithmetic.hpp>
#include <kappa/theory/batch_norm.hpp>
#include <kappa/theory/bounds.hpp>
#include <kappa/theory/bounds_for.hpp>
#include <kappa/theory/constant.hpp>
#include <kappa/theory/convolution.hpp>
#include <kappa/theory/covariance.hpp>
#include <kappa/theory/enclosed_gauss_newton.hpp>
#include <kappa/theory/enclosed_relu.hpp>
#include <kappa/theory/enclosure.hpp>
#include <kappa/theory/gauss_newton.hpp>
#include <kappa/theory/initialisation.hpp>
#include <kappa/theory/interval.hpp>
#include <kappa/theory/linear_network.hpp>
#include <kappa/theory/lower_bounds.hpp>
#include <kappa/theory/matrix_free.hpp>
#include <kappa/theory/relu_network.hpp>
#include <kappa/theory/report.hpp>
#include <kappa/theory/residual.hpp>
#include <kappa/theory/statement.hpp>
#include <kappa/theory/value_statement.hpp>

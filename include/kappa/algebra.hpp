#pragma once
/// \file
/// The algebra of operators: structures, their expressions, and what can be asked of them.

#include <kappa/algebra/block_diagonal.hpp>
#include <kappa/algebra/block_krylov.hpp>
#include <kappa/algebra/conjugate_gradients.hpp>
#include <kappa/algebra/diagonal_matrix.hpp>
#include <kappa/algebra/embedded.hpp>
#include <kappa/algebra/expressions.hpp>
#include <kappa/algebra/identity.hpp>
#include <kappa/algebra/kronecker.hpp>
#include <kappa/algebra/kronecker_damping.hpp>
#include <kappa/algebra/kronecker_eigenbasis.hpp>
#include <kappa/algebra/low_rank.hpp>
#include <kappa/algebra/matrix_free.hpp>
#include <kappa/algebra/nearest_kronecker.hpp>
#include <kappa/algebra/operations.hpp>
#include <kappa/algebra/symmetric.hpp>

#pragma once
/// \file
/// Spectra of operators of any structure, from products with them; with the algebra itself.

#include <kappa/algebra.hpp>
#include <kappa/spectrum/davidson.hpp>
#include <kappa/spectrum/estimate.hpp>
#include <kappa/spectrum/hutchinson.hpp>
#include <kappa/spectrum/lanczos.hpp>
#include <kappa/spectrum/power_iteration.hpp>
#include <kappa/spectrum/spectral_density.hpp>

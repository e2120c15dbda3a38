#pragma once
/// \file
/// The layers of modern networks as terms: `#include <kappa/layers.hpp>` beside <kappa/declare.hpp>.

#include <kappa/layers/convolution.hpp>
#include <kappa/layers/features.hpp>

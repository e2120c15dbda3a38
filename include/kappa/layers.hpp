#pragma once
/// \file
/// The layers of modern networks as terms: `#include <kappa/layers.hpp>` has the network language too.

#include <kappa/declare.hpp>
#include <kappa/layers/attention.hpp>
#include <kappa/layers/axes.hpp>
#include <kappa/layers/batch_norm.hpp>
#include <kappa/layers/class_token.hpp>
#include <kappa/layers/convolution.hpp>
#include <kappa/layers/dropout.hpp>
#include <kappa/layers/embedding.hpp>
#include <kappa/layers/features.hpp>
#include <kappa/layers/graph.hpp>
#include <kappa/layers/normalisation.hpp>
#include <kappa/layers/padding.hpp>
#include <kappa/layers/pooling.hpp>
#include <kappa/layers/positions.hpp>
#include <kappa/layers/ragged.hpp>
#include <kappa/layers/softmax.hpp>
#include <kappa/tensor/ragged.hpp>

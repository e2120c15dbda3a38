#pragma once
/// \file
/// The network language: declare networks and objectives as types. Light: no numerics beyond <cmath>.

#include <kappa/declare/act.hpp>
#include <kappa/declare/algebra.hpp>
#include <kappa/declare/classification_losses.hpp>
#include <kappa/declare/ignore_index.hpp>
#include <kappa/declare/concatenate.hpp>
#include <kappa/declare/label.hpp>
#include <kappa/declare/layers.hpp>
#include <kappa/declare/loss.hpp>
#include <kappa/declare/map.hpp>
#include <kappa/declare/reduction.hpp>
#include <kappa/declare/regression_losses.hpp>
#include <kappa/declare/repeat.hpp>
#include <kappa/declare/traced.hpp>
#include <kappa/shapes/network.hpp>
#include <kappa/shapes/objective.hpp>

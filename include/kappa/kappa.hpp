#pragma once
/// \file
/// The library without its doors to files (kappa/io.hpp) and to test frameworks (kappa/testing/...).

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/version.hpp>

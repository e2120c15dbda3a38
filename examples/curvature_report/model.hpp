#pragma once
/// \file
/// The networks of the report, and what its sections share.

#include <cstdint>
#include <string>

#include <kappa/declare.hpp>
#include <kappa/io/dataset.hpp>
#include <kappa/io/html_report.hpp>
#include <kappa/tensor/array.hpp>

namespace report {

using namespace kappa;

struct classifier : network<input<28, 28> | flatten | dense<64> | act::relu | dense<32> | act::relu | dense<10>> {};
struct digits : objective<classifier, cross_entropy> {};

/// The linear variant: the same widths without biases and activations, on the leading principal components.
struct linear_classifier : network<input<40> | dense<64, no_bias> | dense<32, no_bias> | dense<10, no_bias>> {};
struct linear_digits : objective<linear_classifier, squared_error> {};

struct settings {
  std::uint64_t seed = 1;
  std::size_t epochs = 6;
  std::size_t batch_size = 128;
  std::size_t curvature_samples = 64;
};

/// Each section writes to the terminal and to the page. `show_plan` and the others are in files of their names.
void show_plan(io::report& page);
/// Trains by SGD and by K-FAC from one initialisation; returns the parameters K-FAC found.
vector<float> show_training(io::report& page, settings const& s, io::dataset<float> const& train,
                            io::dataset<float> const& test);
void show_spectrum(io::report& page, settings const& s, vector<float> const& theta, io::dataset<float> const& train);
void show_conditioning(io::report& page, settings const& s, io::dataset<float> const& train);

}  // namespace report

#pragma once
/// \file
/// The network of the study, what is measured at a checkpoint, and who measures and shows it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <kappa/declare.hpp>
#include <kappa/io/dataset.hpp>
#include <kappa/io/html_report.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/batch.hpp>

namespace noise_study {

using namespace kappa;

struct classifier : network<input<28, 28> | flatten | dense<64> | act::relu | dense<32> | act::relu | dense<10>> {};
struct digits : objective<classifier, cross_entropy> {};

/// Directions looked at: as many as there are classes, which is how many eigenvalues of a classifier stand out.
inline constexpr std::size_t directions = 10;
/// Eigenvalues of a spectrum that is shown; it is at the first and the last checkpoint.
inline constexpr std::size_t shown_eigenvalues = 60;
/// Eigenpairs kept of the matrix of all training samples.
inline constexpr std::size_t truncated_rank = 2 * directions;
/// Samples of a batch to one of its sub-sample (ViViT's N/8).
inline constexpr std::size_t sub_sampling = 8;

struct settings {
  std::uint64_t seed = 1;
  std::size_t epochs = 20;
  std::size_t training_samples = 4000;  ///< at most
  std::size_t test_samples = 1000;      ///< at most
  std::size_t reference_samples = 512;  ///< of the full-batch matrix
  std::size_t batch_size = 128;         ///< of a training step and of a measurement
  std::size_t mini_batches = 5;         ///< measured at each checkpoint
  std::size_t checkpoints = 10;
  double sgd_rate = 0.03, momentum = 0.9;
  double adam_rate = 1e-3;
};

/// The ways to approximate the full-batch matrix from one mini-batch.
inline constexpr std::array<char const*, 4> approximations{"mini-batch, exact", "sub-sampled N/8", "Monte Carlo, M = 1",
                                                           "sub-sampled and Monte Carlo"};
/// The ways to take one step from one mini-batch.
inline constexpr std::array<char const*, 6> steps{
    "SGD, the rate of the training", "SGD, best rate on the batch",         "Newton, bootstrap damping",
    "Newton, one damping of 1",      "Newton by layers, bootstrap damping", "Newton, sub-sampled and Monte Carlo"};
enum step_kind { sgd_step, searched_sgd_step, newton_step, constant_newton_step, layer_newton_step, cheap_newton_step };

/// The full-batch matrix at some parameters.
struct reference {
  vector<float> eigenvalues;   ///< leading ones, descending
  matrix<float> eigenvectors;  ///< the `directions` leading ones, unit rows
  /// Row by row eᵀ G e.
  std::function<std::vector<double>(matrix<float> const&)> curvature_along;
};

/// One mini-batch at one checkpoint.
struct measurement {
  std::array<double, approximations.size()> overlap{};
  /// Σ λ_k over the own leading directions e_k, over Σ e_kᵀ G e_k with the full batch's G: 1 where a batch sees its
  /// directions as the full batch does.
  std::array<double, approximations.size()> claimed{};
  std::vector<double> slope_noise, curvature_noise;  ///< mean²/variance over samples along the exact directions
  std::vector<double> damping;                       ///< δ_k; infinite where a direction is left out
  std::array<double, steps.size()> gain{};           ///< in held-out loss, as a share of it
};

/// Leading eigenvalues of one mini-batch's matrices beside the full batch's, `directions` of them at least.
struct spectra {
  vector<float> full;
  std::array<vector<float>, approximations.size()> approximate;
};

struct checkpoint {
  std::size_t step = 0;
  double loss = 0, held_out_loss = 0;  ///< of the training and of the held-out samples
  std::vector<measurement> batches;
  spectra spectrum;
  /// Where measured: overlaps of the leading space of all training samples with the reference's, and of the
  /// reference's samples truncated with the same untruncated.
  bool compared = false;
  double overlap_with_whole = 0, overlap_of_truncation = 0;
};

/// One training, watched.
struct run {
  std::string name;
  std::vector<checkpoint> checkpoints;
  double accuracy = 0;  ///< on the held-out samples, at the end
  std::size_t parameters = 0;
};

/// What is measured on: the data sets and the measured batches of the reference's samples, the same at all checkpoints.
struct study_data {
  io::dataset<float> train, held_out, subset;
  std::vector<io::dataset<float>> batches, sub_batches;
};
template <class Set>
batch<float> view(Set const& set) {
  return batch<float>(elements(set.inputs), elements(set.labels));
}

/// The files of these names, measure_*.cpp.
reference reference_at(vector<float> const& theta, io::dataset<float> const& samples, std::size_t eigenvalues);
void compare_with_whole(checkpoint& now, vector<float> const& theta, reference const& full, study_data const& data);
void measure_curvature(checkpoint& now, vector<float> const& theta, reference const& full, study_data const& data,
                       std::uint64_t seed);
void measure_steps(checkpoint& now, vector<float> const& theta, study_data const& data, settings const& s);

/// Trains with SGD and with Adam and measures at checkpoints.
std::vector<run> train_and_measure(settings const& s, study_data const& data);

/// Sections of the page; what they say is computed from what was measured.
void show_setting(io::report& page, settings const& s, study_data const& data, std::vector<run> const& runs);
void show_spectra(io::report& page, std::vector<run> const& runs);
void show_overlaps(io::report& page, settings const& s, std::vector<run> const& runs);
void show_noise(io::report& page, settings const& s, std::vector<run> const& runs);
void show_steps(io::report& page, settings const& s, std::vector<run> const& runs);

}  // namespace noise_study

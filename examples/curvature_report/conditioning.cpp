// Section 4: the linear variant of the network, its exact condition number and the bounds, while it is trained.

#include <cmath>
#include <iostream>

#include <kappa/algebra.hpp>
#include <kappa/derive/initialise.hpp>
#include <kappa/io/progress.hpp>
#include <kappa/io/table.hpp>
#include <kappa/io/text.hpp>
#include <kappa/methods.hpp>
#include <kappa/theory.hpp>

#include "model.hpp"

namespace report {

namespace {

// The inputs in coordinates of their leading principal axes, [n, features of the linear network]: pixels that are
// always black would make every condition number infinite. Scaled so that the first component has second moment 1,
// which changes no condition number of the data.
matrix<float> leading_components(matrix<float> const& x) {
  constexpr auto kept = static_cast<std::size_t>(linear_classifier::input_shape.size());
  std::size_t const n = x.shape(0), d = x.shape(1);
  auto second_moment = zeros<float>(d, d);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t a = 0; a < d; ++a)
      for (std::size_t b = 0; b < d; ++b) second_moment(a, b) += x(i, a) * x(i, b) / static_cast<float>(n);
  auto const axes = top_eigenpairs(symmetric<float>(second_moment), kept);
  float const scale = 1 / std::sqrt(axes.values(0));
  auto y = zeros<float>(n, kept);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < kept; ++k)
      for (std::size_t a = 0; a < d; ++a) y(i, k) += scale * x(i, a) * axes.vectors(k, a);
  return y;
}

// The published bound, the one that is never infinite, and the two that enclose the exact number closely.
using shown =
    theory::statement_list<theory::eq_7_t, theory::flag_bound_t, theory::loewner_bound_t, theory::rayleigh_bound_t>;

}  // namespace

void show_conditioning(io::report& page, settings const& s, io::dataset<float> const& train_set) {
  std::size_t const samples = std::min<std::size_t>(2000, train_set.size());
  auto x = zeros<float>(samples, train_set.features());
  std::copy_n(train_set.inputs.data(), x.size(), x.data());
  auto const components = leading_components(x);
  auto targets = zeros<float>(samples, 10);
  for (std::size_t i = 0; i < samples; ++i) targets(i, static_cast<std::size_t>(train_set.labels(i))) = 1;
  batch<float> const data(elements(components), std::span<float const>(elements(targets)));
  auto const covariance = theory::covariance_of(components);

  auto theta = initialise<linear_classifier, float>(s.seed, 1.0);
  std::vector<double> steps;
  std::vector<io::series> lines;
  io::table table{"step", "loss", "statement", "value", "ratio to exact", "note"};
  std::size_t next = 0;
  auto const measure = [&](std::size_t step, double loss, bool tabulate) {
    auto const rows = theory::condition_report<linear_classifier, shown>(theta, covariance).rows();
    steps.push_back(static_cast<double>(step));
    if (lines.empty())
      for (auto const& r : rows) lines.push_back(io::series{r.name, {}, {}});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      lines[i].x.push_back(static_cast<double>(step));
      lines[i].y.push_back(rows[i].value);
      if (tabulate) table.row(step, loss, rows[i].name, rows[i].value, rows[i].slack, rows[i].note);
    }
    if (tabulate) table.rule();
  };
  measure(0, evaluate<linear_digits, float>(theta, data), true);
  constexpr std::size_t epochs = 20;
  std::size_t const per_epoch = (samples + s.batch_size - 1) / s.batch_size;
  io::progress bar("training the linear variant", epochs * per_epoch);
  sgd<linear_digits, float> optimiser(s.batch_size, {.learning_rate = 0.05, .momentum = 0.9});
  train(optimiser, theta, data, {.epochs = epochs, .batch_size = s.batch_size, .seed = s.seed},
        [&](training_record const& now) {
          ++bar;
          if (now.step < next) return;
          next = now.step + 1 + now.step / 3;
          measure(now.step, now.loss, false);
        });
  bar.finish();
  measure(epochs * per_epoch, evaluate<linear_digits, float>(theta, data), true);

  std::cout << "The linear variant, widths 40-64-32-10 on the 40 leading principal components: the condition number of "
               "its Gauss-Newton matrix\n"
            << table << '\n';
  page.heading("Condition number of a linear variant")
      .text(
          "The same widths without activations and biases, with squared error, on the 40 leading principal "
          "components of " +
          std::to_string(samples) +
          " training samples. The exact condition number comes from a matrix of order classes times features; the "
          "bounds need only the layers' singular values (Zhao, Singh and Lucchi 2024).")
      .table(table)
      .plot(io::line_plot{
          "Condition number while training", {"step"}, {"condition number", io::axis_scale::logarithmic}, lines, ""});
}

}  // namespace report

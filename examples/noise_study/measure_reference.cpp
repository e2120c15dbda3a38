// The full-batch matrix of the reference's samples, exactly, and of all training samples, truncated.

#include <memory>
#include <span>

#include <kappa/algebra.hpp>
#include <kappa/derive/accumulated_ggn.hpp>

#include "model.hpp"
#include "summary.hpp"

namespace noise_study {

namespace {

template <class Use>
void by_chunks(io::dataset<float> const& samples, std::size_t chunk, Use&& use) {
  for (std::size_t first = 0; first < samples.size(); first += chunk) {
    auto const end = std::min(first + chunk, samples.size());
    use(batch<float>(samples.input_rows(first, end), samples.label_rows(first, end)));
  }
}

matrix<float> first_rows(matrix<float> const& m, std::size_t count) {
  auto first = zeros<float>(std::min(count, m.shape(0)), m.shape(1));
  std::copy_n(m.data(), first.size(), first.data());
  return first;
}

// The leading eigenvectors of the matrix of `samples`, collected `chunk` at a time and truncated to a higher rank.
matrix<float> truncated_directions(vector<float> const& theta, io::dataset<float> const& samples, std::size_t chunk) {
  truncated_ggn<digits, float> all(theta, truncated_rank);
  by_chunks(samples, chunk, [&](batch<float> const& b) { all.append(b); });
  return first_rows(all.eigenvectors(), directions);
}

}  // namespace

// [reference]
reference reference_at(vector<float> const& theta, io::dataset<float> const& samples, std::size_t eigenvalues) {
  appended_ggn<digits, float> all(theta);
  by_chunks(samples, 256, [&](batch<float> const& b) { all.append(b); });
  auto const full = all.matrix();  // of all samples, exactly
  auto const leading = full.top(directions);
  // [/reference]
  reference r{leading.values, leading.vectors, {}};
  if (eigenvalues > directions) {
    auto const& gram = full.root().gram();
    r.eigenvalues = leading_eigenpairs(std::span<float const>(gram.data(), gram.size()), all.columns(),
                                       std::min(eigenvalues, all.columns()))
                        .values;
  }
  r.curvature_along = [full](matrix<float> const& rows) {
    std::vector<double> along;
    std::vector<float> c(full.root().columns());
    for (std::size_t k = 0; k < rows.shape(0); ++k) {  // ‖Vᵀe‖²
      full.root().multiply_transposed(std::span<float const>(rows.data() + k * rows.shape(1), rows.shape(1)), c);
      double total = 0;
      for (float x : c) total += static_cast<double>(x) * static_cast<double>(x);
      along.push_back(total);
    }
    return along;
  };
  return r;
}

void compare_with_whole(checkpoint& now, vector<float> const& theta, reference const& full, study_data const& data) {
  now.compared = true;
  now.overlap_with_whole = overlap(truncated_directions(theta, data.train, 256), full.eigenvectors);
  now.overlap_of_truncation =
      overlap(truncated_directions(theta, data.subset, data.subset.size() / 8), full.eigenvectors);
}

}  // namespace noise_study

// Spectra, leading spaces and noise of mini-batches at one checkpoint.

#include <utility>

#include <kappa/algebra.hpp>
#include <kappa/derive.hpp>

#include "model.hpp"
#include "summary.hpp"

namespace noise_study {

namespace {

std::vector<double> numbers(vector<float> const& v) { return io::as_doubles(v); }

}  // namespace

void measure_curvature(checkpoint& now, vector<float> const& theta, reference const& full, study_data const& data,
                       std::uint64_t seed) {
  constexpr auto drawn = ggn_from<monte_carlo<1>>;
  for (std::size_t b = 0; b < data.batches.size(); ++b) {
    // [approximations]
    auto const q = derive<digits>(theta, view(data.batches[b]), gradient, ggn, ggn_from<monte_carlo<1>>(seed + b));
    auto const sub = derive<digits>(theta, view(data.sub_batches[b]), ggn, ggn_from<monte_carlo<1>>(seed + b));
    // [/approximations]
    measurement& m = now.batches[b];
    std::size_t kind = 0;
    auto const measure = [&](auto const& curvature) {
      auto const own = curvature.top(directions);  // fewer where the rank is less: sub-sampled draws may coincide
      m.overlap[kind] = overlap(own.vectors, full.eigenvectors);
      double claims = 0, holds = 0;
      for (double v : numbers(own.values)) claims += v;
      for (double v : full.curvature_along(own.vectors)) holds += v;
      m.claimed[kind] = claims / holds;
      if (b == 0)
        now.spectrum.approximate[kind] = full.eigenvalues.size() > directions ? eigenvalues(curvature) : own.values;
      ++kind;
    };
    measure(q[ggn]);
    measure(sub[ggn]);
    measure(q[drawn]);
    measure(sub[drawn]);
    // [noise]
    auto const d = directional_derivatives_of(q, ggn, leading{directions});
    m.slope_noise = numbers(signal_to_noise(d.slopes));          // of γ_nk over samples n, per direction k
    m.curvature_noise = numbers(signal_to_noise(d.curvatures));  // of λ_nk
    // [/noise]
  }
  now.spectrum.full = full.eigenvalues;
}

}  // namespace noise_study

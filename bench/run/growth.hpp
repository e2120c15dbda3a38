#pragma once
/// \file
/// Plain timing for growth_*.cpp: contenders take turns, and each prints its median as a line of JSON.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kappa/tensor/threads.hpp>

namespace bench {

/// What the command line of a growth program says.
struct growth_options {
  double seconds = 0.1;                     ///< for each contender
  std::size_t most = std::size_t{1} << 30;  ///< cases beyond this size are left out
  bool short_form = false;                  ///< few cases, a few milliseconds each

  growth_options(int count, char** arguments) {
    for (int i = 1; i < count; ++i)
      if (std::string_view(arguments[i]) == "--short") {
        short_form = true;
        seconds = 0.002;
        most = 64;
      } else {
        std::fprintf(stderr, "%s: the only option is --short, got %s\n", arguments[0], arguments[i]);
        std::exit(2);
      }
  }
};

/// Microseconds: processor time of all threads on one thread, which other programs disturb less; else the wall's.
inline double now(int threads) {
  if (threads > 1)
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
  std::timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return 1e6 * static_cast<double>(t.tv_sec) + 1e-3 * static_cast<double>(t.tv_nsec);
}

inline double median(std::vector<double> values) {
  auto const middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// One of several that do the same work, perhaps on a number of threads of its own.
struct contender {
  std::string name;
  std::function<void()> run;
  int threads = 1;
};

/// Median microseconds of a call of each. The first call, which touches memory, is not timed; then all take turns, with
/// enough calls a turn for half a millisecond, until each has had its seconds and five turns (those of a second and
/// longer, one).
inline std::vector<double> compare(std::vector<contender> const& all, double seconds) {
  struct state {
    std::size_t calls = 1;
    double spent = 0;
    std::vector<double> times = {};
  };
  int const clock = std::max_element(all.begin(), all.end(), [](auto const& a, auto const& b) {
                      return a.threads < b.threads;
                    })->threads;
  std::vector<state> states(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    kappa::set_threads(all[i].threads);
    all[i].run();
    double const begin = now(clock);
    all[i].run();
    double const once = std::max(now(clock) - begin, 0.05);
    states[i].calls = std::max<std::size_t>(1, static_cast<std::size_t>(500 / once));
    if (once > 1e6) states[i] = {1, once, {once}};
  }
  for (bool wanting = true; wanting;) {
    wanting = false;
    for (std::size_t i = 0; i < all.size(); ++i) {
      auto& s = states[i];
      bool const enough = s.spent >= seconds * 1e6 && (s.times.size() >= 5 || s.spent >= 1e6);
      if (enough) continue;
      wanting = true;
      kappa::set_threads(all[i].threads);
      double const begin = now(clock);
      for (std::size_t c = 0; c < s.calls; ++c) all[i].run();
      double const spent = now(clock) - begin;
      s.spent += spent;
      s.times.push_back(spent / static_cast<double>(s.calls));
    }
  }
  kappa::set_threads(1);
  std::vector<double> medians;
  for (auto const& s : states) medians.push_back(median(s.times));
  return medians;
}

/// A line of JSON: `{"task": ..., "network": ..., "size": ..., "time": µs}`.
inline void print_growth(std::string_view task, std::string_view over, std::size_t size, double time) {
  std::printf("{\"task\": \"%.*s\", \"over\": \"%.*s\", \"size\": %zu, \"time\": %.6g}\n",
              static_cast<int>(task.size()), task.data(), static_cast<int>(over.size()), over.data(), size, time);
  std::fflush(stdout);
}

/// A line of JSON for a choice between two: its place, the case, what the model takes and what both took.
inline void print_choice(std::string_view place, std::string const& which, std::vector<contender> const& all,
                         std::vector<double> const& times, std::size_t taken) {
  std::printf("{\"choice\": \"%.*s\", \"case\": \"%s\", \"taken\": \"%s\", \"times\": {",
              static_cast<int>(place.size()), place.data(), which.c_str(), all[taken].name.c_str());
  for (std::size_t i = 0; i < all.size(); ++i)
    std::printf("%s\"%s\": %.6g", i ? ", " : "", all[i].name.c_str(), times[i]);
  std::puts("}}");
  std::fflush(stdout);
}

}  // namespace bench

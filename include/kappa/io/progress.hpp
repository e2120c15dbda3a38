#pragma once
/// \file
/// How far long work has come, how fast it goes and when it will be done.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <ostream>
#include <string>
#include <utility>

#include <kappa/io/text.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

namespace detail {

/// One line of progress: "training  ██████░░░░  60 %  600/1,000  240/s  1.7 s left  loss 0.31". Without a bar of
/// `bar_width` cells if that is 0. The rate is that of all the work so far.
inline std::string progress_line(std::string_view title, std::size_t done, std::size_t total, double seconds,
                                 std::string_view note, std::size_t bar_width) {
  auto const share = total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
  std::string line = say(title, "  ");
  auto const filled = static_cast<std::size_t>(share * static_cast<double>(bar_width));
  for (std::size_t i = 0; i < bar_width; ++i) line += i < filled ? "█" : "░";
  auto const percent = std::to_string(static_cast<int>(share * 100));
  line += say(bar_width ? "  " : "", std::string(3 - std::min<std::size_t>(3, percent.size()), ' '), percent, " %  ",
              format_number(done), "/", format_number(total));
  auto const rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  if (rate > 0) line += say("  ", format_number(rate, 3), "/s");
  if (done >= total)
    line += say("  in ", format_seconds(seconds));
  else if (rate > 0)
    line += say("  ", format_seconds(static_cast<double>(total - done) / rate), " left");
  if (!note.empty()) line += say("  ", note);
  return line;
}

}  // namespace detail

/// A progress bar on stderr. On a terminal it is one line, redrawn ten times a second at most; elsewhere (a log, a
/// pipe) a plain line every ten seconds and one at the end. Not for several threads at once.
///
///     progress bar("training", steps);
///     for (...) { ...; bar.note("loss " + format_number(loss)); ++bar; }
class progress {
 public:
  progress(std::string title, std::size_t total) : progress(std::move(title), total, std::cerr, isatty(2) == 1) {}
  /// The same on another stream, which is or is not a terminal.
  progress(std::string title, std::size_t total, std::ostream& out, bool terminal)
      : title_(std::move(title)), total_(total), out_(out), terminal_(terminal) {
    if (terminal_) draw();
  }
  progress(progress const&) = delete;
  progress& operator=(progress const&) = delete;
  ~progress() { finish(); }

  /// What to show behind the numbers, from the next time it is drawn.
  void note(std::string text) { note_ = std::move(text); }

  /// `count` more units are done.
  void advance(std::size_t count = 1) {
    done_ = std::min(total_, done_ + count);
    auto const now = clock::now();
    if (now - drawn_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10000))) return;
    drawn_ = now;
    draw();
  }
  progress& operator++() {
    advance();
    return *this;
  }

  /// Draws the last state and ends the line; the destructor does so too.
  void finish() {
    if (finished_) return;
    finished_ = true;
    draw();
    if (terminal_) out_ << std::endl;
  }

 private:
  using clock = std::chrono::steady_clock;

  void draw() {
    auto const seconds = std::chrono::duration<double>(clock::now() - start_).count();
    auto const line = detail::progress_line(title_, done_, total_, seconds, note_, terminal_ ? 24 : 0);
    if (terminal_)
      out_ << '\r' << line << "\x1b[K" << std::flush;  // the escape erases what a longer line left
    else
      out_ << line << std::endl;
  }

  std::string title_, note_;
  std::size_t total_, done_ = 0;
  std::ostream& out_;
  bool terminal_, finished_ = false;
  clock::time_point start_ = clock::now(), drawn_ = start_;
};

}
}  // namespace kappa::io

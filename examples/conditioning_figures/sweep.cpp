#include "sweep.hpp"

#include <exception>
#include <iostream>
#include <mutex>
#include <thread>

#include <kappa/io/progress.hpp>

namespace conditioning_figures {

void sweep(std::string const& title, std::vector<task> const& tasks, point_store& store, std::size_t workers) {
  std::vector<task const*> open;
  for (auto const& t : tasks)
    if (!store.find(t.key, t.count)) open.push_back(&t);
  if (open.size() < tasks.size())
    std::cout << title << ": " << tasks.size() - open.size() << " of " << tasks.size()
              << " points were there already\n";
  if (open.empty()) return;

  kappa::io::progress bar(title, open.size());
  std::mutex mutex;  // of the bar, the store, `next` and `failure`
  std::size_t next = 0;
  std::exception_ptr failure;
  auto const work = [&] {
    for (;;) {
      task const* mine = nullptr;
      {
        std::lock_guard const lock(mutex);
        if (failure || next == open.size()) return;
        mine = open[next++];
      }
      try {
        auto values = mine->measure();
        std::lock_guard const lock(mutex);
        store.add(mine->key, std::move(values));
        bar.note(mine->key.panel);
        ++bar;
      } catch (...) {
        std::lock_guard const lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < workers; ++i) others.emplace_back(work);
  work();
  for (auto& other : others) other.join();
  if (failure) std::rethrow_exception(failure);
  bar.note("");
}

}  // namespace conditioning_figures

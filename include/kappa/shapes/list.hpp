#pragma once

namespace kappa::static_detail {

/// A growing array for constant evaluation: what std::vector would be without its header.
template <class T>
struct list {
  T* items = nullptr;
  int count = 0;
  int capacity = 0;

  constexpr list() = default;
  list(list const&) = delete;
  list& operator=(list const&) = delete;
  constexpr ~list() { delete[] items; }

  constexpr int push(T const& item) {
    if (count == capacity) reserve(capacity == 0 ? 16 : 2 * capacity);
    items[count] = item;
    return count++;
  }
  /// Room for so many, at least as many as there are.
  constexpr void reserve(int room) {
    T* grown = new T[static_cast<unsigned>(room)]{};
    for (int i = 0; i < count; ++i) grown[i] = items[i];
    delete[] items;
    items = grown;
    capacity = room;
  }
  constexpr T& operator[](int i) { return items[i]; }
  constexpr T const& operator[](int i) const { return items[i]; }
};

}  // namespace kappa::static_detail

#pragma once
/// \file
/// An owning array for constant evaluation and run time alike; std::vector is not yet that everywhere.

#include <cstddef>
#include <initializer_list>
#include <utility>

#include <kappa/arch.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory::detail {

/// `n` values of a default-constructible type.
template <class T>
class row {
 public:
  constexpr row() = default;
  constexpr explicit row(std::size_t n) : items(n > 0 ? new T[n]{} : nullptr), count(n) {}
  constexpr row(std::initializer_list<T> all) : row(all.size()) {
    std::size_t i = 0;
    for (T const& x : all) items[i++] = x;
  }
  constexpr row(row const& other) : row(other.count) {
    for (std::size_t i = 0; i < count; ++i) items[i] = other.items[i];
  }
  constexpr row(row&& other) noexcept
      : items(std::exchange(other.items, nullptr)), count(std::exchange(other.count, 0)) {}
  constexpr row& operator=(row const& other) {
    if (this != &other) {
      row copy(other);
      swap(copy);
    }
    return *this;
  }
  constexpr row& operator=(row&& other) noexcept {
    swap(other);
    return *this;
  }
  constexpr ~row() { delete[] items; }

  constexpr void push_back(T const& x) {
    row grown(count + 1);
    for (std::size_t i = 0; i < count; ++i) grown.items[i] = std::move(items[i]);
    grown.items[count] = x;
    swap(grown);
  }
  constexpr void swap(row& other) noexcept {
    std::swap(items, other.items);
    std::swap(count, other.count);
  }
  constexpr std::size_t size() const { return count; }
  constexpr T* data() { return items; }
  constexpr T const* data() const { return items; }
  constexpr T* begin() { return items; }
  constexpr T* end() { return items + count; }
  constexpr T const* begin() const { return items; }
  constexpr T const* end() const { return items + count; }
  constexpr T& operator[](std::size_t i) { return items[i]; }
  constexpr T const& operator[](std::size_t i) const { return items[i]; }
  constexpr T const& front() const { return items[0]; }
  constexpr T const& back() const { return items[count - 1]; }

 private:
  T* items = nullptr;
  std::size_t count = 0;
};

}  // namespace theory::detail
}  // namespace kappa::inline KAPPA_ARCH

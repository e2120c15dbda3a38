#pragma once
/// \file
/// Where buffers lie: first fit with reuse, from their first and last moments of use. Sizes and offsets count
/// elements per sample; a workspace multiplies them by its capacity.

#include <kappa/shapes/list.hpp>

namespace kappa::static_detail {

/// A buffer alive during the moments [begin, end] of a derivation.
struct buffer {
  int size = 0;
  int begin = 0;
  int end = -1;
  int offset = 0;
};

/// Gives every buffer an offset so that no two live ones overlap; returns the arena's size. One pass over the
/// moments with a list of holes: O(buffers · holes).
constexpr int place(list<buffer>& placed, int moments) {
  // Buffers by their first and by their last moment, as linked lists, so that no sorting is needed; index + 1,
  // so that zero-initialised arrays are empty lists.
  buffer* const buffers = placed.items;
  int const count = placed.count;
  int* const links = new int[static_cast<unsigned>(2 * (moments + 1) + 2 * count)]{};
  int* const starts = links;
  int* const stops = starts + moments + 1;
  int* const next_start = stops + moments + 1;
  int* const next_stop = next_start + count;
  for (int i = 0; i < count; ++i) {
    int const begin = buffers[i].begin;
    int const end = buffers[i].end < begin ? begin : buffers[i].end;
    next_start[i] = starts[begin];
    starts[begin] = i + 1;
    next_stop[i] = stops[end];
    stops[end] = i + 1;
  }

  struct hole {
    int offset = 0;
    int size = 0;
  };
  list<hole> holes;
  int top = 0;
  int peak = 0;
  for (int t = 0; t <= moments; ++t) {
    for (int i = starts[t] - 1; i >= 0; i = next_start[i] - 1) {
      int found = -1;
      for (int h = 0; h < holes.count && found < 0; ++h)
        if (holes[h].size >= buffers[i].size) found = h;
      if (found < 0) {
        buffers[i].offset = top;
        top += buffers[i].size;
        if (top > peak) peak = top;
      } else {
        buffers[i].offset = holes[found].offset;
        holes[found].offset += buffers[i].size;
        holes[found].size -= buffers[i].size;
        if (holes[found].size == 0) holes[found] = holes[--holes.count];
      }
    }
    for (int i = stops[t] - 1; i >= 0; i = next_stop[i] - 1) {
      hole freed{buffers[i].offset, buffers[i].size};
      if (freed.size == 0) continue;
      for (int h = 0; h < holes.count;) {  // merge with the neighbours on either side
        if (holes[h].offset + holes[h].size == freed.offset || freed.offset + freed.size == holes[h].offset) {
          freed.offset = holes[h].offset < freed.offset ? holes[h].offset : freed.offset;
          freed.size += holes[h].size;
          holes[h] = holes[--holes.count];
        } else {
          ++h;
        }
      }
      if (freed.offset + freed.size == top) {
        top = freed.offset;
      } else {
        holes.push(freed);
      }
    }
  }
  delete[] links;
  return peak;
}

}  // namespace kappa::static_detail

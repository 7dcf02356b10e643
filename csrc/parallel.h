// The parallel loop, on threads of the standard library: no runtime of OpenMP's has to be found,
// two of them cannot get into each other's way, and ThreadSanitizer sees every thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

#include "generator.h"

namespace inpaint {

// Threads that are of use for `items` pieces of work.
inline int count_threads(int threads, std::int64_t items) {
  return static_cast<int>(std::max<std::int64_t>(1, std::min<std::int64_t>(threads, items)));
}

// Calls `call(item, scratch)` for each item on up to `threads` threads, the calling one among
// them, each with its own scratch. `call` must not throw.
template <class Call>
void parallel_for(std::int64_t items, int threads, std::size_t scratch_bytes, const Call& call) {
  threads = count_threads(threads, items);
  // More than a page apart, so that no two threads write to one cache line.
  const std::size_t stride = (scratch_bytes / 4096 + 2) * 4096;
  AlignedVector<unsigned char> scratch(stride * threads);
  std::atomic<std::int64_t> next{0};
  const auto work = [&](int thread) {
    std::int64_t item;
    while ((item = next.fetch_add(1, std::memory_order_relaxed)) < items) {
      call(item, scratch.data() + stride * thread);
    }
  };
  std::vector<std::thread> helpers;
  helpers.reserve(threads - 1);
  for (int thread = 1; thread < threads; ++thread) {
    try {
      helpers.emplace_back(work, thread);
    } catch (const std::system_error&) {
      break;  // The system gives no more threads; those that run do the work.
    }
  }
  work(0);
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace inpaint

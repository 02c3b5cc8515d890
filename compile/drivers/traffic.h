// SPDX-License-Identifier: Apache-2.0
// What happens on streams: beats that are recorded, and counters of all that happens.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "simulator error: %s\n", what.c_str());
  std::exit(1);
}

// Creates a file; none where it has no name.
std::FILE* create(const std::string& path) {
  std::FILE* file = path.empty() ? nullptr : std::fopen(path.c_str(), "wb");
  if (!path.empty() && !file) fail("cannot write " + path);
  return file;
}

void finish(std::FILE* file) {
  if (file && (std::ferror(file) || std::fclose(file))) fail("disk full");
}

// Records one stream: every accepted beat, and its cycle.
class Recorder {
 public:
  Recorder(uint64_t bytes, const std::string& data, const std::string& cycles)
      : bytes_(bytes), data_(create(data)), cycles_(create(cycles)) {}

  void take(const void* data, uint64_t cycle) {
    if (data_) std::fwrite(data, 1, bytes_, data_);
    if (cycles_) std::fwrite(&cycle, sizeof cycle, 1, cycles_);
  }

  void close() {
    finish(data_);
    finish(cycles_);
  }

 private:
  uint64_t bytes_;
  std::FILE *data_, *cycles_;
};

// A counter for each bit of a word. Bit i of plane k is bit k of counter i: to count on
// all of them at once takes two steps on average.
class Counters {
 public:
  void add(uint32_t word) {
    for (auto plane = planes_.begin(); word; ++plane) {
      const uint32_t carry = *plane & word;
      *plane ^= word;
      word = carry;
    }
  }

  uint64_t operator[](size_t index) const {
    uint64_t count = 0;
    for (size_t k = 0; k < planes_.size(); ++k)
      count |= static_cast<uint64_t>(planes_[k] >> index & 1) << k;
    return count;
  }

 private:
  std::array<uint32_t, 64> planes_{};
};

// What happens on up to 32 streams: beats, and how often an end waited for the other.
struct Traffic {
  uint32_t add(uint32_t valid, uint32_t ready) {
    beats.add(valid & ready);
    blocked.add(valid & ~ready);
    starved.add(ready & ~valid);
    return valid & ready;
  }

  Counters beats, blocked, starved;
};

// Counts what lies between two streams, from the beats that go in and come out.
class Queue {
 public:
  void enter(uint64_t cycle) {
    area_ -= cycle;
    most = std::max(most, ++level_);
  }

  void leave(uint64_t cycle) {
    area_ += cycle;
    --level_;
  }

  // Sums what was held in each of the cycles: every beat for as long as it stayed.
  uint64_t area(uint64_t cycle) const { return area_ + level_ * cycle; }

  uint64_t most = 0;

 private:
  uint64_t level_ = 0, area_ = 0;
};

}  // namespace

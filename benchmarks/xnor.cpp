// SPDX-License-Identifier: Apache-2.0
// A plain XNOR/popcount loop for networks of dense layers, to measure emulation by.
//
// xnor NETWORK FRAMES OUTPUTS: NETWORK is int64 words: the number of layers, then of
// each its columns, rows, input bits, steps and shift, the planes of its inverted
// weights, its thresholds (rows x steps) and its biases (rows). FRAMES are bytes,
// OUTPUTS int64. Prints the seconds of the processor's time that the frames took.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <vector>

using Words = std::vector<uint64_t>;
using Numbers = std::vector<int64_t>;

struct Layer {
  int64_t columns, rows, bits, steps, shift, words;
  Words flips;
  Numbers thresholds, bias;
};

template <typename T> std::vector<T> load(const char *path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const T *first = reinterpret_cast<const T *>(bytes.data());
  return {first, first + bytes.size() / sizeof(T)};
}

std::vector<Layer> parse(const Numbers &data) {
  auto at = data.begin();
  std::vector<Layer> layers(*at++);
  for (Layer &l : layers) {
    for (int64_t *field : {&l.columns, &l.rows, &l.bits, &l.steps, &l.shift})
      *field = *at++;
    l.words = (l.columns + 63) / 64;
    const auto take = [&](auto &to, int64_t n) { to.assign(at, at + n), at += n; };
    take(l.flips, l.rows * l.words);
    take(l.thresholds, l.rows * l.steps);
    take(l.bias, l.rows);
  }
  return layers;
}

void pack(const Layer &l, const int64_t *codes, Words &planes) {
  planes.assign(l.bits * l.words, 0);
  for (int64_t b = 0; b < l.bits; b++)
    for (int64_t c = 0; c < l.columns; c++)
      planes[b * l.words + c / 64] |= uint64_t(codes[c] >> b & 1) << c % 64;
}

void run(const Layer &l, const Words &planes, int64_t *codes) {
  for (int64_t r = 0; r < l.rows; r++) {
    int64_t sum = 0, count = 0;
    for (int64_t b = 0; b < l.bits; b++) {
      int64_t ones = 0;
      for (int64_t w = 0; w < l.words; w++)
        ones += __builtin_popcountll(planes[b * l.words + w] ^ l.flips[r * l.words + w]);
      sum += ones << b;
    }
    for (int64_t j = 0; j < l.steps; j++)
      count += sum >= l.thresholds[r * l.steps + j];
    codes[r] = l.steps ? count : (sum << l.shift) + l.bias[r];
  }
}

int main(int, char **arguments) {
  const std::vector<Layer> layers = parse(load<int64_t>(arguments[1]));
  const std::vector<uint8_t> frames = load<uint8_t>(arguments[2]);
  const int64_t columns = layers.front().columns, rows = layers.back().rows;
  const int64_t count = frames.size() / columns;
  Numbers outputs(count * rows), codes;
  Words planes;
  const std::clock_t begun = std::clock();
  for (int64_t f = 0; f < count; f++) {
    codes.assign(&frames[f * columns], &frames[f * columns] + columns);
    for (const Layer &l : layers) {
      pack(l, codes.data(), planes);
      codes.resize(l.rows);
      run(l, planes, codes.data());
    }
    std::copy(codes.begin(), codes.end(), &outputs[f * rows]);
  }
  const double taken = double(std::clock() - begun) / CLOCKS_PER_SEC;
  std::ofstream file(arguments[3], std::ios::binary);
  file.write(reinterpret_cast<const char *>(outputs.data()), 8 * outputs.size());
  std::printf("%.9f\n", taken);
}

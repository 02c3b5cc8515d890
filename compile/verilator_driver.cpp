// SPDX-License-Identifier: Apache-2.0
// Drives one simulated design: beats from a file in, beats to files out.
//
// Usage: simulator JOB_FOLDER [TRACE.vcd]. The folder holds `job.txt` (numbers, in the
// order in which `Job` reads them) and `in.bin`; the driver writes `out.bin`,
// `out_cycles.bin`, `tap0.bin` ... and `result.txt`. The model is that of the wrapper
// `hwgq_sim`, whose data ports are all wider than 64 bits, so that this file fits every
// design. Little-endian hosts only.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "Vsim.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

constexpr int kResetCycles = 8;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "simulator error: %s\n", what.c_str());
  std::exit(1);
}

struct TapPlace {
  uint64_t offset, bytes;  // of its data in the vector of all taps
  uint64_t beats;          // to wait for
};

struct Job {
  uint64_t outputs, max_idle, seed;
  double share, sink_share;  // of cycles to withhold at each end
  uint64_t in_bytes, out_bytes;
  std::vector<TapPlace> taps;
  std::vector<uint8_t> input;

  explicit Job(const std::string& folder) {
    std::ifstream text(folder + "/job.txt");
    uint64_t count = 0;
    text >> outputs >> max_idle >> seed >> share >> sink_share;
    text >> in_bytes >> out_bytes >> count;
    taps.resize(text ? count : 0);
    for (auto& tap : taps) text >> tap.offset >> tap.bytes >> tap.beats;
    if (!text) fail("unreadable job.txt");
    std::ifstream data(folder + "/in.bin", std::ios::binary);
    input.assign(std::istreambuf_iterator<char>(data), {});
  }
};

// Withholds cycles at one end, single ones and bursts, steered towards a share of all.
class Pacer {
 public:
  Pacer(uint64_t seed, double share) : random_(seed), share_(share) {}

  bool withhold(uint64_t cycle) {
    const double deficit = share_ * static_cast<double>(cycle) - static_cast<double>(held);
    if (left_ == 0 && deficit > 0) left_ = draw(deficit);
    if (left_ == 0) return false;
    --left_;
    ++held;
    return true;
  }

  uint64_t held = 0;  // cycles so far

 private:
  static constexpr uint64_t kLongest = 200;

  uint64_t draw(double deficit) {
    const bool urgent = deficit > static_cast<double>(kLongest);
    if (!urgent && random_() % 2) return 0;
    return urgent || random_() % 2 ? 2 + random_() % (kLongest - 1) : 1;
  }

  std::mt19937_64 random_;
  double share_;
  uint64_t left_ = 0;
};

// Records one stream: every accepted beat, and how often an end waited for the other.
class Recorder {
 public:
  Recorder(const std::string& path, uint64_t bytes)
      : bytes_(bytes), file_(path.empty() ? nullptr : std::fopen(path.c_str(), "wb")) {
    if (!path.empty() && !file_) fail("cannot write " + path);
  }

  bool sample(const void* data, bool valid, bool ready) {
    if (valid && ready) {
      if (file_) std::fwrite(data, 1, bytes_, file_);
      ++beats;
    } else {
      blocked += valid;
      starved += ready;
    }
    return valid && ready;
  }

  void close() {
    if (file_ && (std::ferror(file_) || std::fclose(file_))) fail("disk full");
  }

  uint64_t beats = 0, blocked = 0, starved = 0;

 private:
  uint64_t bytes_;
  std::FILE* file_;
};

class Clock {
 public:
  Clock(Vsim& model, VerilatedContext& context, const char* trace)
      : model_(model), context_(context) {
#if VM_TRACE
    model_.trace(&vcd_, 99);
    if (trace) vcd_.open(trace);
#else
    if (trace) fail("this model was built without trace");
#endif
  }

  void settle() { half(0); }  // combinational outputs follow the inputs
  void rise() { half(1); }

  void close() {
#if VM_TRACE
    vcd_.close();
#endif
  }

 private:
  void half(int level) {
    model_.clk_i = level;
    model_.eval();
#if VM_TRACE
    if (vcd_.isOpen()) vcd_.dump(context_.time());
#endif
    context_.timeInc(1);
  }

  Vsim& model_;
  VerilatedContext& context_;
#if VM_TRACE
  VerilatedVcdC vcd_;
#endif
};

template <typename Wide>
bool bit(const Wide& word, size_t index) {
  return (word[index / 32] >> (index % 32)) & 1;
}

class Bench {
 public:
  Bench(const Job& job, const std::string& folder, Vsim& model, Clock& clock)
      : job_(job), model_(model), clock_(clock),
        source_pacer_(2 * job.seed, job.share),
        sink_pacer_(2 * job.seed + 1, job.sink_share),
        input_("", 0), output_(folder + "/out.bin", job.out_bytes),
        when_(folder + "/out_cycles.bin", sizeof(uint64_t)) {
    for (size_t i = 0; i < job.taps.size(); ++i)
      taps_.emplace_back(folder + "/tap" + std::to_string(i) + ".bin", job.taps[i].bytes);
  }

  void reset() {
    model_.rst_i = 1;
    model_.in_valid_i = 0;
    model_.out_ready_i = 0;
    for (int i = 0; i < kResetCycles; ++i) {
      clock_.settle();
      clock_.rise();
    }
    model_.rst_i = 0;
  }

  void run() {
    uint64_t idle = 0;
    while (!complete() && idle < job_.max_idle) {
      offer();
      model_.out_ready_i = !sink_pacer_.withhold(cycle_);
      clock_.settle();
      idle = sample() ? 0 : idle + 1;
      clock_.rise();
      ++cycle_;
    }
  }

  void report(const std::string& path) {
    std::ofstream text(path);
    text << cycle_ << ' ' << source_pacer_.held << ' ' << sink_pacer_.held << '\n';
    auto line = [&](const Recorder& r) {
      text << r.beats << ' ' << r.blocked << ' ' << r.starved << '\n';
    };
    line(input_);
    line(output_);
    for (auto& tap : taps_) line(tap);
    output_.close();
    when_.close();
    for (auto& tap : taps_) tap.close();
    if (!text.flush()) fail("cannot write " + path);
  }

 private:
  bool complete() const {
    if (output_.beats < job_.outputs) return false;
    for (size_t i = 0; i < taps_.size(); ++i)
      if (taps_[i].beats < job_.taps[i].beats) return false;
    return true;
  }

  // A beat that was offered stays until it is taken; only then may the source pause.
  void offer() {
    if (model_.in_valid_i && !taken_) return;
    const uint64_t start = input_.beats * job_.in_bytes;
    const bool left = start < job_.input.size();
    model_.in_valid_i = left && !source_pacer_.withhold(cycle_);
    if (model_.in_valid_i)
      std::memcpy(model_.in_data_i.data(), &job_.input[start], job_.in_bytes);
  }

  bool sample() {
    taken_ = input_.sample(nullptr, model_.in_valid_i, model_.in_ready_o);
    bool moved = taken_;
    if (output_.sample(model_.out_data_o.data(), model_.out_valid_o, model_.out_ready_i)) {
      when_.sample(&cycle_, true, true);
      moved = true;
    }
    const auto* data = reinterpret_cast<const uint8_t*>(model_.tap_data_o.data());
    for (size_t i = 0; i < taps_.size(); ++i)
      moved |= taps_[i].sample(data + job_.taps[i].offset, bit(model_.tap_valid_o, i),
                               bit(model_.tap_ready_o, i));
    return moved;
  }

  const Job& job_;
  Vsim& model_;
  Clock& clock_;
  Pacer source_pacer_, sink_pacer_;
  Recorder input_, output_, when_;
  std::vector<Recorder> taps_;
  uint64_t cycle_ = 0;
  bool taken_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) fail("usage: simulator JOB_FOLDER [TRACE.vcd]");
  const std::string folder = argv[1];
  const Job job(folder);
  VerilatedContext context;
  context.traceEverOn(VM_TRACE);
  context.randReset(2);  // registers without a reset start with anything
  context.randSeed(static_cast<int>(job.seed % 0x7fffffff) + 1);
  Vsim model(&context);
  Clock clock(model, context, argc > 2 ? argv[2] : nullptr);
  Bench bench(job, folder, model, clock);
  bench.reset();
  bench.run();
  model.final();
  clock.close();
  bench.report(folder + "/result.txt");
  return 0;
}

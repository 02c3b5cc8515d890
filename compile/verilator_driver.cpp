// SPDX-License-Identifier: Apache-2.0
// Drives one simulated design: beats from a file in, beats to files out.
//
// Usage: simulator JOB_FOLDER [TRACE.vcd]. The folder holds `job.txt` (numbers, in the
// order in which `Job` reads them) and `in.bin`; the driver writes `out.bin`,
// `out_cycles.bin`, `tap0.bin` ..., `result.txt` and, if taps are timed,
// `tap0_cycles.bin` ... The model is that of the wrapper `hwgq_sim`, whose data ports are
// all wider than 64 bits, so that this file fits every design. Little-endian hosts only.

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
  bool timed;                        // whether taps note their cycles
  uint64_t trace_first, trace_last;  // cycles that the waveform shows
  std::vector<uint8_t> input;

  explicit Job(const std::string& folder) {
    std::ifstream text(folder + "/job.txt");
    uint64_t count = 0;
    text >> outputs >> max_idle >> seed >> share >> sink_share;
    text >> in_bytes >> out_bytes >> count;
    taps.resize(text ? count : 0);
    for (auto& tap : taps) text >> tap.offset >> tap.bytes >> tap.beats;
    text >> timed >> trace_first >> trace_last;
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

// Creates a file; none where it has no name.
std::FILE* create(const std::string& path) {
  std::FILE* file = path.empty() ? nullptr : std::fopen(path.c_str(), "wb");
  if (!path.empty() && !file) fail("cannot write " + path);
  return file;
}

void finish(std::FILE* file) {
  if (file && (std::ferror(file) || std::fclose(file))) fail("disk full");
}

// Records one stream: every accepted beat, and how often an end waited for the other.
class Recorder {
 public:
  Recorder(uint64_t bytes, const std::string& data, const std::string& cycles)
      : bytes_(bytes), data_(create(data)), cycles_(create(cycles)) {}

  bool sample(const void* data, bool valid, bool ready, uint64_t cycle) {
    if (valid && ready) {
      if (data_) std::fwrite(data, 1, bytes_, data_);
      if (cycles_) std::fwrite(&cycle, sizeof cycle, 1, cycles_);
      ++beats;
    } else {
      blocked += valid;
      starved += ready;
    }
    return valid && ready;
  }

  void close() {
    finish(data_);
    finish(cycles_);
  }

  uint64_t beats = 0, blocked = 0, starved = 0;

 private:
  uint64_t bytes_;
  std::FILE *data_, *cycles_;
};

class Clock {
 public:
  Clock(const Job& job, Vsim& model, VerilatedContext& context, const char* trace)
      : job_(job), model_(model), context_(context) {
#if VM_TRACE
    model_.trace(&vcd_, 99);
    if (trace) vcd_.open(trace);
#else
    if (trace) fail("this model was built without trace");
#endif
  }

  // Time begins when the reset ends; a cycle is two units of it.
  void start() { started_ = true; }

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
    if (!started_) return;
#if VM_TRACE
    const uint64_t cycle = context_.time() / 2;
    const bool shown = job_.trace_first <= cycle && cycle <= job_.trace_last;
    if (shown && vcd_.isOpen()) vcd_.dump(context_.time());
#endif
    context_.timeInc(1);
  }

  const Job& job_;
  Vsim& model_;
  VerilatedContext& context_;
  bool started_ = false;
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
        input_(0, "", ""),
        output_(job.out_bytes, folder + "/out.bin", folder + "/out_cycles.bin") {
    for (size_t i = 0; i < job.taps.size(); ++i) {
      const std::string name = folder + "/tap" + std::to_string(i);
      const std::string cycles = job.timed ? name + "_cycles.bin" : "";
      taps_.emplace_back(job.taps[i].bytes, name + ".bin", cycles);
    }
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
    clock_.start();
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
    taken_ = input_.sample(nullptr, model_.in_valid_i, model_.in_ready_o, cycle_);
    bool moved = output_.sample(model_.out_data_o.data(), model_.out_valid_o,
                                model_.out_ready_i, cycle_) || taken_;
    const auto* data = reinterpret_cast<const uint8_t*>(model_.tap_data_o.data());
    for (size_t i = 0; i < taps_.size(); ++i)
      moved |= taps_[i].sample(data + job_.taps[i].offset, bit(model_.tap_valid_o, i),
                               bit(model_.tap_ready_o, i), cycle_);
    return moved;
  }

  const Job& job_;
  Vsim& model_;
  Clock& clock_;
  Pacer source_pacer_, sink_pacer_;
  Recorder input_, output_;
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
  Clock clock(job, model, context, argc > 2 ? argv[2] : nullptr);
  Bench bench(job, folder, model, clock);
  bench.reset();
  bench.run();
  model.final();
  clock.close();
  bench.report(folder + "/result.txt");
  return 0;
}

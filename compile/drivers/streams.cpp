// SPDX-License-Identifier: Apache-2.0
// Drives one simulated design: beats from a file in, beats to files out.
//
// Usage: simulator JOB_FOLDER [TRACE.vcd]. The folder holds `job.txt` (numbers, in the
// order in which `Job` reads them) and `in.bin`; the driver writes `out.bin`,
// `out_cycles.bin`, `result.txt` and, for each tap that is read, `tap0.bin` ... and, if
// taps are timed, `tap0_cycles.bin` ... The model is that of the wrapper `hwgq_sim`, whose
// ports are all wider than 64 bits, so that this file fits every design. Little-endian
// hosts only.

#include <bit>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "Vsim.h"
#include "traffic.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

constexpr int kResetCycles = 8;

struct TapPlace {
  uint64_t offset, bytes;  // of its data in the vector of all taps; none if only counted
  uint64_t beats;          // to wait for
};

struct QueuePlace {
  uint64_t entry, exit;  // taps
};

struct Job {
  uint64_t outputs, max_idle, seed;
  double share, sink_share;  // of cycles to withhold at each end
  uint64_t in_bytes, out_bytes;
  std::vector<TapPlace> taps;
  std::vector<QueuePlace> queues;
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
    text >> count;
    queues.resize(text ? count : 0);
    for (auto& queue : queues) text >> queue.entry >> queue.exit;
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

class Bench {
 public:
  Bench(const Job& job, const std::string& folder, Vsim& model, Clock& clock)
      : job_(job), model_(model), clock_(clock),
        source_pacer_(2 * job.seed, job.share),
        sink_pacer_(2 * job.seed + 1, job.sink_share),
        output_(job.out_bytes, folder + "/out.bin", folder + "/out_cycles.bin"),
        traffic_((job.taps.size() + 31) / 32),
        recorded_(traffic_.size()), ends_(traffic_.size()),
        queues_(job.queues.size()),
        entered_(job.taps.size(), nullptr), left_(job.taps.size(), nullptr) {
    for (size_t i = 0; i < job.taps.size(); ++i) {
      const bool read = job.taps[i].bytes > 0;
      const std::string name = folder + "/tap" + std::to_string(i);
      const std::string cycles = read && job.timed ? name + "_cycles.bin" : "";
      taps_.emplace_back(job.taps[i].bytes, read ? name + ".bin" : "", cycles);
      recorded_[i / 32] |= static_cast<uint32_t>(read) << i % 32;
    }
    for (size_t i = 0; i < job.queues.size(); ++i) {
      const auto [entry, exit] = job.queues[i];
      entered_[entry] = left_[exit] = &queues_[i];
      for (const uint64_t end : {entry, exit}) ends_[end / 32] |= 1u << end % 32;
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
    auto line = [&](const Traffic& all, size_t i) {
      text << all.beats[i] << ' ' << all.blocked[i] << ' ' << all.starved[i] << '\n';
    };
    line(at_input_, 0);
    line(at_output_, 0);
    for (size_t i = 0; i < taps_.size(); ++i) line(traffic_[i / 32], i % 32);
    for (auto& queue : queues_) text << queue.most << ' ' << queue.area(cycle_) << '\n';
    output_.close();
    for (auto& tap : taps_) tap.close();
    if (!text.flush()) fail("cannot write " + path);
  }

 private:
  bool complete() const {
    if (given_ < job_.outputs) return false;
    for (size_t i = 0; i < taps_.size(); ++i)
      if (traffic_[i / 32].beats[i % 32] < job_.taps[i].beats) return false;
    return true;
  }

  // A beat that was offered stays until it is taken; only then may the source pause.
  void offer() {
    if (model_.in_valid_i && !taken_) return;
    const uint64_t start = accepted_ * job_.in_bytes;
    const bool left = start < job_.input.size();
    model_.in_valid_i = left && !source_pacer_.withhold(cycle_);
    if (model_.in_valid_i)
      std::memcpy(model_.in_data_i.data(), &job_.input[start], job_.in_bytes);
  }

  bool sample() {
    taken_ = at_input_.add(model_.in_valid_i, model_.in_ready_o);
    accepted_ += taken_;
    bool moved = taken_;
    if (at_output_.add(model_.out_valid_o, model_.out_ready_i)) {
      output_.take(model_.out_data_o.data(), cycle_);
      ++given_;
      moved = true;
    }
    // The last streams first: what leaves a queue makes place for what enters it.
    for (size_t w = traffic_.size(); w-- > 0;) {
      const uint32_t some = traffic_[w].add(model_.tap_valid_o[w], model_.tap_ready_o[w]);
      moved |= some != 0;
      for (uint32_t left = some & (recorded_[w] | ends_[w]); left;) {
        const int top = std::bit_width(left) - 1;
        left ^= 1u << top;
        pass(32 * w + static_cast<size_t>(top));
      }
    }
    return moved;
  }

  void pass(size_t tap) {
    const auto* data = reinterpret_cast<const uint8_t*>(model_.tap_data_o.data());
    taps_[tap].take(data + job_.taps[tap].offset, cycle_);
    if (left_[tap]) left_[tap]->leave(cycle_);
    if (entered_[tap]) entered_[tap]->enter(cycle_);
  }

  const Job& job_;
  Vsim& model_;
  Clock& clock_;
  Pacer source_pacer_, sink_pacer_;
  Recorder output_;
  std::vector<Recorder> taps_;
  Traffic at_input_, at_output_;
  std::vector<Traffic> traffic_;           // of taps, 32 at a time
  std::vector<uint32_t> recorded_, ends_;  // taps that are read, and those of queues
  std::vector<Queue> queues_;
  std::vector<Queue*> entered_, left_;     // by a tap's beats
  uint64_t cycle_ = 0, accepted_ = 0, given_ = 0;
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

// SPDX-License-Identifier: Apache-2.0
// Runs a board behind a pseudo-terminal: bytes from it are the host's, and bytes to it are
// the board's, as fast as the simulation goes.
//
// Usage: simulator FD IDLE. FD is the terminal's open master; IDLE is how many cycles the
// clock runs on after the last byte: nothing is left to happen then, and the simulation
// sleeps until the host speaks. SIGUSR1 switches the board off and on; SIGTERM ends it.
// The model is that of the wrapper `hwgq_sim` around `hwgq_uart_bench`.

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "Vsim.h"
#include "verilated.h"

namespace {

constexpr int kResetCycles = 8;
constexpr int kCyclesPerLook = 64;  // at the terminal, which costs more than a cycle

volatile std::sig_atomic_t ended = 0, switched_off = 0;

class Board {
 public:
  explicit Board(int terminal) : terminal_(terminal) { power_on(); }

  void power_on() {
    model_.reset();  // before its context
    context_ = std::make_unique<VerilatedContext>();
    context_->randReset(2);  // registers without a reset start with anything
    model_ = std::make_unique<Vsim>(context_.get());
    model_->out_ready_i = 1;
    model_->rst_i = 1;
    for (int i = 0; i < kResetCycles; ++i) cycle();
    model_->rst_i = 0;
    left_ = 0;
  }

  // Runs some cycles; tells whether a byte came or went.
  bool run() {
    if (left_ == 0) listen();
    bool moved = left_ > 0;
    for (int i = 0; i < kCyclesPerLook; ++i) {
      model_->in_valid_i = left_ > 0;
      if (left_ > 0) model_->in_data_i[0] = received_[filled_ - left_];
      model_->clk_i = 0;
      model_->eval();
      if (model_->in_valid_i && model_->in_ready_o) --left_;
      if (model_->out_valid_o) {
        say(static_cast<uint8_t>(model_->out_data_o[0]));
        moved = true;
      }
      model_->clk_i = 1;
      model_->eval();
    }
    return moved;
  }

 private:
  void cycle() {
    model_->clk_i = 0;
    model_->eval();
    model_->clk_i = 1;
    model_->eval();
  }

  void listen() {
    const ssize_t count = read(terminal_, received_, sizeof received_);
    if (count < 0 && errno != EAGAIN && errno != EINTR) ended = 1;
    filled_ = left_ = count > 0 ? static_cast<size_t>(count) : 0;
  }

  // A host that does not listen loses bytes, as on a wire.
  void say(uint8_t byte) {
    if (write(terminal_, &byte, 1) < 0 && errno != EAGAIN && errno != EINTR) ended = 1;
  }

  int terminal_;
  std::unique_ptr<VerilatedContext> context_;
  std::unique_ptr<Vsim> model_;
  uint8_t received_[256];
  size_t filled_ = 0, left_ = 0;  // bytes that came, and that the board has not got yet
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: simulator FD IDLE\n");
    return 1;
  }
  const int terminal = std::atoi(argv[1]);
  const uint64_t longest_idle = std::strtoull(argv[2], nullptr, 10);
  std::signal(SIGTERM, [](int) { ended = 1; });
  std::signal(SIGUSR1, [](int) { switched_off = 1; });
  fcntl(terminal, F_SETFL, O_NONBLOCK);
  Board board(terminal);
  uint64_t idle = 0;
  while (!ended) {
    if (switched_off) {
      switched_off = 0;
      board.power_on();
    }
    idle = board.run() ? 0 : idle + kCyclesPerLook;
    if (idle > longest_idle) {
      pollfd host{terminal, POLLIN, 0};
      poll(&host, 1, -1);  // a signal ends this, too
      idle = 0;
    }
  }
  return 0;
}

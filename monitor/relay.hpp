// What passes through a monitor: the process's output to its log and to the attached clients, and their input to it.
#pragma once

#include <poll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "monitor/log_file.hpp"

namespace quoll::monitor {

// Our ends of a process's standard streams; -1 where there is none. Non-blocking.
struct Stdio {
  int input = -1;
  int output = -1;  // of a terminal: its master, as `input` is
  int error = -1;
  bool terminal = false;
};

// Output is read when every client that wants it has taken the piece before: who attaches and does not read holds the
// process up in the end, as a pipe does, and no memory grows. The log has each piece before any client.
//
// Thread: one; nothing in here blocks but the log's disk.
class Relay {
 public:
  Relay(Stdio stdio, LogFile& log) : stdio_(stdio), log_(log) {}

  // A connected socket of attach_protocol.hpp.
  void add_client(int fd);

  // One turn of the poll loop: what to wait for, and what came of it. `list` may have others' entries in front of
  // these.
  void collect(std::vector<pollfd>& list);
  void handle(const std::vector<pollfd>& list);
  // Milliseconds until collect() has more to wait for than now; -1 where it has not.
  int timeout_ms() const;

  void resize(unsigned rows, unsigned columns);
  // The process is no more; what it has written is still to come.
  void process_ended();
  // All output has been read and been taken.
  bool finished() const { return stdio_.output < 0 && stdio_.error < 0 && piece_size_ == 0; }
  // Reads what there is at this moment, for the log alone.
  void drain_to_log();
  void drop_clients();

 private:
  static constexpr std::size_t kHeaderBytes = 8;
  static constexpr std::size_t kPieceBytes = 64 * 1024;

  struct Client {
    int fd = -1;
    bool greeted = false;    // its first byte is there
    std::uint8_t flags = 0;  // AttachFlag
    bool input_ended = false;
    bool gone = false;        // reads no more; what it sent before still counts
    bool pending = false;     // has not taken all of the piece
    std::size_t sent = 0;     // of the piece, its header included
    std::size_t poll_at = 0;  // place in the list of this turn; 0: not in it
  };

  bool read_output(int& fd, int stream);
  void offer(Client& client);
  void send_piece(Client& client);
  void piece_taken();
  void receive(Client& client);
  void end_input(Client& client);
  void write_input();
  void close_input();
  void remove_ended();

  Stdio stdio_;
  LogFile& log_;
  std::vector<Client> clients_;
  bool process_ended_ = false;
  std::int64_t output_rests_until_ms_ = 0;  // nobody has the terminal open just now

  std::size_t input_poll_ = 0, output_poll_ = 0, error_poll_ = 0;  // places in the list of this turn; 0: not in it

  std::size_t input_begin_ = 0;
  std::size_t input_end_ = 0;
  bool input_closing_ = false;  // closed once what is there has been written
  std::size_t piece_size_ = 0;  // with its header; 0: none
  std::uint8_t piece_stream_ = 0;
  std::array<char, kPieceBytes> input_;
  std::array<char, kHeaderBytes + kPieceBytes> piece_;
};

std::int64_t monotonic_ms();

}  // namespace quoll::monitor

// NetworkChain: drives the network filters of one downstream connection.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include <weir/network_filter.h>
#include <weir/stream_info.h>

#include "event/loop.h"
#include "net/connection.h"
#include "stream/network_terminal.h"

namespace weir::stream {

/// Who owns a chain that ends in a terminal filter.
class NetworkChainOwner {
 public:
  virtual ~NetworkChainOwner() = default;
  /// The connection is closed and every filter has heard of it. Once, from the loop; the owner may destroy the chain after this
  /// turn.
  virtual void on_chain_done(CloseEvent by) = 0;
  virtual void log_connection(ConnectionLog when) = 0;
};

struct NetworkChainDeps {
  event::Loop& loop;
  unsigned worker;
  Callouts& callouts;
  net::Connection& connection;
  ConnectionInfo& info;
  StreamInfo* stream_info = nullptr;  // null: the chain has no terminal filter
  size_t buffer_limit = 0;            // bytes; 0 = none
};

/// Owner: a session. Thread: its loop's. A chain either ends in a terminal filter (end_in_filter(): it is the connection's sink) or in
/// a session that reads and writes the connection as if there were no chain (end_in_owner(): it is the connection's byte filter).
/// Order: construct, add()*, one of the two, start() when the transport is ready. Its end comes from the connection,
/// a filter's close(), or the owner's finish(); filters hear of it once, and of nothing after it.
class NetworkChain final : private net::ConnectionSink,
                           private net::ByteFilter,
                           private NetworkTerminalCallbacks {
 public:
  explicit NetworkChain(const NetworkChainDeps& deps);
  ~NetworkChain() override;
  NetworkChain(const NetworkChain&) = delete;
  NetworkChain& operator=(const NetworkChain&) = delete;

  void add(std::unique_ptr<NetworkFilter> filter);
  void add_terminal(std::unique_ptr<NetworkFilter> filter);
  void end_in_filter(NetworkChainOwner& owner);
  void end_in_owner();
  /// Runs on_new_connection of the filters; the first bytes do that too.
  void start();
  /// Ends the chain without touching the connection: the owner has closed it.
  void finish(CloseEvent by);
  /// Closes the connection on the owner's behalf, as a filter would.
  void close(CloseHow how, std::string_view details);
  void drain();
  bool open() const noexcept { return state_ == State::kOpen; }
  /// Its owner has not been told of its end, nor has it ended it.
  bool alive() const noexcept { return state_ != State::kDone; }

 private:
  class Slot;
  class Pass;
  enum class State : uint8_t { kNew, kOpen, kFlushing, kDone };

  // net::ConnectionSink
  void on_data(Buffer& in, net::ReadEnd end) override;
  void on_write_blocked() override;
  void on_write_resumed() override;
  void on_error(const Error& error) override;
  // net::ByteFilter
  void on_bytes_in(Buffer& fresh, net::ReadEnd end) override;
  void on_bytes_out(Buffer& fresh, net::WriteEnd end) override;
  void on_bytes_blocked() override { on_write_blocked(); }
  void on_bytes_resumed() override { on_write_resumed(); }
  // NetworkTerminalCallbacks
  event::Loop& loop() noexcept override { return deps_.loop; }
  net::Connection& connection() noexcept override { return deps_.connection; }
  StreamInfo& stream_info() noexcept override { return *deps_.stream_info; }
  void log_now(ConnectionLog when) override;
  bool alone() const noexcept override { return slots_.size() == 1; }

  void read_from(size_t index, Buffer& fresh, EndStream end);
  void to_owner(Buffer& fresh, EndStream end);
  void write_from(size_t index, Buffer& fresh, EndStream end);
  void to_client(Buffer& fresh, EndStream end);
  void schedule();
  void settle();
  bool settle_once();
  void update_holds();
  void update_write_pressure();
  void close_now();
  void tell_closed(CloseEvent by);
  void maybe_complete();
  static void on_end_of_turn(void* self) noexcept;

  NetworkChainDeps deps_;
  NetworkChainOwner* owner_ = nullptr;
  NetworkTerminalFilter* terminal_ = nullptr;
  std::vector<std::unique_ptr<Slot>> slots_;
  event::EndOfTurn end_of_turn_;
  unsigned depth_ = 0;  // callbacks on the stack
  State state_ = State::kNew;
  CloseHow close_how_ = CloseHow::kFlush;
  CloseEvent ended_by_ = CloseEvent::kLocal;  // who half-closed first, or closed
  bool work_due_ = false;                     // a filter has asked for something
  bool close_due_ = false;
  bool reading_held_ = false;  // because filters hold too much
  bool blocked_ = false;       // writers have been told to stop
  bool connection_blocked_ = false;
  bool read_ended_ = false;
  bool write_ended_ = false;
};

}  // namespace weir::stream

// Connection: one stream socket with buffered writing, back-pressure and half-close.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <weir/buffer.h>
#include <weir/result.h>

#include "event/loop.h"
#include "net/address.h"
#include "net/byte_filter.h"
#include "net/connect_race.h"
#include "net/transport.h"

namespace weir::net {

/// What a connection tells its owner. Calls come from the loop only, never from inside write() or close().
class ConnectionSink {
 public:
  virtual ~ConnectionSink() = default;
  /// Bytes arrived, or the sender half-closed (kYes, once, maybe with an empty buffer). The owner takes what
  /// it can from `in`; what it leaves stays and is offered again with the next bytes, or by
  /// Connection::offer_again().
  virtual void on_data(Buffer& in, ReadEnd end) = 0;
  /// An outgoing connection is established, its handshake (if its transport has one) included.
  virtual void on_connected() {}
  /// The handshake of an accepted connection's transport is done. Comes before the first on_data; not without one.
  virtual void on_secured() {}
  /// The unsent bytes went over the high watermark / fell to half of it or below.
  virtual void on_write_blocked() {}
  virtual void on_write_resumed() {}
  /// Everything written so far has been handed to the kernel (only if it had been blocked or close is due).
  virtual void on_drained() {}
  /// The connection is dead: reset, connect failed or timed out, write error. Called once; not after close().
  virtual void on_error(const Error& error) = 0;
};

struct ConnectionOptions {
  size_t buffer_limit =
      1024 * 1024;  // per_connection_buffer_limit_bytes: high watermark of unsent bytes
  size_t read_chunk = 16 * 1024;  // bytes asked for by one read; grows to 8x for bulk data
  bool no_delay = true;
  int keepalive_time_s = 0;  // 0 = leave the kernel's
  int keepalive_interval_s = 0;
  int keepalive_probes = 0;
};

/// Owner: a session or a pool. Thread: its loop's. Death: close() (or destruction), then defer_delete by the
/// owner. Writes are gathered and sent once at the end of the loop turn; one readiness event costs one read.
class Connection : public event::Deferrable {
 public:
  /// An accepted socket; takes ownership of `fd`.
  static std::unique_ptr<Connection> accepted(event::Loop& loop, int fd, const Address& remote,
                                              const ConnectionOptions& options);
  /// Starts connecting; the outcome comes by on_connected() or on_error() from the loop. The timeout is for all addresses of
  /// the plan together.
  static Result<std::unique_ptr<Connection>> connect(event::Loop& loop, const Address& to,
                                                     std::chrono::milliseconds timeout,
                                                     const ConnectionOptions& options,
                                                     const ConnectPlan& plan = {});
  ~Connection() override;

  void set_sink(ConnectionSink& sink) noexcept { sink_ = &sink; }
  /// Puts a transport between this and the socket. Requires: before start() or the first write.
  void set_transport(std::unique_ptr<Transport> transport) noexcept {
    transport_ = std::move(transport);
    handshaking_ = transport_ != nullptr && !transport_->ready();
  }
  /// An accepted connection's handshake that takes longer is an error (kConnectTimeout); zero: no limit. The timeout of
  /// connect() covers an outgoing one's. Requires: after set_transport().
  void limit_handshake(std::chrono::milliseconds timeout) {
    if (handshaking_ && timeout.count() > 0) arm_timer(timeout);
  }
  /// Null without TLS, or before its handshake is done.
  const TlsInfo* tls() const noexcept {
    return transport_ == nullptr || handshaking_ ? nullptr : transport_->tls();
  }
  std::shared_ptr<const TlsInfo> share_tls() const {
    return transport_ == nullptr || handshaking_ ? nullptr : transport_->share_tls();
  }
  /// Puts a filter between this and the owner; it outlives this. Requires: before start().
  void set_byte_filter(ByteFilter& filter);
  /// For the byte filter: bytes for the owner, who gets them with this on_bytes_in or at the end of the turn.
  void pass_in(Buffer&& data, ReadEnd end);
  /// For the byte filter: bytes for the socket; kYes lets the end of writing happen that the owner asked for.
  void pass_out(Buffer&& data, WriteEnd end);
  /// Begins to read (accepted connections do not read before).
  void start();

  /// Takes the bytes; they are sent at the end of the turn, or when the socket is writable.
  void write(Buffer&& data);
  /// The unsent bytes; a codec may append to it directly, then call written().
  Buffer& out() noexcept { return out_; }
  void written();
  size_t unsent() const noexcept { return out_.size(); }
  /// Sends what is due now, without waiting for the end of the turn.
  void flush();
  /// Sends FIN after the unsent bytes; reading goes on.
  void half_close();
  /// Closes after the unsent bytes are sent, half-closing first and waiting up to `linger` for the other side's FIN, so that
  /// it can read everything (RFC 9112 section 9.6). on_data is no longer called; on_error is called when done.
  void close_gracefully(std::chrono::milliseconds linger);
  /// Closes at once; nothing is called afterwards. `reset` sends RST.
  enum class How : uint8_t { kFin, kReset };
  void close(How how = How::kFin) noexcept;
  /// Dies as by an error of the socket: unsent bytes are lost, and the owner hears of `error` from the loop.
  void cut(How how, Error error);
  bool closed() const noexcept { return fd_ < 0; }

  /// Reasons to stop reading are counted; reading resumes after the last is gone.
  void hold_reading() noexcept;
  void release_reading();
  /// Calls on_data with what is left of the input at the end of this turn.
  void offer_again();
  Buffer& in() noexcept { return in_; }
  bool read_ended() const noexcept { return read_ended_; }
  bool write_blocked() const noexcept { return above_high_; }

  const Address& remote() const noexcept { return remote_; }
  Address local() const;                        // asks the kernel
  uint64_t id() const noexcept { return id_; }  // unique in the process
  event::Loop& loop() noexcept { return loop_; }
  int fd() const noexcept { return fd_; }
  /// Is a pooled idle connection still usable? False if the other side closed or sent unasked bytes
  /// (one non-blocking peek).
  bool still_alive() const noexcept;

  /// For the ConnectRace: another socket takes the place of the one that has not connected.
  enum class Taken : uint8_t { kConnecting, kConnected };
  void take_socket(int fd, const Address& remote, Taken state);

 private:
  static constexpr size_t kMaxReadBlocks = 8;
  // A close that is to wait for no FIN still gives a slow reader this long, counted from its last progress.
  static constexpr std::chrono::milliseconds kFlushPatience{30000};

  Connection(event::Loop& loop, int fd, const Address& remote, const ConnectionOptions& options);
  static void on_event(void* self, unsigned events) noexcept;
  static void on_end_of_turn(void* self) noexcept;
  static void on_timer(void* self) noexcept;
  void arm_timer(std::chrono::milliseconds delay) {
    timer_.arm(loop_, &Connection::on_timer, this, delay);
  }
  bool error_due() const noexcept { return pending_error_ != nullptr; }
  void on_readable();
  void on_writable();
  IoResult read_some(size_t& asked);
  IoResult write_some();
  void adapt_read_size(size_t got, size_t asked) noexcept;
  void read_transport();
  bool finish_handshake();
  void discard_input();
  void finish_connect();
  void connected();
  void deliver();
  void deliver_filtered(ReadEnd end);
  void filter_output();
  void deliver_after_reads();
  void send_pending();
  void report_progress();
  void fail_later(Code code, int error, std::string_view what);
  void deliver_error();
  void finish_closing();
  void update_watch();
  bool wants_read() const noexcept;
  void apply_options();

  event::Loop& loop_;
  ConnectionSink* sink_ = nullptr;
  Address remote_;
  ConnectionOptions options_;
  uint64_t id_;
  int fd_;
  Buffer in_;
  Buffer out_;
  event::FdWatch watch_;
  event::EndOfTurn end_of_turn_;
  event::RareTimer timer_;                // connect or handshake timeout, then linger
  std::unique_ptr<Transport> transport_;  // null: the socket itself
  std::unique_ptr<ConnectRace> race_;     // while it connects, if the host has more addresses
  struct Filtered {
    ByteFilter& filter;
    Buffer raw{};          // read, not yet filtered
    size_t seen = 0;       // bytes of out_ that the filter has passed; what is behind them is new
    bool reading = false;  // the filter is on the stack
    bool writing = false;
    bool fresh = false;      // it has passed something in, which the owner does not know
    bool end_due = false;    // with the half-close
    bool end_told = false;   // the filter knows that the owner writes no more
    bool out_ended = false;  // and has let it happen
  };
  std::unique_ptr<Filtered> filtered_;
  std::chrono::milliseconds linger_{0};
  uint32_t read_holds_ = 0;
  size_t read_size_;
  unsigned short_reads_ = 0;  // in a row
  bool connecting_ = false;
  bool handshaking_ = false;  // nothing is sent and nothing delivered yet
  bool started_ = false;
  bool read_ended_ = false;
  bool end_delivered_ = false;
  bool arrived_ = false;     // read, and the sink does not know yet
  bool write_wait_ = false;  // EAGAIN seen: waiting for writability
  bool above_high_ = false;
  bool half_close_due_ = false;
  bool closing_ = false;  // close_gracefully() was called
  bool offer_due_ = false;
  bool drain_due_ = false;    // on_drained() is owed when out_ is empty
  bool write_ended_ = false;  // FIN sent
  bool read_due_ = false;  // a transport may hold bytes that were not read while reading was held
  Side side_ = Side::kDownstream;
  std::unique_ptr<const Error> pending_error_;  // null: none is due
};

}  // namespace weir::net

// TcpConnection: one upstream connection for one downstream connection, as tcp_proxy needs it: no codec, never pooled.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <weir/buffer.h>

#include "event/loop.h"
#include "net/connection.h"
#include "upstream/cluster.h"
#include "upstream/failure.h"

namespace weir::upstream {

/// Who a TcpConnection works for. Calls come from the loop, never from inside a call to the connection; after on_tcp_failed,
/// on_tcp_closed or TcpConnection::release() none.
class TcpUser {
 public:
  virtual ~TcpUser() = default;
  virtual void on_tcp_connected() = 0;
  /// Takes all of `data`; kYes: the upstream has half-closed, once.
  virtual void on_tcp_data(Buffer& data, net::ReadEnd end) = 0;
  /// The upstream takes no more bytes / takes them again.
  virtual void on_tcp_blocked() = 0;
  virtual void on_tcp_resumed() = 0;
  /// It was never established.
  virtual void on_tcp_failed(Failure failure) = 0;
  /// It was established and is lost; kReset in `error.code`: the upstream has reset it.
  virtual void on_tcp_closed(const Error& error) = 0;
};

/// Owner: its user, until release(); from then on its Pool, until what was written is sent. Thread: the worker's.
/// It counts against the cluster's max_connections, and as a request of its host for load balancing.
class TcpConnection final : public event::Deferrable, private net::ConnectionSink {
 public:
  /// To a host of the cluster. Failures that are known at once are returned, others come by on_tcp_failed.
  struct Started {
    std::unique_ptr<TcpConnection> connection;
    std::optional<Failure> failure;
  };
  static Started connect(Cluster& cluster, TcpUser& user, const HostChoice& choice,
                         const ConnectionInfo& downstream);
  /// To this host. `downstream` is null where no client stands behind it.
  static Started connect_to(Pool& pool, TcpUser& user, const ConnectionInfo* downstream);
  ~TcpConnection() override;

  void write(Buffer&& data);
  void half_close() { connection_->half_close(); }
  void hold_reading();
  void release_reading();
  bool established() const noexcept { return state_ == State::kOpen; }
  bool write_blocked() const noexcept { return connection_->write_blocked(); }
  /// Lets go of it. kFlush: what was written is sent first, for at most a while without progress.
  enum class How : uint8_t { kFlush, kNow, kReset };
  static void release(std::unique_ptr<TcpConnection> connection, How how);

  const std::string& host_text() const noexcept { return host_text_; }
  std::string local_text() { return connection_->local().to_string(); }
  Cluster& cluster() noexcept { return pool_.cluster(); }
  /// The host has gone, or its connections are not to be used any more.
  bool host_draining() const noexcept { return pool_.draining(); }

 private:
  enum class State : uint8_t { kConnecting, kOpen, kClosed };
  TcpConnection(Pool& pool, TcpUser& user, std::unique_ptr<net::Connection> connection);

  void on_data(Buffer& in, net::ReadEnd end) override;
  void on_connected() override;
  void on_write_blocked() override;
  void on_write_resumed() override;
  void on_error(const Error& error) override;
  enum class ClosedBy : uint8_t { kLocal, kRemote };
  void closed(ClosedBy by);

  Pool& pool_;
  const std::string host_text_;  // the pool's may change with the answers of DNS
  TcpUser* user_;
  std::unique_ptr<net::Connection> connection_;
  MonotonicTime since_;
  State state_ = State::kConnecting;
  bool held_ = false;
};

}  // namespace weir::upstream

// Handshake: an accepted connection until its transport is ready and a session can begin.
#pragma once

#include "net/connection.h"
#include "proxy/session.h"

namespace weir::proxy {

/// Owner: its ListenerHost, which is told of the outcome and then defers its deletion. Thread: its loop's.
class Handshake final : public event::Deferrable, private net::ConnectionSink {
 public:
  /// Requires: the connection has its transport.
  Handshake(ListenerHost& host, ChainSlot& chain, AcceptedConnection&& accepted)
      : host_(host), chain_(chain), accepted_(std::move(accepted)) {}
  void start(Milliseconds limit) {
    accepted_.connection->set_sink(*this);
    accepted_.connection->limit_handshake(limit);
    accepted_.connection->start();
  }

 private:
  friend class ListenerHost;
  void on_data(Buffer&, net::ReadEnd) override {}
  void on_secured() override;
  void on_error(const Error& error) override;

  ListenerHost& host_;
  ChainSlot& chain_;
  AcceptedConnection accepted_;
  size_t index_ = 0;  // in ListenerHost::handshakes_
};

}  // namespace weir::proxy

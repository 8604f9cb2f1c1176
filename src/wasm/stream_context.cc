#include "wasm/stream_context.h"

#include <chrono>

namespace weir::wasm {

StreamInfo& ConnectionContext::info() {
  if (StreamInfo* shared = callbacks->stream_info()) return *shared;
  if (own_info_ == nullptr) own_info_ = std::make_unique<StreamInfo>();
  // Anew each time: the connection's bytes and addresses go on changing.
  const ConnectionInfo& connection = callbacks->connection_info();
  describe_connection(*own_info_, connection, own_info_->start);
  own_info_->bytes_received = connection.bytes_received;
  own_info_->bytes_sent = connection.bytes_sent;
  own_info_->flags = connection.flags;
  return *own_info_;
}

}  // namespace weir::wasm

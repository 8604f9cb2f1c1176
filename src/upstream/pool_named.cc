// What a pool knows of its name: which requests its connections are for.
#include <utility>

#include "net/prefaced_transport.h"
#include "upstream/cluster.h"
#include "upstream/connection.h"
#include "upstream/tcp_connection.h"

namespace weir::upstream {

Pool::Pool(Pool& base, const PoolUse& use)
    : cluster_(base.cluster_),
      protocol_(base.protocol_),
      address_(base.address_),
      address_text_(base.address_text_),
      base_(&base),
      host_(use.host),
      header_(use.header),
      header_incomplete_(use.header_incomplete),
      client_(use.client),
      named_index_(base.named_.size()),
      hostname_(base.hostname_),
      name_(base.name_),
      port_(base.port_),
      order_(base.order_),
      end_of_turn_(base.cluster_.loop(), &Pool::on_end_of_turn, this) {
  base.named_.push_back(this);
}

void Pool::follow_base() {
  hostname_ = base_->hostname_;
  address_ = base_->address_;
  address_text_ = base_->address_text_;
  order_ = base_->order_;
}

/// What it has counted stays with its endpoint.
void Pool::leave_base() noexcept {
  for (Pool* each : named_) each->base_ = nullptr;
  if (base_ == nullptr) return;
  base_->total_connections_ += total_connections_;
  base_->connect_failures_ += connect_failures_;
  base_->total_requests_ += total_requests_;
  base_->succeeded_ += succeeded_;
  base_->errored_ += errored_;
  base_->timed_out_ += timed_out_;
  base_->named_[named_index_] = base_->named_.back();
  base_->named_[named_index_]->named_index_ = named_index_;
  base_->named_.pop_back();
}

void Pool::begin_with_header(net::Connection& connection,
                             std::unique_ptr<net::Transport>& transport,
                             const ConnectionInfo* downstream) const {
  net::ClientHeader header{header_, true, header_incomplete_};
  if (header_.empty()) header = net::client_header(*cluster_.options().proxy_header, downstream);
  if (header.incomplete) cluster_.header_overflow()->inc();
  if (transport == nullptr) return connection.write(Buffer(header.bytes));
  transport =
      std::make_unique<net::PrefacedTransport>(std::move(header.bytes), std::move(transport));
}

}  // namespace weir::upstream

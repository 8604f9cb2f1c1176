// TlsContexts: the TLS contexts of the generations that live, so that the next one takes over what is the same.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "net/transport.h"
#include "stats/store.h"

namespace weir::config {

/// Owner: whoever loads more than once. Thread: main. A context that is taken over keeps its tickets and sessions.
class TlsContexts {
 public:
  explicit TlsContexts(stats::Store& store);
  /// Null if no generation has it any more.
  std::shared_ptr<const net::TransportFactory> find(const std::string& identity) const;
  void add(const std::string& identity,
           const std::shared_ptr<const net::TransportFactory>& context);
  /// A generation serves: from now on a certificate that is outside its time is an edit's mistake.
  void set_serving() noexcept { serving_ = true; }
  bool serving() const noexcept { return serving_; }
  void count_rejected() noexcept { rejected_.inc(); }

 private:
  std::map<std::string, std::weak_ptr<const net::TransportFactory>> known_;
  Counter& updated_;
  Counter& rejected_;
  bool serving_ = false;
};

}  // namespace weir::config

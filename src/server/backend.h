// ServerBackend: what the admin endpoints show and change, read from the server.
#pragma once

#include <string>

#include "admin/backend.h"

namespace weir::wasm {
class Host;
}

namespace weir::server {

class Server;

/// Owner: the server. Thread: main.
class ServerBackend final : public admin::Backend {
 public:
  ServerBackend(Server& server, wasm::Host& wasm) : server_(server), wasm_(wasm) {}

  State state() const override;
  stats::Store& stats() override;
  std::string server_info_json() override;
  std::string config_dump_json() override;
  std::string clusters_text() override;
  std::string clusters_json() override;
  std::string listeners_text() override;
  std::string listeners_json() override;
  std::string memory_json() override;
  std::string certs_json() override;
  std::string wasm_json() override;
  std::string reload_json() override;
  void reload(std::function<void(std::string json, bool taken)> done) override;
  void set_health_check_failed(bool failed) override;
  void drain_listeners(admin::DrainScope scope, admin::StopAccepting when) override;
  void quit() override;
  void reopen_logs() override;
  void on_answered(const RequestHead& head, int status, size_t body_bytes) override;

 private:
  Server& server_;
  wasm::Host& wasm_;
};

}  // namespace weir::server

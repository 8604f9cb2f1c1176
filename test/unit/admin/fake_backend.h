// FakeBackend: says which text was asked for, and writes down what was changed.
#pragma once

#include <string>

#include "admin/backend.h"

namespace weir::admin {

class FakeBackend final : public Backend {
 public:
  State state() const override { return now; }
  stats::Store& stats() override { return store; }
  std::string server_info_json() override { return "server info json"; }
  std::string config_dump_json() override { return "config dump json"; }
  std::string clusters_text() override { return "clusters text"; }
  std::string clusters_json() override { return "clusters json"; }
  std::string listeners_text() override { return "listeners text"; }
  std::string listeners_json() override { return "listeners json"; }
  std::string memory_json() override { return "memory json"; }
  std::string certs_json() override { return "certs json"; }
  std::string wasm_json() override { return "wasm json"; }
  std::string reload_json() override { return "reload json"; }
  void reload(std::function<void(std::string json, bool taken)> done) override {
    changes += "reload;";
    done(reload_json(), takes_edits);
  }
  void set_health_check_failed(bool failed) override {
    changes += failed ? "health failed;" : "health ok;";
  }
  void drain_listeners(DrainScope, StopAccepting) override { changes += "drain;"; }
  void quit() override { changes += "quit;"; }
  void reopen_logs() override { changes += "logs;"; }
  void on_answered(const RequestHead&, int status, size_t) override { last_status = status; }

  stats::Store store{1};
  State now = State::kLive;
  bool takes_edits = true;
  std::string changes;
  int last_status = 0;
};

}  // namespace weir::admin

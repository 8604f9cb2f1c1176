// A network filter between its chain and a guest, both played by the test.
#include "wasm/network_filter.h"

#include <string>
#include <vector>

#include "unit/wasm/worker_fixture.h"

namespace weir::wasm {
namespace {

/// Writes down what the filter asks for.
class FakeChain final : public NetworkFilterCallbacks {
 public:
  ConnectionInfo& connection_info() noexcept override { return info; }
  StreamInfo* stream_info() noexcept override { return nullptr; }
  void continue_reading() override { log.emplace_back("continue"); }
  void continue_writing() override {}
  void inject_read(Buffer&& data, EndStream) override { log.push_back("read " + data.to_string()); }
  void write(Buffer&&, EndStream) override {}
  void close(CloseHow, std::string_view) override { log.emplace_back("close"); }
  void hold_reading() override { log.emplace_back("hold"); }
  void release_reading() override { log.emplace_back("release"); }
  size_t unsent() const noexcept override { return 0; }
  size_t buffer_limit() const noexcept override { return 0; }
  Callouts& callouts() noexcept override { std::abort(); }
  unsigned worker() const noexcept override { return 0; }
  std::unique_ptr<StreamTimer> start_timer(std::chrono::milliseconds, void (*)(void*),
                                           void*) override {
    return nullptr;
  }
  std::vector<std::string> take() { return std::exchange(log, {}); }

  ConnectionInfo info;
  std::vector<std::string> log;
};

class NetworkFilterTest : public WorkerVmsFixture {
 protected:
  using Log = std::vector<std::string>;
  void SetUp() override {
    adopt(1, {}, {group_});
    filter_.attach(chain_);
    guest_ = [this](std::string_view function, auto&&...) {
      asked_.emplace_back(function);
      return CallResult{.end = CallEnd::kOk, .value = pauses_ ? 1u : 0u};
    };
  }
  void TearDown() override { filter_.on_close(CloseEvent::kLocal); }
  void resume() {
    filter_.downstream.resume = true;  // proxy_continue_stream
    filter_.apply_effects();
  }
  const Group group_ = group("p");
  const Plugin& plugin_ = *group_->plugins.front();
  FakeChain chain_;
  bool pauses_ = true;
  Log asked_;
  WasmNetworkFilter filter_{plugin_, services_.stats.plugin("p"), vms_};
};

TEST_F(NetworkFilterTest, PausingAtEarlyBytesDoesNotKeepTheNextFiltersFromStarting) {
  EXPECT_EQ(filter_.on_new_connection(), NetworkFlow::kStop);
  Buffer data("early");
  EXPECT_EQ(filter_.on_data(data, EndStream::kYes), NetworkFlow::kStop);
  EXPECT_EQ(asked_, Log{"proxy_on_new_connection"});
  EXPECT_EQ(chain_.take(), Log{"hold"});
  resume();
  EXPECT_EQ(asked_, (Log{"proxy_on_new_connection", "proxy_on_downstream_data"}));
  EXPECT_EQ(chain_.take(), (Log{"release", "read "}));
  resume();
  EXPECT_EQ(chain_.take(), (Log{"read early", "continue"}));
}

TEST_F(NetworkFilterTest, EarlyBytesThatPassStartThemToo) {
  EXPECT_EQ(filter_.on_new_connection(), NetworkFlow::kStop);
  Buffer data("early");
  EXPECT_EQ(filter_.on_data(data, EndStream::kNo), NetworkFlow::kStop);
  chain_.take();
  pauses_ = false;
  resume();
  EXPECT_EQ(chain_.take(), (Log{"release", "read ", "read early", "continue"}));
}

}  // namespace
}  // namespace weir::wasm

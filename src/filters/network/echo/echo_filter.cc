#include "filters/network/echo/echo_filter.h"

#include <utility>

namespace weir::filters {

namespace {

class Echo final : public NetworkFilter {
 public:
  NetworkFlow on_data(Buffer& data, EndStream end) override {
    callbacks_->write(std::move(data), end);
    return NetworkFlow::kContinue;
  }
  void on_write_blocked() override { callbacks_->hold_reading(); }
  void on_write_resumed() override { callbacks_->release_reading(); }
};

class Factory final : public NetworkFilterFactory {
 public:
  std::unique_ptr<NetworkFilter> create(unsigned) const override {
    return std::make_unique<Echo>();
  }
  bool terminal() const noexcept override { return true; }
};

}  // namespace

std::shared_ptr<const NetworkFilterFactory> make_echo(ConfigView&, FactoryContext&) {
  return std::make_shared<const Factory>();
}

}  // namespace weir::filters

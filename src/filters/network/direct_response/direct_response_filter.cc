#include "filters/network/direct_response/direct_response_filter.h"

#include <string>
#include <utility>

namespace weir::filters {

namespace {

class DirectResponse final : public NetworkFilter {
 public:
  explicit DirectResponse(const std::string& response) : response_(response) {}
  NetworkFlow on_new_connection() override {
    callbacks_->write(Buffer(response_), EndStream::kNo);
    callbacks_->close(CloseHow::kFlush, "direct_response");
    return NetworkFlow::kStop;
  }

 private:
  const std::string& response_;
};

class Factory final : public NetworkFilterFactory {
 public:
  explicit Factory(std::string response) : response_(std::move(response)) {}
  std::unique_ptr<NetworkFilter> create(unsigned) const override {
    return std::make_unique<DirectResponse>(response_);
  }
  bool terminal() const noexcept override { return true; }

 private:
  const std::string response_;
};

}  // namespace

std::shared_ptr<const NetworkFilterFactory> make_direct_response(ConfigView& config,
                                                                 FactoryContext&) {
  return std::make_shared<const Factory>(config.data_source("response").value_or(std::string()));
}

}  // namespace weir::filters

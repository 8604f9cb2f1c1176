// FilterChain::Slot: one filter of a chain with its two lanes; what the filter's callbacks object is. And the small steps that all
// parts of the driver take. Private to the chain.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "stream/chain.h"
#include "stream/slot_callbacks.h"

namespace weir::stream {

class FilterChain::Slot final : public SlotCallbacks {
 public:
  StreamInfo& stream_info() noexcept override { return chain->exchange_->info; }
  RequestHead* request_head() noexcept override { return &chain->exchange_->request; }
  ResponseHead* response_head() noexcept override;
  HeaderMap* request_trailers() noexcept override { return chain->request_trailers(); }
  HeaderMap* response_trailers() noexcept override;
  void continue_request() override { chain->continue_from<Direction::kRequest>(index); }
  void continue_response() override { chain->continue_from<Direction::kResponse>(index); }
  void show_request_body() override { chain->show_body(index); }
  Buffer* held_request_body() noexcept override {
    return request.held.empty() ? nullptr : &request.held;
  }
  Buffer* held_response_body() noexcept override {
    return response.held.empty() ? nullptr : &response.held;
  }
  void add_request_body(Buffer&& data) override;
  void add_response_body(Buffer&& data) override;
  void pass_request_body(Buffer&& data) override {
    chain->pass_body<Direction::kRequest>(index, std::move(data));
  }
  void pass_response_body(Buffer&& data) override {
    chain->pass_body<Direction::kResponse>(index, std::move(data));
  }
  void inject_response_body(Buffer&& data, EndStream end) override {
    chain->inject_body(index, std::move(data), end);
  }
  HeaderMap& add_request_trailers() override;
  HeaderMap& add_response_trailers() override;
  void reply(LocalReply reply) override;
  void reset(std::string_view details) override;
  void clear_route_cache() override;
  const void* route_config() override;
  RouteConfigs route_configs() override;
  std::string_view route_cluster() override;
  size_t buffer_limit(Direction direction) const noexcept override {
    return direction == Direction::kRequest ? chain->request_limit_ : chain->response_limit_;
  }
  void set_buffer_limit(Direction direction, size_t bytes) override {
    (direction == Direction::kRequest ? chain->request_limit_ : chain->response_limit_) = bytes;
  }
  Callouts& callouts() noexcept override { return *chain->environment_.callouts; }
  std::unique_ptr<StreamTimer> start_timer(std::chrono::milliseconds delay, void (*handler)(void*),
                                           void* argument) override;
  bool health_check_failed() const noexcept override {
    const auto* flag = chain->environment_.health_check_failed;
    return flag != nullptr && flag->load(std::memory_order_relaxed);
  }

  FilterChain* chain = nullptr;
  int index = 0;
  std::unique_ptr<HttpFilter> filter;
  void limit_held_body(size_t bytes) override { held_limit = bytes; }

  std::string_view name;
  size_t held_limit = SIZE_MAX;
  FilterTime time;
  Lane request;
  Lane response;
};

/// Marks that the driver is on the stack; what filters asked for meanwhile is done when the outermost one ends.
class FilterChain::Turn {
 public:
  explicit Turn(FilterChain& chain) noexcept : chain_(chain) { ++chain_.depth_; }
  ~Turn() {
    if (chain_.depth_ == 1 && (chain_.pending_ || chain_.done_)) chain_.run_deferred();
    --chain_.depth_;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  FilterChain& chain_;
};

template <>
inline FilterChain::Lane& FilterChain::lane<Direction::kRequest>(int index) noexcept {
  return slots_[static_cast<size_t>(index)].request;
}
template <>
inline FilterChain::Lane& FilterChain::lane<Direction::kResponse>(int index) noexcept {
  return slots_[static_cast<size_t>(index)].response;
}

template <Direction D>
inline HeaderMap& FilterChain::headers() noexcept {
  if constexpr (D == Direction::kRequest) return exchange_->request.headers;
  return exchange_->response.headers;
}

template <Direction D>
inline bool FilterChain::at_exit(int index) const noexcept {
  if constexpr (D == Direction::kRequest) return index >= count_ - 1;  // the terminal filter
  return index < 0;
}

template <Direction D>
inline uint32_t& FilterChain::epoch() noexcept {
  return D == Direction::kRequest ? request_epoch_ : response_epoch_;
}

/// The filter that a message of this direction comes to after `index`.
template <Direction D>
constexpr int next(int index) noexcept {
  return D == Direction::kRequest ? index + 1 : index - 1;
}

}  // namespace weir::stream

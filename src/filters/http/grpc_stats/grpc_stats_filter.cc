#include "filters/http/grpc_stats/grpc_stats_filter.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <weir/grpc.h>

#include "filters/common/grpc.h"
#include "filters/http/grpc_stats/call_stats.h"

namespace weir::filters {

namespace {

constexpr std::string_view kFilterState = "envoy.filters.http.grpc_stats";

struct Shared {
  Shared(StatsScope& root, CallStatsTable::Methods methods, LearntCalls::Form form,
         LearntCalls* learnt, bool emits)
      : table(root, std::move(methods), form, learnt), emits_filter_state(emits) {}
  const CallStatsTable table;
  const bool emits_filter_state;
};

CallStatsTable::Methods read_methods(ConfigView& config, bool replace_dots) {
  CallStatsTable::Methods out;
  auto list = config.message("individual_method_stats_allowlist");
  if (!list) return out;
  for (auto& service : list->messages("services")) {
    const std::string name = service->required_text("name");
    std::string shown = name;
    if (replace_dots) std::replace(shown.begin(), shown.end(), '.', '_');
    const auto methods = service->texts("method_names");
    if (methods.empty()) service->missing("method_names");
    for (const std::string& method : methods)
      out.emplace("/" + name + "/" + method, shown + "." + method);
  }
  return out;
}

class GrpcStatsFilter final : public HttpFilter {
 public:
  explicit GrpcStatsFilter(const Shared& shared) : shared_(shared) {}

  Flow on_request_head(RequestHead& head, EndStream) override {
    if (!is_grpc_content_type(head.headers.get(HeaderId::kContentType).value_or("")))
      return Flow::kContinue;
    const std::string_view cluster = callbacks_->route_cluster();
    // A name that only the request has brought must not become one of statistics.
    if (cluster.empty() || !callbacks_->callouts().knows_cluster(cluster)) return Flow::kContinue;
    stats_ = &shared_.table.find(cluster, head.path());
    return Flow::kContinue;
  }
  Flow on_request_body(Buffer& data, EndStream) override {
    if (stats_ != nullptr) count(data, request_, stats_->request_messages);
    return Flow::kContinue;
  }
  Flow on_response_head(ResponseHead& head, EndStream end) override {
    if (stats_ == nullptr) return Flow::kContinue;
    grpc_response_ = is_grpc_content_type(head.headers.get(HeaderId::kContentType).value_or(""));
    if (grpc_response_ && end == EndStream::kYes) finish(head.headers);
    return Flow::kContinue;
  }
  Flow on_response_body(Buffer& data, EndStream) override {
    if (stats_ != nullptr && grpc_response_) count(data, response_, stats_->response_messages);
    return Flow::kContinue;
  }
  Flow on_response_trailers(HeaderMap& trailers) override {
    if (stats_ != nullptr) finish(trailers);
    return Flow::kContinue;
  }

  void on_stream_end(const StreamInfo& info) noexcept override {
    if (stats_ == nullptr) return;
    if (shared_.emits_filter_state)
      callbacks_->stream_info().set_filter_state(
          kFilterState, "request_message_count=" + std::to_string(request_.messages()) +
                            ",response_message_count=" + std::to_string(response_.messages()));
    constexpr MonotonicTime kNever{};
    if (stats_->upstream_time == nullptr || info.upstream_first_tx == kNever ||
        info.upstream_last_rx == kNever)
      return;
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(info.upstream_last_rx -
                                                                            info.upstream_first_tx);
    stats_->upstream_time->record(static_cast<uint64_t>(std::max<int64_t>(0, time.count())));
  }

 private:
  static void count(const Buffer& data, GrpcFrames& frames, Counter& counter) {
    const uint64_t before = frames.messages();
    data.for_each_slice([&frames](std::string_view slice) { frames.skip(slice); });
    if (frames.messages() > before) counter.add(frames.messages() - before);
  }
  void finish(const HeaderMap& headers) const {
    if (const auto status = headers.get(HeaderId::kGrpcStatus)) stats_->finish(*status);
  }

  const Shared& shared_;
  const CallStats* stats_ = nullptr;  // null: no gRPC call
  GrpcFrames request_, response_;
  bool grpc_response_ = false;
};

class Factory final : public HttpFilterFactory {
 public:
  Factory(StatsScope& root, CallStatsTable::Methods methods, LearntCalls::Form form,
          LearntCalls* learnt, bool emits)
      : shared_(root, std::move(methods), form, learnt, emits) {}
  std::unique_ptr<HttpFilter> create(unsigned) const override {
    return std::make_unique<GrpcStatsFilter>(shared_);
  }

 private:
  const Shared shared_;
};

}  // namespace

std::shared_ptr<const HttpFilterFactory> make_grpc_stats(ConfigView& config,
                                                         FactoryContext& context) {
  config.one_of({"individual_method_stats_allowlist", "stats_for_all_methods"},
                ConfigView::Required::kNo);
  LearntCalls* learnt = nullptr;
  if (config.boolean("stats_for_all_methods", false)) {
    if (context.shared == nullptr)
      config.error("stats_for_all_methods", "not supported at this place");
    else
      learnt = &context.shared->get<LearntCalls>("grpc_stats",
                                                 [] { return std::make_unique<LearntCalls>(); });
  }
  LearntCalls::Form form;
  form.upstream_time = config.boolean("enable_upstream_stats", false);
  form.replace_dots = config.boolean("replace_dots_in_grpc_service_name", false);
  const bool emits = config.boolean("emit_filter_state", false);
  return std::make_shared<const Factory>(
      context.root_stats != nullptr ? *context.root_stats : context.stats,
      read_methods(config, form.replace_dots), form, learnt, emits);
}

}  // namespace weir::filters

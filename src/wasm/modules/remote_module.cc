// Modules over HTTP through a cluster: vm_config.code.remote.
#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "wasm/modules/module_source.h"

namespace weir::wasm {
namespace {

using std::chrono::milliseconds;

struct Address {
  std::string scheme, authority, path;
};

std::optional<Address> parse_uri(std::string_view uri) {
  const size_t colon = uri.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  Address out;
  out.scheme = uri.substr(0, colon);
  if (out.scheme != "http" && out.scheme != "https") return std::nullopt;
  std::string_view rest = uri.substr(colon + 3);
  const size_t slash = std::min(rest.find_first_of("/?"), rest.size());
  out.authority = rest.substr(0, slash);
  rest.remove_prefix(slash);
  out.path = rest.starts_with('/') ? std::string(rest) : base::concat("/", rest);
  const auto is_foreign = [](char c) { return c <= ' ' || c >= 0x7f || c == '#' || c == '\\'; };
  if (out.authority.empty() || std::any_of(uri.begin(), uri.end(), is_foreign)) return std::nullopt;
  if (out.authority.find('@') != std::string::npos) return std::nullopt;
  return out;
}

std::optional<Key> parse_digest(std::string_view hex) {
  const auto bytes = base::hex_decode(hex);
  if (!bytes || bytes->size() != sizeof(Key::words)) return std::nullopt;
  Key key;
  std::memcpy(key.words.data(), bytes->data(), bytes->size());
  return key;
}

/// One GET. Owner: the store.
class HttpFetch final : public ModuleFetch, private CalloutHandler {
 public:
  explicit HttpFetch(ModuleReceiver& receiver) : receiver_(receiver) {}
  Result<void> begin(Callouts& callouts, CalloutRequest request) {
    WEIR_TRY(started, callouts.start(std::move(request), *this));
    callout_ = std::move(started);
    return {};
  }

 private:
  void on_callout_done(Result<CalloutResponse> response) noexcept override {
    receiver_.on_module_fetched(read(std::move(response)));
  }
  static Result<std::string> read(Result<CalloutResponse> response) {
    if (!response) {
      if (response.error().code != Code::kPayloadTooLarge) return fail(std::move(response.error()));
      return fail(Code::kPayloadTooLarge, Side::kUpstream, "the answer is larger than 64 MiB");
    }
    const int status = response->head.status;
    if (status == 200) return response->body.to_string();
    const bool elsewhere = status >= 300 && status < 400;
    return fail(Code::kProtocol, Side::kUpstream,
                base::concat("the answer has status ", status,
                             elsewhere ? ": redirects are not followed" : ""));
  }

  ModuleReceiver& receiver_;
  std::unique_ptr<Callout> callout_;
};

class HttpSource final : public ModuleSource {
 public:
  HttpSource(std::string uri, Address address, std::string cluster, milliseconds timeout)
      : uri_(std::move(uri)),
        shown_(uri_.substr(0, uri_.find('?'))),
        address_(std::move(address)),
        cluster_(std::move(cluster)),
        timeout_(timeout) {}

  const std::string& address() const noexcept override { return shown_; }
  std::string text() const override {
    return base::concat(uri_, ' ', cluster_, ' ', timeout_.count());
  }
  Result<std::unique_ptr<ModuleFetch>> fetch(Callouts& callouts,
                                             ModuleReceiver& receiver) const override {
    CalloutRequest request;
    request.cluster = cluster_;
    request.head.set_method("GET");
    request.head.set_scheme(address_.scheme);
    request.head.set_authority(address_.authority);
    request.head.set_path(address_.path);
    request.timeout = timeout_;
    request.max_response_bytes = kMaxModuleBytes;
    auto fetch = std::make_unique<HttpFetch>(receiver);
    WEIR_CHECKED(fetch->begin(callouts, std::move(request)));
    return fetch;
  }

 private:
  const std::string uri_;
  const std::string shown_;  // what stands behind '?' may be a secret
  const Address address_;
  const std::string cluster_;
  const milliseconds timeout_;
};

milliseconds read_time(ConfigView& view, std::string_view field, milliseconds fallback) {
  const auto time = std::chrono::duration_cast<milliseconds>(view.duration(field, fallback));
  if (time < milliseconds(1)) view.error(field, "must be at least 1ms");
  return time;
}

std::shared_ptr<const ModuleSource> read_source(ConfigView& http) {
  std::string uri = http.required_text("uri");
  auto address = parse_uri(uri);
  if (!address && !uri.empty())
    http.error("uri", "expected http:// or https://, a host, and a path without a fragment");
  std::string cluster = http.required_text("cluster");
  const milliseconds timeout = read_time(http, "timeout", milliseconds(5000));
  if (!address || http.failed()) return nullptr;
  return std::make_shared<const HttpSource>(std::move(uri), std::move(*address), std::move(cluster),
                                            timeout);
}

void read_retries(ConfigView& remote, ModuleRequest& out) {
  const auto policy = remote.message("retry_policy");
  if (!policy) return;
  out.num_retries =
      static_cast<unsigned>(policy->integer("num_retries", int64_t{out.num_retries}, 0, 100));
  const auto backoff = policy->message("retry_back_off");
  if (!backoff) return;
  out.backoff_base = read_time(*backoff, "base_interval", out.backoff_base);
  out.backoff_max = read_time(*backoff, "max_interval", 10 * out.backoff_base);
  if (out.backoff_max < out.backoff_base)
    backoff->error("max_interval", "must not be less than base_interval");
}

}  // namespace

std::shared_ptr<const ModuleRequest> read_remote_module(ConfigView& remote) {
  auto request = std::make_unique<ModuleRequest>();
  if (const auto http = remote.required_message("http_uri")) request->source = read_source(*http);
  const std::string digest = remote.required_text("sha256");
  if (const auto key = parse_digest(digest))
    request->digest = *key;
  else if (!digest.empty())
    remote.error("sha256", "expected 64 hexadecimal digits");
  read_retries(remote, *request);
  if (remote.failed() || !request->source) return nullptr;
  request->identity =
      base::concat(digest, ' ', request->source->text(), ' ', request->num_retries, ' ',
                   request->backoff_base.count(), ' ', request->backoff_max.count());
  return std::shared_ptr<const ModuleRequest>(std::move(request));
}

}  // namespace weir::wasm

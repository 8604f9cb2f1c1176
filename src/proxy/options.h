// Options of HTTP connection managers and access logs; config/ fills them, proxy/ and server/ run them. Immutable once
// a snapshot is published; snapshots share unchanged ones.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <weir/filter_registry.h>
#include <weir/http_filter.h>

#include "base/regex.h"
#include "http/connection.h"
#include "http/h2/h2.h"
#include "http/rules.h"
#include "proxy/client_cert.h"
#include "router/options.h"
#include "stream/format.h"
#include "stream/header_ops.h"

namespace weir::router {
class RouteTable;
}

namespace weir::proxy {

using Milliseconds = std::chrono::milliseconds;

/// AccessLogFilter and ResponseMapper.filter: a tree.
struct LogFilter {
  enum class Kind : uint8_t {
    kStatusCode,
    kDuration,
    kNotHealthCheck,
    kRuntime,
    kAnd,
    kOr,
    kHeader,
    kResponseFlag
  };
  enum class Compare : uint8_t { kEq, kGe, kLe, kNe };
  Kind kind = Kind::kStatusCode;
  Compare compare = Compare::kEq;
  uint64_t value = 0;     // status or milliseconds
  double fraction = 1.0;  // runtime_filter.percent_sampled, 0..1
  std::vector<std::unique_ptr<LogFilter>> children;
  HeaderMatchers header;
  uint32_t flags = 0;  // any of these; 0 = any flag at all
};

struct AccessLogOptions {
  enum class Sink : uint8_t { kFile, kStdout, kStderr };
  Sink sink = Sink::kFile;
  std::shared_ptr<const AccessLogger> logger;  // in place of the sink
  std::string path;
  std::optional<stream::Format> text;  // neither: the default format
  std::optional<stream::JsonFormat> json;
  bool omit_empty = false;
  std::unique_ptr<LogFilter> filter;  // null = all
};

struct LocalReplyMapper {
  std::unique_ptr<LogFilter> filter;
  std::optional<int> status;
  std::optional<std::string> body;
  std::optional<stream::Format> text_format;
  std::optional<stream::JsonFormat> json_format;
  std::string content_type;
  stream::HeaderOps headers;
};

struct LocalReplyOptions {
  std::vector<LocalReplyMapper> mappers;
  std::optional<stream::Format> text_format;
  std::optional<stream::JsonFormat> json_format;
  std::string content_type;
};

struct ConfiguredFilter {
  std::string name;
  std::string type;  // "@type" without its prefix
  std::shared_ptr<const HttpFilterFactory> factory;
  bool disabled = false;
};

/// "codec_type".
enum class HttpCodec : uint8_t { kAuto, kHttp1, kHttp2 };

/// HttpConnectionManager.upgrade_configs: one protocol (lower-case; "connect" for CONNECT).
struct UpgradeOptions {
  std::string type;
  bool enabled = true;                    // routes may still say otherwise
  std::vector<ConfiguredFilter> filters;  // empty: those of the connection manager
};

enum class ServerHeader : uint8_t { kOverwrite, kAppendIfAbsent, kPassThrough };

/// HttpConnectionManager. Fields marked C are connection-scoped: they hold for connections accepted later.
struct HcmOptions {
  std::string stat_prefix;
  std::shared_ptr<const router::RouteTable> routes;
  std::vector<ConfiguredFilter> filters;
  std::vector<UpgradeOptions> upgrades;
  std::vector<AccessLogOptions> access_logs;

  bool use_remote_address = false;
  uint32_t xff_num_trusted_hops = 0;
  ForwardClientCert forward_client_cert = ForwardClientCert::kSanitize;
  ClientCertDetails client_cert_details;
  bool skip_xff_append = false;
  std::string via;
  bool generate_request_id = true;
  bool preserve_external_request_id = false;
  bool always_set_request_id_in_response = false;
  std::string server_name = "weir";
  ServerHeader server_header = ServerHeader::kOverwrite;

  http::CodecOptions codec;                 // C
  HttpCodec codec_type = HttpCodec::kAuto;  // C
  http::h2::Options http2;                  // C
  std::string default_host_for_http_10;
  Milliseconds idle_timeout{std::chrono::hours(1)};  // C; 0 = none, as for all durations here
  Milliseconds max_connection_duration{0};           // C
  uint32_t max_requests_per_connection = 0;          // C; 0 = no limit
  Milliseconds max_stream_duration{0};
  Milliseconds stream_idle_timeout{std::chrono::minutes(5)};
  Milliseconds request_timeout{0};
  Milliseconds request_headers_timeout{std::chrono::seconds(10)};
  Milliseconds drain_timeout{5000};          // C
  Milliseconds delayed_close_timeout{1000};  // C

  http::PathOptions path;
  http::HostOptions host;
  LocalReplyOptions local_reply;
  bool proxy_100_continue = false;
};

}  // namespace weir::proxy

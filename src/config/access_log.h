// Readers of access logs, their filters and formats, and local reply configuration.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/loading.h"
#include "config/view.h"
#include "proxy/options.h"

namespace weir::config {

/// A list of config.accesslog.v3.AccessLog.
std::vector<proxy::AccessLogOptions> read_access_logs(View& parent, std::string_view field,
                                                      Loading& loading);
/// config.accesslog.v3.AccessLogFilter in `field`; null if absent or in error.
std::unique_ptr<proxy::LogFilter> read_log_filter(View& parent, std::string_view field);
/// LocalReplyConfig in `field`.
proxy::LocalReplyOptions read_local_reply(View& parent, std::string_view field);

/// core.v3.SubstitutionFormatString; neither text nor json if absent or in error.
struct FormatParts {
  std::optional<stream::Format> text;
  std::optional<stream::JsonFormat> json;
  bool omit_empty = false;
  std::string content_type;
};
FormatParts read_format(View& parent, std::string_view field);

}  // namespace weir::config

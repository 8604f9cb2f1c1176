#include "proxy/log_lines.h"

#include "proxy/log_filter.h"

namespace weir::proxy {
namespace {

/// Of a stream, a connection, or one that no chain has taken.
bool is_end(const stream::FormatContext& context) noexcept {
  return context.log_type.empty() || context.log_type == "TcpConnectionEnd" ||
         context.log_type == "NotSet";
}

Exchange exchange_of(const stream::FormatContext& context) noexcept {
  return Exchange{context.info, context.request, context.response, context.request_trailers,
                  context.response_trailers};
}

}  // namespace

Result<std::vector<OpenLog>> open_logs(const std::vector<AccessLogOptions>& options,
                                       AccessLogWriter& writer) {
  std::vector<OpenLog> logs;
  for (const AccessLogOptions& each : options) {
    LogFile* file = nullptr;
    if (each.logger != nullptr) {
      logs.push_back({&each, nullptr});
      continue;
    }
    if (each.sink == AccessLogOptions::Sink::kFile) {
      WEIR_TRY(opened, writer.open_file(each.path));
      file = opened;
    } else {
      file = each.sink == AccessLogOptions::Sink::kStdout ? &writer.standard_output()
                                                          : &writer.standard_error();
    }
    logs.push_back({&each, file});
  }
  return logs;
}

void write_log_lines(std::span<const OpenLog> logs, const stream::FormatContext& context,
                     const SessionDeps& deps) {
  for (const OpenLog& each : logs) {
    const AccessLogOptions& options = *each.options;
    if (!passes(options.filter.get(), context)) continue;
    if (options.logger != nullptr) {
      if (is_end(context)) options.logger->log(exchange_of(context), deps.worker);
      continue;
    }
    std::string& line = deps.access_log.batch(*each.file);
    if (options.json) {
      options.json->append(context, line, options.omit_empty);
      line += '\n';
    } else {
      const stream::Format& format =
          options.text ? *options.text : stream::default_access_log_format();
      format.append(context, line, stream::Format::Escape::kYes, options.omit_empty);
    }
    deps.access_log.line_added(*each.file);
  }
}

}  // namespace weir::proxy

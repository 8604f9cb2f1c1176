#include "proxy/log_lines.h"

#include "proxy/log_filter.h"

namespace weir::proxy {

Result<std::vector<OpenLog>> open_logs(const std::vector<AccessLogOptions>& options,
                                       AccessLogWriter& writer) {
  std::vector<OpenLog> logs;
  for (const AccessLogOptions& each : options) {
    LogFile* file = nullptr;
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
                     WorkerLog& out) {
  for (const OpenLog& each : logs) {
    const AccessLogOptions& options = *each.options;
    if (!passes(options.filter.get(), context)) continue;
    std::string& line = out.batch(*each.file);
    if (options.json) {
      options.json->append(context, line, options.omit_empty);
      line += '\n';
    } else {
      const stream::Format& format =
          options.text ? *options.text : stream::default_access_log_format();
      format.append(context, line, stream::Format::Escape::kYes, options.omit_empty);
    }
    out.line_added(*each.file);
  }
}

}  // namespace weir::proxy

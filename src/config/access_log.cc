#include "config/access_log.h"

#include <limits>
#include <utility>

#include "config/parts.h"

namespace weir::config {
namespace {

using proxy::AccessLogOptions;
using Sink = AccessLogOptions::Sink;

constexpr std::string_view kFileLog = "envoy.extensions.access_loggers.file.v3.FileAccessLog";
constexpr std::string_view kStdoutLog = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";
constexpr std::string_view kStderrLog = "envoy.extensions.access_loggers.stream.v3.StderrAccessLog";

std::optional<stream::JsonFormat> compile_json(View& view, std::string_view field, bool sort) {
  const Node* node = view.raw(field);
  if (node != nullptr && node->kind != Node::Kind::kMap) {
    view.error(field, "expected a mapping, found " + node->describe());
    return std::nullopt;
  }
  const auto json = view.json(field);
  if (!json) return std::nullopt;
  auto format = stream::JsonFormat::compile(*json, sort);
  if (format) return std::move(*format);
  view.error(field, format.error().detail);
  return std::nullopt;
}

void take(FormatParts parts, AccessLogOptions& log) {
  log.text = std::move(parts.text);
  log.json = std::move(parts.json);
  log.omit_empty = parts.omit_empty;
}

void read_file_log(View& config, AccessLogOptions& log) {
  log.sink = Sink::kFile;
  log.path = config.required_text("path");
  const std::string_view form = config.one_of(
      {"log_format", "format", "json_format", "typed_json_format"}, View::Required::kNo);
  if (form == "log_format") take(read_format(config, form), log);
  if (form == "format") log.text = compile_format(config, form, config.text(form));
  if (form == "json_format" || form == "typed_json_format")
    log.json = compile_json(config, form, false);
}

/// Null after an error.
std::shared_ptr<const AccessLogger> make_logger(View& config, AccessLoggerMaker maker,
                                                Loading& loading) {
  auto stats = loading.context.stats.scope({});
  FactoryContext context = factory_context(loading, *stats, *stats, {});
  return maker(config, context);
}

bool read_sink(View& config, AccessLogOptions& log, Loading& loading) {
  const std::string type = config.type();
  const FilterRegistry& registry = loading.context.registry;
  if (const AccessLoggerMaker maker = registry.find_access_logger(type); maker != nullptr) {
    log.logger = make_logger(config, maker, loading);
    return log.logger != nullptr;
  }
  if (type == kFileLog) {
    read_file_log(config, log);
  } else if (type == kStdoutLog || type == kStderrLog) {
    log.sink = type == kStdoutLog ? Sink::kStdout : Sink::kStderr;
    take(read_format(config, "log_format"), log);
  } else {
    if (type.empty() && !config.failed()) config.missing("@type");
    std::vector<std::string_view> known{kFileLog, kStdoutLog, kStderrLog};
    for (const auto& [each, unused] : registry.access_loggers()) known.push_back(each);
    if (!type.empty()) refuse_type(config, type, known);
    for (const std::string& key : config.keys()) config.ignore({key});
    return false;
  }
  return true;
}

}  // namespace

FormatParts read_format(View& parent, std::string_view field) {
  FormatParts parts;
  auto format = parent.child(field);
  if (!format) return parts;
  parts.omit_empty = format->boolean("omit_empty_values", false);
  parts.content_type = format->text("content_type");
  format->later({"formatters"});
  bool sort = false;
  if (auto options = format->child("json_format_options"))
    sort = options->boolean("sort_properties", false);
  const std::string_view form =
      format->one_of({"text_format_source", "json_format", "text_format"}, View::Required::kYes);
  if (form == "text_format") parts.text = compile_format(*format, form, format->text(form));
  if (form == "json_format") parts.json = compile_json(*format, form, sort);
  if (form == "text_format_source") {
    if (auto text = format->data_source(form)) parts.text = compile_format(*format, form, *text);
  }
  return parts;
}

std::vector<AccessLogOptions> read_access_logs(View& parent, std::string_view field,
                                               Loading& loading) {
  std::vector<AccessLogOptions> out;
  for (auto& view : parent.children(field)) {
    AccessLogOptions log;
    view->ignore({"name"});
    log.filter = read_log_filter(*view, "filter");
    auto config = view->required_child("typed_config");
    if (config && read_sink(*config, log, loading)) out.push_back(std::move(log));
  }
  return out;
}

proxy::LocalReplyOptions read_local_reply(View& parent, std::string_view field) {
  proxy::LocalReplyOptions out;
  auto view = parent.child(field);
  if (!view) return out;
  for (auto& mapper : view->children("mappers")) {
    proxy::LocalReplyMapper next;
    if (!mapper->has("filter")) mapper->missing("filter");
    next.filter = read_log_filter(*mapper, "filter");
    if (mapper->has("status_code"))
      next.status = static_cast<int>(mapper->integer("status_code", 200, 200, 599));
    next.body = mapper->data_source("body");
    FormatParts format = read_format(*mapper, "body_format_override");
    next.text_format = std::move(format.text);
    next.json_format = std::move(format.json);
    next.content_type = std::move(format.content_type);
    next.headers.add = stream::read_header_adds(*mapper, "headers_to_add");
    if (next.filter) out.mappers.push_back(std::move(next));
  }
  FormatParts format = read_format(*view, "body_format");
  out.text_format = std::move(format.text);
  out.json_format = std::move(format.json);
  out.content_type = std::move(format.content_type);
  return out;
}

}  // namespace weir::config

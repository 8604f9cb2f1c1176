#include "admin/endpoints.h"

#include <array>

#include "base/json.h"
#include "base/log.h"
#include "base/regex.h"
#include "base/strings.h"

namespace weir::admin {
namespace {

constexpr std::string_view kJson = "application/json";

enum class Method : uint8_t { kGet, kPost };

struct Endpoint {
  std::string_view path;
  Method method;
  std::string_view help;
  void (*handle)(Backend&, const Request&, const Answer&);
};

Response json(std::string body, int status = 200) {
  return Response{status, std::move(body), std::string(kJson)};
}
Response ok() { return Response{200, "OK\n"}; }

std::string_view parameter(const Request& request, std::string_view name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? std::string_view() : std::string_view(found->second);
}

void ready(Backend& backend, const Request&, const Answer& answer) {
  const Backend::State state = backend.state();
  answer(
      Response{state == Backend::State::kLive ? 200 : 503, std::string(state_name(state)) + "\n"});
}

void stats(Backend& backend, const Request& request, const Answer& answer) {
  const std::string_view filter = parameter(request, "filter");
  if (!filter.empty() && !base::Regex::compile(filter))
    return answer(Response{400, "filter is not a valid regular expression\n"});
  const bool used_only = request.query.contains("usedonly");
  const std::string_view format = parameter(request, "format");
  if (format == "json") return answer(json(stats::to_json(backend.stats(), filter, used_only)));
  if (format == "prometheus")
    return answer(Response{200, stats::to_prometheus(backend.stats(), filter, used_only),
                           "text/plain; version=0.0.4"});
  if (!format.empty() && format != "text")
    return answer(Response{400, "usage: /stats?format=(text|json|prometheus)\n"});
  answer(Response{200, stats::to_text(backend.stats(), filter, used_only)});
}

void prometheus(Backend& backend, const Request& request, const Answer& answer) {
  Request as_prometheus = request;
  as_prometheus.query["format"] = "prometheus";
  stats(backend, as_prometheus, answer);
}

void clusters(Backend& backend, const Request& request, const Answer& answer) {
  if (parameter(request, "format") == "json") return answer(json(backend.clusters_json()));
  answer(Response{200, backend.clusters_text()});
}

void listeners(Backend& backend, const Request& request, const Answer& answer) {
  if (parameter(request, "format") == "json") return answer(json(backend.listeners_json()));
  answer(Response{200, backend.listeners_text()});
}

std::string logging_text() {
  std::string out = "active loggers:\n";
  for (unsigned i = 0; i < static_cast<unsigned>(base::Component::kCount_); ++i) {
    const auto component = static_cast<base::Component>(i);
    out.append("  ").append(base::component_name(component)).append(": ");
    out.append(base::level_name(base::log_level(component))).append("\n");
  }
  return out;
}

void show_logging(Backend&, const Request& request, const Answer& answer) {
  if (request.query.empty()) return answer(Response{200, logging_text()});
  Response response{405, "Method GET not allowed, POST required to change a level.\n"};
  response.allow = "POST";
  answer(std::move(response));
}

void logging(Backend&, const Request& request, const Answer& answer) {
  for (const auto& [name, value] : request.query) {
    const auto level = base::parse_level(value);
    const auto component = base::parse_component(name);
    if (!level || (name != "level" && !component))
      return answer(Response{
          400, "usage: /logging?<logger>=<level>, /logging?level=<level>\n" + logging_text()});
  }
  for (const auto& [name, value] : request.query) {
    if (name == "level") {
      base::set_all_log_levels(*base::parse_level(value));
    } else {
      base::set_log_level(*base::parse_component(name), *base::parse_level(value));
    }
  }
  answer(Response{200, logging_text()});
}

void reload(Backend& backend, const Request&, const Answer& answer) {
  backend.reload(
      [answer](std::string body, bool taken) { answer(json(std::move(body), taken ? 200 : 409)); });
}

void help(Backend& backend, const Request& request, const Answer& answer);

void index(Backend& b, const Request&, const Answer& answer) {
  answer(Response{200, index_page(b), "text/html; charset=utf-8"});
}

void config_dump(Backend& b, const Request&, const Answer& answer) {
  answer(json(b.config_dump_json()));
}

void drain_listeners(Backend& b, const Request& request, const Answer& answer) {
  const bool graceful = request.query.contains("graceful");
  const bool keeps = request.query.contains("skip_exit");
  if (keeps && !graceful) return answer(Response{400, "skip_exit requires graceful\n"});
  b.drain_listeners(request.query.contains("inboundonly") ? DrainScope::kInbound : DrainScope::kAll,
                    keeps      ? StopAccepting::kNever
                    : graceful ? StopAccepting::kAfterDrainTime
                               : StopAccepting::kAtOnce);
  answer(ok());
}

void healthcheck_fail(Backend& b, const Request&, const Answer& answer) {
  b.set_health_check_failed(true);
  answer(ok());
}

void healthcheck_ok(Backend& b, const Request&, const Answer& answer) {
  b.set_health_check_failed(false);
  answer(ok());
}

void memory(Backend& b, const Request&, const Answer& answer) { answer(json(b.memory_json())); }

void quitquitquit(Backend& b, const Request&, const Answer& answer) {
  answer(ok());
  b.quit();
}

void show_reload(Backend& b, const Request&, const Answer& answer) {
  answer(json(b.reload_json()));
}

void reopen_logs(Backend& b, const Request&, const Answer& answer) {
  b.reopen_logs();
  answer(ok());
}

void reset_counters(Backend& b, const Request&, const Answer& answer) {
  b.stats().reset_counters();
  answer(ok());
}

void server_info(Backend& b, const Request&, const Answer& answer) {
  answer(json(b.server_info_json()));
}

void wasm(Backend& b, const Request&, const Answer& answer) { answer(json(b.wasm_json())); }

void certs(Backend& b, const Request&, const Answer& answer) { answer(json(b.certs_json())); }

constexpr std::array kEndpoints = {
    Endpoint{"/", Method::kGet, "this page", &index},
    Endpoint{"/certs", Method::kGet, "certificates and when they expire", &certs},
    Endpoint{"/clusters", Method::kGet, "upstream clusters and their hosts (format=json)",
             &clusters},
    Endpoint{"/config_dump", Method::kGet, "the serving configuration, secrets redacted",
             &config_dump},
    Endpoint{"/drain_listeners", Method::kPost, "stop accepting (inboundonly, graceful, skip_exit)",
             &drain_listeners},
    Endpoint{"/healthcheck/fail", Method::kPost,
             "fail health checks, so that balancers take this process out", &healthcheck_fail},
    Endpoint{"/healthcheck/ok", Method::kPost, "pass health checks again", &healthcheck_ok},
    Endpoint{"/help", Method::kGet, "this list as text", &help},
    Endpoint{"/listeners", Method::kGet, "listeners and their addresses (format=json)", &listeners},
    Endpoint{"/logging", Method::kGet, "the log levels", &show_logging},
    Endpoint{"/logging", Method::kPost, "change log levels (level=L, LOGGER=L)", &logging},
    Endpoint{"/memory", Method::kGet, "memory of the process", &memory},
    Endpoint{"/quitquitquit", Method::kPost, "end the process", &quitquitquit},
    Endpoint{"/ready", Method::kGet, "LIVE (200), or why not (503)", &ready},
    Endpoint{"/reload", Method::kGet,
             "the serving generation and the last errors; POST reads the configuration again",
             &show_reload},
    Endpoint{"/reload", Method::kPost, "read the configuration again", &reload},
    Endpoint{"/reopen_logs", Method::kPost, "open log files again, after a rotation", &reopen_logs},
    Endpoint{"/reset_counters", Method::kPost, "count from zero", &reset_counters},
    Endpoint{"/server_info", Method::kGet, "version, state, uptime, options", &server_info},
    Endpoint{"/stats", Method::kGet, "metrics (filter=REGEX, usedonly, format=json|prometheus)",
             &stats},
    Endpoint{"/stats/prometheus", Method::kGet, "metrics in Prometheus' text format", &prometheus},
    Endpoint{"/wasm", Method::kGet, "plugins and their VMs", &wasm},
};

std::string help_text() {
  std::string out = "admin commands are:\n";
  for (const Endpoint& each : kEndpoints) {
    out.append("  ").append(each.path).append(each.method == Method::kPost ? " (POST): " : ": ");
    out.append(each.help).append("\n");
  }
  return out;
}

void help(Backend&, const Request&, const Answer& answer) { answer(Response{200, help_text()}); }

}  // namespace

Request parse_target(std::string_view method, std::string_view target) {
  Request request;
  request.method = method;
  const size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark == std::string_view::npos) return request;
  for (const std::string_view pair : base::split(target.substr(mark + 1), '&')) {
    if (pair.empty()) continue;
    const size_t equal = pair.find('=');
    const std::string_view value = equal == std::string_view::npos ? "" : pair.substr(equal + 1);
    request.query[base::percent_decode(pair.substr(0, equal))] = base::percent_decode(value);
  }
  return request;
}

void handle(Backend& backend, const Request& request, Answer answer) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const Endpoint* other = nullptr;
  for (const Endpoint& each : kEndpoints) {
    if (each.path != request.path) continue;
    other = &each;
    if ((each.method == Method::kGet) == reads && (reads || request.method == "POST"))
      return each.handle(backend, request, answer);
  }
  if (other == nullptr) return answer(Response{404, "invalid path. " + help_text()});
  bool get = false, post = false;
  for (const Endpoint& each : kEndpoints) {
    if (each.path != request.path) continue;
    (each.method == Method::kGet ? get : post) = true;
  }
  const std::string right = get && post ? "GET or POST" : get ? "GET" : "POST";
  Response response{
      405, "Method " + std::string(request.method) + " not allowed, " + right + " required.\n"};
  response.allow = get && post ? "GET, HEAD, POST" : get ? "GET, HEAD" : "POST";
  answer(std::move(response));
}

std::string index_page(Backend& backend) {
  std::string out =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>weir</title><style>"
      "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 "
      "1em;color:#223}"
      "td{padding:.3em 1em .3em 0;vertical-align:top}code,a{font-family:ui-monospace,monospace}"
      "button{font:inherit}h1{font-size:1.4em}</style></head><body><h1>weir: ";
  out.append(state_name(backend.state())).append("</h1><table>");
  for (const Endpoint& each : kEndpoints) {
    out += "<tr><td>";
    if (each.method == Method::kGet) {
      out.append("<a href=\"").append(each.path).append("\">").append(each.path).append("</a>");
    } else {
      out.append("<form method=\"post\" action=\"").append(each.path).append("\"><button>POST ");
      out.append(each.path).append("</button></form>");
    }
    out.append("</td><td>").append(each.help).append("</td></tr>");
  }
  return out + "</table></body></html>\n";
}

}  // namespace weir::admin

#include "server/backend.h"

#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <future>

#include "base/json.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/time.h"
#include "server/certificates.h"
#include "server/server.h"

namespace weir::server {
namespace {

constexpr std::chrono::milliseconds kWorkerAnswer{
    500};  // a worker in a long guest call is left out

/// Asks every worker for its view of the clusters and adds the hosts' numbers up.
std::vector<upstream::ClusterDescription> gather_clusters(Server& server) {
  using Part = std::vector<upstream::ClusterDescription>;
  std::vector<std::future<Part>> parts;
  for (const auto& each : server.all_workers()) {
    Worker& worker = *each;
    // Shared: a worker that answers too late finds its promise alive, and a posted task must be copyable.
    auto promise = std::make_shared<std::promise<Part>>();
    parts.push_back(promise->get_future());
    worker.post([&worker, promise] { promise->set_value(worker.clusters().describe()); });
  }
  Part sum;
  for (auto& part : parts) {
    if (part.wait_for(kWorkerAnswer) != std::future_status::ready) continue;
    Part own = part.get();
    if (sum.empty()) {
      sum = std::move(own);
      continue;
    }
    for (size_t i = 0; i < sum.size() && i < own.size(); ++i) {
      for (size_t k = 0; k < own[i].hosts.size(); ++k) {
        const auto& from = own[i].hosts[k];
        // A worker may not have heard of the newest hosts yet.
        size_t at = k;
        if (at >= sum[i].hosts.size() || sum[i].hosts[at].address != from.address)
          for (at = 0; at < sum[i].hosts.size() && sum[i].hosts[at].address != from.address;) ++at;
        if (at == sum[i].hosts.size()) {
          sum[i].hosts.push_back(from);
          continue;
        }
        auto& to = sum[i].hosts[at];
        to.cx_active += from.cx_active;
        to.cx_total += from.cx_total;
        to.cx_connect_fail += from.cx_connect_fail;
        to.rq_active += from.rq_active;
        to.rq_total += from.rq_total;
        to.rq_success += from.rq_success;
        to.rq_error += from.rq_error;
        to.rq_timeout += from.rq_timeout;
      }
    }
  }
  return sum;
}

template <typename Visit>
void each_number(const upstream::Cluster::HostDescription& host, Visit visit) {
  visit("cx_active", host.cx_active);
  visit("cx_connect_fail", host.cx_connect_fail);
  visit("cx_total", host.cx_total);
  visit("rq_active", host.rq_active);
  visit("rq_error", host.rq_error);
  visit("rq_success", host.rq_success);
  visit("rq_timeout", host.rq_timeout);
  visit("rq_total", host.rq_total);
}

template <typename Visit>
void each_limit(const upstream::Thresholds& limits, Visit visit) {
  visit("max_connections", limits.max_connections);
  visit("max_pending_requests", limits.max_pending_requests);
  visit("max_requests", limits.max_requests);
}

/// The name that the cluster has in stats.
const std::string& observability_name(const upstream::ClusterOptions& options) {
  return options.alt_stat_name.empty() ? options.name : options.alt_stat_name;
}

uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

admin::Backend::State ServerBackend::state() const {
  // Failing health checks on purpose is how an operator takes the process out: it is not ready then.
  const State state = server_.state();
  return state == State::kLive && server_.health_check_failed() ? State::kDraining : state;
}

stats::Store& ServerBackend::stats() { return server_.stats(); }

std::string ServerBackend::server_info_json() {
  const Snapshot* snapshot = server_.reloader().current();
  const Options& options = server_.options();
  std::string out;
  base::JsonWriter json(out);
  const auto now = std::chrono::system_clock::now();
  const auto up =
      std::chrono::duration_cast<std::chrono::seconds>(now - server_.started_at()).count();
  json.begin_object();
  json.key("version").text(kVersion).key("state").text(admin::state_name(state()));
  json.key("uptime_current_epoch").text(std::to_string(up) + "s");
  json.key("uptime_all_epochs").text(std::to_string(up) + "s");
  json.key("generation").number(snapshot == nullptr ? uint64_t{0} : snapshot->generation);
  json.key("command_line_options").begin_object();
  // Envoy's names. --config-yaml is not shown: it may hold what /config_dump redacts.
  json.key("concurrency").number(server_.workers()).key("config_path").text(options.config_path);
  json.key("log_level").text(base::level_name(options.log_level));
  json.key("component_log_level").text(base::component_levels_text(options.component_levels));
  json.key("log_path").text(options.log_path);
  json.key("admin_address_path").text(options.admin_address_path);
  json.key("drain_time").text(std::to_string(options.drain_time.count()) + "s");
  json.key("service_cluster").text(options.service_cluster);
  json.key("service_node").text(options.service_node);
  json.end_object();
  json.key("node").begin_object();
  if (snapshot != nullptr) {
    const auto& configuration = *snapshot->configuration;
    json.key("id").text(options.service_node.empty() ? configuration.node_id
                                                     : options.service_node);
    json.key("cluster").text(options.service_cluster.empty() ? configuration.node_cluster
                                                             : options.service_cluster);
  }
  json.end_object().end_object();
  return out + "\n";
}

std::string ServerBackend::config_dump_json() {
  const Snapshot* snapshot = server_.reloader().current();
  if (snapshot == nullptr) return "{}\n";
  std::string out;
  base::JsonWriter json(out);
  json.begin_object().key("generation").number(snapshot->generation);
  json.key("configuration").raw(snapshot->configuration->dump_json).end_object();
  auto pretty = base::json_pretty(out);
  return (pretty ? *pretty : out) + "\n";
}

std::string ServerBackend::certs_json() {
  const Snapshot* snapshot = server_.reloader().current();
  return certificates_json(snapshot == nullptr ? nullptr : snapshot->configuration.get(),
                           std::chrono::system_clock::now());
}

std::string ServerBackend::clusters_text() {
  std::string out;
  for (const auto& cluster : gather_clusters(server_)) {
    const std::string& name = cluster.options->name;
    out.append(name).append("::observability_name::").append(observability_name(*cluster.options));
    out += '\n';
    for (const auto* limits : {&cluster.options->thresholds, &cluster.options->high_thresholds}) {
      const bool high = limits == &cluster.options->high_thresholds;
      const std::string prefix = name + (high ? "::high_priority::" : "::default_priority::");
      each_limit(*limits, [&out, &prefix](std::string_view key, uint32_t value) {
        out.append(prefix).append(key).append("::").append(std::to_string(value)).append("\n");
      });
    }
    for (const auto& host : cluster.hosts) {
      const std::string at = name + "::" + host.address + "::";
      each_number(host, [&out, &at](std::string_view key, uint64_t value) {
        out.append(at).append(key).append("::").append(std::to_string(value)).append("\n");
      });
      out += at + "hostname::" + host.hostname + "\n" + at + "health_flags::healthy\n";
      out += at + "weight::" + std::to_string(host.weight) + "\n";
      out += at + "region::" + host.region + "\n" + at + "zone::" + host.zone + "\n";
      out += at + "priority::" + std::to_string(host.priority) + "\n";
    }
  }
  return out;
}

std::string ServerBackend::clusters_json() {
  std::string out;
  base::JsonWriter json(out);
  json.begin_object().key("cluster_statuses").begin_array();
  for (const auto& cluster : gather_clusters(server_)) {
    json.begin_object().key("name").text(cluster.options->name);
    json.key("observability_name").text(observability_name(*cluster.options));
    json.key("circuit_breakers").begin_object().key("thresholds").begin_array();
    for (const auto* limits : {&cluster.options->thresholds, &cluster.options->high_thresholds}) {
      const bool high = limits == &cluster.options->high_thresholds;
      json.begin_object().key("priority").text(high ? "HIGH" : "DEFAULT");
      each_limit(*limits,
                 [&json](std::string_view key, uint32_t value) { json.key(key).number(value); });
      json.end_object();
    }
    json.end_array().end_object().key("host_statuses").begin_array();
    for (const auto& host : cluster.hosts) {
      json.begin_object().key("address").text(host.address).key("hostname").text(host.hostname);
      json.key("weight").number(host.weight).key("priority").number(host.priority);
      json.key("locality")
          .begin_object()
          .key("region")
          .text(host.region)
          .key("zone")
          .text(host.zone);
      json.key("sub_zone").text(host.sub_zone).end_object();
      json.key("stats").begin_object();
      each_number(host,
                  [&json](std::string_view key, uint64_t value) { json.key(key).number(value); });
      json.end_object().end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return out + "\n";
}

std::string ServerBackend::listeners_text() {
  std::string out;
  const Snapshot* snapshot = server_.reloader().current();
  if (snapshot == nullptr) return out;
  for (const ListenerEntry& entry : snapshot->listeners)
    out += entry.runtime->options().name + "::" + entry.local().to_string() + "\n";
  return out;
}

std::string ServerBackend::listeners_json() {
  std::string out;
  base::JsonWriter json(out);
  json.begin_object().key("listener_statuses").begin_array();
  if (const Snapshot* snapshot = server_.reloader().current()) {
    for (const ListenerEntry& entry : snapshot->listeners) {
      json.begin_object().key("name").text(entry.runtime->options().name);
      json.key("local_address").text(entry.local().to_string());
      json.key("traffic_direction").text(entry.runtime->options().traffic_direction).end_object();
    }
  }
  json.end_array().end_object();
  return out + "\n";
}

std::string ServerBackend::memory_json() {
  const auto info = ::mallinfo2();
  std::string out;
  base::JsonWriter json(out);
  json.begin_object().key("allocated").text(std::to_string(info.uordblks + info.hblkhd));
  json.key("heap_size").text(std::to_string(info.arena + info.hblkhd));
  json.key("pageheap_unmapped").text("0").key("pageheap_free").text(std::to_string(info.fordblks));
  json.key("total_physical_bytes").text(std::to_string(resident_bytes())).end_object();
  return out + "\n";
}

std::string ServerBackend::wasm_json() { return wasm_.describe_json(); }
std::string ServerBackend::reload_json() { return server_.reloader().json(); }

void ServerBackend::reload(std::function<void(std::string json, bool taken)> done) {
  server_.reloader().reload(
      [this, done = std::move(done)](bool taken) { done(reload_json(), taken); });
}

void ServerBackend::set_health_check_failed(bool failed) {
  WEIR_LOG(kMain, kInfo, failed ? "health checks fail from now on" : "health checks pass again");
  server_.set_health_check_failed(failed);
}
void ServerBackend::drain_listeners(admin::DrainScope scope, admin::StopAccepting when) {
  server_.drain_listeners(scope, when);
}
void ServerBackend::quit() { server_.quit(Server::Quit::kNow); }
void ServerBackend::reopen_logs() { server_.reopen_logs(); }

void ServerBackend::on_answered(const RequestHead& head, int status, size_t body_bytes) {
  WEIR_LOG(kAdmin, kDebug, "admin request",
           {{"method", head.method()}, {"path", head.path()}, {"status", status}});
  if (!server_.logs_admin()) return;
  // Envoy's default line, as far as an admin request has its parts.
  std::string line = "[" + base::iso8601(std::chrono::system_clock::now()) + "] \"";
  base::append_escaped(line, head.method());
  line += ' ';
  base::append_escaped(line, head.path());
  line += " HTTP/1.1\" " + std::to_string(status) + " - 0 " + std::to_string(body_bytes) + " \"";
  base::append_escaped(line, head.headers.get(HeaderId::kUserAgent).value_or("-"));
  line += "\" \"";
  base::append_escaped(line, head.authority());
  server_.log_admin(line + "\"\n");
}

}  // namespace weir::server

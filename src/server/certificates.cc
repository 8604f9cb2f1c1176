#include "server/certificates.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/json.h"

namespace weir::server {
namespace {

constexpr int64_t kDay = 86400;

std::vector<const net::TransportFactory*> contexts_of(const config::Configuration* configuration) {
  std::vector<const net::TransportFactory*> out;
  const auto add = [&out](const net::TransportFactory* each) {
    if (each != nullptr && std::find(out.begin(), out.end(), each) == out.end())
      out.push_back(each);
  };
  if (configuration == nullptr) return out;
  for (const auto& listener : configuration->listeners) {
    for (const auto& chain : listener->filter_chains) add(chain->transport.get());
    if (listener->default_filter_chain) add(listener->default_filter_chain->transport.get());
  }
  for (const auto& cluster : configuration->clusters) add(cluster->transport.get());
  return out;
}

int64_t days_left(const net::CertificateFacts& certificate, base::SystemClockTime now) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  return std::max<int64_t>(0, (certificate.valid_until - seconds) / kDay);
}

std::string time_text(int64_t seconds) {
  return base::iso8601(base::SystemClockTime(std::chrono::seconds(seconds)));
}

void write(base::JsonWriter& json, const std::vector<net::CertificateFacts>& certificates,
           base::SystemClockTime now) {
  json.begin_array();
  for (const net::CertificateFacts& each : certificates) {
    json.begin_object().key("path").text(each.path).key("serial_number").text(each.serial);
    json.key("subject_alt_names").begin_array();
    for (const std::string& name : each.dns_names)
      json.begin_object().key("dns").text(name).end_object();
    for (const std::string& uri : each.uris) json.begin_object().key("uri").text(uri).end_object();
    for (const std::string& ip : each.ip_addresses)
      json.begin_object().key("ip_address").text(ip).end_object();
    json.end_array();
    json.key("days_until_expiration").text(std::to_string(days_left(each, now)));
    json.key("valid_from").text(time_text(each.valid_from));
    json.key("expiration_time").text(time_text(each.valid_until)).end_object();
  }
  json.end_array();
}

}  // namespace

std::string certificates_json(const config::Configuration* configuration,
                              base::SystemClockTime now) {
  std::string out;
  base::JsonWriter json(out);
  json.begin_object().key("certificates").begin_array();
  for (const net::TransportFactory* context : contexts_of(configuration)) {
    const auto roots = context->roots();
    if (roots.empty() && context->certificates().empty()) continue;
    json.begin_object().key("ca_cert");
    write(json, roots, now);
    json.key("cert_chain");
    write(json, context->certificates(), now);
    json.end_object();
  }
  json.end_array().end_object();
  auto pretty = base::json_pretty(out);
  return (pretty ? *pretty : out) + "\n";
}

int64_t days_until_first_expiry(const config::Configuration* configuration,
                                base::SystemClockTime now) {
  int64_t days = UINT32_MAX;
  for (const net::TransportFactory* context : contexts_of(configuration)) {
    for (const auto& each : context->certificates()) days = std::min(days, days_left(each, now));
    for (const auto& each : context->roots()) days = std::min(days, days_left(each, now));
  }
  return days;
}

}  // namespace weir::server

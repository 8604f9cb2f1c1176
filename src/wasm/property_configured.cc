// Properties that the configuration holds: metadata of its parts, and the place of the upstream host.
#include <optional>

#include "base/strings.h"
#include "wasm/privacy/private_property.h"
#include "wasm/property_value.h"
#include "wasm/vm.h"

namespace weir::wasm {
namespace {

std::optional<ClusterFacts> facts_of(Vm& vm, const StreamInfo& info) {
  if (vm.owner() == nullptr) return std::nullopt;
  std::string_view cluster = info.upstream_cluster;
  StreamContext* stream = vm.stream();
  // Before the router has chosen one: the route's.
  if (cluster.empty() && stream != nullptr && stream->callbacks != nullptr)
    cluster = stream->callbacks->route_cluster();
  if (cluster.empty()) return std::nullopt;
  return vm.owner()->callouts().cluster_facts(cluster, info.upstream_host);
}

Status read_all(const StructValue& values, const PropertyPath& path, size_t at,
                PropertyValue& out) {
  if (path.size() == at) return out.put(PropertyType::kMessage, base::metadata_message(values));
  return path.at(at) == "filter_metadata" ? read_struct(values, path, at + 1, out)
                                          : Status::kNotFound;
}

/// `at`: the segment behind the name.
Status read_metadata(Vm& vm, const Metadata* metadata, const PropertyPath& path, size_t at,
                     PropertyValue& out) {
  if (metadata == nullptr) return Status::kNotFound;
  const StructValue& all = metadata->filter_metadata();
  const Privacy* privacy = vm.privacy();
  if (privacy == nullptr || privacy->properties().empty()) return read_all(all, path, at, out);
  const std::string name = base::concat("xds.", path.at(at - 1), ".filter_metadata");
  return read_all(seen_tree(privacy->properties(), name, all), path, at, out);
}

Status read_locality(const Privacy* privacy, const ClusterFacts::Host& host,
                     const PropertyPath& path, PropertyValue& out) {
  const std::string_view part = path.at(2);
  if (part == "region") return out.put(PropertyType::kText, host.region);
  if (part == "zone") return out.put(PropertyType::kText, host.zone);
  if (part == "sub_zone") return out.put(PropertyType::kText, host.sub_zone);
  if (path.size() > 2) return Status::kNotFound;
  const auto seen = [privacy](std::string_view name, const std::string& text) {
    return privacy == nullptr ? text : seen_text(privacy->properties(), name, text);
  };
  std::string message;  // core.v3.Locality
  append_proto_field(message, 1, seen("upstream.locality.region", host.region));
  append_proto_field(message, 2, seen("upstream.locality.zone", host.zone));
  append_proto_field(message, 3, seen("upstream.locality.sub_zone", host.sub_zone));
  return out.put(PropertyType::kMessage, message);
}

}  // namespace

Status PropertyValue::put_struct(const StructValue& value) {
  switch (value.kind()) {
    case StructValue::Kind::kNull:
      return Status::kSerializationFailure;
    case StructValue::Kind::kBool:
      return put_raw<uint8_t>(PropertyType::kBool, value.boolean() ? 1 : 0);
    case StructValue::Kind::kNumber:
      return put_raw<double>(PropertyType::kDouble, value.number());
    case StructValue::Kind::kText:
      return put(PropertyType::kText, value.text());
    default:
      type = PropertyType::kStruct;
      tree = value;
      return Status::kOk;
  }
}

Status read_struct(const StructValue& root, const PropertyPath& path, size_t at,
                   PropertyValue& out) {
  const StructValue* value = &root;
  for (size_t i = at; i < path.size() && value != nullptr; ++i) value = value->find(path.at(i));
  return value != nullptr ? out.put_struct(*value) : Status::kNotFound;
}

Status read_configured(Vm& vm, const StreamInfo& info, const PropertyPath& path, PropertyValue& out,
                       bool& known) {
  const std::string_view group = path.at(0);
  known = true;
  if (group == "upstream") {
    const auto facts = facts_of(vm, info);
    if (!facts) return Status::kNotFound;
    if (path.at(1) == "num_endpoints")
      return out.put_raw<uint64_t>(PropertyType::kUint, facts->hosts);
    return facts->host ? read_locality(vm.privacy(), *facts->host, path, out) : Status::kNotFound;
  }
  // Top-level names and those below xds are the same facts.
  const bool xds = group == "xds";
  const std::string_view name = xds ? path.at(1) : group;
  const size_t at = xds ? 2 : 1;
  if (name == "listener_metadata") {
    const ConnectionInfo* connection = info.connection;
    return read_metadata(
        vm, connection != nullptr ? connection->extras().listener_metadata.get() : nullptr, path,
        at, out);
  }
  if (name == "route_metadata") return read_metadata(vm, info.route_metadata, path, at, out);
  if (xds && name == "virtual_host_metadata")
    return read_metadata(vm, info.virtual_host_metadata, path, at, out);
  const bool of_cluster = name == "cluster_metadata";
  const bool of_locality = xds && name == "upstream_host_locality_metadata";
  if (!of_cluster && !of_locality && name != "upstream_host_metadata") {
    known = false;
    return Status::kNotFound;
  }
  const auto facts = facts_of(vm, info);
  if (!facts || (!of_cluster && !facts->host)) return Status::kNotFound;
  const auto& metadata = of_cluster    ? facts->metadata
                         : of_locality ? facts->host->locality_metadata
                                       : facts->host->metadata;
  return read_metadata(vm, metadata.get(), path, at, out);
}

}  // namespace weir::wasm

#include "router/domain_index.h"

#include <algorithm>

namespace weir::router {

bool DomainIndex::insert(Wildcards& wildcards, std::string_view text, uint32_t host) {
  auto at = std::find_if(wildcards.begin(), wildcards.end(),
                         [text](const OfLength& one) { return one.length <= text.size(); });
  if (at == wildcards.end() || at->length != text.size())
    at = wildcards.insert(at, {text.size(), {}});
  return at->map.emplace(std::string(text), host).second;
}

Result<void> DomainIndex::add(std::string_view domain, uint32_t host) {
  bool added = false;
  if (domain == "*") {
    added = any_ < 0;
    any_ = static_cast<int32_t>(host);
  } else if (domain.empty() || std::count(domain.begin(), domain.end(), '*') > 1) {
    return fail(Code::kConfig, Side::kLocal,
                "a domain is exact, *suffix, prefix* or *: \"" + std::string(domain) + '"');
  } else if (domain.front() == '*') {
    added = insert(suffixes_, domain.substr(1), host);
  } else if (domain.back() == '*') {
    added = insert(prefixes_, domain.substr(0, domain.size() - 1), host);
  } else if (domain.find('*') != std::string_view::npos) {
    return fail(Code::kConfig, Side::kLocal,
                "\"*\" inside of domain \"" + std::string(domain) + '"');
  } else {
    added = exact_.emplace(std::string(domain), host).second;
  }
  if (!added)
    return fail(Code::kConfig, Side::kLocal, "domain \"" + std::string(domain) + "\" stands twice");
  return {};
}

int32_t DomainIndex::find(std::string_view authority) const {
  if (!exact_.empty())
    if (const auto found = exact_.find(authority); found != exact_.end())
      return static_cast<int32_t>(found->second);
  // A wildcard stands for at least one character.
  for (const OfLength& one : suffixes_) {
    if (one.length >= authority.size()) continue;
    const auto found = one.map.find(authority.substr(authority.size() - one.length));
    if (found != one.map.end()) return static_cast<int32_t>(found->second);
  }
  for (const OfLength& one : prefixes_) {
    if (one.length >= authority.size()) continue;
    const auto found = one.map.find(authority.substr(0, one.length));
    if (found != one.map.end()) return static_cast<int32_t>(found->second);
  }
  return any_;
}

}  // namespace weir::router

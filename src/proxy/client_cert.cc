#include "proxy/client_cert.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "base/strings.h"

namespace weir::proxy {
namespace {

constexpr std::string_view kName = "x-forwarded-client-cert";

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// The client's words: what cannot stand in a header is percent-encoded, so that it ends neither the pair nor the message.
void append_quoted(std::string& out, std::string_view key, std::string_view value) {
  base::append_all(out, ";", key, "=\"");
  for (const char c : value) {
    if (is_control(c)) {
      base::append_all(out, "%", base::hex_encode({&c, 1}));
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

/// What would end the pair goes into quotes.
void append_name(std::string& out, std::string_view key, std::string_view value) {
  if (value.find_first_of(",;=\" \\") != std::string_view::npos ||
      std::any_of(value.begin(), value.end(), is_control))
    return append_quoted(out, key, value);
  base::append_all(out, ";", key, "=", value);
}

void append_element(const TlsInfo& tls, const ClientCertDetails& details, std::string& out) {
  const size_t begin = out.size();
  for (const std::string& uri : tls.names(TlsNames::kUriLocal)) append_name(out, "By", uri);
  base::append_all(out, ";Hash=", tls.text(TlsText::kSha256Peer));
  out.erase(begin, 1);  // the first separator
  if (details.cert) append_quoted(out, "Cert", tls.text(TlsText::kCertificatePeer));
  if (details.chain) append_quoted(out, "Chain", tls.text(TlsText::kCertificateChainPeer));
  if (details.subject) append_quoted(out, "Subject", tls.text(TlsText::kSubjectPeer));
  if (details.uri) {
    const auto uris = tls.names(TlsNames::kUriPeer);
    if (uris.empty()) out += ";URI=";
    for (const std::string& uri : uris) append_name(out, "URI", uri);
  }
  if (details.dns)
    for (const std::string& name : tls.names(TlsNames::kDnsPeer)) append_name(out, "DNS", name);
}

}  // namespace

void forward_client_cert(HeaderMap& headers, const TlsInfo* tls, ForwardClientCert mode,
                         const ClientCertDetails& details, std::string& scratch) {
  if (mode == ForwardClientCert::kAlwaysForwardOnly) return;
  const bool vouched = tls != nullptr && tls->peer_validated();
  if (mode == ForwardClientCert::kSanitize || !vouched) {
    headers.remove(HeaderId::kXForwardedClientCert);
    return;
  }
  if (mode == ForwardClientCert::kForwardOnly) return;
  scratch.clear();
  if (mode == ForwardClientCert::kAppendForward) {
    scratch = headers.joined(kName);
    if (!scratch.empty()) scratch += ',';
  }
  append_element(*tls, details, scratch);
  headers.set(HeaderId::kXForwardedClientCert, scratch);
}

}  // namespace weir::proxy

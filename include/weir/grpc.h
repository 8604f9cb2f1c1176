// Texts of gRPC over HTTP/2.
#pragma once

#include <string>
#include <string_view>

namespace weir {

/// Whether this is the content-type of gRPC: "application/grpc", maybe with a "+format" behind it. What has parameters is not,
/// as in Envoy.
bool is_grpc_content_type(std::string_view type) noexcept;

/// A grpc-message: what is not printable ASCII, and '%', percent-encoded.
std::string grpc_message_encode(std::string_view text);

}  // namespace weir

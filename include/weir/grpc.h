// Texts of gRPC over HTTP/2.
#pragma once

#include <string>
#include <string_view>

namespace weir {

/// A grpc-message: what is not printable ASCII, and '%', percent-encoded.
std::string grpc_message_encode(std::string_view text);

}  // namespace weir

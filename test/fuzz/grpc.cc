// What gRPC services and guests hand over: messages in frames, statuses, serialised GrpcServices. Byte 0 chooses.
//
// Properties: messages are the same however the bytes are cut; nothing above the limit is kept; a target names a cluster.
#include <algorithm>
#include <string>
#include <weir/grpc.h>

#include "fuzz/require.h"
#include "wasm/grpc_service.h"

namespace {

using namespace weir;
using weir::fuzz::Input;
using weir::fuzz::require;

constexpr size_t kMost = 300;

/// Every message's bytes, and how it ended.
std::string messages(std::string_view bytes, size_t piece) {
  GrpcReader reader(kMost);
  std::string out;
  while (!bytes.empty()) {
    Buffer data(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    reader.add(data);
    for (;;) {
      Buffer message;
      const auto next = reader.next(message);
      if (next == GrpcReader::Next::kMore) break;
      out += std::to_string(static_cast<int>(next)) + message.to_string() + "|";
      if (next != GrpcReader::Next::kMessage) return out;
      require(message.size() <= kMost, "the limit holds");
    }
  }
  return out + (reader.at_boundary() ? "." : "cut");
}

void fuzz_texts(std::string_view text) {
  const std::string encoded = grpc_message_encode(text);
  require(grpc_message_decode(encoded) == text, "one text, one message");
  require(
      std::all_of(encoded.begin(), encoded.end(), [](char c) { return c >= ' ' && c < '\x7f'; }),
      "fit for a header");
  HeaderMap trailers;
  trailers.add("grpc-status", text);
  const GrpcStatus status = grpc_status_of(trailers);
  require(status.code <= GrpcCode::kUnauthenticated, "a code is one of 17");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const uint8_t choice = input.byte();
  if (choice % 3 == 0) {
    const std::string whole = messages(input.rest(), size + 1);
    require(messages(input.rest(), 1) == whole, "byte by byte");
    require(messages(input.rest(), choice / 3 + 2u) == whole, "in pieces");
  } else if (choice % 3 == 1) {
    fuzz_texts(input.rest());
  } else if (const auto target = wasm::parse_grpc_service(input.rest())) {
    require(!target->cluster.empty(), "a target names a cluster");
    require(target->timeout.count() >= 0, "a timeout is none or positive");
  }
  return 0;
}

// Writes heads for the wire.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <weir/buffer.h>
#include <weir/message.h>

#include "http/connection.h"
#include "http/h1/body_framing.h"

namespace weir::http::h1 {

/// Room that the fields of a map need on the wire.
inline size_t field_space(const HeaderMap& headers) noexcept {
  return headers.byte_size() + 4 * headers.size();
}

/// Text appended to a Buffer through one reservation; what it writes becomes part of the buffer when it dies.
/// Heads beyond the size of a block take the slower way of single appends.
class HeadWriter {
 public:
  /// `space` is an upper bound of what will be put.
  HeadWriter(Buffer& out, size_t space, const CodecOptions& options);
  ~HeadWriter() {
    if (at_ != nullptr) out_.commit(static_cast<size_t>(at_ - begin_));
  }
  HeadWriter(const HeadWriter&) = delete;
  HeadWriter& operator=(const HeadWriter&) = delete;

  void put(std::string_view text) {
    if (at_ == nullptr) {
      out_.append(text);
    } else if (!text.empty()) {
      std::memcpy(at_, text.data(), text.size());
      at_ += text.size();
    }
  }
  void put_number(uint64_t number);
  /// One field line. `name` is in lower case.
  void field(std::string_view name, std::string_view value);

 private:
  void put_proper_case(std::string_view name);

  Buffer& out_;
  char* begin_ = nullptr;
  char* at_ = nullptr;  // null: appending
  bool proper_case_;
};

enum class ConnectionField : uint8_t { kNone, kClose, kKeepAlive, kUpgrade };

/// What a head that is to be sent says about framing and connection.
struct OutgoingFacts {
  uint64_t content_length = 0;
  bool has_length = false;  // exactly one valid content-length
  bool close = false;       // "connection: close"
  bool upgrade = false;     // there is an "upgrade" field
};
OutgoingFacts outgoing_facts(const HeaderMap& headers) noexcept;

enum class LengthField : uint8_t {
  kNone,
  kAsGiven,
  kZero
};  // kAsGiven: the message's own content-length

/// Status line, fields, the codec's own fields, empty line. Connection and framing fields of `head` are ignored.
struct ResponseShape {
  BodyFraming framing;
  LengthField length = LengthField::kNone;
  ConnectionField connection = ConnectionField::kNone;
  std::string_view protocol{};  // of kUpgrade, where the head does not name it
};
void write_response_head(const ResponseHead& head, const ResponseShape& shape,
                         const OutgoingFacts& facts, const CodecOptions& options, Buffer& out);

/// Request line and fields, Host first. An "upgrade" field is written with kUpgrade alone.
struct RequestShape {
  BodyFraming framing;
  LengthField length = LengthField::kNone;
  ConnectionField connection = ConnectionField::kNone;
};
void write_request_head(const RequestHead& head, const RequestShape& shape,
                        const OutgoingFacts& facts, const CodecOptions& options, Buffer& out);

}  // namespace weir::http::h1

// The fields of a header block as nghttp2 decodes them, judged one by one.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>
#include <weir/message.h>

#include "http/connection.h"
#include "http/fault.h"
#include "http/h2/h2.h"

namespace weir::http::h2 {

/// The head or the trailers that a connection is receiving; there is never more than one (RFC 9113 4.3).
///
/// Limits are looked at field by field, so that a small block that decodes to much is never stored. nghttp2 does
/// not look at messages: nothing that could mean something else in HTTP/1 may pass here. Two kinds of faults:
/// malformed messages are reset (RFC 9113 8.1.1), well-formed ones that weir does not serve are answered.
class HeadBlock {
 public:
  enum class Kind : uint8_t { kRequest, kResponse, kTrailers };

  HeadBlock(const CodecOptions& codec, const Options& options, const Stats& stats)
      : codec_(codec), options_(options), stats_(stats) {}

  void begin(Kind kind) noexcept;
  void add(std::string_view name, std::string_view value);
  /// The block is complete: makes the request, the response or the trailers of it and says what is wrong.
  void finish(EndStream end);

  /// The message is malformed; the first that is said counts.
  void fault(const char* what) noexcept {
    if (!malformed_) malformed_ = malformed(what);
  }

  Kind kind() const noexcept { return kind_; }
  const Fault& malformed_fault() const noexcept { return malformed_; }
  const Fault& refused_fault() const noexcept { return refused_; }
  /// So far over the limits that no honest peer sends it.
  bool bomb() const noexcept;
  /// Bytes of names and values.
  size_t decoded_bytes() const noexcept { return bytes_; }

  // What was received; the receiver takes it by swapping.
  RequestHead& request() noexcept { return head_; }
  HeaderMap& fields() noexcept { return head_.headers; }
  int status() const noexcept { return status_; }
  /// The declared content-length; -1: none.
  int64_t length() const noexcept { return length_; }
  bool expects_continue() const noexcept { return expects_continue_; }
  /// Extended CONNECT (RFC 8441), which request() shows as an upgrade.
  bool upgrade() const noexcept { return !protocol_.empty(); }

 private:
  void refuse(Code code, const char* what) noexcept {
    if (!refused_) refused_ = Fault{code, what};
  }
  bool within_limits(bool pseudo, size_t bytes);
  void add_pseudo(std::string_view name, std::string_view value);
  void set_once(std::string_view& place, std::string_view value);
  bool note(HeaderId id, std::string_view value);
  void note_underscore();
  void finish_request();
  void resolve_authority();
  void resolve_target();
  void resolve_upgrade();
  void join_cookies();

  const CodecOptions& codec_;
  const Options& options_;
  const Stats& stats_;
  Kind kind_ = Kind::kRequest;
  RequestHead head_;
  int status_ = 0;
  Fault malformed_;
  Fault refused_;
  size_t bytes_ = 0;
  size_t count_ = 0;
  int64_t length_ = -1;
  bool fields_begun_ = false;
  bool expects_ = false;
  bool expects_continue_ = false;
  bool has_te_ = false;
  std::string_view method_, path_, scheme_, authority_, protocol_, host_, expect_;
  std::vector<std::string_view> crumbs_;
};

}  // namespace weir::http::h2

// Base64 of bodies that come piece by piece (RFC 4648 section 4), as gRPC-Web's text form has it: padding may stand wherever a
// message ends.
#pragma once

#include <string>
#include <string_view>

namespace weir::filters {

class Base64Decoder {
 public:
  /// Appends what can be decoded. False if this is no base64; then no more calls.
  bool decode(std::string_view text, std::string& out);
  /// True if no group of four has been begun.
  bool complete() const noexcept { return count_ == 0; }

 private:
  bool finish_group(std::string& out);
  unsigned char group_[4] = {};  // values of the letters; kPadding
  int count_ = 0;
};

class Base64Encoder {
 public:
  /// Appends what can be encoded; up to two bytes wait for the next piece.
  void encode(std::string_view bytes, std::string& out);
  /// Encodes what waits, with padding.
  void flush(std::string& out);

 private:
  void put(std::string& out);
  unsigned char waiting_[3] = {};
  int count_ = 0;
};

}  // namespace weir::filters

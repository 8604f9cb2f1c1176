// The rules about frames that nghttp2 does not enforce: floods, and frames on streams that are over.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "http/h2/frame.h"
#include "http/h2/h2.h"
#include "http/h2/stream_ledger.h"

namespace weir::http::h2 {

enum class Role : uint8_t { kServer, kClient };

/// Tokens that come back with time.
class TokenBucket {
 public:
  TokenBucket(uint64_t burst, uint64_t per_second) noexcept
      : burst_(static_cast<double>(burst)),
        rate_(static_cast<double>(per_second)),
        tokens_(burst_) {}
  /// False if there is none left.
  bool take(MonotonicTime now) noexcept {
    if (now > last_) {
      if (last_ != MonotonicTime())
        give(rate_ * std::chrono::duration<double>(now - last_).count());
      last_ = now;
    }
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  void give(double tokens) noexcept { tokens_ = std::min(burst_, tokens_ + tokens); }

 private:
  double burst_;
  double rate_;
  double tokens_;
  MonotonicTime last_{};
};

/// Judges each frame of the peer by its header, and what has to be sent because of it.
///
/// Owner: one connection. What it refuses ends the connection by GOAWAY. The limits are those of Options where Envoy has a name
/// for them; the others stand in frame_guard.cc.
class FrameGuard {
 public:
  FrameGuard(Role role, const CodecOptions& codec, const Options& options, const Stats& stats,
             const MonotonicTime* now);

  /// The stream is under way although it is older than what the ledger knows.
  using IsLive = bool (*)(void* context, uint32_t stream);
  Violation on_frame(const FrameHeader& frame, IsLive is_live, void* context);
  /// A DATA, HEADERS or CONTINUATION frame has that many bytes beside its padding.
  Violation on_content(const FrameHeader& frame, uint32_t bytes);
  /// A header block has begun and not ended.
  bool in_block() const noexcept { return in_block_; }

  /// A frame of ours went to the wire's buffer. RST_STREAM: with its code; what the peer has provoked counts like its own.
  void on_sent(FrameType type) noexcept;
  Violation on_reset_sent(uint32_t stream, H2Error error);
  /// A request was refused: as dear as a reset.
  Violation on_refusal();

 private:
  Violation flood(const char* what, Counter& counter) const;
  Violation check_stream(const FrameHeader& frame, IsLive is_live, void* context);
  Violation count_reset();
  Violation count_block(const FrameHeader& frame);
  Violation count_settings(const FrameHeader& frame);
  MonotonicTime now() const noexcept { return now_ != nullptr ? *now_ : MonotonicTime(); }

  const Role role_;
  const Options& options_;
  const Stats& stats_;
  const MonotonicTime* const now_;
  const size_t max_block_bytes_;
  StreamLedger ledger_;
  TokenBucket resets_;
  TokenBucket pings_;
  TokenBucket settings_;
  uint64_t opened_ = 0;
  uint64_t data_sent_ = 0;
  uint64_t priorities_ = 0;
  uint64_t window_updates_ = 0;
  size_t block_bytes_ = 0;
  uint32_t continuations_ = 0;
  uint32_t empty_frames_ = 0;
  bool in_block_ = false;
};

/// Finds the frames in the bytes of a connection and shows their headers to the guard.
class FrameScanner {
 public:
  FrameScanner(Role role, FrameGuard& guard) noexcept;
  /// How many of the bytes nghttp2 may read: all, or those before a frame that `violation` is about.
  size_t scan(std::string_view bytes, FrameGuard::IsLive is_live, void* context,
              Violation& violation);
  /// No frame has come in part.
  bool between_frames() const noexcept { return have_ == 0 && payload_ == 0; }

 private:
  FrameGuard& guard_;
  size_t preface_;  // bytes of the client's preface that are still to come
  uint32_t payload_ = 0;
  uint8_t have_ = 0;  // bytes of the header
  bool padding_due_ = false;
  uint8_t header_[kFrameHeaderSize] = {};
  FrameHeader frame_;
};

}  // namespace weir::http::h2

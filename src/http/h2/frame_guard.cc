#include "http/h2/frame_guard.h"

namespace weir::http::h2 {
namespace {

constexpr uint32_t kMaxContinuations = 8;     // of one header block
constexpr uint32_t kMaxSettingsEntries = 32;  // of one frame
constexpr size_t kSettingsEntrySize = 6;
constexpr size_t kBlockSlack =
    16 * 1024;  // a block may be one frame longer than the fields it may hold
// PING and SETTINGS have to be answered. What is sent to the peer gives it PINGs back: implementations measure the path with one for
// each round trip that brings data.
constexpr uint64_t kPingBurst = 100;
constexpr uint64_t kPingRate = 10;
constexpr uint64_t kSettingsBurst = 50;
constexpr uint64_t kSettingsRate = 5;
constexpr uint64_t kWindowUpdateSlack = 100;
constexpr size_t kPrefaceSize = 24;

}  // namespace

FrameGuard::FrameGuard(Role role, const CodecOptions& codec, const Options& options,
                       const Stats& stats, const MonotonicTime* now)
    : role_(role),
      options_(options),
      stats_(stats),
      now_(now),
      max_block_bytes_(codec.max_header_bytes + kBlockSlack),
      resets_(options.stream_reset_burst, options.stream_reset_rate),
      pings_(kPingBurst, kPingRate),
      settings_(kSettingsBurst, kSettingsRate) {}

Violation FrameGuard::flood(const char* what, Counter& counter) const {
  counter.inc();
  return {H2Error::kEnhanceYourCalm, what};
}

Violation FrameGuard::on_frame(const FrameHeader& frame, IsLive is_live, void* context) {
  switch (frame.type) {
    case FrameType::kData:
      return check_stream(frame, is_live, context);
    case FrameType::kHeaders:
      in_block_ = !frame.has(kFlagEndHeaders);
      continuations_ = 0;
      block_bytes_ = frame.length;
      return check_stream(frame, is_live, context);
    case FrameType::kContinuation:
      return count_block(frame);
    case FrameType::kPriority:
    case FrameType::kPriorityUpdate:
      if (++priorities_ > options_.max_inbound_priority_frames_per_stream * (1 + opened_))
        return flood("PRIORITY flood", stats_.inbound_priority_frames_flood);
      return {};
    case FrameType::kRstStream:
      if (ledger_.knows(frame.stream) && ledger_.state(frame.stream) == StreamLedger::State::kOpen)
        ledger_.set(frame.stream, StreamLedger::State::kFinished);
      return role_ == Role::kServer ? count_reset() : Violation{};
    case FrameType::kPushPromise:
      // Every request follows the SETTINGS that forbid it.
      return {H2Error::kProtocolError, "PUSH_PROMISE"};
    case FrameType::kSettings:
      return count_settings(frame);
    case FrameType::kPing:
      if (!pings_.take(now())) return flood("PING flood", stats_.inbound_ping_flood);
      return {};
    case FrameType::kWindowUpdate:
      // As Envoy counts: some for each stream, and those that data of ours explains.
      if (++window_updates_ >
          kWindowUpdateSlack +
              2 * (opened_ +
                   options_.max_inbound_window_update_frames_per_data_frame_sent * data_sent_))
        return flood("WINDOW_UPDATE flood", stats_.inbound_window_update_frames_flood);
      return {};
    default:
      return {};
  }
}

Violation FrameGuard::check_stream(const FrameHeader& frame, IsLive is_live, void* context) {
  const uint32_t id = frame.stream;
  if (role_ != Role::kServer || (id & 1) == 0) return {};
  const bool headers = frame.type == FrameType::kHeaders;
  using State = StreamLedger::State;
  if (ledger_.is_new(id)) {
    if (!headers) return {};  // nghttp2 refuses it
    ++opened_;
    ledger_.open(id);
  } else if (!ledger_.knows(id)) {
    // In doubt DATA is of a stream that was reset here long ago.
    if (headers && !is_live(context, id))
      return {H2Error::kProtocolError, "stream identifier lower than that of the stream before"};
    return {};
  } else if (ledger_.state(id) == State::kFinished) {
    return {H2Error::kStreamClosed, "frame on a stream that its sender has closed"};
  } else if (ledger_.state(id) == State::kSkipped) {
    if (headers)
      return {H2Error::kProtocolError, "stream identifier lower than that of the stream before"};
    return {H2Error::kStreamClosed, "frame on a stream that was never opened"};
  }
  if (frame.has(kFlagEndStream) && ledger_.state(id) == State::kOpen)
    ledger_.set(id, State::kFinished);
  return {};
}

Violation FrameGuard::count_block(const FrameHeader& frame) {
  if (!in_block_) return {};  // nghttp2 refuses it
  block_bytes_ += frame.length;
  if (frame.has(kFlagEndHeaders)) in_block_ = false;
  if (++continuations_ > kMaxContinuations || block_bytes_ > max_block_bytes_)
    return flood("CONTINUATION flood", stats_.inbound_continuation_frames_flood);
  return {};
}

Violation FrameGuard::count_settings(const FrameHeader& frame) {
  if (frame.length / kSettingsEntrySize > kMaxSettingsEntries || !settings_.take(now()))
    return flood("SETTINGS flood", stats_.inbound_settings_flood);
  return {};
}

Violation FrameGuard::on_content(const FrameHeader& frame, uint32_t bytes) {
  if (bytes > 0 || (frame.type != FrameType::kContinuation && frame.has(kFlagEndStream))) {
    empty_frames_ = 0;
    return {};
  }
  if (++empty_frames_ > options_.max_consecutive_inbound_frames_with_empty_payload)
    return flood("flood of empty frames", stats_.inbound_empty_frames_flood);
  return {};
}

Violation FrameGuard::count_reset() {
  if (resets_.take(now())) return {};
  return flood("stream reset flood", stats_.stream_reset_flood);
}

void FrameGuard::on_sent(FrameType type) noexcept {
  if (type == FrameType::kData) ++data_sent_;
  if (type == FrameType::kData || type == FrameType::kHeaders) pings_.give(1);
}

Violation FrameGuard::on_reset_sent(uint32_t stream, H2Error error) {
  if (role_ != Role::kServer) return {};
  if (ledger_.knows(stream) && ledger_.state(stream) == StreamLedger::State::kOpen)
    ledger_.set(stream, StreamLedger::State::kReset);
  // Early answers and failures behind weir are not of the client's making.
  if (error == H2Error::kNoError || error == H2Error::kInternalError || error == H2Error::kCancel)
    return {};
  return count_reset();
}

Violation FrameGuard::on_refusal() { return count_reset(); }

FrameScanner::FrameScanner(Role role, FrameGuard& guard) noexcept
    : guard_(guard), preface_(role == Role::kServer ? kPrefaceSize : 0) {}

size_t FrameScanner::scan(std::string_view bytes, FrameGuard::IsLive is_live, void* context,
                          Violation& violation) {
  size_t at = std::min(preface_, bytes.size());
  preface_ -= at;
  while (at < bytes.size()) {
    if (payload_ > 0) {
      if (padding_due_) {
        padding_due_ = false;
        const auto padding = static_cast<uint8_t>(bytes[at]);
        const uint32_t around = padding + 1U;
        violation = guard_.on_content(frame_, frame_.length > around ? frame_.length - around : 0);
        if (violation) return at;
      }
      const size_t part = std::min<size_t>(payload_, bytes.size() - at);
      payload_ -= static_cast<uint32_t>(part);
      at += part;
      continue;
    }
    const size_t begin = at;
    while (have_ < kFrameHeaderSize && at < bytes.size())
      header_[have_++] = static_cast<uint8_t>(bytes[at++]);
    if (have_ < kFrameHeaderSize) break;
    have_ = 0;
    frame_.length = uint32_t{header_[0]} << 16 | uint32_t{header_[1]} << 8 | header_[2];
    frame_.type = static_cast<FrameType>(header_[3]);
    frame_.flags = header_[4];
    frame_.stream = (uint32_t{header_[5]} << 24 | uint32_t{header_[6]} << 16 |
                     uint32_t{header_[7]} << 8 | header_[8]) &
                    0x7fffffffU;
    payload_ = frame_.length;
    violation = guard_.on_frame(frame_, is_live, context);
    if (violation) return begin;
    if (frame_.type == FrameType::kData || frame_.type == FrameType::kHeaders ||
        frame_.type == FrameType::kContinuation) {
      padding_due_ =
          frame_.has(kFlagPadded) && frame_.type != FrameType::kContinuation && payload_ > 0;
      if (!padding_due_) violation = guard_.on_content(frame_, payload_);
      if (violation) return begin;
    }
  }
  return at;
}

}  // namespace weir::http::h2

// The parts of the probe guest: probe.cc has the callbacks, probe_run.cc the directives and the report, probe_host.cc the
// actions that call the host, probe_grpc.cc those on gRPC calls and their callbacks, probe_store.cc those on shared data and metrics, probe_wasi.cc those that call WASI and those that break things.
#pragma once

#include "raw_abi.h"

namespace probe {

using ::Text;

// What happens to the stream when its callout is answered.
enum class AfterCall : uint32_t { kNothing, kResume, kReply };

constexpr uint32_t kMaxGrpcCalls = 8;

struct Context {
  uint32_t id = 0;
  uint32_t parent = 0;
  Context* next = nullptr;
  Text directives{};
  Builder<8192> report{};  // one line an item
  uint32_t call_id = 0;
  AfterCall after_call = AfterCall::kNothing;
  bool resume_on_tick = false;
  uint32_t resume_type = 0;
  uint32_t grpc_ids[kMaxGrpcCalls] = {};  // the last ones
  uint32_t grpc_count = 0;
};

// One callback under way.
struct Call {
  Context* context;
  Text where;
  uint32_t size;    // the callback's count or size
  uint32_t end;     // its end_of_stream
  uint32_t result;  // what it will return

  bool is_response() const { return where.starts_with("response"); }
  // The map, buffer and stream that belong to this callback.
  uint32_t map() const {
    return (is_response() ? 2 : 0) +
           (where == "request_trailers" || where == "response_trailers" ? 1 : 0);
  }
  uint32_t buffer() const { return where == "http_call_response" ? 4 : is_response() ? 1 : 0; }
  uint32_t stream() const { return is_response() ? 1 : 0; }
};

// One directive, split: `name@target|a|b|c`.
struct Action {
  Text name;
  uint32_t target;  // number after @, or kNoTarget
  Text arguments;   // all of them
  Text a, b, c, d, e;
};

constexpr uint32_t kNoTarget = 0xFFFFFFFF;

// Streams that this VM has seen: it begins at 0 again in a new VM.
extern uint32_t streams_created;

// The context that has begun this gRPC call.
Context* find_grpc(uint32_t id);
// Runs what the plugin configuration and then the context's own directives say for this callback.
uint32_t run_in(uint32_t context, const Text& where, uint32_t size);

// Runs those of `directives` that are for the callback.
void run_directives(Call& call, Text directives);
// One answer of an action, for log and header.
void report(Call& call, const Action& action, const Text& answer);
void report_status(Call& call, const Action& action, uint32_t status);
// `ok:<escaped text>` or `status:<n>`.
void report_handed(Call& call, const Action& action, uint32_t status, const Handed& handed);
// `ok:<number>` or `status:<n>`.
void report_number(Call& call, const Action& action, uint32_t status, uint64_t number);
// Adds the report to the response head.
void publish(Context& context);
// The callout of `context` has been answered.
void finish_call(Context& context, uint32_t headers, uint32_t size, uint32_t trailers);

// Each false if the action is none of its own.
bool act_on_headers(Call& call, const Action& action);
bool act_on_body(Call& call, const Action& action);
bool act_on_stream(Call& call, const Action& action);
bool act_on_store(Call& call, const Action& action);
bool act_on_metrics(Call& call, const Action& action);
bool act_on_grpc(Call& call, const Action& action);
bool act_on_host(Call& call, const Action& action);
bool act_on_wasi(Call& call, const Action& action);
bool act_badly(Call& call, const Action& action);

}  // namespace probe

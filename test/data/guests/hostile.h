// The parts of the hostile guest: hostile.cc has the callbacks and the score, hostile_cases.cc the cases with their expected
// answers, hostile_fuzz.cc the random calls.
#pragma once

#include "raw_abi.h"

namespace hostile {

// Statuses as bits, for cases that have more than one right answer.
enum Allowed : uint32_t {
  kOk = 1U << 0,
  kNotFound = 1U << 1,
  kBadArgument = 1U << 2,
  kSerialization = 1U << 3,
  kParse = 1U << 4,
  kMemory = 1U << 6,
  kCasMismatch = 1U << 8,
  kInternal = 1U << 10,
};

constexpr Address kWild = 0xFFFFFFF0;  // beyond any memory, and overflowing with a size above 15
constexpr uint32_t kHuge = 0xFFFFFFFF;

extern char scratch[4096];
extern uint32_t self_id;

inline Address out() { return address_of(scratch + 2048); }
inline Address out2() { return address_of(scratch + 2064); }
inline Address out3() { return address_of(scratch + 2080); }

// The first address that is not memory.
Address beyond();
bool wants(const Text& group);
void expect(const Text& name, uint32_t status, uint32_t allowed);

void cases_of_log();
void cases_of_properties();
void cases_of_streams();
void cases_of_shared();
void cases_of_headers();
void cases_of_buffers();
void cases_of_callouts();
void cases_of_higress();
void cases_of_metrics();
void cases_of_wasi();
void fuzz(uint32_t seed, uint32_t count);

}  // namespace hostile

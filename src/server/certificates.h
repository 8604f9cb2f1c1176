// The certificates of a configuration, for people and for alarms.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"
#include "config/loader.h"

namespace weir::server {

/// GET /certs, in Envoy's form: one entry per TLS context, with what it trusts and what it shows.
std::string certificates_json(const config::Configuration* configuration,
                              base::SystemClockTime now);
/// Of all that are shown or trusted; 2^32-1 without any, as Envoy has it. 0: one has expired, or will today.
int64_t days_until_first_expiry(const config::Configuration* configuration,
                                base::SystemClockTime now);

}  // namespace weir::server

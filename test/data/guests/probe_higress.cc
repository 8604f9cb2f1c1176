// The probe guest with Higress' marker: "stop" from a headers callback holds the head alone.
#include "raw_abi.h"

WEIR_EXPORT(proxy_abi_version_0_2_100) void probe_abi_version() {}

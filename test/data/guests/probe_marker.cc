// The ABI of the probe guest.
#include "raw_abi.h"

WEIR_EXPORT(proxy_abi_version_0_2_1) void probe_abi_version() {}

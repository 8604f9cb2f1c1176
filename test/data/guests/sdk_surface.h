// The guest sdk_surface: sources as filters for the public C++ SDK are written, using all that it offers. What they find wrong is
// counted and told in headers.
#pragma once

#include <string>
#include <string_view>

#include "proxy_wasm_intrinsics.h"

// Counts what was looked at, and lists what was not as it should be.
struct Checks {
  int done = 0;
  std::string failed;
  void that(bool good, std::string_view what) {
    ++done;
    if (good) return;
    if (!failed.empty()) failed += ",";
    failed += std::string(what);
  }
  std::string text() const { return "checks=" + std::to_string(done) + " failed=" + failed; }
};

void check_values(Checks& checks);
void check_stores(Checks& checks);
void check_metrics(Checks& checks);
void check_properties(Checks& checks);
void check_headers(Checks& checks);

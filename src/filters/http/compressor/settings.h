// CompressorSettings: the Compressor message and its per-route form.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <weir/config_view.h>
#include <weir/header_map.h>

#include "filters/http/compression/codec.h"

namespace weir::filters {

/// What holds for both directions.
struct CompressorDirection {
  bool enabled = true;
  uint64_t min_content_length = 30;
  std::vector<std::string> content_types;  // lower case, sorted
  /// True if the message's content-type is one of them, or if it has none.
  bool takes_type(const HeaderMap& headers) const;
};

struct CompressorSettings {
  std::shared_ptr<const CompressorLibrary> library;  // null after an error
  CompressorDirection request, response;
  std::vector<int> uncompressible_response_codes;
  bool disable_on_etag_header = false;
  bool weaken_etag_on_compress = false;
  bool remove_accept_encoding_header = false;
  bool status_header_enabled = false;
  bool choose_first = false;
  bool has_response_config = false;  // response_direction_config is there: names of statistics
};

struct CompressorRoute {
  bool disabled = false;
  bool enables_response = false;
  std::optional<bool> remove_accept_encoding_header;
  std::shared_ptr<const CompressorLibrary> library;  // null: the filter's
};

CompressorSettings read_compressor(ConfigView& config);
std::shared_ptr<const CompressorRoute> read_compressor_route(ConfigView& config);

}  // namespace weir::filters

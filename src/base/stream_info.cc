#include <weir/stream_info.h>

#include <array>

namespace weir {

namespace {
constexpr std::array<std::string_view, static_cast<size_t>(ResponseFlag::kCount_)> kFlagNames = {
    "LH",   "UH",   "UT",   "LR",   "UR", "UF",  "UC", "UO", "NR",  "DI",
    "FI",   "RL",   "UAEX", "RLSE", "DC", "URX", "SI", "IH", "DPE", "UMSDR",
    "RFCF", "NFCF", "DT",   "UPE",  "NC", "OM",  "DF", "DO", "DR",  "UDO"};
static_assert(kFlagNames.back() == "UDO");
}  // namespace

std::string_view response_flag_name(ResponseFlag flag) noexcept {
  return flag < ResponseFlag::kCount_ ? kFlagNames[static_cast<size_t>(flag)]
                                      : std::string_view("-");
}

std::string response_flags_text(uint32_t flags) {
  std::string text;
  for (size_t i = 0; i < kFlagNames.size(); ++i) {
    if ((flags & (1u << i)) == 0) continue;
    if (!text.empty()) text += ',';
    text += kFlagNames[i];
  }
  return text;
}

}  // namespace weir

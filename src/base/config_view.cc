#include <weir/config_view.h>

#include "base/strings.h"

namespace weir {
namespace {

std::string quoted_list(std::initializer_list<std::string_view> names) {
  std::string out;
  for (std::string_view name : names) {
    if (!out.empty()) out += ", ";
    out += base::quote(name);
  }
  return out;
}

}  // namespace

void ConfigView::missing(std::string_view field) {
  error({}, "the required field " + base::quote(field) + " is missing");
}

std::string ConfigView::required_text(std::string_view field) {
  std::string value = text(field, {});
  if (!value.empty()) return value;
  // A value that is no text has been reported by text().
  const std::optional<std::string> found = json(field);
  if (!found || *found == "\"\"") missing(field);
  return value;
}

std::unique_ptr<ConfigView> ConfigView::required_message(std::string_view field) {
  if (!has(field)) missing(field);
  return message(field);
}

std::string_view ConfigView::one_of(std::initializer_list<std::string_view> fields,
                                    Required required) {
  std::string_view found;
  for (std::string_view field : fields) {
    if (!has(field)) continue;
    if (found.empty()) {
      found = field;
    } else {
      error(field, "only one of " + quoted_list(fields) + " can be given");
    }
  }
  if (!found.empty() || required == Required::kNo) return found;
  if (fields.size() == 1) {
    missing(*fields.begin());
  } else {
    error({}, "one of " + quoted_list(fields) + " is required");
  }
  return found;
}

}  // namespace weir

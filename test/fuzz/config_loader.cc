// The loader with any text: errors, never a crash, and always one or the other.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/loader.h"
#include "stats/store.h"

namespace {

using namespace weir;

class Factory final : public HttpFilterFactory {
 public:
  explicit Factory(bool terminal) : terminal_(terminal) {}
  std::unique_ptr<HttpFilter> create(unsigned) const override { return nullptr; }
  bool terminal() const noexcept override { return terminal_; }
  std::shared_ptr<const void> make_route_config(ConfigView& config) const override {
    return std::make_shared<const std::string>(config.text("label"));
  }

 private:
  bool terminal_;
};

std::shared_ptr<const HttpFilterFactory> make_router(ConfigView&, FactoryContext&) {
  return std::make_shared<const Factory>(true);
}

// Asks for every kind of value. Data sources are left alone: a text must not choose files of this machine.
std::shared_ptr<const HttpFilterFactory> make_any(ConfigView& view, FactoryContext&) {
  view.integer("integer", 0, -5, 5);
  view.number("number", 0);
  view.duration("duration", {});
  view.enumeration("enumeration", {"A", "B"}, 0);
  view.texts("texts");
  view.json("json");
  for (auto& message : view.messages("messages")) message->boolean("boolean", false);
  if (auto map = view.message("map")) {
    for (const std::string& key : map->keys()) map->text(key);
  }
  if (view.failed()) return nullptr;
  return std::make_shared<const Factory>(false);
}

class NoHost final : public router::FilterHost {
 public:
  upstream::WorkerClusters& clusters(unsigned) override { std::abort(); }
  weir::event::Loop& loop(unsigned) override { std::abort(); }
  unsigned workers() const noexcept override { return 1; }
  wasm::Host* wasm() override { return nullptr; }
  bool health_check_failed() const noexcept override { return false; }
};

struct Fixture {
  Fixture() {
    registry.add_http("envoy.extensions.filters.http.router.v3.Router", &make_router);
    registry.add_http("x.Any", &make_any);
  }
  FilterRegistry registry;
  stats::Store stats{2};
  NoHost host;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Fixture fixture;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (text.find("filename") != std::string::npos) return 0;
  config::LoadContext context{fixture.registry, fixture.stats, fixture.host};
  const config::LoadResult result = config::load_text(text, "fuzz.yaml", context);
  if ((result.configuration == nullptr) == result.diagnostics.empty()) std::abort();
  return 0;
}

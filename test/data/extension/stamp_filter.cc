// A filter as somebody writes it outside weir's tree: it sets one response header, counts what it stamped, and reads its
// text from the configuration.
#include <memory>
#include <string>

#include <weir/filter_registry.h>

namespace {

class StampFilter final : public weir::HttpFilter {
 public:
  StampFilter(const std::string& text, weir::Counter& stamped) : text_(text), stamped_(stamped) {}

  weir::Flow on_response_head(weir::ResponseHead& head, weir::EndStream) override {
    head.headers.set("x-stamp", text_);
    stamped_.inc();
    return weir::Flow::kContinue;
  }

 private:
  const std::string& text_;
  weir::Counter& stamped_;
};

class StampFactory final : public weir::HttpFilterFactory {
 public:
  StampFactory(std::string text, weir::Counter& stamped)
      : text_(std::move(text)), stamped_(stamped) {}

  std::unique_ptr<weir::HttpFilter> create(unsigned) const override {
    return std::make_unique<StampFilter>(text_, stamped_);
  }

 private:
  const std::string text_;
  weir::Counter& stamped_;
};

std::shared_ptr<const weir::HttpFilterFactory> make_stamp(weir::ConfigView& config,
                                                          weir::FactoryContext& context) {
  return std::make_shared<const StampFactory>(config.text("text", "stamped"),
                                              context.stats.counter("stamp.stamped"));
}

}  // namespace

void register_stamp(weir::FilterRegistry& registry) {
  registry.add_http("example.filters.http.stamp.v1.Stamp", &make_stamp);
}

// What the log says of an edit.
#include <gtest/gtest.h>

#include "proxy/listener_options.h"
#include "server/snapshot.h"
#include "upstream/options.h"

namespace weir::server {
namespace {

/// Listeners by name, text and frame.
struct Named {
  std::string name, text, frame;
};

config::Configuration configuration(const std::vector<Named>& listeners,
                                    const std::vector<Named>& clusters = {}) {
  config::Configuration out;
  for (const Named& each : listeners) {
    auto options = std::make_shared<proxy::ListenerOptions>();
    options->name = each.name;
    out.listeners.push_back(std::move(options));
    out.listener_texts.push_back(each.text);
    out.listener_frames.push_back(each.frame);
  }
  for (const Named& each : clusters) {
    auto options = std::make_shared<upstream::ClusterOptions>();
    options->name = each.name;
    out.clusters.push_back(std::move(options));
    out.cluster_texts.push_back(each.text);
  }
  return out;
}

TEST(Difference, CountsWhatIsNewGoneAndChanged) {
  const Difference found = difference(
      configuration({{"a", "1", "f"}, {"b", "1", "f"}}, {{"x", "1", ""}, {"y", "1", ""}}),
      configuration({{"b", "2", "g"}, {"c", "1", "f"}}, {{"x", "1", ""}, {"y", "2", ""}}));
  EXPECT_EQ(found.to_string(),
            "1 listener added, 1 listener changed, 1 listener removed, 1 cluster changed");
  EXPECT_FALSE(found.nothing());
  const auto same = configuration({{"a", "1", "f"}, {"b", "2", "g"}});
  const auto turned = configuration({{"b", "2", "g"}, {"a", "1", "f"}});
  EXPECT_TRUE(difference(same, turned).nothing());  // order is no change
  EXPECT_TRUE(difference(same, same).nothing());
  EXPECT_EQ(difference(same, same).to_string(), "nothing changed");
}

TEST(Difference, ASwappedFilterIsNoChangedListener) {
  Difference found = difference(configuration({{"a", "1", "f"}, {"b", "1", "f"}}),
                                configuration({{"a", "2", "f"}, {"b", "2", "f"}}));
  EXPECT_FALSE(found.nothing());
  // A file that some native filter reads has changed, not a plugin.
  EXPECT_EQ(found.to_string(), "2 listeners changed");
  found.plugins_swapped = 1;
  EXPECT_EQ(found.to_string(), "1 filter swapped");
  found.listeners_changed = 1;
  EXPECT_EQ(found.to_string(), "1 filter swapped, 1 listener changed");
}

TEST(Difference, SaysWhatChangedInWords) {
  Difference difference;
  EXPECT_TRUE(difference.nothing());
  EXPECT_EQ(difference.to_string(), "nothing changed");
  difference.plugins_swapped = 1;
  EXPECT_FALSE(difference.nothing());
  EXPECT_EQ(difference.to_string(), "1 filter swapped");
  difference.listeners_changed = 2;
  difference.clusters_added = 1;
  EXPECT_EQ(difference.to_string(), "1 filter swapped, 2 listeners changed, 1 cluster added");
  difference = {
      .listeners_added = 1, .listeners_removed = 3, .clusters_changed = 1, .clusters_removed = 2};
  EXPECT_EQ(difference.to_string(),
            "1 listener added, 3 listeners removed, 1 cluster changed, 2 clusters removed");
}

TEST(Difference, StandsInTheLineOfTheGeneration) {
  using std::chrono::milliseconds;
  EXPECT_EQ(serving_text(1, std::nullopt, milliseconds(9)), "generation 1 serving (9 ms)");
  EXPECT_EQ(
      serving_text(2, Difference{.listeners_changed = 1, .plugins_swapped = 1}, milliseconds(14)),
      "generation 2 serving (1 filter swapped, 1 listener changed, 14 ms)");
  EXPECT_EQ(serving_text(3, Difference(), milliseconds(0)),
            "generation 3 serving (nothing changed, 0 ms)");
}

}  // namespace
}  // namespace weir::server

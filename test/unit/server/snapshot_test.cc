#include "server/snapshot.h"

#include <gtest/gtest.h>

namespace weir::server {
namespace {

net::Address ip(std::string_view text, uint16_t port) {
  return net::Address::ip(text, port).value();
}
net::Address pipe(std::string_view path) { return net::Address::pipe(path).value(); }

// ---- overlap ----------------------------------------------------------------------------------------

TEST(Overlap, SameAddressOrAWildcardOfThePort) {
  EXPECT_TRUE(overlap(ip("127.0.0.1", 80), ip("127.0.0.1", 80)));
  EXPECT_TRUE(overlap(ip("0.0.0.0", 80), ip("127.0.0.1", 80)));
  EXPECT_TRUE(overlap(ip("127.0.0.1", 80), ip("0.0.0.0", 80)));
  EXPECT_TRUE(overlap(ip("::", 80), ip("127.0.0.1", 80)));
  EXPECT_TRUE(overlap(ip("::1", 80), ip("::", 80)));
  EXPECT_FALSE(overlap(ip("127.0.0.1", 80), ip("127.0.0.1", 81)));
  EXPECT_FALSE(overlap(ip("127.0.0.1", 80), ip("127.0.0.2", 80)));
  EXPECT_FALSE(overlap(ip("0.0.0.0", 80), ip("127.0.0.1", 81)));
}

TEST(Overlap, UnixSocketsOverlapThemselvesOnly) {
  EXPECT_TRUE(overlap(pipe("/a"), pipe("/a")));
  EXPECT_FALSE(overlap(pipe("/a"), pipe("/b")));
  EXPECT_FALSE(overlap(pipe("/a"), ip("0.0.0.0", 0)));
  EXPECT_FALSE(overlap(ip("0.0.0.0", 0), pipe("/a")));
}

// ---- socket_key -------------------------------------------------------------------------------------

proxy::ListenerOptions listener(net::Address address, std::string name = "l") {
  proxy::ListenerOptions options;
  options.name = std::move(name);
  options.address = address;
  return options;
}

TEST(SocketKey, IsTheAddress) {
  const auto key = [](net::Address address, std::string name = "l") {
    return socket_key(listener(address, std::move(name)));
  };
  EXPECT_EQ(key(ip("127.0.0.1", 80)), key(ip("127.0.0.1", 80), "renamed"));
  EXPECT_NE(key(ip("127.0.0.1", 80)), key(ip("127.0.0.1", 81)));
  EXPECT_NE(key(ip("127.0.0.1", 80)), key(ip("127.0.0.2", 80)));
  EXPECT_NE(key(ip("::1", 80)), key(ip("127.0.0.1", 80)));
  EXPECT_NE(key(pipe("/a")), key(pipe("/b")));
  EXPECT_EQ(key(pipe("/a")), key(pipe("/a"), "renamed"));
}

TEST(SocketKey, PortsOfTheKernelsChoiceBelongToNames) {
  EXPECT_NE(socket_key(listener(ip("127.0.0.1", 0), "a")),
            socket_key(listener(ip("127.0.0.1", 0), "b")));
  EXPECT_EQ(socket_key(listener(ip("127.0.0.1", 0), "a")),
            socket_key(listener(ip("127.0.0.1", 0), "a")));
}

TEST(SocketKey, OptionsOfTheBindMakeAnotherSocket) {
  const proxy::ListenerOptions plain = listener(ip("::", 80));
  std::vector<std::string> keys{socket_key(plain)};
  for (bool net::SocketOptions::*option :
       {&net::SocketOptions::reuse_port, &net::SocketOptions::ipv4_compat,
        &net::SocketOptions::freebind}) {
    proxy::ListenerOptions other = plain;
    other.socket.*option = !(plain.socket.*option);
    for (const std::string& key : keys) EXPECT_NE(socket_key(other), key);
    keys.push_back(socket_key(other));
  }
}

TEST(SocketKey, WhatIsChangedInPlaceDoesNotCount) {
  proxy::ListenerOptions backlog = listener(ip("127.0.0.1", 80));
  const std::string key = socket_key(backlog);
  backlog.socket.backlog = 7;
  backlog.traffic_direction = "INBOUND";
  EXPECT_EQ(socket_key(backlog), key);
  proxy::ListenerOptions mode = listener(pipe("/a"));
  const std::string unix_key = socket_key(mode);
  mode.socket.unix_mode = 0600;
  mode.socket.reuse_port = !mode.socket.reuse_port;
  EXPECT_EQ(socket_key(mode), unix_key);
}

// ---- difference -------------------------------------------------------------------------------------

struct Named {
  const char* name;
  const char* text;
};

config::Configuration configuration(const std::vector<Named>& listeners,
                                    const std::vector<Named>& clusters) {
  config::Configuration out;
  for (const Named& each : listeners) {
    proxy::ListenerOptions options;
    options.name = each.name;
    out.listeners.push_back(std::make_shared<const proxy::ListenerOptions>(std::move(options)));
    out.listener_texts.emplace_back(each.text);
  }
  for (const Named& each : clusters) {
    upstream::ClusterOptions options;
    options.name = each.name;
    out.clusters.push_back(std::make_shared<const upstream::ClusterOptions>(std::move(options)));
    out.cluster_texts.emplace_back(each.text);
  }
  return out;
}

TEST(Difference, OfTheSameIsNothing) {
  const auto same = configuration({{"a", "1"}, {"b", "2"}}, {{"c", "3"}});
  const auto swapped = configuration({{"b", "2"}, {"a", "1"}}, {{"c", "3"}});
  EXPECT_TRUE(difference(same, same).nothing());
  EXPECT_TRUE(difference(same, swapped).nothing()) << "order is no change";
  EXPECT_EQ(difference(same, same).to_string(), "nothing changed");
}

TEST(Difference, CountsEachKind) {
  const auto before = configuration({{"kept", "1"}, {"edited", "1"}, {"gone", "1"}},
                                    {{"edited", "1"}, {"gone one", "1"}, {"gone two", "1"}});
  const auto after = configuration({{"edited", "2"}, {"kept", "1"}, {"new", "1"}, {"newer", "1"}},
                                   {{"edited", "2"}, {"new", "1"}});
  const Difference found = difference(before, after);
  EXPECT_FALSE(found.nothing());
  EXPECT_EQ(found.to_string(),
            "2 listeners added, 1 listener changed, 1 listener removed, "
            "1 cluster added, 1 cluster changed, 2 clusters removed");
  EXPECT_EQ(difference(after, before).to_string(),
            "1 listener added, 1 listener changed, 2 listeners removed, "
            "2 clusters added, 1 cluster changed, 1 cluster removed");
}

TEST(Difference, ANewNameIsOneAddedAndOneRemoved) {
  const Difference found =
      difference(configuration({{"a", "1"}}, {}), configuration({{"b", "1"}}, {}));
  EXPECT_EQ(found.to_string(), "1 listener added, 1 listener removed");
}

TEST(Difference, SwappedFiltersComeFirst) {
  Difference found = difference(configuration({{"a", "1"}}, {}), configuration({{"a", "2"}}, {}));
  found.plugins_swapped = 1;
  EXPECT_EQ(found.to_string(), "1 filter swapped, 1 listener changed");
  Difference swapped;
  swapped.plugins_swapped = 2;
  EXPECT_FALSE(swapped.nothing());
  EXPECT_EQ(swapped.to_string(), "2 filters swapped");
}

}  // namespace
}  // namespace weir::server

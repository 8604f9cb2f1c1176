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

}  // namespace
}  // namespace weir::server

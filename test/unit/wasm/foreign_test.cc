// Foreign functions, and the embedder's.
#include <gtest/gtest.h>

#include "unit/wasm/fake_guest.h"
#include "unit/wasm/privacy_maker.h"
#include "wasm/abi/abi.h"
#include "wasm/cel/tree.h"
#include "wasm/embedder.h"
#include "wasm/filter_state.h"
#include "wasm/property.h"

namespace weir::wasm {
namespace {

struct Answer {
  Status status;
  std::string result;
};

Answer foreign(FakeGuest& guest, std::string_view name, std::string_view argument) {
  constexpr Value kName = 1024, kArgument = 2048, kPointer = 512, kSize = 520;
  GuestMemory memory = guest.vm->memory();
  memory.write(kName, name);
  memory.write(kArgument, argument);
  memory.store<uint32_t>(kSize, 0);
  const Value args[] = {kName, name.size(), kArgument, argument.size(), kPointer, kSize};
  Answer out;
  out.status = abi::call_foreign_function(*guest.vm, args);
  const auto at = memory.load<uint32_t>(kPointer);
  const auto size = memory.load<uint32_t>(kSize);
  out.result = std::string(*memory.view(*at, *size));
  return out;
}

std::string field(unsigned number, std::string_view bytes) {
  std::string out;
  append_proto_field(out, number, bytes);
  return out;
}
std::string field(unsigned number, unsigned value) {
  return {static_cast<char>(number << 3), static_cast<char>(value)};
}

Status set(FakeGuest& guest, std::string_view path, std::string_view value) {
  GuestMemory memory = guest.vm->memory();
  memory.write(1024, path);
  memory.write(2048, value);
  const Value args[] = {1024, path.size(), 2048, value.size()};
  return abi::set_property(*guest.vm, args);
}

TEST(Foreign, CompressesAndSigns) {
  FakeGuest guest;
  guest.in_stream([&] {
    if (guest.vm->restricted()) return;  // its allocator, which gives one address
    const Answer packed = foreign(guest, "compress", "a text");
    EXPECT_EQ(packed.status, Status::kOk);
    EXPECT_EQ(foreign(guest, "uncompress", packed.result).result, "a text");
    EXPECT_EQ(foreign(guest, "uncompress", "no").status, Status::kSerializationFailure);
    const Answer bad = foreign(guest, "sign", field(1, "md5") + field(3, "text"));
    EXPECT_EQ(bad.status, Status::kOk);
    EXPECT_EQ(bad.result, field(3, "md5 is not supported."));
    const Answer unsigned_text = foreign(guest, "verify_signature", field(1, "sha256"));
    EXPECT_EQ(unsigned_text.result, field(2, "The public key cannot be read."));
    EXPECT_EQ(foreign(guest, "sign", "\x0a\x7f").status, Status::kBadArgument);
  });
}

TEST(Foreign, UnknownNamesAreNotFound) {
  FakeGuest guest;
  guest.in_root([&] { EXPECT_EQ(foreign(guest, "resolve_lua", "").status, Status::kNotFound); });
}

TEST(Foreign, DeclaredPropertiesAreWrittenOnce) {
  FakeGuest guest;
  guest.in_stream([&] {
    const std::string once = field(1, "once") + field(2, 1);
    EXPECT_EQ(foreign(guest, "declare_property", once).status, Status::kOk);
    EXPECT_EQ(foreign(guest, "declare_property", once).status, Status::kBadArgument);
    EXPECT_EQ(foreign(guest, "declare_property", field(1, "often") + field(3, 1)).status,
              Status::kOk);
    for (const std::string& bad : {std::string(), field(1, "a") + field(3, 4),
                                   field(1, "a") + field(5, 3), field(1, "a") + "\x12\x7f"})
      EXPECT_EQ(foreign(guest, "declare_property", bad).status, Status::kBadArgument);
    EXPECT_EQ(set(guest, "once", "1"), Status::kOk);
    EXPECT_EQ(set(guest, "once", "2"), Status::kBadArgument);
    EXPECT_EQ(set(guest, "often", "1"), Status::kOk);
    EXPECT_EQ(set(guest, "often", "2"), Status::kOk);
  });
  EXPECT_EQ(*guest.callbacks.stream_info().filter_state("wasm.once"), "1");
  EXPECT_EQ(*guest.callbacks.stream_info().filter_state("wasm.often"), "2");
}

TEST(Foreign, AReadOnlyPropertyStaysWhoeverWritesItAndHow) {
  FakeGuest guest;
  FakeGuest other;  // of another plugin, on the same stream
  const auto write = [](FakeGuest& by, std::string_view path, std::string_view value) {
    return foreign(by, "set_envoy_filter_state", field(1, path) + field(2, value)).status;
  };
  guest.in_stream([&] {
    foreign(guest, "declare_property", field(1, "once") + field(2, 1));
    foreign(guest, "declare_property", field(1, "second") + field(2, 1));
    EXPECT_EQ(set(guest, "once", "1"), Status::kOk);
    EXPECT_EQ(write(guest, "wasm.once", "2"), Status::kBadArgument);
    EXPECT_EQ(write(guest, "wasm.second", "1"), Status::kOk);
    EXPECT_EQ(write(guest, "wasm.second", "2"), Status::kBadArgument);
    EXPECT_EQ(set(guest, "second", "3"), Status::kBadArgument);
    EXPECT_EQ(write(guest, "wasm.free", "1"), Status::kOk);
    EXPECT_EQ(write(guest, "wasm.free", "2"), Status::kOk);
  });
  StreamInfo& info = guest.callbacks.stream_info();
  for (const auto& [key, value] : *info.all_filter_state())
    other.callbacks.stream_info().set_filter_state(key, value);
  other.in_stream([&] {
    EXPECT_EQ(set(other, "once", "4"), Status::kBadArgument);
    EXPECT_EQ(write(other, "wasm.second", "4"), Status::kBadArgument);
    EXPECT_EQ(set(other, "free", "3"), Status::kOk);
  });
  EXPECT_EQ(*info.filter_state("wasm.once"), "1");
  EXPECT_EQ(*info.filter_state("wasm.second"), "1");
  EXPECT_EQ(*info.filter_state("wasm.free"), "2");
  std::string all;
  guest.in_stream([&] { read_property(*guest.vm, PropertyPath("filter_state"), all); });
  EXPECT_EQ(all.find("weir."), std::string::npos);
}

TEST(Foreign, AReadOnlyPropertyOfTheConnectionIsNotHiddenByOneOfTheStream) {
  FakeGuest guest;
  ConnectionInfo connection;
  guest.callbacks.stream_info().connection = &connection;
  guest.in_stream([&] {
    foreign(guest, "declare_property", field(1, "mine") + field(2, 1) + field(5, 2));
    EXPECT_EQ(set(guest, "mine", "x"), Status::kOk);
    EXPECT_EQ(
        foreign(guest, "set_envoy_filter_state", field(1, "wasm.mine") + field(2, "y")).status,
        Status::kBadArgument);
  });
  EXPECT_EQ(connection.extras().filter_state.at("wasm.mine"), "x");
  EXPECT_EQ(guest.callbacks.stream_info().filter_state("wasm.mine"), nullptr);
}

TEST(Foreign, StateOfTheHostsOwnIsNotWritten) {
  FakeGuest guest;
  guest.in_stream([&] {
    for (const char* key :
         {"weir.upstream_override_host", "weir.read_only.wasm.a", "envoy.filters.http.compressor",
          "envoy.tcp_proxy.propagate_response_headers"})
      EXPECT_EQ(foreign(guest, "set_envoy_filter_state", field(1, key) + field(2, "x")).status,
                Status::kNotFound)
          << key;
    EXPECT_EQ(foreign(guest, "set_envoy_filter_state",
                      field(1, "envoy.tcp_proxy.cluster") + field(2, "x"))
                  .status,
              Status::kOk);
  });
}

TEST(Foreign, TheFirstStateOfAStreamIsBoundedToo) {
  FakeGuest guest;
  guest.in_stream([&] {
    const auto put = [&guest](size_t size) {
      return put_filter_state(*guest.vm, "key", std::string(size, 'x'), StateSpan::kRequest, false);
    };
    EXPECT_EQ(put(kMaxPropertyBytes + 1), Status::kBadArgument);
    EXPECT_EQ(put(kMaxPropertyBytes), Status::kOk);
  });
}

TEST(Foreign, StateOfTheConnectionOutlivesTheStream) {
  FakeGuest guest;
  ConnectionInfo connection;
  guest.callbacks.stream_info().connection = &connection;
  guest.in_stream([&] {
    const std::string value = field(1, "envoy.key") + field(2, "v");
    EXPECT_EQ(foreign(guest, "set_envoy_filter_state", value).status, Status::kOk);
    EXPECT_EQ(foreign(guest, "set_envoy_filter_state",
                      field(1, "of.connection") + field(2, "w") + field(3, 2))
                  .status,
              Status::kOk);
    EXPECT_EQ(foreign(guest, "set_envoy_filter_state", field(3, 9)).status, Status::kBadArgument);
    foreign(guest, "declare_property", field(1, "mine") + field(2, 1) + field(5, 2));
    EXPECT_EQ(set(guest, "mine", "x"), Status::kOk);
    EXPECT_EQ(set(guest, "mine", "y"), Status::kBadArgument);
  });
  EXPECT_EQ(*guest.callbacks.stream_info().filter_state("envoy.key"), "v");
  EXPECT_EQ(connection.extras().filter_state.at("of.connection"), "w");
  EXPECT_EQ(connection.extras().filter_state.at("wasm.mine"), "x");
  guest.in_root([&] {
    EXPECT_EQ(foreign(guest, "set_envoy_filter_state", field(1, "a")).status, Status::kNotFound);
  });
}

std::string token(uint32_t number) { return {reinterpret_cast<const char*>(&number), 4}; }

TEST(Foreign, ExpressionsAreMadeEvaluatedAndDeleted) {
  FakeGuest guest;
  guest.callbacks.request.set_path("/p");
  guest.callbacks.request.headers.add("x-a", "1");
  guest.in_stream([&] {
    if (guest.vm->restricted()) return;  // its allocator
    const Answer made = foreign(guest, "expr_create", "request.path + request.headers['x-a']");
    EXPECT_EQ(made.status, Status::kOk);
    EXPECT_EQ(made.result, token(0));
    EXPECT_EQ(foreign(guest, "expr_create", "1 == 1").result, token(1));
    EXPECT_EQ(foreign(guest, "expr_evaluate", token(0)).result, "/p1");
    EXPECT_EQ(foreign(guest, "expr_evaluate", token(1)).result, "\1");
    guest.callbacks.request.set_path("/q");
    EXPECT_EQ(foreign(guest, "expr_evaluate", token(0)).result, "/q1") << "anew each time";
    EXPECT_EQ(foreign(guest, "expr_delete", token(0)).status, Status::kOk);
    EXPECT_EQ(foreign(guest, "expr_evaluate", token(0)).status, Status::kNotFound);
    EXPECT_EQ(foreign(guest, "expr_delete", token(0)).status, Status::kOk);
    EXPECT_EQ(foreign(guest, "expr_create", "1").result, token(2)) << "no token comes twice";
  });
}

TEST(Foreign, ExpressionsThatAreWrong) {
  FakeGuest guest;
  guest.in_stream([&] {
    if (guest.vm->restricted()) return;  // its allocator
    EXPECT_EQ(foreign(guest, "expr_create", "1 +").status, Status::kBadArgument);
    EXPECT_EQ(foreign(guest, "expr_create", "").status, Status::kBadArgument);
    for (const char* name : {"expr_evaluate", "expr_delete"})
      for (const std::string bad : {"", "abc", "abcde"})
        EXPECT_EQ(foreign(guest, name, bad).status, Status::kBadArgument) << name;
    EXPECT_EQ(foreign(guest, "expr_evaluate", token(7)).status, Status::kNotFound);
    const auto evaluate = [&guest](std::string_view source) {
      return foreign(guest, "expr_evaluate", foreign(guest, "expr_create", source).result).status;
    };
    EXPECT_EQ(evaluate("request.other"), Status::kInternalFailure);
    EXPECT_EQ(evaluate("1 / 0"), Status::kInternalFailure);
    EXPECT_EQ(evaluate("1 / 0 + request.size"), Status::kInternalFailure);
    EXPECT_EQ(evaluate("null"), Status::kSerializationFailure);
  });
}

TEST(Foreign, AttributesOfExpressionsHaveTheirTypes) {
  FakeGuest guest({}, {"n", "c", R"({"a":{"b":[1,true,"t",null]}})", {}, {}, {}});
  StreamInfo& info = guest.callbacks.stream_info();
  info.connection_id = 5;
  info.bytes_received = 7;
  info.start_time = SystemTime(std::chrono::seconds(9));
  info.start = MonotonicTime(std::chrono::seconds(1));
  info.end = MonotonicTime(std::chrono::seconds(3));
  info.set_filter_state("wasm.plain", "p");
  info.set_filter_state("wasm.text", "t");
  guest.callbacks.request.set_path("/p");
  guest.callbacks.request.headers.add("x-a", "1");
  guest.in_stream([&] {
    if (guest.vm->restricted()) return;  // its allocator
    foreign(guest, "declare_property", field(1, "text") + field(3, 1));
    for (const char* holds :
         {"connection.id + 1u == 6u", "request.size + 1 == 8", "request.time == timestamp(9)",
          "request.duration == duration('2s')", "!connection.mtls", "plain == b'p'",
          "text + '' == 't'", "filter_state['wasm.plain'] == b'p'",
          "request.headers['x-a'] + '' == '1'",
          "request.headers.exists(name, name == 'x-a' && request.headers[name] == '1')",
          "node.metadata.a.b.exists(x, x == 't')", "node.metadata.a.b[0] + 0.5 == 1.5",
          "node.metadata.a.b[1]", "node.metadata.a.b[3] == null",
          "node.metadata['a'].b.size() == 4",
          "!has(request.path.more) && !has(node.id.more) && !has(xds.cluster_name.more)"}) {
      const Answer made = foreign(guest, "expr_create", holds);
      EXPECT_EQ(foreign(guest, "expr_evaluate", made.result).result, "\1") << holds;
    }
    const Answer tree = foreign(guest, "expr_create", "true ? node.metadata.a : null");
    std::string message;
    EXPECT_EQ(
        read_property(*guest.vm, PropertyPath(std::string_view("node\0metadata\0a", 15)), message),
        Status::kOk);
    EXPECT_EQ(foreign(guest, "expr_evaluate", tree.result).result, message);
  });
}

TEST(Foreign, ExpressionsAreBounded) {
  FakeGuest guest;
  guest.in_root([&] {
    if (guest.vm->restricted()) return;  // its allocator
    for (size_t i = 0; i < Expressions::kMaxCount; ++i)
      EXPECT_EQ(foreign(guest, "expr_create", "1").status, Status::kOk);
    EXPECT_EQ(foreign(guest, "expr_create", "1").status, Status::kBadArgument);
    EXPECT_EQ(foreign(guest, "expr_delete", token(3)).status, Status::kOk);
    EXPECT_EQ(foreign(guest, "expr_create", "1").status, Status::kOk);
    Expressions all;
    const std::string large = "1" + std::string(16 * 1024 - 1, ' ');
    const size_t bytes = large.size() + sizeof(cel::Node);
    for (size_t i = 0; i < Expressions::kMaxBytes / bytes; ++i) EXPECT_TRUE(all.add(large));
    EXPECT_FALSE(all.add(large));
    all.remove(0);
    EXPECT_TRUE(all.add(large));
    Expressions many;
    std::string wide = "[1";
    for (int i = 0; i < 4000; ++i) wide += ",1";
    size_t kept = 0;
    while (many.add(wide + "]")) ++kept;
    EXPECT_LT(kept, Expressions::kMaxBytes / (4000 * sizeof(cel::Node)) + 1) << "trees count";
    Expressions matching;
    for (size_t i = 0; i < Expressions::kMaxPatterns; ++i)
      EXPECT_TRUE(matching.add("''.matches('a')"));
    EXPECT_FALSE(matching.add("''.matches('a')"));
    EXPECT_TRUE(matching.add("1"));
    matching.remove(0);
    EXPECT_TRUE(matching.add("''.matches('a')"));
  });
}

TEST(Foreign, ExpressionsSeeWhatTheGuestMaySee) {
  Plugin plugin;
  plugin.vm.privacy =
      privacy({{"request_headers", hide({"x-secret"})}, {"properties", mask({"request.method"})}});
  FakeGuest guest(std::move(plugin));
  guest.callbacks.request.set_method("GET");
  guest.callbacks.request.headers.add("x-secret", "s");
  guest.in_stream([&] {
    if (guest.vm->restricted()) return;  // its allocator
    const auto value = [&guest](std::string_view source) {
      const Answer made = foreign(guest, "expr_create", source);
      return foreign(guest, "expr_evaluate", made.result);
    };
    EXPECT_EQ(value("request.headers['x-secret']").status, Status::kInternalFailure);
    EXPECT_EQ(value("'x-secret' in request.headers || has(request.headers['x-secret'].a)").result,
              std::string(1, '\0'));
    EXPECT_EQ(value("request.headers.exists(k, k == 'x-secret')").result, std::string(1, '\0'));
    EXPECT_EQ(value("request.method").result, "***");
    EXPECT_EQ(value("request.method == 'GET'").result, std::string(1, '\0'));
  });
}

TEST(Foreign, HiddenStateIsNotOverwritten) {
  Plugin plugin;
  plugin.vm.privacy = privacy({{"properties", hide({"filter_state.secret"})}});
  FakeGuest guest(std::move(plugin));
  guest.callbacks.stream_info().set_filter_state("secret", "kept");
  guest.in_stream([&] {
    EXPECT_EQ(foreign(guest, "set_envoy_filter_state", field(1, "secret") + field(2, "x")).status,
              Status::kOk);
  });
  EXPECT_EQ(*guest.callbacks.stream_info().filter_state("secret"), "kept");
}

TEST(Foreign, EmbeddersFunctionSeesWhatTheGuestMaySee) {
  HostFunctions own;
  std::string seen;
  own.add_foreign(
      "acme",
      [](void* data, GuestCall& call, std::string_view argument, std::string&) {
        *static_cast<std::string*>(data) = argument;
        std::string value;
        EXPECT_EQ(call.property(std::string_view("request\0method", 14), value),
                  GuestStatus::kNotFound);
        EXPECT_FALSE(call.view(0xffffffff, 2));
        EXPECT_FALSE(call.load<uint64_t>(64 * 1024 - 4));
        EXPECT_FALSE(call.store<uint32_t>(64 * 1024 - 2, 1));
        EXPECT_TRUE(call.store<uint32_t>(8, 7) && call.load<uint32_t>(8) == 7u);
        return GuestStatus::kEmpty;
      },
      &seen);
  Plugin plugin;
  plugin.vm.host_functions = &own;
  plugin.vm.privacy = privacy({{"properties", hide({"request.method"})}});
  FakeGuest guest(std::move(plugin));
  guest.in_stream([&] { EXPECT_EQ(foreign(guest, "acme", "asked").status, Status::kEmpty); });
  EXPECT_EQ(seen, "asked");
}

uint64_t add(void* data, GuestCall&, std::span<const uint64_t> args) {
  return *static_cast<uint64_t*>(data) + args[0] + args[1];
}

TEST(Foreign, EmbeddersImportsAreLinkedByTypeAndCapability) {
  HostFunctions own;
  const GuestSignature signature{{GuestType::kI32, GuestType::kI64}, GuestType::kI64};
  EXPECT_FALSE(own.add_import("env", "add", signature, &add));
  EXPECT_FALSE(own.add_import("wasi_snapshot_preview1", "add", signature, &add));
  EXPECT_TRUE(own.add_import("acme", "add", signature, &add));
  const auto link = [&own](std::string_view type, std::vector<std::string> capabilities = {}) {
    FakeModule module;
    module.import("acme", "add", type);
    return link_imports(module, capabilities, UnknownImports::kRefused, &own);
  };
  EXPECT_EQ(link("iI>I")->front(), &call_embedder);
  EXPECT_EQ(link("iI>I", {"acme.add"})->front(), &call_embedder);
  EXPECT_NE(link("iI>I", {"proxy_log"})->front(), &call_embedder);
  EXPECT_EQ(link("ii>I").error().detail,
            "imports that this host does not have: acme.add (i32, i32) -> i64");
  EXPECT_FALSE(link("iI>i"));
  EXPECT_FALSE(link("iI"));
}

}  // namespace
}  // namespace weir::wasm

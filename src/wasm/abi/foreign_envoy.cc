// Envoy's foreign functions. Arguments and results are messages of source/extensions/common/wasm/ext/*.proto.
#include <cstring>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/signature.h"
#include "base/zlib_bytes.h"
#include "wasm/abi/foreign.h"
#include "wasm/filter_state.h"
#include "wasm/privacy/private_property.h"
#include "wasm/property.h"
#include "wasm/wire_reader.h"

namespace weir::wasm::abi {
namespace {

constexpr std::string_view kTrueInFieldOne("\x08\x01", 2);

/// Fields of a message by number, those that a function knows: the last one of each number counts.
struct Message {
  std::string_view bytes[6];
  uint64_t numbers[6] = {};
};

bool read_message(std::string_view in, Message& out) {
  WireReader reader(in);
  while (reader.next()) {
    for (unsigned field = 1; field < std::size(out.bytes); ++field) {
      out.bytes[field] = reader.bytes(field).value_or(out.bytes[field]);
      out.numbers[field] = reader.number(field).value_or(out.numbers[field]);
    }
  }
  return !reader.bad();
}

base::KeyText key_of(std::string_view der, std::string_view pem) noexcept {
  return pem.empty() ? base::KeyText{base::KeyForm::kDer, der}
                     : base::KeyText{base::KeyForm::kPem, pem};
}

bool is_span(uint64_t number) noexcept {
  return number <= static_cast<uint64_t>(StateSpan::kConnection);
}

/// Tokens of expressions are four bytes.
std::optional<uint32_t> read_token(std::string_view argument) noexcept {
  uint32_t token = 0;
  if (argument.size() != sizeof token) return std::nullopt;
  std::memcpy(&token, argument.data(), sizeof token);
  return token;
}

}  // namespace

Status foreign_compress(Vm&, std::string_view argument, std::string& result) {
  if (argument.size() > kMaxCompressBytes) return Status::kBadArgument;
  result = base::zlib_compress(argument);
  return Status::kOk;
}

Status foreign_uncompress(Vm&, std::string_view argument, std::string& result) {
  if (argument.size() > kMaxUncompressedBytes) return Status::kBadArgument;
  auto plain = base::zlib_uncompress(argument, kMaxUncompressedBytes);
  if (!plain) return Status::kSerializationFailure;
  result = std::move(*plain);
  return Status::kOk;
}

/// {1 hash_function, 2 public_key, 3 signature, 4 text, 5 public_key_pem} -> {1 result, 2 error}
Status foreign_verify_signature(Vm&, std::string_view argument, std::string& result) {
  Message message;
  if (argument.size() > kMaxSignedBytes || !read_message(argument, message))
    return Status::kBadArgument;
  const auto& [_, hash, der, signature, text, pem] = message.bytes;
  if (auto done = base::verify_signature(hash, key_of(der, pem), signature, text); done)
    result = kTrueInFieldOne;
  else
    append_proto_field(result, 2, done.error().detail);
  return Status::kOk;
}

/// {1 hash_function, 2 private_key, 3 text, 4 private_key_pem} -> {1 result, 2 signature, 3 error}
Status foreign_sign(Vm&, std::string_view argument, std::string& result) {
  Message message;
  if (argument.size() > kMaxSignedBytes || !read_message(argument, message))
    return Status::kBadArgument;
  const auto& [_, hash, der, text, pem, unused] = message.bytes;
  if (auto signature = base::sign(hash, key_of(der, pem), text); signature) {
    result = kTrueInFieldOne;
    append_proto_field(result, 2, *signature);
  } else {
    append_proto_field(result, 3, signature.error().detail);
  }
  return Status::kOk;
}

/// {1 path, 2 value, 3 span}
Status foreign_set_filter_state(Vm& vm, std::string_view argument, std::string&) {
  Message message;
  if (!read_message(argument, message)) return Status::kBadArgument;
  const std::string_view path = message.bytes[1];
  const std::string_view value = message.bytes[2];
  if (path.empty() || path.size() > kMaxPathBytes || !is_span(message.numbers[3]))
    return Status::kBadArgument;
  // As Envoy answers for what it cannot make an object of.
  if (is_hosts_own(path)) return Status::kNotFound;
  // What is not seen stays, as with set_property.
  const auto seen = seen_state(vm.privacy(), path, value);
  if (!seen) {
    vm.count_limit(LimitKind::kPrivacy);
    return Status::kOk;
  }
  // A mask written back means the value that it stands for.
  if (vm.privacy() != nullptr && value == kMask && seen_state(vm.privacy(), path, "") == kMask)
    return Status::kOk;
  const std::string prefix = filter_state_key({});
  const DeclaredProperty* declared =
      path.starts_with(prefix) ? vm.root().declared.find(path.substr(prefix.size())) : nullptr;
  return put_filter_state(vm, std::string(path), value, static_cast<StateSpan>(message.numbers[3]),
                          declared != nullptr && declared->read_only);
}

/// {1 name, 2 readonly, 3 type, 4 schema, 5 span}
Status foreign_declare_property(Vm& vm, std::string_view argument, std::string&) {
  constexpr uint64_t kProtobuf = 3;
  Message message;
  if (!read_message(argument, message)) return Status::kBadArgument;
  const std::string_view name = message.bytes[1];
  if (name.empty() || name.size() > kMaxPathBytes || message.numbers[3] > kProtobuf ||
      !is_span(message.numbers[5]))
    return Status::kBadArgument;
  DeclaredProperty property;
  property.read_only = message.numbers[2] != 0;
  property.type = static_cast<uint8_t>(message.numbers[3]);
  property.schema = message.bytes[4];
  property.span = static_cast<StateSpan>(message.numbers[5]);
  return vm.root().declared.add(std::string(name), std::move(property));
}

/// source -> token
Status foreign_expr_create(Vm& vm, std::string_view argument, std::string& result) {
  const auto token = vm.root().expressions.add(argument);
  if (!token) {
    WEIR_LOG(kWasm, kDebug, "an expression is refused",
             {{"plugin", vm.root().plugin().label()}, {"error", token.error().detail}});
    return Status::kBadArgument;
  }
  result.assign(reinterpret_cast<const char*>(&*token), sizeof *token);
  return Status::kOk;
}

/// token -> value, as get_property would give it
Status foreign_expr_evaluate(Vm& vm, std::string_view argument, std::string& result) {
  const auto token = read_token(argument);
  if (!token) return Status::kBadArgument;
  const cel::Node* expression = vm.root().expressions.find(*token);
  return expression != nullptr ? evaluate(vm, *expression, result) : Status::kNotFound;
}

/// token -> ; one that is not there is as good as deleted
Status foreign_expr_delete(Vm& vm, std::string_view argument, std::string&) {
  const auto token = read_token(argument);
  if (!token) return Status::kBadArgument;
  vm.root().expressions.remove(*token);
  return Status::kOk;
}

}  // namespace weir::wasm::abi

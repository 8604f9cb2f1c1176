// Makes HTTP/1 connections. See http/connection.h for the contract.
#pragma once

#include <memory>

#include "http/connection.h"

namespace weir::http::h1 {

/// `out` receives the bytes for the wire and outlives the connection, like `sink`.
std::unique_ptr<ServerConnection> make_server_connection(const CodecOptions& options,
                                                         ServerConnectionSink& sink, Buffer& out);
std::unique_ptr<ClientConnection> make_client_connection(const CodecOptions& options, Buffer& out);

}  // namespace weir::http::h1

// Endpoints: the table of admin paths, and what each answers.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "admin/backend.h"

namespace weir::admin {

struct Request {
  std::string_view method;
  std::string_view path;  // without the query
  std::map<std::string, std::string, std::less<>> query;
};

struct Response {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
  std::string allow{};  // of a 405
};

/// Called once, maybe later (POST /reload waits for the outcome); from the main loop.
using Answer = std::function<void(Response)>;

/// Splits a request target, decoding percent escapes of the query.
Request parse_target(std::string_view method, std::string_view target);

/// Answers one request. Unknown paths: 404 with the list; a wrong method: 405 naming the right one.
void handle(Backend& backend, const Request& request, Answer answer);

/// The page at "/".
std::string index_page(Backend& backend);

}  // namespace weir::admin

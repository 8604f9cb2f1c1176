// weir: reads the command line and runs the server.
#include <malloc.h>

#include <cstdio>
#include <string>
#include <CLI/CLI.hpp>

#include "base/log.h"
#include "server/options.h"
#include "server/server.h"
#include "server/signals.h"

namespace {

using weir::server::Options;

void add_flags(CLI::App& app, Options& options, std::string& mode, unsigned& drain_seconds) {
  app.set_version_flag("--version", std::string("weir ") + weir::server::kVersion);
  app.add_option("-c,--config-path", options.config_path,
                 "configuration file (YAML, Envoy v3 schema)");
  app.add_option("--config-yaml", options.config_yaml,
                 "configuration text, laid over that of the file or instead of one");
  app.add_option("--mode", mode, "serve, or validate: check the configuration and exit")
      ->check(CLI::IsMember({"serve", "validate"}));
  app.add_option("--concurrency", options.concurrency, "worker threads (default: number of cores)");
  const auto keep_level = [&options](const std::string& text) {
    options.log_level = *weir::base::parse_level(text);
  };
  app.add_option_function<std::string>("-l,--log-level", keep_level,
                                       "trace, debug, info, warning, error, critical, off")
      ->check([](const std::string& text) {
        return weir::base::parse_level(text) ? std::string() : "unknown log level " + text;
      });
  const auto keep_component_levels = [&options](const std::string& text) {
    options.component_levels = *weir::base::parse_component_levels(text);
  };
  app.add_option_function<std::string>("--component-log-level", keep_component_levels,
                                       "such as http:debug,wasm:trace")
      ->check([](const std::string& text) {
        const auto levels = weir::base::parse_component_levels(text);
        return levels ? std::string() : levels.error().detail;
      });
  app.add_option("--log-path", options.log_path, "log file (default: stderr)");
  app.add_option("--admin-address-path", options.admin_address_path,
                 "write the admin address to this file");
  app.add_option("--drain-time-s", drain_seconds,
                 "seconds that SIGTERM gives to open connections (20)");
  app.add_option("--wasm-cache", options.wasm_cache,
                 "folder in which fetched Wasm modules are kept (default: in memory alone)");
  app.add_option("--service-cluster", options.service_cluster, "node.cluster");
  app.add_option("--service-node", options.service_node, "node.id");
}

/// What is alive for a moment only (a file that is read, a guest that is compiled) is not kept by each thread's heap. The request
/// path has its own lists and is not slowed down. The threshold for mapping is given because setting the others fixes it low.
void return_memory_early() {
  ::mallopt(M_TRIM_THRESHOLD, 32 * 1024);
  ::mallopt(M_TOP_PAD, 8 * 1024);
  ::mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
}

constexpr int kParsed = -1;

/// kParsed, or the library's exit code: 0 after --help and --version.
int parse(CLI::App& app, int argc, char** argv) {
  CLI11_PARSE(app, argc, argv);
  return kParsed;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::string mode = "serve";
  unsigned drain_seconds = 20;
  CLI::App app("weir: an HTTP and TCP reverse proxy that Proxy-Wasm filters extend");
  add_flags(app, options, mode, drain_seconds);
  CLI::App* validate = app.add_subcommand("validate", "check a configuration and print all errors");
  validate->add_option("file", options.config_path, "configuration file")->required();
  // The library numbers its errors from 100 on; a supervisor expects the one code of a wrong start.
  if (const int code = parse(app, argc, argv); code != kParsed) return code == 0 ? 0 : 1;

  options.drain_time = std::chrono::seconds(drain_seconds);
  if (mode == "validate" || validate->parsed()) options.mode = Options::Mode::kValidate;
  if (options.config_path.empty() && options.config_yaml.empty()) {
    std::fprintf(stderr, "weir: a configuration is needed: -c FILE (see --help)\n");
    return 1;
  }
  return_memory_early();
  weir::server::block_signals();
  weir::server::Server server(std::move(options));
  return server.options().mode == Options::Mode::kValidate ? server.validate() : server.run();
}

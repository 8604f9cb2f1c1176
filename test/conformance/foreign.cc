#include "conformance/foreign.h"

#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test_proxy.h"

namespace weir::test {

Ran run(const std::string& command) {
  Ran ran;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return ran;
  char piece[4096];
  while (const size_t size = std::fread(piece, 1, sizeof piece, pipe))
    ran.output.append(piece, size);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) ran.code = WEXITSTATUS(status);
  return ran;
}

std::string foreign_programs(const std::string& what) {
  const std::string folder = source_path("build/foreign");
  const Ran installed =
      run("'" + source_path("tools/foreign_tests") + "' '" + folder + "' " + what);
  if (!installed.output.empty()) std::printf("%s\n", installed.output.c_str());
  if (installed.code == 0) return folder;
  if (installed.code != 77) throw std::runtime_error("tools/foreign_tests: " + installed.output);
  return {};
}

Background::Background(const std::vector<std::string>& arguments) {
  std::vector<char*> list;
  for (const std::string& each : arguments) list.push_back(const_cast<char*>(each.c_str()));
  list.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::execv(list[0], list.data());
    ::_exit(127);
  }
}

Background::~Background() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace weir::test

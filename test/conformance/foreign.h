// Foreign programs for the conformance tests: tools/foreign_tests installs them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace weir::test {

struct Ran {
  int code = -1;  // of its exit; -1: it could not be run or was killed
  std::string output;
};
/// Runs a shell command to its end.
Ran run(const std::string& command);

/// Where the programs are; empty if they cannot be had here (the reason has been printed): the test is skipped.
std::string foreign_programs(const std::string& what);

/// A program that runs beside the test and is killed with the object.
class Background {
 public:
  explicit Background(const std::vector<std::string>& arguments);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

 private:
  pid_t pid_ = -1;
};

}  // namespace weir::test

#pragma once
// The other side of a format, in Python. tools/interop_python installs it; MINITRAIN_PYTHON names its interpreter.

#include <cstdlib>
#include <filesystem>
#include <string>

#include "support/catch.hpp"

namespace test {

/// The first interpreter that can import all of `modules`, "numpy, onnx": $MINITRAIN_PYTHON, python3, /usr/bin/python3.
/// Says so where there is none, and returns nothing.
inline std::string python_with(const std::string& modules) {
  const char* const chosen = std::getenv("MINITRAIN_PYTHON");
  for (const std::string python : {chosen != nullptr ? chosen : "", "python3", "/usr/bin/python3"}) {
    if (python.empty()) continue;
    if (std::system(("'" + python + "' -c 'import " + modules + "' >/dev/null 2>&1").c_str()) == 0) return python;
  }
  WARN("skipped: no python3 has all of " << modules << ": tools/interop_python says how to get them");
  return {};
}

/// Runs the script that lies beside `test_file`, which is __FILE__, with these arguments. Returns whether its exit
/// status was 0.
template <class... Argument>
bool run_python(const std::string& python, const std::string& test_file, const std::string& script,
                const Argument&... arguments) {
  std::string command = "'" + python + "' '" + (std::filesystem::path(test_file).parent_path() / script).string() + "'";
  for (const std::string& argument : {std::string(arguments)...}) command += " '" + argument + "'";
  return std::system(command.c_str()) == 0;
}

}  // namespace test

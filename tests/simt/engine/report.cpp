// Who did it, and where: addresses are looked up in the debug information by addr2line.

#include "report.hpp"

#include <dlfcn.h>

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace simt {
namespace engine {

std::string text(const char* format, ...) {
  char buffer[400];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

std::string text(Site site) {
  const char* const slash = std::strrchr(site.file, '/');
  return text("%s:%u", slash != nullptr ? slash + 1 : site.file, site.line);
}

std::string text(uint3 v) { return text("(%u,%u,%u)", v.x, v.y, v.z); }

namespace {

// Calls f(function, line) for the function at `code` and those it was inlined into.
template <class F>
void look_up(const char* flags, const void* code, F&& f) {
  Dl_info info{};
  if (dladdr(code, &info) == 0) return;
  const auto offset = reinterpret_cast<std::uintptr_t>(code) - reinterpret_cast<std::uintptr_t>(info.dli_fbase);
  const auto command = text("addr2line %s -e '%s' 0x%zx 2>/dev/null", flags, info.dli_fname, offset);
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return;
  char function[2048] = "", line[512] = "";
  while (std::fgets(function, sizeof function, pipe) != nullptr && std::fgets(line, sizeof line, pipe) != nullptr) {
    function[std::strcspn(function, "\n")] = 0;
    line[std::strcspn(line, " \n")] = 0;
    f(function, line);
  }
  pclose(pipe);
}

}  // namespace

std::string mangled_name(const void* code) {
  std::string name;
  look_up("-f", code, [&](const char* function, const char*) {
    if (name.empty() && function[0] != '?') name = function;
  });
  return name;
}

}  // namespace engine

std::string describe_address(const void* code) {
  std::string out;
  int depth = 0;
  engine::look_up("-C -f -s -i", code, [&](const char* function, const char* line) {
    if (depth++ >= 6) return;
    // Without its parameters: up to the parenthesis that opens them, which is not "(anonymous namespace)".
    std::string name = function;
    const auto open = name.rfind("(anonymous namespace)");
    name.resize(std::min(name.size(), name.find('(', open == std::string::npos ? 0 : open + 1)));
    out += std::string(out.empty() ? "" : " < ") + line + " " + name;
  });
  return out.empty() ? "?" : out;
}

}  // namespace simt

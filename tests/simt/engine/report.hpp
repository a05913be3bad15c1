#pragma once
// Texts for reports.

#include <simt/builtins.hpp>
#include <simt/checker.hpp>
#include <simt/site.hpp>

#include <string>

namespace simt::engine {

[[gnu::format(printf, 1, 2)]] std::string text(const char* format, ...);
std::string text(Site);   // "file.cu:12"
std::string text(uint3);  // "(1,0,0)"

/// The linkage name of the function at `code`, from the debug information; empty when there is none.
std::string mangled_name(const void* code);

}  // namespace simt::engine

#pragma once
// safetensors files: SafetensorsFile reads and verifies one, write_safetensors replaces one.

#include <minitrain/io/safetensors_read.hpp>
#include <minitrain/io/safetensors_write.hpp>

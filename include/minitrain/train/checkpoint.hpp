#pragma once
// Checkpoints: options, a directory of them, a thread that writes them, and signals that ask for one.

#include <minitrain/train/checkpoint_directory.hpp>
#include <minitrain/train/checkpoint_options.hpp>
#include <minitrain/train/checkpoint_writer.hpp>
#include <minitrain/train/interrupt.hpp>
#include <minitrain/train/state_file.hpp>

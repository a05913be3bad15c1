#pragma once
// Everything that reads numbers out of a sweep: spreads, means, lines, curves, intervals.

#include <minitrain/experiment/bootstrap.hpp>
#include <minitrain/experiment/hyperbola.hpp>
#include <minitrain/experiment/line.hpp>
#include <minitrain/experiment/power_law.hpp>
#include <minitrain/experiment/statistics.hpp>

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "core/base/events/diagnostic_event.h"
#include "core/flow/fields.h"
#include "core/objectives/transport_derivative.h"

namespace meanflow::core {

/// `count` steps from `first` to `last`, equally spaced in their logarithm.
std::vector<double> logSpacedSteps(double first = 1e-5, double last = 1e-1, std::int64_t count = 13);

struct DerivativeHealthOptions {
  /// The objective's own; the sweep keeps its clamping of times and replaces its step.
  TransportDerivativeOptions in_use;
  std::vector<double> deltas = logSpacedSteps();  ///< Ascending.
  std::string precision = "fp32";                 ///< Name of the arithmetic that `u` works in.
  double tolerated_factor = 2;                    ///< An error of up to so many times the smallest one is healthy;
  /// and so is one of up to these, whatever the smallest one: far below the noise of a batch. Nothing is gained by a
  /// step in the rounding half, whose error grows with the network and with coarser arithmetic, hence its narrower
  /// bound.
  double negligible_truncation = 1e-2, negligible_rounding = 1e-3;
};

/// Errors of the central difference of du/dt against the JVP over the step delta_t, relative L2 over the whole batch:
/// |difference - JVP| / |JVP|. Truncation makes them rise with delta_t^2 (with delta_t where a clamped time makes the
/// difference one-sided), rounding with 1 / delta_t.
///
/// `u64`, where given, is the same map in float64: it is then the exact derivative's source for both series, and its
/// own errors are those of truncation alone. Otherwise the JVP of `u` stands for the exact derivative.
///
/// Verdict: "healthy" where the error of the step in use is tolerable (see the options) or a JVP is in use, else
/// "rounding" below the step of the smallest error and "truncation" above it. That step, the suggestion, is looked for
/// on averages over neighbours, so that one lucky value does not decide. Where no error is finite there is neither: the
/// verdict is empty, the suggestion 0. Samples of `at` should have r < t. The caller fills stage and step.
base::DerivativeHealthReady measureDerivativeHealth(const FlowMap& u, const TransportPoint& at,
                                                    const DerivativeHealthOptions& options, const FlowMap& u64 = {});

}  // namespace meanflow::core

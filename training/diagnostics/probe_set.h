// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/diagnostics/residual_meter.h"
#include "core/flow/fields.h"
#include "core/models/ddt.h"
#include "core/objectives/transport_derivative.h"
#include "core/objectives/velocity_source.h"

namespace meanflow::training {

class Workspace;

/// What a stage gives for measuring its network between steps (stage_probes.h): the network, what it is held against,
/// and fixed samples with draws of their own, which no training step shares. Labels are never dropped.
struct ProbeSet {
  core::FlowMap u;  ///< The network in training itself, with the weights of the moment.
  /// A copy of it in float64; empty for networks too large to keep one.
  std::function<core::FlowMap()> copyInDouble;
  core::VelocityField teacher;  ///< Guided as in training; empty where the run has none.
  std::string precision;        ///< "fp32" or "tf32".

  // Residuals and derivative: mean_flow alone.
  core::VelocityField oracle;  ///< Over all latents of the training set; empty: these two are not measured.
  core::VelocityField taught;  ///< v_theta of w: the teacher, or the student itself where that takes its place.
  core::VelocitySource velocity = core::VelocitySource::data();  ///< Of the objective.
  core::ResidualProbe samples;                                   ///< Times as the objective draws them.
  core::ResidualProbe jump_samples;                              ///< The first few of them, with r < t in all.
  std::function<core::TransportDerivativeOptions()> derivative;  ///< The objective's, as settings are at the moment.

  // Jump map.
  torch::Tensor z, y;        ///< Noise and labels of the first cells of the live sample grids.
  std::vector<double> grid;  ///< Of the teacher's fine solution; without a teacher there is no map.
};

/// Samples of the sweep over delta_t and paths of the jump map: at most so many of diagnostics.probe_samples, as each
/// takes dozens of evaluations of the network.
inline constexpr std::int64_t kFewProbes = 16;

/// Probes of mean_flow; the task adds its velocity source. Latents of the training set must be there already.
ProbeSet meanFlowProbes(Workspace& workspace, core::DiTwDDTHead student);
/// Probes of cmt and control.
ProbeSet cmtProbes(Workspace& workspace, core::DiTwDDTHead student, core::VelocityField teacher);

}  // namespace meanflow::training

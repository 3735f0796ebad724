// SPDX-License-Identifier: Apache-2.0
//
// What a run says about its own health. Part of TrainingEvent (training_event.h); plain values like all of them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace meanflow::base {

/// One figure of every parameter block. Known ones: "grad_norm" (L2, before clipping), "update_norm" (of what the
/// optimizer added), "param_norm" (after it), "exp_avg_norm" and "exp_avg_sq_norm" (AdamW's moments), "ema_distance"
/// (L2, weights to their average); on probe steps also "activation_rms" (of what the block puts out) and
/// "attention_logit_max". Others may follow; readers show those that they know.
struct BlockFigure {
  std::string name;
  std::vector<float> values;  ///< [n], as BlockFiguresReady::blocks; not finite where the tensor is not.
  bool operator==(const BlockFigure&) const = default;
};
/// Figures of the parameter blocks of the network in training, at one optimizer step.
struct BlockFiguresReady {
  std::string stage;
  std::int64_t step = 0;
  std::vector<std::string> blocks;  ///< [n] names in the order of the network: "x_embedder", "blocks.0", ...
  std::vector<BlockFigure> figures;
};

/// What E|rho(w_eta)|^2 of Proposition 3.1 consists of, before eta weighs it (core/base/metrics/velocity_residuals.h):
/// means over samples and latent entries. With h = u(z_t, r, t), A = (t - r) d_z h - I, rho the residual of the
/// MeanFlow loss, v* = E[eps - x | z_t] the oracle and v_theta the teacher. NaN where not known (no teacher).
struct ResidualTerms {
  double single_point = 0;    ///< E|A (eps - x - v*)|^2
  double teacher_oracle = 0;  ///< E|A (v_theta - v*)|^2
  double oracle_bias = 0;     ///< E|rho(v*)|^2
  double cross = 0;           ///< E<rho(v*), A (v_theta - v*)>
  bool operator==(const ResidualTerms&) const = default;
};
/// The residuals of Proposition 3.1 at one step, overall and by the time t of the interval [r, t].
struct VelocityResidualsReady {
  std::string stage;
  std::int64_t step = 0;
  double eta = 1;  ///< In use: the weight of the teacher in w = (1 - eta)(eps - x) + eta v_theta.
  std::int64_t num_samples = 0;
  ResidualTerms overall;
  std::vector<float> t_edges;       ///< [n + 1], ascending: bin i holds t_edges[i] <= t < t_edges[i + 1].
  std::vector<ResidualTerms> by_t;  ///< [n]; NaN in bins without samples.
};

/// Figures of the samples of one reporting window by their time t and by the length t - r of their interval. Known
/// ones: "count"; means over the bin of "loss" (squared error per latent entry), and of the L2 norms per root of latent
/// entries of the "target", of "du_dt" and of the "teacher" velocity. NaN in bins without samples.
struct TimeFiguresReady {
  std::string stage;
  std::int64_t step = 0;
  std::vector<float> t_edges;       ///< [n + 1] as in VelocityResidualsReady.
  std::vector<BlockFigure> by_t;    ///< [n] each
  std::vector<float> gap_edges;     ///< [m + 1]; empty for objectives without intervals. The first bin is t = r alone.
  std::vector<BlockFigure> by_gap;  ///< [m] each
};

/// The finite difference of du/dt over its step delta_t against the exact derivative (a JVP), on fixed probes: relative
/// L2 errors. Truncation makes it rise with delta_t^2, rounding with 1 / delta_t.
struct DerivativeHealthReady {
  std::string stage;
  std::int64_t step = 0;
  double delta_t = 0;              ///< In use; 0 where the objective takes a JVP.
  double suggested_delta_t = 0;    ///< The one with the smallest error in the precision in use.
  std::string precision;           ///< In use: "fp32", "tf32", "bf16".
  std::string verdict;             ///< "healthy", "rounding" or "truncation": what delta_t in use suffers from.
  std::vector<float> deltas;       ///< [n], ascending.
  std::vector<float> errors;       ///< [n] in the precision in use.
  std::vector<float> errors_fp64;  ///< [n] truncation alone; empty where float64 was not possible.
};

/// Where something went wrong first. Empty and -1: not known, or not of one tensor, block, operation or sample.
struct FaultOrigin {
  std::int64_t step = 0;     ///< Optimizer step it happened in (1 = the first).
  std::string tensor;        ///< Parameter, moment or gradient by its official name, or "activation", "latents".
  std::string block;         ///< As BlockFiguresReady::blocks.
  std::string operation;     ///< "aten::linear", "backward of aten::mm", "optimizer", "data".
  std::int64_t sample = -1;  ///< Of the training set; for CMT the trajectory's number.
  int rank = -1;             ///< The only rank that saw it; -1 when all did.
  bool operator==(const FaultOrigin&) const = default;
};

/// Something left its normal range. Kinds: "non_finite"; "explosion" (beyond what the run's policy bears); as warnings
/// "spike" (robust z-score), "update" (a block's update norm), "moments" (AdamW's second moment fell faster than its
/// decay allows), "derivative" (delta_t in the rounding half).
struct AlarmRaised {
  std::string stage;
  std::int64_t step = 0;  ///< Step it was seen in. With action "skip" the step counts, its update was not applied.
  std::string kind;
  std::string figure;  ///< What left its range: "loss", "grad_norm", "update_norm", a tensor's kind.
  double value = 0, typical = 0, threshold = 0;  ///< Seen, median of the recent past, bound; NaN where not known.
  std::string action;                            ///< "warn", "skip", "roll_back" or "stop".
  FaultOrigin origin;                            ///< As far as known when it was raised.
  std::string text;                              ///< One sentence for a person, with what to do.
};

/// What a replay of the bad step found, after an alarm or on demand.
struct DiagnosisReady {
  std::string stage;
  std::int64_t step = 0;
  std::string kind;  ///< As AlarmRaised::kind; "none" when nothing left its range.
  FaultOrigin origin;
  std::string text;    ///< In words.
  std::string report;  ///< Folder relative to the run folder, with report.md; empty when none was written.
  /// How exact the replay was: largest relative difference of the recorded losses; 0 = to the bit, NaN = not compared.
  double replay_error = 0;
};

/// First event of a run that goes on from a checkpoint of another with other settings.
struct RunBranched {
  std::string parent;  ///< Folder of the run it left.
  std::string stage;   ///< Stage and step it left at: what it records of that stage begins there.
  std::int64_t step = 0;
  std::vector<std::string> changes;  ///< "key: old -> new"
};

}  // namespace meanflow::base

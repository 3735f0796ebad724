// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/base/events/diagnostic_event.h"
#include "core/objectives/loss_terms.h"

namespace meanflow::core {

struct TimeFiguresOptions {
  std::int64_t num_t_bins = 10;    ///< Equal parts of [0, 1].
  std::int64_t num_gap_bins = 10;  ///< Equal parts of (0, 1], behind a first bin for t = r alone.
  std::vector<std::string> names = {"loss", "target", "du_dt", "teacher"};  ///< LossTerms::per_sample that are kept.
};

/// Sums of per-sample figures by time t and by interval length t - r over the steps of a reporting window. add() keeps
/// the tensors, every few steps they are summed up on their device in one go; fetch() is where the host waits.
class TimeFigures {
 public:
  explicit TimeFigures(TimeFiguresOptions options = {});

  /// Terms of one batch; without times or per-sample figures they are passed over. A NaN marks a sample that a figure
  /// is not defined for and does not count; an infinity does. Throws c10::Error for a name that is not kept.
  void add(const LossTerms& terms);
  bool empty() const { return kept_.empty() && !sums_.defined(); }

  /// Means since the last fetch, and starts anew. by_t and by_gap hold "count" (samples), then every figure that any
  /// sample had; by_gap and gap_edges are empty where no interval ends were given. gap_edges[0] = gap_edges[1] = 0 are
  /// the bin t = r, bin i > 0 is gap_edges[i] < t - r <= gap_edges[i + 1] but for rounding. `sum_over_ranks` adds up a
  /// float64 CPU tensor over all ranks, which must then all fetch together. The caller fills stage and step.
  base::TimeFiguresReady fetch(const std::function<void(torch::Tensor&)>& sum_over_ranks = {});

 private:
  /// Figures of a batch, or of several behind one another.
  struct Batch {
    torch::Tensor t, r;
    std::vector<std::int64_t> rows;  ///< Of sums_, one for each of `values`.
    std::vector<torch::Tensor> values;
    bool isLike(const Batch& other) const { return rows == other.rows && r.defined() == other.r.defined(); }
  };
  void sumUp();
  Batch joined() const;

  TimeFiguresOptions options_;
  std::vector<Batch> kept_;  ///< Not summed up yet; all alike.
  /// [2, names + 1, t bins + gap bins] float64: sums, then numbers, of the figures; the last row counts samples.
  torch::Tensor sums_;
};

}  // namespace meanflow::core

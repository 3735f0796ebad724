// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "core/base/run/training_host.h"
#include "core/models/ddt.h"

namespace meanflow::training {

/// The labels of a request's images when some lie between two classes. A network knows classes as rows of its label
/// table; a class in between is one more row, (1 - share) times the one plus share times the other, so that everything
/// that takes labels (guidance, solvers) stays as it is.
struct MixedLabels {
  struct Row {
    std::int64_t from = 0, to = 0;
    double share = 0;
  };
  std::vector<std::int64_t> labels;  ///< One an image; those from `num_rows` on mean rows[label - num_rows].
  std::vector<Row> rows;
};

/// `num_rows`: rows of the network's label table, the null label's among them.
MixedLabels mixedLabels(const base::SampleRequest& request, std::int64_t num_rows);

/// Rows added to a network's label table for as long as this lives; the registered parameter is left alone.
class ExtendedLabelTable {
 public:
  /// Without rows nothing is done. `network` may be empty then.
  ExtendedLabelTable(core::DiTwDDTHead network, const std::vector<MixedLabels::Row>& rows);
  ~ExtendedLabelTable();
  ExtendedLabelTable(const ExtendedLabelTable&) = delete;
  ExtendedLabelTable& operator=(const ExtendedLabelTable&) = delete;

 private:
  core::DiTwDDTHead network_{nullptr};
  torch::Tensor table_;  ///< What was there before.
};

/// Rows of the label table.
std::int64_t numLabelRows(const core::DiTwDDTHead& network);

}  // namespace meanflow::training

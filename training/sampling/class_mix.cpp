// SPDX-License-Identifier: Apache-2.0
#include "training/sampling/class_mix.h"

#include <torch/torch.h>

namespace meanflow::training {

MixedLabels mixedLabels(const base::SampleRequest& request, std::int64_t num_rows) {
  MixedLabels mixed;
  mixed.labels = request.labels;
  for (std::size_t i = 0; i < request.blends.size(); ++i) {
    const auto& blend = request.blends[i];
    auto& label = mixed.labels[i];
    if (blend.label < 0 || blend.label == label || blend.share == 0) continue;
    if (blend.share == 1) {
      label = blend.label;
      continue;
    }
    mixed.rows.push_back({label, blend.label, blend.share});
    label = num_rows + static_cast<std::int64_t>(mixed.rows.size()) - 1;
  }
  return mixed;
}

ExtendedLabelTable::ExtendedLabelTable(core::DiTwDDTHead network, const std::vector<MixedLabels::Row>& rows) {
  if (rows.empty()) return;
  network_ = std::move(network);
  auto& weight = network_->y_embedder->embedding_table->weight;
  table_ = weight;
  std::vector<torch::Tensor> parts = {table_.detach()};
  for (const auto& row : rows)
    parts.push_back(((1 - row.share) * parts[0][row.from] + row.share * parts[0][row.to]).unsqueeze(0));
  weight = torch::cat(parts);
}

ExtendedLabelTable::~ExtendedLabelTable() {
  if (!network_.is_empty()) network_->y_embedder->embedding_table->weight = table_;
}

std::int64_t numLabelRows(const core::DiTwDDTHead& network) {
  return network->y_embedder->embedding_table->weight.size(0);
}

}  // namespace meanflow::training

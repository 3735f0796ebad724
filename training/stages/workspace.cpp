// SPDX-License-Identifier: Apache-2.0
#include "training/stages/workspace.h"

namespace meanflow::training {
namespace {
constexpr std::int64_t kEncodeBatch = 250;
}

Workspace::Workspace(base::RunConfig config, std::shared_ptr<const core::ImageDataset> data, const Worker& worker,
                     RunContext& run)
    : config_(std::move(config)), data_(std::move(data)), worker_(worker), run_(run) {}

std::vector<std::int64_t> pick(const std::vector<std::int64_t>& batch, std::span<const std::int64_t> positions) {
  std::vector<std::int64_t> indices;
  indices.reserve(positions.size());
  for (const auto position : positions) indices.push_back(batch.at(position));
  return indices;
}

torch::Tensor Workspace::trainImages(std::span<const std::int64_t> indices) const {
  const auto rows = torch::tensor(std::vector<std::int64_t>(indices.begin(), indices.end()));
  return core::toUnitRange(data_->train_images.index_select(0, rows).to(device()));
}

torch::Tensor Workspace::trainLabels(std::span<const std::int64_t> indices) const {
  const auto rows = torch::tensor(std::vector<std::int64_t>(indices.begin(), indices.end()));
  return data_->train_labels.index_select(0, rows).to(device());
}

std::vector<std::int64_t> Workspace::labelsOf(std::span<const std::int64_t> indices) const {
  const auto all = data_->train_labels.accessor<std::int64_t, 1>();
  std::vector<std::int64_t> labels;
  for (const auto index : indices) labels.push_back(all[index]);
  return labels;
}

core::RaeCodec& Workspace::codec() {
  if (!codec_) codec_ = loadCodec(config_, run_.folder(), device(), CodecUse::kEncodeAndDecode, run_.if_missing);
  return *codec_;
}

core::DiTwDDTHead Workspace::teacher() {
  if (!teacher_) teacher_ = loadTeacher(config_, run_.folder(), numClasses(), device(), run_.if_missing);
  return teacher_;
}

torch::Tensor Workspace::trainLatents() {
  if (!latents_.defined()) {
    const torch::NoGradGuard no_grad;
    latents_ = encodeShared(data_->train_images, worker_, [this](const torch::Tensor& images) {
      run_.leaveIfStopped();
      return codec().encode(core::toUnitRange(images.to(device())));
    });
  }
  return latents_;
}

torch::Tensor Workspace::trainLatents(std::span<const std::int64_t> indices) {
  const auto rows = torch::tensor(std::vector<std::int64_t>(indices.begin(), indices.end()));
  return trainLatents().index_select(0, rows.to(latents_.device()));
}

core::TimeSchedule Workspace::schedule() const { return {config_.teacher.time, latent().dim()}; }

torch::Tensor encodeShared(const torch::Tensor& images, const Worker& worker,
                           const std::function<torch::Tensor(const torch::Tensor&)>& encode) {
  const auto [begin, end] = worker.share(images.size(0));
  std::vector<torch::Tensor> parts;
  for (auto at = begin; at < end; at += kEncodeBatch)
    parts.push_back(encode(images.narrow(0, at, std::min(kEncodeBatch, end - at))));
  return worker.allGatherRows(torch::cat(parts));
}

}  // namespace meanflow::training

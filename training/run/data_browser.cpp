// SPDX-License-Identifier: Apache-2.0
#include "training/run/data_browser.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/config/config_io.h"
#include "core/data/image_io.h"
#include "core/evaluation/psnr.h"
#include "training/stages/external_weights.h"
#include "training/stages/networks.h"

namespace meanflow::training {
namespace {

constexpr std::int64_t kBrowseBatch = 20;
constexpr int kMostImages = 400;

/// Everything the data follow from.
std::string keyOf(const base::RunConfig& config) {
  std::string key;
  for (const auto& field : base::schema())
    if (field.key.starts_with("data.")) key += base::getValue(config, field.key).value() + "\n";
  return key;
}

void describeStatistics(const base::RunConfig& config, const std::optional<base::RunFolder>& folder,
                        base::DataAnswer& answer) {
  const auto& named = config.decoder.statistics;
  if (named.empty() && (!folder || !hasLatentMoments(config, *folder))) {
    answer.no_statistics =
        folder ? "No latent statistics yet: the decoder stage measures them at its end."
               : "Settings have no latent statistics: a run's decoder stage measures them, or decoder.statistics names "
                 "a file.";
    return;
  }
  try {
    const auto moments =
        channelMoments(named.empty() ? loadLatentMoments(config, *folder) : loadNamedStatistics(named));
    answer.channel_mean = moments.mean;
    answer.channel_std = moments.std;
    answer.statistics = named.empty() ? "measured at the end of the decoder stage" : named;
  } catch (const std::exception& error) {
    answer.no_statistics = error.what();
  }
}

}  // namespace

ChannelMoments channelMoments(const core::LatentMoments& moments) {
  const auto mean = moments.mean.to(torch::kFloat64).reshape({moments.mean.size(0), -1});  // [C, h w]
  const auto variance = moments.variance.to(torch::kFloat64).reshape({moments.variance.size(0), -1});
  const auto of_channel = mean.mean(1);
  const auto std = (variance.mean(1) + (mean - of_channel.unsqueeze(1)).square().mean(1)).clamp_min(0).sqrt();
  const auto values = [](const torch::Tensor& tensor) {
    const auto flat = tensor.to(torch::kFloat32).contiguous();
    return std::vector<float>(flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
  };
  return {values(of_channel), values(std)};
}

base::Result<void> DataBrowser::openData(const base::DataConfig& config) {
  drawn_.reset();
  listed_.clear();
  if (config.kind == "folder") {
    auto listed = core::listFolderDataset(config);
    if (!listed) return listed.error();
    listed_ = std::move(*listed);
    return {};
  }
  auto drawn = core::loadDataset(config);
  if (!drawn) return drawn.error();
  drawn_ = std::move(*drawn);
  return {};
}

void DataBrowser::describeClasses(base::DataAnswer& answer) const {
  if (!drawn_) {
    for (const auto& each : listed_) {
      const auto held_out = std::count(each.is_held_out.begin(), each.is_held_out.end(), true);
      answer.class_names.push_back(each.name);
      answer.num_held_out.push_back(held_out);
      answer.num_training.push_back(static_cast<std::int64_t>(each.files.size()) - held_out);
    }
    return;
  }
  answer.class_names = drawn_->class_names;
  const auto counts = [&](const torch::Tensor& labels) {
    const auto found = torch::bincount(labels, {}, drawn_->numClasses());
    return std::vector<std::int64_t>(found.data_ptr<std::int64_t>(), found.data_ptr<std::int64_t>() + found.numel());
  };
  answer.num_training = counts(drawn_->train_labels);
  answer.num_held_out = counts(drawn_->test_labels);
}

base::Result<std::vector<DataBrowser::Picked>> DataBrowser::pick(const base::DataQuestion& question,
                                                                 std::int64_t image_size) const {
  std::vector<Picked> picked;
  const auto first = std::max<std::int64_t>(0, question.first);
  const auto last = first + std::clamp(question.count, 0, kMostImages);
  if (!drawn_) {
    const auto& chosen = listed_[static_cast<std::size_t>(question.label)];
    std::int64_t number = 0;
    for (std::size_t i = 0; i < chosen.files.size() && number < last; ++i) {
      if (chosen.is_held_out[i] != question.is_held_out || number++ < first) continue;
      auto image = core::readCropped(chosen.files[i], image_size);
      if (!image) return image.error();
      picked.push_back({std::move(*image), chosen.name + "/" + chosen.files[i].filename().string()});
    }
    return picked;
  }
  const auto& labels = question.is_held_out ? drawn_->test_labels : drawn_->train_labels;
  const auto& images = question.is_held_out ? drawn_->test_images : drawn_->train_images;
  const auto& pictures = question.is_held_out ? drawn_->test_pictures : drawn_->train_pictures;
  const auto rows = (labels == question.label).nonzero().flatten();
  for (auto at = first; at < std::min(last, rows.size(0)); ++at) {
    const auto row = rows[at].item<std::int64_t>();
    const auto picture = pictures[row].item<std::int64_t>();
    picked.push_back({images[row], drawn_->picture_ids.at(static_cast<std::size_t>(picture))});
  }
  return picked;
}

void DataBrowser::reconstruct(const base::RunConfig& config, const std::optional<base::RunFolder>& folder,
                              const std::vector<Picked>& picked, const std::function<bool()>& is_cancelled,
                              base::DataAnswer& answer) {
  if (!folder) {
    answer.no_reconstructions = "Settings have no decoder: open a run to see what its decoder makes of the images.";
    return;
  }
  if (!hasWeights(config, *folder, "decoder")) {
    answer.no_reconstructions = "The run has no decoder yet: its stage saves one every few hundred steps.";
    return;
  }
  try {
    const auto named = namedWeights(config, "decoder");
    const auto entries = folder->listCheckpoints("decoder");
    const auto step = named.empty() && !entries.empty() ? entries.back().step : -1;
    const auto key = fmt::format("{}\n{}\n{}", folder->root().string(), named, step);
    if (!codec_ || codec_key_ != key) {
      codec_.reset();
      auto decoder = makeDecoder(config);
      loadWeights(*decoder, config, *folder, "decoder");
      freeze(*decoder);
      // Without statistics, which a decoder in training does not have yet: they would cancel out.
      codec_ = std::make_shared<core::RaeCodec>(makeRawCodec(config, *folder, decoder, torch::kCPU));
      codec_key_ = key;
    }
    std::vector<torch::Tensor> originals, made;
    for (std::size_t begin = 0; begin < picked.size(); begin += kBrowseBatch) {
      if (is_cancelled()) return;
      std::vector<torch::Tensor> batch;
      for (std::size_t i = begin; i < std::min(picked.size(), begin + kBrowseBatch); ++i)
        batch.push_back(picked[i].image);
      const auto images = torch::stack(batch);
      const auto decoded = codec_->decode(codec_->encode(core::toUnitRange(images))).clamp(0, 1);
      for (const auto& image : core::toImages(decoded))
        answer.reconstructions.push_back(std::make_shared<const base::Image8>(image));
      originals.push_back(images);
      made.push_back((decoded * 255).to(torch::kUInt8));
    }
    if (!made.empty() && made[0].sizes() == originals[0].sizes())
      answer.psnr = core::psnr(torch::cat(made), torch::cat(originals));
    answer.decoder = step >= 0 ? fmt::format("decoder step {}, averaged weights", step) : named;
  } catch (const std::exception& error) {
    answer.reconstructions.clear();
    answer.no_reconstructions = error.what();
    codec_.reset();
  }
}

base::DataAnswer DataBrowser::answer(const base::DataQuestion& question, const std::function<bool()>& is_cancelled) {
  base::DataAnswer answer;
  answer.label = question.label;
  answer.first = question.first;
  answer.is_held_out = question.is_held_out;
  try {
    const torch::InferenceMode guard;
    std::optional<base::RunFolder> folder;
    if (!question.run_folder.empty()) {
      auto opened = base::RunFolder::open(question.run_folder);
      if (!opened) return answer.error = opened.error().message, answer;
      folder = std::move(*opened);
    }
    const auto config = folder ? folder->readConfig() : base::parseConfig(question.config, "the settings");
    if (!config) return answer.error = config.error().message, answer;
    answer.description = config->data.kind == "folder"
                             ? fmt::format("{}, {} px", config->data.path, config->data.image_size)
                             : fmt::format("{}, {} px", config->data.kind, config->data.image_size);
    if (const auto key = keyOf(*config); key != data_key_ || (!drawn_ && listed_.empty())) {
      data_key_.clear();
      if (const auto opened = openData(config->data); !opened) return answer.error = opened.error().message, answer;
      data_key_ = key;
    }
    describeClasses(answer);
    describeStatistics(*config, folder, answer);
    if (question.label < 0) return answer;
    if (question.label >= static_cast<std::int64_t>(answer.class_names.size())) {
      answer.error =
          fmt::format("class {} is out of range; the data have {}", question.label, answer.class_names.size());
      return answer;
    }
    const auto picked = pick(question, config->data.image_size);
    if (!picked) return answer.error = picked.error().message, answer;
    for (const auto& each : *picked) {
      answer.images.push_back(std::make_shared<const base::Image8>(core::toImages(each.image.unsqueeze(0)).front()));
      answer.sources.push_back(each.source);
    }
    if (question.wants_reconstructions) reconstruct(*config, folder, *picked, is_cancelled, answer);
  } catch (const std::exception& error) {
    answer.error = error.what();
  }
  return answer;
}

}  // namespace meanflow::training

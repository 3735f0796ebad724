// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/judge.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>

#include "core/data/counter_random.h"
#include "core/data/epoch_sampler.h"
#include "core/device/generator_lock.h"

namespace meanflow::core {
namespace {

namespace nn = torch::nn;

constexpr std::int64_t kPartSize = 250;  // images a forward pass of features(): keeps memory small
constexpr std::int64_t kMaxShift = 2;    // pixels
constexpr double kLabelSmoothing = 0.05;

// A class has a few colours in training and others among its held-out pictures (hearts, balls): swapping the channels
// of some images teaches the judge to look at shapes as well.
constexpr double kColourSwapShare = 0.3;
constexpr int kColourOrders[][3] = {{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

/// LibTorch's thread count is one setting of the process: put back when done.
class ThreadCount {
 public:
  explicit ThreadCount(int count) : before_(at::get_num_threads()) {
    if (count != before_) at::set_num_threads(count);
  }
  ~ThreadCount() {
    if (at::get_num_threads() != before_) at::set_num_threads(before_);
  }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

void addStage(nn::Sequential& trunk, std::int64_t in, std::int64_t out, std::int64_t stride) {
  trunk->push_back(nn::Conv2d(nn::Conv2dOptions(in, out, 3).stride(stride).padding(1).bias(false)));
  trunk->push_back(nn::BatchNorm2d(out));
  trunk->push_back(nn::ReLU(nn::ReLUOptions(true)));
}

/// The training images of one step, shifted on a white border and flipped; float32 [B, 3, H, W].
torch::Tensor augmentedBatch(const ImageDataset& dataset, const std::vector<std::int64_t>& indices, std::uint64_t seed,
                             std::int64_t step) {
  const auto& images = dataset.train_images;
  const std::int64_t height = images.size(2), width = images.size(3);
  const auto* labels = dataset.train_labels.data_ptr<std::int64_t>();
  std::vector<torch::Tensor> rows;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    CounterRandom random(seed, 1 + static_cast<std::uint64_t>(step), i);
    const auto image = torch::constant_pad_nd(images[indices[i]], {kMaxShift, kMaxShift, kMaxShift, kMaxShift}, 255);
    const std::int64_t left = random.below(2 * kMaxShift + 1), top = random.below(2 * kMaxShift + 1);
    const auto window = image.narrow(1, top, height).narrow(2, left, width);
    const bool flip = random.uniform() < 0.5 && dataset.may_flip[static_cast<std::size_t>(labels[indices[i]])];
    const bool swaps_colours = random.uniform() < kColourSwapShare;
    const auto& order = kColourOrders[static_cast<std::size_t>(random.below(std::size(kColourOrders)))];
    const auto turned = flip ? window.flip(2) : window;
    rows.push_back(swaps_colours ? torch::stack({turned[order[0]], turned[order[1]], turned[order[2]]}) : turned);
  }
  return toUnitRange(torch::stack(rows));
}

double learningRate(const base::JudgeConfig& config, std::int64_t step) {
  const double warmup = std::min(1.0, static_cast<double>(step + 1) / 20);
  const double progress = static_cast<double>(step) / static_cast<double>(config.steps);
  return config.lr * warmup * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

void checkTrainable(const ImageDataset& dataset) {
  TORCH_CHECK(dataset.train_images.dim() == 4 && dataset.train_images.scalar_type() == torch::kUInt8 &&
                  dataset.train_images.size(0) > 0 && dataset.may_flip.size() == dataset.class_names.size(),
              "trainJudge: needs uint8 training images [N, 3, H, W] and a flip rule for each of the ",
              dataset.numClasses(), " classes, got ", dataset.train_images.sizes(), " ",
              dataset.train_images.scalar_type(), " and ", dataset.may_flip.size(), " rules");
}

}  // namespace

JudgeNetImpl::JudgeNetImpl(const base::JudgeConfig& config, std::int64_t num_classes) {
  const auto lock = lockDefaultGenerator();  // the layers draw from it, and initialise() replaces what they drew
  const std::int64_t w = config.width;
  nn::Sequential layers;
  addStage(layers, 3, w, 2);
  addStage(layers, w, 2 * w, 1);
  addStage(layers, 2 * w, 2 * w, 2);
  addStage(layers, 2 * w, 3 * w, 1);
  addStage(layers, 3 * w, 4 * w, 2);
  trunk = register_module("trunk", layers);
  embed = register_module("embed", nn::Linear(4 * w, config.features));
  head = register_module("head", nn::Linear(config.features, num_classes));
}

torch::Tensor JudgeNetImpl::features(const torch::Tensor& x) {
  return torch::silu(embed(trunk->forward(x.mul(2).sub(1)).mean({2, 3})));
}

void JudgeNetImpl::initialise(std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (auto& item : named_parameters()) {
    auto& parameter = item.value();
    if (parameter.dim() >= 2) {
      const double fan_in = static_cast<double>(parameter[0].numel());
      parameter.normal_(0, std::sqrt(2.0 / fan_in), generator);
    } else {  // biases 0, scales of the normalisation 1
      parameter.fill_(item.key().starts_with("trunk") && item.key().ends_with("weight") ? 1 : 0);
    }
  }
}

Judge::Judge(const base::JudgeConfig& config, std::int64_t num_classes) : network_(config, num_classes) {
  network_->initialise(0);
  network_->eval();
}

torch::Tensor Judge::features(const torch::Tensor& images) const {
  TORCH_CHECK(images.dim() == 4 && images.size(1) == 3, "judge: expected images [B, 3, H, W], got ", images.sizes());
  const torch::NoGradGuard no_grad;
  auto network = network_;
  const auto device = network->head->weight.device();
  std::vector<torch::Tensor> parts;
  for (const auto& part : images.split(kPartSize)) {
    const auto x = part.to(device);
    parts.push_back(network->features(x.scalar_type() == torch::kUInt8 ? toUnitRange(x) : x.to(torch::kFloat)));
  }
  return torch::cat(parts);
}

torch::Tensor Judge::classify(const torch::Tensor& features) const {
  const torch::NoGradGuard no_grad;
  auto network = network_;
  return network->classify(features);
}

torch::Tensor Judge::logits(const torch::Tensor& images) const { return classify(features(images)); }

std::map<std::string, torch::Tensor> Judge::state() const {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& item : network_->named_parameters()) tensors[item.key()] = item.value().detach();
  for (const auto& item : network_->named_buffers()) tensors[item.key()] = item.value();
  return tensors;
}

void Judge::loadState(const std::map<std::string, torch::Tensor>& tensors) {
  auto own = state();
  for (const auto& [name, target] : own) {
    const auto found = tensors.find(name);
    TORCH_CHECK(found != tensors.end(), "judge: the stored state lacks ", name);
    TORCH_CHECK(found->second.sizes() == target.sizes(), "judge: ", name, " is ", target.sizes(), " here and ",
                found->second.sizes(), " in the stored state");
  }
  for (const auto& [name, tensor] : tensors) TORCH_CHECK(own.contains(name), "judge: unknown tensor ", name);
  for (auto& [name, target] : own) target.copy_(tensors.at(name));
}

Judge trainJudge(const ImageDataset& dataset, const base::JudgeConfig& config, const JudgeTraining& training) {
  checkTrainable(dataset);
  const ThreadCount threads(training.num_threads);
  const torch::AutoGradMode with_gradient(true);
  Judge judge(config, dataset.numClasses());
  auto network = judge.network();
  network->initialise(training.seed);
  network->train();
  torch::optim::AdamW optimizer(network->parameters(),
                                torch::optim::AdamWOptions(config.lr).weight_decay(config.weight_decay));
  auto& options = static_cast<torch::optim::AdamWOptions&>(optimizer.param_groups()[0].options());
  auto cross_entropy = nn::CrossEntropyLoss(nn::CrossEntropyLossOptions().label_smoothing(kLabelSmoothing));
  EpochSampler sampler(dataset.train_images.size(0), config.batch_size, training.seed);
  for (std::int64_t step = 0; step < config.steps && !training.stop.stop_requested(); ++step) {
    const auto indices = sampler.batch(step);
    const auto images = augmentedBatch(dataset, indices, training.seed, step);
    const auto labels = dataset.train_labels.index_select(0, torch::tensor(indices, torch::kInt64));
    options.lr(learningRate(config, step));
    optimizer.zero_grad();
    auto loss = cross_entropy->forward(network->classify(network->features(images)), labels);
    loss.backward();
    optimizer.step();
    const bool is_reported = (step + 1) % 10 == 0 || step + 1 == config.steps;
    if (training.on_progress && is_reported) training.on_progress({step + 1, config.steps, loss.item<double>()});
  }
  network->eval();
  return judge;
}

}  // namespace meanflow::core

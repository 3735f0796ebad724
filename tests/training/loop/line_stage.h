// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>
#include <QTest>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "core/base/run/atomic_file.h"
#include "tests/training/trained_stage.h"

/// A stage small enough to check in the head: linear regression on made-up rows.
namespace meanflow::testing::line {

inline constexpr std::int64_t kSteps = 20;

/// y = w x + b; the row at a position of a step follows from both numbers alone.
class LineTask final : public training::StageTask {
 public:
  /// From step `poisoned_step` on (0-based) `poison` times the bias is added to the loss.
  LineTask(const base::TrainingConfig& settings, std::int64_t poisoned_step, double poison)
      : settings_(settings), poisoned_step_(poisoned_step), poison_(poison) {
    const torch::NoGradGuard no_grad;
    line_->weight.fill_(0.1);
    line_->bias.fill_(-0.2);
  }

  std::string name() const override { return "teacher"; }
  const base::TrainingConfig& settings() const override { return settings_; }
  std::shared_ptr<torch::nn::Module> module() override { return line_.ptr(); }

  core::LossTerms loss(std::int64_t step, std::span<const std::int64_t> positions) override {
    std::vector<torch::Tensor> rows;
    for (const auto position : positions)
      rows.push_back(
          torch::sin(torch::arange(4) * 2.1 + static_cast<double>(step) * 1.3 + static_cast<double>(position) * 0.7));
    const auto x = torch::stack(rows);
    const auto y = x.matmul(torch::tensor({0.5f, -1.0f, 0.25f, 2.0f})) + 0.3;
    core::LossTerms terms;
    terms.loss = (line_(x).squeeze(1) - y).square().mean();
    terms.scalars.emplace_back("mse", terms.loss.detach());
    if (poisoned_step_ >= 0 && step >= poisoned_step_) terms.loss = terms.loss + poison_ * line_->bias.sum();
    return terms;
  }

  training::BatchMembers members(std::int64_t step, std::span<const std::int64_t> positions) override {
    training::BatchMembers members;
    for (const auto position : positions) members.samples.push_back(100 * step + position);
    members.labels.resize(members.samples.size());
    return members;
  }

 private:
  const base::TrainingConfig& settings_;
  std::int64_t poisoned_step_;
  double poison_;
  torch::nn::Linear line_{4, 1};
};

struct Setup {
  int num_workers = 1;
  base::TrainingConfig training;
  std::int64_t poisoned_step = -1;
  double poison = std::numeric_limits<double>::quiet_NaN();
  double start_of_others = 0;          ///< Added to the first weights of every rank but the leader.
  std::vector<base::Command> waiting;  ///< As in StageWork, like the next.
  std::function<void(const base::TrainingEvent&, training::CommandQueue&)> answer;

  Setup() {
    training.steps = kSteps;
    training.batch_size = 8;
    training.lr = 0.1;
    training.final_lr = 0.01;
    training.warmup_steps = 3;
    training.ema_decay = 0.9;
    training.log_every = 1;
    training.checkpoint_every = 5;
    training.keep_checkpoints = 0;
    training.sample_every = 0;
  }
};

struct Outcome {
  std::vector<base::TrainingEvent> events;
  std::map<std::int64_t, double> losses, rates;  ///< By optimizer steps done.
  std::vector<std::string> messages;             ///< Log messages, "level: text".
  torch::Tensor weight, bias;
  bool is_interrupted = false, is_saved = false, is_diverged = false;
  std::string failure;

  int count(base::RunState state) const {
    int n = 0;
    for (const auto& event : events)
      if (const auto* e = std::get_if<base::StateChanged>(&event); e && e->state == state) ++n;
    return n;
  }
  bool hasMessage(const std::string& level, const std::string& part) const {
    for (const auto& text : messages)
      if (text.starts_with(level) && text.find(part) != std::string::npos) return true;
    return false;
  }
};

inline Outcome train(const fs::path& root, const Setup& setup) {
  StageWork work;
  work.config.teacher.training = setup.training;
  work.num_workers = setup.num_workers;
  work.waiting = setup.waiting;
  work.answer = setup.answer;
  work.make_task = [&](const base::RunConfig& config, const training::Worker& worker) {
    auto task = std::make_unique<LineTask>(config.teacher.training, setup.poisoned_step, setup.poison);
    if (!worker.isLeader()) {
      const torch::NoGradGuard no_grad;
      for (auto& parameter : task->module()->parameters()) parameter.add_(setup.start_of_others);
    }
    return task;
  };
  const auto end = trainStage(root, work);
  Outcome outcome;
  outcome.is_interrupted = end.is_stopped, outcome.is_saved = end.is_saved, outcome.is_diverged = end.is_diverged;
  outcome.failure = end.failure;
  if (end.weights.size() == 2) outcome.weight = end.weights[0], outcome.bias = end.weights[1];
  outcome.events = end.seen->events;
  for (const auto& event : outcome.events) {
    if (const auto* step = std::get_if<base::StepCompleted>(&event))
      for (const auto& scalar : step->scalars) {
        if (scalar.name == "loss") outcome.losses[step->step] = scalar.value;
        if (scalar.name == "lr") outcome.rates[step->step] = scalar.value;
      }
    if (const auto* message = std::get_if<base::LogMessage>(&event))
      outcome.messages.push_back(message->level + ": " + message->text);
  }
  return outcome;
}

inline std::map<std::string, std::string> filesIn(const fs::path& folder) {
  std::map<std::string, std::string> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder)] = base::readFile(entry.path()).value();
  return files;
}

inline std::vector<std::int64_t> checkpointSteps(const fs::path& root) {
  std::vector<std::int64_t> steps;
  const auto folder = base::RunFolder::open(root);
  for (const auto& entry : folder->listCheckpoints("teacher")) steps.push_back(entry.step);
  return steps;
}

/// Tensors of the checkpoint at `step`; state.json holds times and is left out.
inline std::map<std::string, std::string> tensorsAt(const fs::path& root, std::int64_t step) {
  auto files = filesIn(base::RunFolder::open(root)->checkpoint("teacher", step));
  files.erase("state.json");
  return files;
}

inline void cutInHalf(const fs::path& file) { fs::resize_file(file, fs::file_size(file) / 2); }

inline void forOneAndTwoWorkers() {
  QTest::addColumn<int>("num_workers");
  QTest::newRow("one worker") << 1;
  QTest::newRow("two workers") << 2;
}

}  // namespace meanflow::testing::line

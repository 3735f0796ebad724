// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <atomic>
#include <string>
#include <thread>

#include "core/base/run/training_host.h"
#include "tests/ui/made_up_run.h"

namespace meanflow::testing {

/// A host whose run starts when asked and stops when told.
class ObedientHost final : public base::TrainingHost {
 public:
  explicit ObedientHost(std::string refusal = {}) : refusal_(std::move(refusal)) {}
  base::Result<void> start(const base::RunRequest& request, std::shared_ptr<base::EventSink> sink) override {
    if (!refusal_.empty()) return base::Error{refusal_};
    if (request.run_folder.ends_with("bad")) return base::Error{"bad: teacher.model.depth is 0; set it to at least 1"};
    sink_ = std::move(sink);
    last_request = request;
    for (const auto& record : madeUpRun({.num_stages = 2})) sink_->publish(record);
    state_ = base::RunState::kRunning;
    return {};
  }
  void send(const base::Command& command) override {
    if (std::holds_alternative<base::StopAndSave>(command) || std::holds_alternative<base::Discard>(command)) {
      state_ = base::RunState::kStopped;
      sink_->publish({5000, 1.8e9, base::StateChanged{base::RunState::kStopped}});
    }
  }
  base::RunState state() const override { return state_; }
  void requestSamples(const base::SampleRequest&, std::function<void(const base::SampleResult&)>) override {}
  /// Two classes of a few discs, with what the decoder makes of them.
  void browseData(const base::DataQuestion& question, std::function<void(const base::DataAnswer&)> deliver) override {
    base::DataAnswer answer;
    answer.label = question.label, answer.first = question.first, answer.is_held_out = question.is_held_out;
    answer.description = "discs, 32 px";
    answer.class_names = {"face", "heart"};
    answer.num_training = answer.num_held_out = {4, 4};
    for (std::int64_t i = question.first; question.label >= 0 && i < std::min<std::int64_t>(4, question.count); ++i) {
      answer.images.push_back(madeUpGrid(1, 1, 1));
      answer.sources.push_back("disc/" + std::to_string(i));
      if (question.wants_reconstructions) answer.reconstructions.push_back(madeUpGrid(1, 1, 0.7));
    }
    answer.decoder = "decoder step 500";
    answer.psnr = 22.5;
    answer.channel_mean = {-0.2F, 0.1F, 0.3F};
    answer.channel_std = {0.9F, 1.1F, 1};
    answer.statistics = "measured at the end of the decoder stage";
    std::jthread([&] { deliver(answer); }).join();
  }
  base::Result<void> startPreflight(const base::PreflightRequest&,
                                    std::function<void(const base::PreflightNews&)> deliver) override {
    tell = std::move(deliver);
    return {};
  }
  base::Result<void> startReplay(const base::BranchPoint& at,
                                 std::function<void(const base::ReplayOutcome&)> deliver) override {
    if (!replay_refusal.empty()) return base::Error{replay_refusal};
    replayed = at;
    tell_replay = std::move(deliver);
    return {};
  }
  void cancelReplay() override { ++num_replays_cancelled; }
  base::RunRequest last_request;
  base::BranchPoint replayed;
  std::string replay_refusal;
  int num_replays_cancelled = 0;
  std::function<void(const base::ReplayOutcome&)> tell_replay;
  std::function<void(const base::PreflightNews&)> tell;  ///< To the window, of the pre-flight that goes on.

 private:
  std::string refusal_;
  std::shared_ptr<base::EventSink> sink_;
  std::atomic<base::RunState> state_ = base::RunState::kIdle;
};

}  // namespace meanflow::testing

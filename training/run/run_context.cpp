// SPDX-License-Identifier: Apache-2.0
#include "training/run/run_context.h"

#include <spdlog/spdlog.h>

#include "core/base/overloaded.h"
#include "core/base/run/run_state.h"

namespace meanflow::training {
namespace {
constexpr auto kInboxInterval = std::chrono::milliseconds(500);
constexpr auto kPauseInterval = std::chrono::milliseconds(200);
}  // namespace

RunContext::RunContext(const base::RunFolder& folder, base::FanOutSink& events, CommandQueue& commands)
    : run_name(folder.name()), folder_(folder), events_(events), commands_(commands), inbox_(folder.inbox()) {}

void RunContext::publish(base::TrainingEvent event) const { events_.post(std::move(event)); }

void RunContext::log(const std::string& level, const std::string& text) const {
  publish(base::LogMessage{level, text});
}

void RunContext::setState(base::RunState next) {
  const auto current = state_.load();
  if (current == next) return;
  if (!base::isAllowedTransition(current, next))
    throw std::logic_error("run state may not go from " + std::string(base::toString(current)) + " to " +
                           std::string(base::toString(next)));
  state_ = next;
  publish(base::StateChanged{next});
}

Control RunContext::decide(const base::Command& command) {
  return std::visit(base::Overloaded{[this](const base::Pause&) {
                                       if (state() == base::RunState::kRunning) setState(base::RunState::kPausing);
                                       return Control::kPause;
                                     },
                                     [](const base::Resume&) { return Control::kContinue; },
                                     [](const base::StopAndSave&) { return Control::kStopAndSave; },
                                     [](const base::Discard&) { return Control::kDiscard; },
                                     [](const base::SaveNow&) { return Control::kSaveNow; },
                                     [this](const base::ChangeSetting& change) {
                                       setting_ = change;
                                       return Control::kChangeSetting;
                                     }},
                    command);
}

Control RunContext::pollControl() {
  if (const auto command = commands_.poll()) return decide(*command);
  const auto now = std::chrono::steady_clock::now();
  if (now - inbox_checked_ < kInboxInterval) return Control::kContinue;
  inbox_checked_ = now;
  // Queued rather than obeyed at once: one decision a step boundary.
  for (auto& command : inbox_.take()) commands_.push(std::move(command));
  const auto command = commands_.poll();
  return command ? decide(*command) : Control::kContinue;
}

Control RunContext::waitControl() {
  for (auto& command : inbox_.take()) commands_.push(std::move(command));
  const auto command = commands_.waitFor(kPauseInterval);
  return command ? decide(*command) : Control::kPause;
}

void RunContext::setStage(const std::string& stage) {
  const std::lock_guard lock(stage_mutex_);
  stage_ = stage;
  step_ = 0;
}

std::string RunContext::currentStage() const {
  const std::lock_guard lock(stage_mutex_);
  return stage_;
}

base::ChangeSetting RunContext::takeSetting() { return std::exchange(setting_, {}); }

}  // namespace meanflow::training

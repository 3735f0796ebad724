// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QString>
#include <optional>

#include "core/base/run/training_host.h"
#include "ui/models/host_answer.h"

namespace meanflow::ui {

/// One replay of a step at a time: asked of the training library, waited for or cancelled. Keeps what the last one
/// found.
class ReplayJob final : public QObject {
  Q_OBJECT
 public:
  explicit ReplayJob(QObject* parent = nullptr) : QObject(parent), answers_(this) {}

  void setHost(base::TrainingHost* host);  ///< Null: none. Must be told before the host goes.
  /// A refusal is an outcome, too. Nothing happens while one is going on.
  void start(const base::BranchPoint& at);
  void cancel();  ///< Its outcome still comes, soon (TrainingHost::cancelReplay).

  bool isGoing() const { return is_going_; }
  bool isCancelling() const { return is_cancelling_; }
  const base::BranchPoint& at() const { return at_; }  ///< Which step, once one was asked for.
  /// Nothing before the first one has ended, and while the next goes on.
  const std::optional<base::ReplayOutcome>& outcome() const { return outcome_; }

 Q_SIGNALS:
  void changed();

 private:
  void end(base::ReplayOutcome outcome);

  HostAnswers answers_;
  base::TrainingHost* host_ = nullptr;
  base::BranchPoint at_;
  std::optional<base::ReplayOutcome> outcome_;
  bool is_going_ = false, is_cancelling_ = false;
};

}  // namespace meanflow::ui

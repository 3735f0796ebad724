// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QString>

#include "core/base/run/training_host.h"
#include "ui/models/host_answer.h"

namespace meanflow::ui {

/// What the run on show is expected to take, asked of the training library whenever its settings or its device change.
class RunEstimate final : public QObject {
  Q_OBJECT
 public:
  explicit RunEstimate(QObject* parent = nullptr) : QObject(parent), answers_(this) {}

  void setHost(base::TrainingHost* host);  ///< Null: none. Must be told before the host goes.
  void setRun(const base::RunConfig& config, const std::string& device);
  void clear();

 Q_SIGNALS:
  void arrived(const meanflow::base::CostEstimate& estimate);

 private:
  void ask();

  HostAnswers answers_;
  base::TrainingHost* host_ = nullptr;
  std::string config_, device_;  ///< Of the run on show; empty: none.
  int asked_ = 0;                ///< Of several answers under way the last one counts.
};

}  // namespace meanflow::ui

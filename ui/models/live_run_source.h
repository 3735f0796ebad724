// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <memory>

#include "core/base/events/bounded_queue_sink.h"
#include "ui/models/run_source.h"

namespace meanflow::ui {

/// The events of a run that this process trains: hand `sink()` to the TrainingHost. Training threads never wait for the
/// window; what the queue keeps and drops is BoundedQueueSink's matter.
class LiveRunSource final : public RunSource {
  Q_OBJECT
 public:
  /// `history`: the record of the run so far when it is continued; what it has folded is taken from it.
  explicit LiveRunSource(const QString& folder, RunSource* history = nullptr, QObject* parent = nullptr);
  ~LiveRunSource() override;

  bool isLive() const override { return true; }
  bool isWorkedOn() const override { return true; }
  std::shared_ptr<base::EventSink> sink() const { return queue_; }

 private:
  bool drain() override;

  std::shared_ptr<base::BoundedQueueSink> queue_;
};

}  // namespace meanflow::ui

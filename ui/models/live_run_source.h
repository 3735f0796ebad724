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
  explicit LiveRunSource(const QString& folder, QObject* parent = nullptr);
  ~LiveRunSource() override;

  /// Takes over what the record of the run so far has folded; call it before the first event is folded.
  void continueFrom(RunSource& history) { takeOver(history); }

  bool isLive() const override { return true; }
  bool isWorkedOn() const override { return true; }
  std::shared_ptr<base::EventSink> sink() const { return queue_; }

 private:
  bool drain() override;

  std::shared_ptr<base::BoundedQueueSink> queue_;
};

}  // namespace meanflow::ui

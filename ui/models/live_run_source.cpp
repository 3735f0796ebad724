// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/live_run_source.h"

#include <QFileInfo>

namespace meanflow::ui {

LiveRunSource::LiveRunSource(const QString& folder, QObject* parent)
    : RunSource(QFileInfo(folder).absoluteFilePath(), parent), queue_(std::make_shared<base::BoundedQueueSink>([this] {
        QMetaObject::invokeMethod(
            this, [this] { scheduleFrame(); }, Qt::QueuedConnection);
      })) {}

LiveRunSource::~LiveRunSource() { queue_->close(); }

bool LiveRunSource::drain() {
  feed(queue_->drain());
  return false;
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/recent_runs.h"

#include <QFileInfo>

namespace meanflow::ui {
namespace {
const QString kKey = QStringLiteral("recent_runs");
}

RecentRuns::RecentRuns(QSettings& settings, QObject* parent) : QObject(parent), settings_(settings) {}

QStringList RecentRuns::folders() const { return settings_.value(kKey).toStringList(); }

void RecentRuns::add(const QString& folder) {
  auto all = folders();
  const QString path = QFileInfo(folder).absoluteFilePath();
  all.removeAll(path);
  all.prepend(path);
  settings_.setValue(kKey, QStringList(all.mid(0, kMaxRuns)));
  Q_EMIT changed();
}

void RecentRuns::remove(const QString& folder) {
  auto all = folders();
  all.removeAll(folder);
  settings_.setValue(kKey, all);
  Q_EMIT changed();
}

}  // namespace meanflow::ui

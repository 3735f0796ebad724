// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QDateTime>
#include <QObject>
#include <QSettings>
#include <QStringList>

namespace meanflow::ui {

/// Run folders opened lately, newest first, kept in the person's settings.
class RecentRuns final : public QObject {
  Q_OBJECT
 public:
  static constexpr int kMaxRuns = 12;

  explicit RecentRuns(QSettings& settings, QObject* parent = nullptr);
  QStringList folders() const;  ///< Absolute paths; a folder may be gone by now.
  void add(const QString& folder);
  void remove(const QString& folder);

 Q_SIGNALS:
  void changed();

 private:
  QSettings& settings_;
};

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QStringList>
#include <QWidget>

#include "ui/models/studio_state.h"

class QToolButton;
class QTreeWidget;

namespace meanflow::ui {

/// In which settings runs that are compared differ: one line, and a table when it is unfolded. Hidden without runs to
/// compare with. The configurations are read on another thread.
class ConfigDifferenceStrip final : public QWidget {
  Q_OBJECT
 public:
  explicit ConfigDifferenceStrip(QWidget* parent = nullptr);

  /// Run folders; an empty `folder` or no others: nothing to compare.
  void compare(const QString& folder, const QStringList& others);
  QString headline() const;
  QTreeWidget& table() { return *table_; }
  QToolButton& button() { return *button_; }

 private:
  struct Answer {
    QStringList runs;  ///< Names, the run on show first.
    QStringList keys;
    QList<QStringList> values;  ///< A row a key, a column a run.
    QString trouble;            ///< Of runs whose settings cannot be read.
  };
  static Answer read(const QString& folder, const QStringList& others);
  void present(const Answer& answer);

  QToolButton* button_;
  QTreeWidget* table_;
  QStringList compared_;
  int reading_ = 0;  ///< Counts readings: of several under way the last one counts.
  Background background_;
};

}  // namespace meanflow::ui

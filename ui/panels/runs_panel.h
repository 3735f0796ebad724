// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>

class QListWidget;

namespace meanflow::ui {

class RecentRuns;
class Theme;

/// The runs opened lately, with when they last changed. Enter or double click opens one; Delete takes it off the list.
class RunsPanel final : public QWidget {
  Q_OBJECT
 public:
  RunsPanel(const Theme& theme, RecentRuns& runs, QWidget* parent = nullptr);

 public Q_SLOTS:
  void refresh();

 Q_SIGNALS:
  void openRequested(const QString& folder);

 private:
  const Theme& theme_;
  RecentRuns& runs_;
  QListWidget* list_;
};

}  // namespace meanflow::ui

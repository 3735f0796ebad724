// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>

#include "ui/models/preflight_job.h"

class QLabel;
class QProgressBar;
class QPushButton;
class QScrollArea;
class QTreeWidget;
class QVBoxLayout;

namespace meanflow::ui {

class Theme;

/// What a pre-flight has found out: whether the run can start, what stands in its way and what to change, and what
/// every stage will take. While it goes on, how far it is.
class PreflightPage final : public QWidget {
  Q_OBJECT
 public:
  PreflightPage(const Theme& theme, PreflightJob& job, QWidget* parent = nullptr);
  /// The settings as they are now: a report on others says so.
  void setSettings(const QString& yaml);
  QString verdict() const;
  QTreeWidget* table() const { return table_; }

 Q_SIGNALS:
  void closeWanted();
  void againWanted();
  void settingPicked(const QString& key);

 private:
  void refresh();
  void showReport(const base::PreflightReport& report);
  void addFinding(const base::PreflightFinding& finding);
  QString summaryOf(const base::PreflightReport& report) const;

  const Theme& theme_;
  PreflightJob& job_;
  QString yaml_;
  const base::PreflightReport* shown_ = nullptr;
  QLabel* verdict_;
  QLabel* summary_;
  QLabel* stale_;
  QProgressBar* bar_;
  QTreeWidget* table_;
  QScrollArea* scroll_;
  QWidget* findings_ = nullptr;
  QVBoxLayout* findings_layout_ = nullptr;
  QPushButton* back_;
  QPushButton* again_;
  QPushButton* cancel_;
};

}  // namespace meanflow::ui

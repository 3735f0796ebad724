// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>

class QLabel;
class QPushButton;

namespace meanflow::ui {

class RecentRuns;
class RunCatalog;
class Theme;

/// The first thing a person sees: run the demo, prepare a new run, open a run folder, or go back to a recent run.
class WelcomePage final : public QWidget {
  Q_OBJECT
 public:
  WelcomePage(const Theme& theme, RunCatalog& catalog, RecentRuns& recent, QWidget* parent = nullptr);
  /// Why training is not to be had; empty: it is. `is_loading`: not known yet.
  void setTrainingProblem(const QString& problem, bool is_loading);

 Q_SIGNALS:
  void newRunRequested();
  void demoRequested();
  void openFolderRequested();
  void openRequested(const QString& folder);

 private:
  QPushButton* demo_;
  QLabel* problem_;
};

}  // namespace meanflow::ui

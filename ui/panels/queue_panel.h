// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>

class QLabel;
class QListWidget;
class QPushButton;
class QStackedLayout;
class QToolButton;

namespace meanflow::ui {

class EmptyState;
struct QueuedRun;
class RunQueue;
class Theme;

/// The queue of runs: what waits, in which order, what became of those before. Alt+Up and Alt+Down reorder, Delete
/// takes a run out.
class QueuePanel final : public QWidget {
  Q_OBJECT
 public:
  QueuePanel(const Theme& theme, RunQueue& queue, QWidget* parent = nullptr);

 public Q_SLOTS:
  void refresh();

 Q_SIGNALS:
  void openRequested(const QString& folder);
  /// Its configuration becomes a new run's, to be changed and queued or started.
  void duplicateRequested(const QString& config_or_folder, const QString& name);
  /// A branch without a folder yet, and so without a configuration of its own: asked for once more, to be changed.
  void branchDuplicateRequested(const meanflow::ui::QueuedRun& run);

 private:
  QString currentId() const;
  void refreshButtons();

  const Theme& theme_;
  RunQueue& queue_;
  QLabel* title_;
  QPushButton* go_;
  QListWidget* list_;
  EmptyState* empty_;
  QStackedLayout* stack_;
  QToolButton* up_;
  QToolButton* down_;
  QToolButton* duplicate_;
  QToolButton* retry_;
  QToolButton* remove_;
};

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <optional>
#include <vector>

#include "ui/models/alarm_words.h"
#include "ui/panels/step_panel.h"

class QAction;
class QLabel;
class QPushButton;
class QTextBrowser;
class QTreeWidget;

namespace meanflow::ui {

/// What left its normal range in a run, newest first, with what was done about it; below where the chosen one came from
/// and what a replay of its step found. Choosing one moves the step cursor there.
class AlarmsPanel final : public StepPanel {
  Q_OBJECT
 public:
  explicit AlarmsPanel(const Theme& theme, QWidget* parent = nullptr);

  int numRows() const;
  QString details() const;  ///< As plain text, of the chosen row.
  QTreeWidget& list() { return *list_; }
  /// Why nothing can be branched from here or replayed now; empty: it can.
  void setObstacles(const QString& branching, const QString& replaying);

 Q_SIGNALS:
  void openRequested(const QString& folder);                    ///< The folder of a diagnosis, to be looked at.
  void branchRequested(const QString& stage, qint64 bad_step);  ///< From the step before it.
  void replayRequested(const QString& stage, qint64 bad_step);

 protected:
  void refresh() override;
  void forget() override { shown_revision_.reset(); }

 private:
  static constexpr std::size_t kMost = 2000;  ///< Rows; the oldest are left out, the log has them.

  void fill();
  void present(int row);
  void chooseAtCursor();
  QAction* addAction(const char* icon, const QString& name, const QKeySequence& key, QPushButton* button,
                     void (AlarmsPanel::*wanted)(const QString&, qint64));
  void refreshActions();
  void explainNothing();
  QString html(const AlarmRow& row) const;
  QString reportFolder(const AlarmRow& row) const;

  const Theme& theme_;
  QLabel* count_;
  QTreeWidget* list_;
  QTextBrowser* details_;
  QPushButton* report_;
  QAction* branch_;
  QAction* replay_;
  std::vector<AlarmRow> rows_;
  std::optional<std::uint64_t> shown_revision_;
  int chosen_ = -1;
  QString branch_obstacle_, replay_obstacle_;
};

}  // namespace meanflow::ui

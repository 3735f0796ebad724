// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <optional>
#include <vector>

#include "ui/models/alarm_words.h"
#include "ui/panels/step_panel.h"

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

 Q_SIGNALS:
  void openRequested(const QString& folder);  ///< The folder of a diagnosis, to be looked at.

 protected:
  void refresh() override;
  void forget() override { shown_revision_.reset(); }

 private:
  static constexpr std::size_t kMost = 2000;  ///< Rows; the oldest are left out, the log has them.

  void fill();
  void present(int row);
  void chooseAtCursor();
  void explainNothing();
  QString html(const AlarmRow& row) const;
  QString reportFolder(const AlarmRow& row) const;

  const Theme& theme_;
  QLabel* count_;
  QTreeWidget* list_;
  QTextBrowser* details_;
  QPushButton* report_;
  std::vector<AlarmRow> rows_;
  std::optional<std::uint64_t> shown_revision_;
  int chosen_ = -1;
};

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QStringList>
#include <QWidget>

#include "ui/models/score_list.h"

class QAction;
class QComboBox;
class QLabel;
class QPushButton;
class QStackedLayout;
class QTableWidget;
class QTextBrowser;
class QToolButton;

namespace meanflow::ui {

class Banner;
class EmptyState;
class EvaluationChart;
class Theme;

/// The figures of the run on show and of those laid beside it: a table, for the chosen number a card that says how it
/// was made, and a chart against the number of network evaluations. Numbers whose cards do not match that of the chosen
/// one are faint, and say why.
class EvaluationPanel final : public QWidget {
  Q_OBJECT
 public:
  explicit EvaluationPanel(const Theme& theme, QWidget* parent = nullptr);

  void setSource(RunSource* source);
  /// Whether runs can be trained from this window now, and if not, why.
  void setObstacle(const QString& why);
  const ScoreList& scores() const { return list_; }
  bool saveCsv(const QString& path);  ///< False, with a message on the panel, when the file cannot be written.

 public Q_SLOTS:
  void setOverlays(const QStringList& folders);  ///< Runs laid beside the one on show.
  void askExport();

 Q_SIGNALS:
  /// The person wants the report stage of the run on show to be run.
  void evaluateRequested();

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  enum Column { kRun, kImages, kNfe, kWeights, kFirstMeasure };

  void present();
  void presentEmpty();
  void presentComparison();
  void presentCard();
  void refreshEvaluate();
  void copy(bool as_markdown);
  const ScoreRow* rowAt(int table_row) const;
  const Score* scoreAt(int table_row, int column) const;
  QString measureAt(int column) const;

  const Theme& theme_;
  ScoreList list_;
  QStringList measures_;
  std::vector<std::pair<int, int>> rows_;  ///< Run and row of each line of the table.
  QString obstacle_;
  Banner* banner_;
  QComboBox* measure_;
  QPushButton* evaluate_;
  QToolButton* copy_;
  QToolButton* export_;
  QTableWidget* table_;
  QTextBrowser* card_;
  EvaluationChart* chart_;
  EmptyState* empty_;
  QStackedLayout* stack_;
};

}  // namespace meanflow::ui

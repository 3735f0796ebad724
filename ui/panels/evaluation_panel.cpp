// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/evaluation_panel.h"

#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QMenu>
#include <QPushButton>
#include <QSaveFile>
#include <QSplitter>
#include <QStackedLayout>
#include <QTableWidget>
#include <QTextBrowser>
#include <QToolButton>
#include <QVBoxLayout>
#include <cmath>

#include "core/base/run/run_state.h"
#include "ui/models/score_table.h"
#include "ui/panels/empty_state.h"
#include "ui/panels/evaluation_chart.h"
#include "ui/panels/panel_layout.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

EvaluationPanel::EvaluationPanel(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      banner_(new Banner(theme)),
      measure_(new QComboBox),
      evaluate_(new QPushButton(theme.icon(QStringLiteral("play")), tr("Evaluate"))),
      copy_(new QToolButton),
      export_(new QToolButton),
      table_(new QTableWidget),
      card_(new QTextBrowser),
      chart_(new EvaluationChart(theme)),
      empty_(new EmptyState(theme, QStringLiteral("compare"))),
      stack_(new QStackedLayout) {
  setAccessibleName(tr("Evaluation"));
  measure_->setAccessibleName(tr("What the chart shows"));
  measure_->setToolTip(tr("What the chart shows against the number of network evaluations"));
  measure_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  evaluate_->setAccessibleName(tr("Evaluate the run on show"));
  dressIconButton(*copy_, theme_, "copy", tr("Copy as a table"),
                  tr("Puts the table on the clipboard, for a spreadsheet or for Markdown"));
  auto* menu = new QMenu(copy_);
  connect(menu->addAction(tr("For a spreadsheet (tabs)")), &QAction::triggered, this, [this] { copy(false); });
  connect(menu->addAction(tr("As Markdown")), &QAction::triggered, this, [this] { copy(true); });
  copy_->setMenu(menu);
  copy_->setPopupMode(QToolButton::InstantPopup);
  dressIconButton(*export_, theme_, "export", tr("Export as CSV…"), tr("Writes all numbers with their cards as CSV"));
  table_->setAccessibleName(tr("Scores"));
  table_->setEditTriggers(QAbstractItemView::NoEditTriggers);
  table_->setSelectionMode(QAbstractItemView::SingleSelection);
  table_->setTabKeyNavigation(false);
  table_->setShowGrid(false);
  table_->setWordWrap(false);
  table_->verticalHeader()->hide();
  table_->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 8);
  table_->horizontalHeader()->setHighlightSections(false);
  card_->setAccessibleName(tr("How the chosen number was made"));
  card_->setOpenLinks(false);
  card_->setTabChangesFocus(true);
  card_->setMinimumSize(160, 90);

  auto* tools = new QHBoxLayout;
  tools->setSpacing(4);
  tools->addWidget(measure_);
  tools->addStretch(1);
  for (QWidget* each : {static_cast<QWidget*>(evaluate_), static_cast<QWidget*>(copy_), static_cast<QWidget*>(export_)})
    tools->addWidget(each);
  auto* details = new QSplitter(Qt::Horizontal);
  details->addWidget(card_);
  details->addWidget(chart_);
  details->setStretchFactor(0, 2);
  details->setStretchFactor(1, 3);
  details->setChildrenCollapsible(false);
  auto* both = new QSplitter(Qt::Vertical);
  both->addWidget(table_);
  both->addWidget(details);
  both->setStretchFactor(0, 3);
  both->setStretchFactor(1, 2);
  both->setChildrenCollapsible(false);
  layOutPanel(*this, banner_, tools, *stack_, both, empty_);

  connect(&list_, &ScoreList::changed, this, &EvaluationPanel::present);
  connect(&theme_, &Theme::changed, this, &EvaluationPanel::presentComparison);
  connect(table_, &QTableWidget::currentCellChanged, this, [this] {
    const QString measure = measureAt(table_->currentColumn());
    if (!measure.isEmpty()) measure_->setCurrentIndex(static_cast<int>(measures_.indexOf(measure)));
    presentComparison();
  });
  connect(measure_, &QComboBox::currentIndexChanged, this, &EvaluationPanel::presentComparison);
  connect(evaluate_, &QPushButton::clicked, this, &EvaluationPanel::evaluateRequested);
  connect(export_, &QToolButton::clicked, this, &EvaluationPanel::askExport);
  present();
}

void EvaluationPanel::setSource(RunSource* source) {
  if (list_.source()) list_.source()->disconnect(this);
  list_.setSource(source);
  if (source) {
    connect(source, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind == StoreKind::kSummary) refreshEvaluate();
    });
    connect(source, &RunSource::loadingFinished, this, &EvaluationPanel::present);
  }
  present();
}

void EvaluationPanel::setObstacle(const QString& why) {
  obstacle_ = why;
  refreshEvaluate();
}

void EvaluationPanel::setOverlays(const QStringList& folders) { list_.setOverlays(folders); }

void EvaluationPanel::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  list_.refresh();  // other programs score runs, too
}

const ScoreRow* EvaluationPanel::rowAt(int table_row) const {
  if (table_row < 0 || table_row >= static_cast<int>(rows_.size())) return nullptr;
  const auto [run, row] = rows_[static_cast<std::size_t>(table_row)];
  return &list_.runs()[static_cast<std::size_t>(run)].rows[static_cast<std::size_t>(row)];
}

QString EvaluationPanel::measureAt(int column) const {
  return column >= kFirstMeasure && column < kFirstMeasure + measures_.size() ? measures_[column - kFirstMeasure]
                                                                              : QString();
}

const Score* EvaluationPanel::scoreAt(int table_row, int column) const {
  const auto* row = rowAt(table_row);
  const QString measure = measureAt(column);
  return row && !measure.isEmpty() ? row->find(measure) : nullptr;
}

void EvaluationPanel::present() {
  const auto& runs = list_.runs();
  const int row = table_->currentRow(), column = table_->currentColumn();
  const QString chosen_measure = measure_->currentData().toString();
  {
    const QSignalBlocker table_blocker(table_), measure_blocker(measure_);
    measures_ = measuresOf(runs);
    measure_->clear();
    for (const auto& measure : measures_) measure_->addItem(measureTitle(measure), measure);
    const auto preferred = chosen_measure.isEmpty() ? QStringLiteral("frechet_recon_relative") : chosen_measure;
    measure_->setCurrentIndex(std::max(0, static_cast<int>(measures_.indexOf(preferred))));
    rows_.clear();
    for (std::size_t i = 0; i < runs.size(); ++i)
      for (std::size_t k = 0; k < runs[i].rows.size(); ++k)
        rows_.emplace_back(static_cast<int>(i), static_cast<int>(k));
    table_->clear();
    table_->setColumnCount(kFirstMeasure + static_cast<int>(measures_.size()) + 1);
    table_->setRowCount(static_cast<int>(rows_.size()));
    QStringList titles = {tr("Run"), tr("Images from"), tr("NFE"), tr("Weights")};
    for (const auto& measure : measures_) titles << measureTitle(measure);
    titles << tr("Worst class");
    table_->setHorizontalHeaderLabels(titles);
    for (int i = 0; i < measures_.size(); ++i)
      table_->horizontalHeaderItem(kFirstMeasure + i)->setToolTip(measureMeaning(measures_[i]));
    for (int line = 0; line < table_->rowCount(); ++line) {
      const auto& each = *rowAt(line);
      const auto put = [&](int at, const QString& text, bool is_number) {
        auto* item = new QTableWidgetItem(text);
        if (is_number) item->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
        table_->setItem(line, at, item);
      };
      put(kRun, runs[static_cast<std::size_t>(rows_[static_cast<std::size_t>(line)].first)].name, false);
      put(kImages, each.title, false);
      put(kNfe, each.nfe > 0 ? formatCount(each.nfe) : QString(), true);
      put(kWeights, each.weights, false);
      for (int i = 0; i < measures_.size(); ++i) {
        const auto* score = each.find(measures_[i]);
        put(kFirstMeasure + i, score ? formatScore(score->measure, score->value) : QString(), true);
      }
      const QString worst = each.worstClass();
      put(kFirstMeasure + static_cast<int>(measures_.size()),
          worst.isEmpty() ? QString() : tr("%1 %2").arg(worst).arg(each.accuracy_by_class[worst], 0, 'f', 2), false);
      if (!worst.isEmpty()) {
        QStringList classes;
        for (auto it = each.accuracy_by_class.begin(); it != each.accuracy_by_class.end() && classes.size() < 40; ++it)
          classes << tr("%1 %2").arg(it.key()).arg(it.value(), 0, 'f', 3);
        table_->item(line, table_->columnCount() - 1)->setToolTip(classes.join(QLatin1Char('\n')));
      }
    }
    table_->setColumnHidden(kRun, runs.size() < 2);
    QStringList weights;  // a column that says the same everywhere is left to the cards
    for (int line = 0; line < table_->rowCount(); ++line)
      if (const QString& each = rowAt(line)->weights; !each.isEmpty() && !weights.contains(each)) weights << each;
    table_->setColumnHidden(kWeights, weights.size() < 2);
    if (row >= 0 && row < table_->rowCount() && column < table_->columnCount()) table_->setCurrentCell(row, column);
    table_->resizeColumnsToContents();
  }
  presentEmpty();
  presentComparison();
  refreshEvaluate();
}

void EvaluationPanel::presentEmpty() {
  const auto& runs = list_.runs();
  QStringList troubles;
  for (const auto& run : runs)
    if (!run.trouble.isEmpty()) troubles << (runs.size() > 1 ? tr("%1: %2").arg(run.name, run.trouble) : run.trouble);
  const bool has_rows = !rows_.empty();
  banner_->showMessage(has_rows ? troubles.join(QLatin1Char('\n')) : QString(), false);
  stack_->setCurrentIndex(has_rows ? 0 : 1);
  copy_->setEnabled(has_rows);
  export_->setEnabled(has_rows);
  measure_->setVisible(has_rows);
  auto* source = list_.source();
  if (!source && runs.empty())
    empty_->setText(tr("No run is open"), tr("Open a run to see its scores; tick others in the panel Runs to see "
                                             "theirs beside them."));
  else if (list_.isLoading() || (source && source->isLoading() && runs.empty()))
    empty_->setText(tr("Reading the scores…"), tr("The report and what it was made of are read."));
  else if (source && source->isForeign() && runs.size() < 2)
    empty_->setText(tr("No scores"), tr("The run was recorded by another program. What it says of its scores is among "
                                        "the curves."));
  else
    empty_->setText(tr("No scores yet"),
                    troubles.isEmpty() ? tr("The run has not been evaluated.") : troubles.join(QLatin1Char('\n')));
}

void EvaluationPanel::presentComparison() {
  const auto* chosen = scoreAt(table_->currentRow(), table_->currentColumn());
  const auto& colors = theme_.colors();
  {
    const QSignalBlocker blocker(table_);
    for (int line = 0; line < table_->rowCount(); ++line) {
      for (int i = 0; i < measures_.size(); ++i) {
        auto* item = table_->item(line, kFirstMeasure + i);
        const auto* score = scoreAt(line, kFirstMeasure + i);
        if (!item || !score) continue;
        const bool is_asked = chosen && chosen->measure == score->measure && chosen != score;
        const QString why = is_asked ? whyNotComparable(*chosen, *score) : QString();
        QFont font = table_->font();
        font.setItalic(!why.isEmpty());
        item->setFont(font);
        item->setForeground(why.isEmpty() ? colors.text : colors.muted);
        QString tip = QString::number(score->value, 'g', 9);
        if (!why.isEmpty())
          tip += QLatin1Char('\n') + tr("Does not compare with the chosen number: %1.").arg(why);
        else if (is_asked && chosen->value != 0 && std::isfinite(score->value / chosen->value))
          tip += QLatin1Char('\n') + tr("%1 % of the chosen number").arg(100 * score->value / chosen->value, 0, 'f', 1);
        item->setToolTip(tip);
      }
    }
  }
  chart_->present(list_.runs(), measure_->currentData().toString(), chosen);
  presentCard();
}

void EvaluationPanel::presentCard() {
  const int row = table_->currentRow(), column = table_->currentColumn();
  const auto* score = scoreAt(row, column);
  if (!score) {
    card_->setHtml(
        tr("<p>Choose a number: its card says how it was made. Numbers of the same column whose cards do not "
           "match are set in italics, with the reason in their tip.</p>"));
    return;
  }
  const auto line = [](const QString& name, const QString& value) {
    return QStringLiteral("<tr><td style='padding-right:8px'>%1</td><td>%2</td></tr>")
        .arg(name.toHtmlEscaped(), value.isEmpty() ? QStringLiteral("<i>%1</i>").arg(tr("not known").toHtmlEscaped())
                                                   : value.toHtmlEscaped());
  };
  QString html = QStringLiteral("<p><b>%1 %2</b><br/>%3</p>")
                     .arg(measureTitle(score->measure).toHtmlEscaped(),
                          formatScore(score->measure, score->value).toHtmlEscaped(), rowAt(row)->title.toHtmlEscaped());
  if (const QString meaning = measureMeaning(score->measure); !meaning.isEmpty())
    html += QStringLiteral("<p>%1.</p>").arg(meaning.toHtmlEscaped());
  for (const bool is_ruler : {true, false}) {
    html += QStringLiteral("<p><b>%1</b></p><table>")
                .arg((is_ruler ? tr("How it was measured") : tr("What was measured")).toHtmlEscaped());
    for (const auto& fact : score->card)
      if (fact.is_ruler == is_ruler) html += line(fact.name, fact.value);
    html += QStringLiteral("</table>");
  }
  int num_alike = 0, num_others = 0;
  for (int other = 0; other < table_->rowCount(); ++other) {
    const auto* each = scoreAt(other, column);
    if (!each || other == row) continue;
    (whyNotComparable(*score, *each).isEmpty() ? num_alike : num_others) += 1;
  }
  html += QStringLiteral("<p>%1</p>")
              .arg(tr("%1 numbers of this column compare with it, %2 do not.").arg(num_alike).arg(num_others));
  card_->setHtml(html);
}

void EvaluationPanel::refreshEvaluate() {
  auto* source = list_.source();
  QString why = obstacle_;
  bool is_made_anew = false;
  if (!source) {
    why = tr("no run is open");
  } else if (why.isEmpty()) {
    const auto& summary = source->summary();
    if (source->isForeign())
      why = tr("the run was recorded by another program");
    else if (source->isLoading())
      why = tr("the run is still being read");
    else if (source->isLive() ? !base::isEnded(summary.state) : source->isWorkedOn())
      why = tr("it is being trained, and is evaluated at its end");
    else if (!summary.has_started)
      why = tr("the run has not been trained");
    for (const auto& stage : summary.stages)
      if (why.isEmpty() && stage.name != "report" && stage.state != StageState::kDone)
        why = tr("%1 is not trained to its end; Continue in the panel Pipeline goes on, and scores the run then")
                  .arg(stageTitle(stage.name));
    if (why.isEmpty() && !list_.runs().empty() && list_.runs().front().folder == source->folder()) {
      is_made_anew = list_.runs().front().has_report;
      if (list_.runs().front().is_current)
        why = tr("the report is made of the newest checkpoints with the present settings; it would come out the same");
    }
  }
  evaluate_->setEnabled(why.isEmpty());
  evaluate_->setToolTip(!why.isEmpty() ? tr("Cannot be started: %1").arg(why)
                        : is_made_anew ? tr("Makes the report anew, of the newest checkpoints")
                                       : tr("Scores the run: trains the judge, makes images, writes the report"));
}

void EvaluationPanel::copy(bool as_markdown) {
  const auto table = scoreTable(list_.runs(), false);
  QApplication::clipboard()->setText(as_markdown ? table.toMarkdown() : table.toTsv());
}

void EvaluationPanel::askExport() {
  if (rows_.empty()) return;
  auto* ask = new QFileDialog(this, tr("Export the scores"), QString(), tr("Comma-separated values (*.csv)"));
  ask->setAttribute(Qt::WA_DeleteOnClose);
  ask->setAcceptMode(QFileDialog::AcceptSave);
  ask->setDefaultSuffix(QStringLiteral("csv"));
  ask->selectFile(list_.runs().front().name + QStringLiteral("-scores.csv"));
  connect(ask, &QFileDialog::fileSelected, this, [this](const QString& path) { saveCsv(path); });
  ask->open();
}

bool EvaluationPanel::saveCsv(const QString& path) {
  const QByteArray text = scoreTable(list_.runs(), true).toCsv();
  QSaveFile file(path);
  if (file.open(QIODevice::WriteOnly) && file.write(text) == text.size() && file.commit()) return true;
  banner_->showMessage(tr("%1 could not be written: %2").arg(path, file.errorString()), true);
  return false;
}

}  // namespace meanflow::ui

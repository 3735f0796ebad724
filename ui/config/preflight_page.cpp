// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/preflight_page.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollArea>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/panels/progress.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

QString secondsText(double seconds) {
  if (seconds < 1) return PreflightPage::tr("%1 ms").arg(1e3 * seconds, 0, 'g', 3);
  return seconds < 60 ? PreflightPage::tr("%1 s").arg(seconds, 0, 'g', 3) : formatDuration(seconds);
}

QColor ThemeColors::*inkOf(base::PreflightSeverity severity) {
  switch (severity) {
    case base::PreflightSeverity::kGood:
      return &ThemeColors::good;
    case base::PreflightSeverity::kNote:
      return &ThemeColors::warning;
    case base::PreflightSeverity::kRefusal:
      return &ThemeColors::bad;
  }
  return &ThemeColors::text;
}

QString iconOf(base::PreflightSeverity severity) {
  return severity == base::PreflightSeverity::kGood      ? QStringLiteral("check")
         : severity == base::PreflightSeverity::kRefusal ? QStringLiteral("fail")
                                                         : QStringLiteral("live");
}

QString severityText(base::PreflightSeverity severity) {
  switch (severity) {
    case base::PreflightSeverity::kGood:
      return PreflightPage::tr("In order");
    case base::PreflightSeverity::kNote:
      return PreflightPage::tr("To know");
    case base::PreflightSeverity::kRefusal:
      return PreflightPage::tr("To change");
  }
  return {};
}

}  // namespace

PreflightPage::PreflightPage(const Theme& theme, PreflightJob& job, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      job_(job),
      verdict_(new QLabel),
      summary_(new QLabel),
      stale_(new QLabel(tr("The settings have changed since: run it again for theirs."))),
      bar_(new QProgressBar),
      table_(new QTreeWidget),
      scroll_(new QScrollArea),
      back_(new QPushButton(theme.icon(QStringLiteral("previous")), tr("Back to the settings"))),
      again_(new QPushButton(theme.icon(QStringLiteral("refresh")), tr("Run again"))),
      cancel_(new QPushButton(theme.icon(QStringLiteral("stop")), tr("Cancel"))) {
  setAccessibleName(tr("Pre-flight"));
  verdict_->setProperty("heading", true);
  verdict_->setWordWrap(true);
  verdict_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  summary_->setWordWrap(true);
  summary_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  stale_->setWordWrap(true);
  stale_->setProperty("muted", true);
  bar_->setTextVisible(false);
  bar_->setAccessibleName(tr("Progress of the pre-flight"));
  back_->setToolTip(tr("The form and the file of the new run"));
  again_->setToolTip(tr("A few dry steps with the settings as they are now (Ctrl+Shift+F5)"));
  cancel_->setToolTip(tr("End after the step that is going on; what has been measured is shown"));
  for (auto* button : {back_, again_, cancel_}) button->setAccessibleName(button->text());
  table_->setAccessibleName(tr("What every stage will take"));
  table_->setHeaderLabels({tr("Stage"), tr("Steps"), tr("A step"), tr("To the end"), tr("Device-hours"), tr("Memory"),
                           tr("Checkpoint"), tr("Disk"), tr("Parameters")});
  table_->setRootIsDecorated(false);
  table_->setUniformRowHeights(true);
  table_->setSelectionMode(QAbstractItemView::SingleSelection);
  table_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
  scroll_->setWidgetResizable(true);
  scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll_->setAccessibleName(tr("What was checked"));
  scroll_->setFrameShape(QFrame::NoFrame);

  auto* head = new QHBoxLayout;
  head->setSpacing(6);
  head->addWidget(verdict_, 1);
  head->addWidget(cancel_);
  head->addWidget(again_);
  head->addWidget(back_);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 4, 0, 0);
  layout->setSpacing(7);
  layout->addLayout(head);
  layout->addWidget(bar_);
  layout->addWidget(summary_);
  layout->addWidget(stale_);
  layout->addWidget(table_, 2);
  layout->addWidget(scroll_, 3);
  layout->addStretch(0);  // takes the room while there is nothing to show
  connect(back_, &QPushButton::clicked, this, &PreflightPage::closeWanted);
  connect(again_, &QPushButton::clicked, this, &PreflightPage::againWanted);
  connect(cancel_, &QPushButton::clicked, &job_, &PreflightJob::cancel);
  connect(&job_, &PreflightJob::changed, this, &PreflightPage::refresh);
  connect(&theme_, &Theme::changed, this, [this] {
    shown_ = nullptr;
    refresh();
  });
  refresh();
}

QString PreflightPage::verdict() const { return verdict_->text(); }

void PreflightPage::setSettings(const QString& yaml) {
  yaml_ = yaml;
  stale_->setVisible(job_.report() && job_.yaml() != yaml_);
}

void PreflightPage::refresh() {
  const bool is_going = job_.isGoing();
  const auto* report = job_.report();
  cancel_->setVisible(is_going);
  cancel_->setEnabled(!job_.isCancelling());
  again_->setVisible(!is_going);
  bar_->setVisible(is_going);
  table_->setVisible(report && !report->stages.empty());
  scroll_->setVisible(report != nullptr);
  stale_->setVisible(report && job_.yaml() != yaml_);
  if (is_going) {
    shown_ = nullptr;
    const auto& progress = job_.progress();
    verdict_->setText(job_.isCancelling() ? tr("Ending the pre-flight…")
                                          : tr("Pre-flight: a few dry steps of every stage…"));
    summary_->setText(progress.what.empty()
                          ? tr("Nothing is written into the run's folder.")
                          : tr("Now: %1. Nothing is written into the run's folder.")
                                .arg(progress.what == "data" ? tr("reading the data") : stageTitle(progress.what)));
    bar_->setRange(0, progress.total);
    showProgress(*bar_, progress.done);
    return;
  }
  if (!report) {
    verdict_->setText(tr("No pre-flight yet"));
    summary_->setText(tr(
        "A few dry steps of every stage tell the time, the memory and the disk that the run will take, and what would "
        "stop it. Nothing is written into the run's folder. Press Run again."));
    return;
  }
  if (report != shown_) showReport(*report);
}

QString PreflightPage::summaryOf(const base::PreflightReport& report) const {
  QStringList parts;
  const bool is_gpu = report.device.starts_with("cuda");
  if (report.seconds() > 0) {
    const double hours = report.deviceHours();
    const QString effort = !is_gpu ? tr("%1 CPU-hours on %2 workers").arg(formatNumber(hours)).arg(report.num_workers)
                           : hours > 24 ? tr("%1 GPU-days").arg(formatNumber(hours / 24))
                                        : tr("%1 GPU-hours").arg(formatNumber(hours));
    parts << tr("The stages take %1 (%2), live pictures and scoring not counted.")
                 .arg(formatDuration(report.seconds()), effort);
  }
  if (report.peakMemoryBytes() > 0)
    parts << tr("Memory: up to %1 of %2.")
                 .arg(formatBytes(report.peakMemoryBytes()), formatBytes(report.memory_total_bytes));
  if (report.diskBytes() > 0)
    parts << (report.disk_free_bytes >= 0
                  ? tr("Checkpoints: up to %1, with %2 free.")
                        .arg(formatBytes(report.diskBytes()), formatBytes(report.disk_free_bytes))
                  : tr("Checkpoints: up to %1.").arg(formatBytes(report.diskBytes())));
  parts << tr("Looking took %1.").arg(formatDuration(report.wall_seconds));
  return parts.join(QLatin1Char(' '));
}

void PreflightPage::showReport(const base::PreflightReport& report) {
  shown_ = &report;
  const auto num_refusals = std::count_if(report.findings.begin(), report.findings.end(), [](const auto& finding) {
    return finding.severity == base::PreflightSeverity::kRefusal;
  });
  verdict_->setText(num_refusals == 1     ? tr("The run cannot start: one thing has to be changed")
                    : num_refusals > 0    ? tr("The run cannot start: %1 things have to be changed").arg(num_refusals)
                    : report.is_cancelled ? tr("Cancelled: what was measured until then")
                                          : tr("The run can start"));
  summary_->setText(summaryOf(report));
  table_->clear();
  for (const auto& stage : report.stages) {
    auto* item = new QTreeWidgetItem(table_, {stageTitle(stage.stage)});
    item->setIcon(0, theme_.icon(stage.outcome == base::PreflightOutcome::kRefused    ? QStringLiteral("fail")
                                 : stage.outcome == base::PreflightOutcome::kMeasured ? QStringLiteral("check")
                                 : stage.outcome == base::PreflightOutcome::kTaken    ? QStringLiteral("open")
                                                                                      : QStringLiteral("wait"),
                                 stage.outcome == base::PreflightOutcome::kRefused    ? &ThemeColors::bad
                                 : stage.outcome == base::PreflightOutcome::kMeasured ? &ThemeColors::good
                                                                                      : &ThemeColors::muted));
    if (stage.outcome != base::PreflightOutcome::kMeasured) {
      item->setText(0, tr("%1: %2").arg(item->text(0), QString::fromStdString(stage.note)));
      item->setToolTip(0, item->text(0));
      item->setFirstColumnSpanned(true);
      continue;
    }
    const QStringList texts = {formatCount(stage.steps),
                               secondsText(stage.seconds_per_step),
                               formatDuration(stage.seconds()),
                               formatNumber(stage.seconds() * report.num_workers / 3600),
                               formatBytes(stage.peak_memory_bytes),
                               formatBytes(stage.checkpoint_bytes),
                               tr("%1 (keeps %2)").arg(formatBytes(stage.diskBytes())).arg(stage.checkpoints_kept),
                               formatShort(static_cast<double>(stage.num_parameters))};
    for (int column = 0; column < texts.size(); ++column) item->setText(column + 1, texts[column]);
    item->setToolTip(2, tr("Median of %1 steps").arg(stage.measured_steps));
    item->setToolTip(3, tr("%1 steps, and %2 of preparation: encoding the data, making trajectories")
                            .arg(formatCount(stage.steps), formatDuration(stage.preparation_seconds)));
  }
  for (int column = 0; column < table_->columnCount(); ++column) {
    int width = table_->header()->sectionSizeHint(column);
    for (int row = 0; row < table_->topLevelItemCount(); ++row) {
      const auto* item = table_->topLevelItem(row);
      if (!item->isFirstColumnSpanned())
        width = std::max(width, table_->fontMetrics().horizontalAdvance(item->text(column)) + (column == 0 ? 44 : 22));
    }
    table_->setColumnWidth(column, width);
  }
  const int row_height = table_->fontMetrics().height() + 10;
  table_->setMaximumHeight(table_->header()->sizeHint().height() + row_height * (table_->topLevelItemCount() + 1));

  findings_ = new QWidget;
  findings_layout_ = new QVBoxLayout(findings_);
  findings_layout_->setContentsMargins(0, 0, 6, 0);
  findings_layout_->setSpacing(5);
  for (const auto severity :
       {base::PreflightSeverity::kRefusal, base::PreflightSeverity::kNote, base::PreflightSeverity::kGood})
    for (const auto& finding : report.findings)
      if (finding.severity == severity) addFinding(finding);
  findings_layout_->addStretch(1);
  scroll_->setWidget(findings_);  // the one before goes
}

void PreflightPage::addFinding(const base::PreflightFinding& finding) {
  auto* icon = new QLabel;
  icon->setPixmap(
      theme_.icon(iconOf(finding.severity), inkOf(finding.severity)).pixmap(QSize(15, 15), devicePixelRatioF()));
  icon->setToolTip(severityText(finding.severity));
  auto* text = new QLabel;
  text->setWordWrap(true);
  text->setTextFormat(Qt::RichText);
  text->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::LinksAccessibleByMouse | Qt::LinksAccessibleByKeyboard);
  const QString sentence = QString::fromStdString(finding.sentence).toHtmlEscaped();
  const QString key = QString::fromStdString(finding.key);
  const bool has_link = !key.isEmpty() && finding.severity != base::PreflightSeverity::kGood;
  text->setText(has_link ? QStringLiteral("%1 <a href=\"%2\">%3</a>").arg(sentence, key, tr("Show %1").arg(key))
                         : sentence);
  text->setFocusPolicy(has_link ? Qt::StrongFocus : Qt::NoFocus);
  text->setAccessibleName(tr("%1: %2").arg(severityText(finding.severity), QString::fromStdString(finding.sentence)));
  connect(text, &QLabel::linkActivated, this, &PreflightPage::settingPicked);
  auto* row = new QHBoxLayout;
  row->setSpacing(8);
  row->addWidget(icon, 0, Qt::AlignTop);
  row->addWidget(text, 1);
  findings_layout_->addLayout(row);
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/replay_strip.h"

#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>
#include <cmath>

#include "ui/models/alarm_words.h"
#include "ui/models/replay_job.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

QString exactness(double replay_error) {
  if (!std::isfinite(replay_error)) return ReplayStrip::tr("not compared: no loss was recorded on the way");
  if (replay_error == 0) return ReplayStrip::tr("the recorded losses came back to the bit");
  return ReplayStrip::tr("the losses are within a relative %1 of the recorded ones").arg(formatNumber(replay_error));
}

}  // namespace

ReplayStrip::ReplayStrip(const Theme& theme, QWidget* parent)
    : QFrame(parent),
      title_(new QLabel),
      text_(new QLabel),
      facts_(new QLabel),
      busy_(new QProgressBar),
      cancel_(new QPushButton(theme.icon(QStringLiteral("stop")), tr("Cancel"))),
      report_(new QPushButton(theme.icon(QStringLiteral("folder")), tr("Open the report"))),
      close_(new QToolButton) {
  setProperty("banner", true);
  title_->setProperty("heading", true);
  title_->setWordWrap(true);
  for (auto* label : {text_, facts_}) {
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
  }
  facts_->setTextFormat(Qt::RichText);
  busy_->setRange(0, 0);
  busy_->setTextVisible(false);
  busy_->setAccessibleName(tr("A step is being replayed"));
  cancel_->setAccessibleName(tr("Cancel the replay"));
  cancel_->setToolTip(tr("End after the step that is going on; nothing is written to the run"));
  report_->setAccessibleName(tr("Open the report of the replay"));
  close_->setIcon(theme.icon(QStringLiteral("close")));
  close_->setAutoRaise(true);
  close_->setFocusPolicy(Qt::StrongFocus);
  close_->setAccessibleName(tr("Close the finding of the replay"));
  close_->setToolTip(tr("Close; the report stays in the run folder"));
  auto* head = new QHBoxLayout;
  head->addWidget(title_, 1);
  head->addWidget(close_, 0, Qt::AlignTop);
  auto* going = new QHBoxLayout;
  going->setSpacing(8);
  going->addWidget(busy_, 1);
  going->addWidget(cancel_);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(10, 6, 8, 7);
  column->setSpacing(4);
  column->addLayout(head);
  column->addWidget(text_);
  column->addLayout(going);
  column->addWidget(facts_);
  column->addWidget(report_, 0, Qt::AlignLeft);
  hide();
  connect(close_, &QToolButton::clicked, this, &QWidget::hide);
  connect(cancel_, &QPushButton::clicked, this, [this] {
    if (job_) job_->cancel();
  });
  connect(report_, &QPushButton::clicked, this, [this] { Q_EMIT openRequested(folder_); });
}

void ReplayStrip::setJob(ReplayJob* job) {
  if (job_) job_->disconnect(this);
  job_ = job;
  if (!job_) return hide();
  connect(job_, &ReplayJob::changed, this, &ReplayStrip::present);
}

QString ReplayStrip::text() const { return text_->text(); }

void ReplayStrip::present() {
  const auto& at = job_->at();
  const auto& outcome = job_->outcome();
  title_->setText(
      tr("Replay of %1, step %2 of %3")
          .arg(QFileInfo(QString::fromStdString(at.parent)).fileName(), formatCount(at.step), stageTitle(at.stage)));
  const bool is_cancelled = outcome && outcome->is_cancelled;
  const bool is_error = outcome && !is_cancelled && !outcome->error.empty();
  folder_.clear();
  facts_in_words_.clear();
  QString facts;
  if (job_->isCancelling()) {
    text_->setText(tr("Being cancelled: it ends after the step that is going on."));
  } else if (job_->isGoing()) {
    text_->setText(tr(
        "Trained again beside the run, from the checkpoint before; then every operation of the step is looked into."));
  } else if (is_cancelled) {
    text_->setText(tr("Cancelled before the step was looked into; nothing was written to the run."));
  } else if (is_error) {
    text_->setText(tr("The step was not replayed: %1").arg(QString::fromStdString(outcome->error)));
  } else if (outcome) {
    const auto& found = outcome->found;
    text_->setText(QString::fromStdString(found.text));
    folder_ = QString::fromStdString(found.report);
    if (!folder_.isEmpty() && QFileInfo(folder_).isRelative())
      folder_ = QString::fromStdString(at.parent) + QLatin1Char('/') + folder_;
    auto rows = originFacts(found.origin);
    rows.emplace_back(tr("How exact"), exactness(found.replay_error));
    facts = QStringLiteral("<table>");
    for (const auto& [name, value] : rows) {
      facts_in_words_ << tr("%1: %2").arg(name, value);
      facts += QStringLiteral("<tr><td style='padding-right:10px'>%1</td><td>%2</td></tr>")
                   .arg(name.toHtmlEscaped(), value.toHtmlEscaped());
    }
    facts += QStringLiteral("</table>");
  }
  facts_->setText(facts);
  facts_->setAccessibleName(facts_in_words_.join(QStringLiteral("; ")));
  facts_->setVisible(!facts.isEmpty());
  busy_->setVisible(job_->isGoing());
  cancel_->setVisible(job_->isGoing());
  cancel_->setEnabled(!job_->isCancelling());
  close_->setVisible(!job_->isGoing());
  const bool is_there = !folder_.isEmpty() && QFileInfo(folder_).isDir();
  report_->setVisible(!folder_.isEmpty());
  report_->setEnabled(is_there);
  report_->setToolTip(is_there ? tr("The folder %1, with report.md").arg(folder_)
                               : tr("The folder %1 is not there").arg(folder_));
  const bool has_fault = outcome && !is_error && !is_cancelled && outcome->found.kind != "none";
  setProperty("level", is_error    ? QStringLiteral("error")
                       : has_fault ? QStringLiteral("warning")
                                   : QStringLiteral("info"));
  style()->unpolish(this);
  style()->polish(this);
  setAccessibleName(title_->text());
  setAccessibleDescription(text_->text());
  show();
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/stage_card.h"

#include <QFile>
#include <QGridLayout>
#include <QLabel>
#include <QProgressBar>
#include <QStyle>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/models/imported_stages.h"
#include "ui/panels/progress.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

QString stateText(StageState state) {
  switch (state) {
    case StageState::kWaiting:
      return StageCard::tr("waiting");
    case StageState::kRunning:
      return StageCard::tr("running");
    case StageState::kPaused:
      return StageCard::tr("paused");
    case StageState::kDone:
      return StageCard::tr("done");
    case StageState::kStopped:
      return StageCard::tr("stopped");
    case StageState::kFailed:
      return StageCard::tr("failed");
  }
  return {};
}

const char* styleName(StageState state) {
  switch (state) {
    case StageState::kDone:
      return "done";
    case StageState::kPaused:
    case StageState::kStopped:
      return "paused";
    case StageState::kFailed:
      return "failed";
    case StageState::kWaiting:
      return "waiting";
    case StageState::kRunning:
      return "running";
  }
  return "";
}

QColor ThemeColors::*colorOf(StageState state) {
  switch (state) {
    case StageState::kDone:
      return &ThemeColors::good;
    case StageState::kPaused:
    case StageState::kStopped:
      return &ThemeColors::warning;
    case StageState::kFailed:
      return &ThemeColors::bad;
    case StageState::kWaiting:
      return &ThemeColors::idle;
    case StageState::kRunning:
      return &ThemeColors::accent;
  }
  return &ThemeColors::text;
}

}  // namespace

StageCard::StageCard(const Theme& theme, QWidget* parent)
    : QFrame(parent),
      theme_(theme),
      icon_(new QLabel),
      title_(new QLabel),
      state_(new QLabel),
      bar_(new QProgressBar),
      steps_(new QLabel),
      eta_(new QLabel),
      speed_(new QLabel),
      loss_(new QLabel) {
  setProperty("card", true);
  title_->setProperty("heading", true);
  for (auto* label : {steps_, eta_, speed_, loss_}) label->setProperty("muted", true);
  for (auto* label : {eta_, loss_, state_}) label->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
  // Narrow panels cut the figures, never the card.
  for (auto* label : {steps_, speed_}) {
    label->setMinimumWidth(10);
    label->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  }
  bar_->setTextVisible(false);
  bar_->setRange(0, 1000);

  auto* head = new QHBoxLayout;
  head->setSpacing(8);
  head->addWidget(icon_);
  head->addWidget(title_, 1);
  head->addWidget(state_);
  auto* figures = new QGridLayout;
  figures->setHorizontalSpacing(8);
  figures->setVerticalSpacing(2);
  figures->addWidget(steps_, 0, 0);
  figures->addWidget(eta_, 0, 1);
  figures->addWidget(speed_, 1, 0);
  figures->addWidget(loss_, 1, 1);
  figures->setColumnStretch(0, 1);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(11, 9, 11, 9);
  layout->setSpacing(6);
  layout->addLayout(head);
  layout->addWidget(bar_);
  layout->addLayout(figures);
}

void StageCard::setIcon(const std::string& stage, StageState state) {
  const bool is_dark = theme_.colors().is_dark;
  if (icon_of_ == stage && icon_state_ == state && icon_is_dark_ == is_dark) return;
  icon_of_ = stage;
  icon_state_ = state;
  icon_is_dark_ = is_dark;
  QString name = QString::fromStdString(stage);
  if (!QFile::exists(QStringLiteral(":/studio/icons/%1.svg").arg(name))) name = QStringLiteral("stage");
  icon_->setPixmap(theme_.icon(name, colorOf(state)).pixmap(QSize(20, 20), devicePixelRatioF()));
}

void StageCard::presentImported(const StageSummary& stage, const QString& source) {
  setIcon(stage.name, StageState::kDone);
  title_->setText(stageTitle(stage.name));
  state_->setText(tr("imported"));
  QPalette palette = state_->palette();
  palette.setColor(QPalette::WindowText, theme_.colors().good);
  state_->setPalette(palette);
  bar_->hide();
  steps_->setText(tr("imported from %1").arg(shortSource(source)));
  for (auto* label : {eta_, speed_, loss_}) label->hide();
  setToolTip(tr("%1\nNot trained by this run: its weights are those of %2").arg(stagePurpose(stage.name), source));
  setAccessibleName(tr("Stage %1: imported from %2").arg(title_->text(), source));
}

void StageCard::presentRecorded(const StageSummary& stage) {
  setIcon(stage.name, StageState::kStopped);
  title_->setText(stageTitle(stage.name));
  state_->setText(tr("recorded"));
  QPalette palette = state_->palette();
  palette.setColor(QPalette::WindowText, theme_.colors().muted);
  state_->setPalette(palette);
  bar_->hide();
  steps_->setText(stage.step > 0 ? tr("up to step %1").arg(formatCount(stage.step)) : tr("no curve"));
  for (auto* label : {eta_, speed_, loss_}) label->hide();
  setToolTip(tr("%1: its curves and pictures").arg(title_->text()));
  setAccessibleName(tr("%1: recorded, %2").arg(title_->text(), steps_->text()));
}

void StageCard::present(const StageSummary& stage, bool is_current, const QString& source) {
  if (!source.isEmpty()) return presentImported(stage, source);
  bar_->show();
  eta_->show();
  setIcon(stage.name, stage.state);
  title_->setText(stageTitle(stage.name));
  state_->setText(stateText(stage.state));
  QPalette palette = state_->palette();
  palette.setColor(QPalette::WindowText, theme_.colors().*colorOf(stage.state));
  state_->setPalette(palette);

  const double share =
      stage.state == StageState::kDone
          ? 1.0
          : (stage.total_steps > 0 ? static_cast<double>(stage.step) / static_cast<double>(stage.total_steps) : 0.0);
  showProgress(*bar_, static_cast<int>(std::lround(1000 * std::clamp(share, 0.0, 1.0))));
  steps_->setText(stage.total_steps > 0 ? tr("%1 / %2 · %3 %")
                                              .arg(formatCount(stage.step), formatCount(stage.total_steps))
                                              .arg(static_cast<int>(100 * share))
                                        : tr("length not known yet"));
  const bool is_active = stage.state == StageState::kRunning || stage.state == StageState::kPaused;
  if (stage.state == StageState::kDone) {
    eta_->setText(stage.wall_seconds > 0 ? tr("took %1").arg(formatDuration(stage.wall_seconds)) : QString());
  } else if (stage.state == StageState::kRunning) {
    eta_->setText(stage.eta_seconds >= 0 ? tr("%1 left").arg(formatDuration(stage.eta_seconds)) : tr("estimating…"));
  } else {
    eta_->clear();
  }
  if (is_active && stage.seconds_per_step > 0) {
    speed_->setText(
        tr("%1 steps/s · %2 img/s").arg(formatShort(1 / stage.seconds_per_step), formatShort(stage.images_per_second)));
  } else {
    speed_->setText(stage.num_parameters > 0
                        ? tr("%1 parameters").arg(formatShort(static_cast<double>(stage.num_parameters)))
                        : QString());
  }
  loss_->setText(std::isnan(stage.last_loss) ? QString() : tr("loss %1").arg(formatNumber(stage.last_loss)));
  const bool has_second_line = !speed_->text().isEmpty() || !loss_->text().isEmpty();
  speed_->setVisible(has_second_line);
  loss_->setVisible(has_second_line);

  setToolTip(tr("%1\n%2 steps%3")
                 .arg(stagePurpose(stage.name), steps_->text(),
                      speed_->text().isEmpty() ? QString() : u'\n' + speed_->text()));
  setAccessibleName(tr("Stage %1: %2, %3").arg(title_->text(), state_->text(), steps_->text()));
  bar_->setAccessibleName(tr("Progress of stage %1").arg(title_->text()));
  const QString style_name = QLatin1String(styleName(stage.state));
  if (bar_->property("state").toString() != style_name || property("current").toBool() != is_current) {
    bar_->setProperty("state", style_name);
    setProperty("current", is_current);
    for (QWidget* widget : {static_cast<QWidget*>(bar_), static_cast<QWidget*>(this)}) {
      widget->style()->unpolish(widget);
      widget->style()->polish(widget);
    }
  }
}

}  // namespace meanflow::ui

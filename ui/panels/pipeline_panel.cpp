// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/pipeline_panel.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QMessageBox>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollArea>
#include <QStackedLayout>
#include <QToolButton>
#include <QVBoxLayout>

#include "core/base/run/run_state.h"
#include "ui/models/imported_stages.h"
#include "ui/panels/empty_state.h"
#include "ui/panels/progress.h"
#include "ui/panels/stage_card.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

QColor ThemeColors::*colorOf(base::RunState state) {
  switch (state) {
    case base::RunState::kRunning:
      return &ThemeColors::accent;
    case base::RunState::kFinished:
      return &ThemeColors::good;
    case base::RunState::kFailed:
      return &ThemeColors::bad;
    case base::RunState::kIdle:
      return &ThemeColors::muted;
    default:
      return &ThemeColors::warning;
  }
}

}  // namespace

PipelinePanel::PipelinePanel(const Theme& theme, RunController& controller, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      controller_(controller),
      stack_(new QStackedLayout),
      empty_(new EmptyState(theme, QStringLiteral("demo"))),
      name_(new QLabel),
      state_(new QLabel),
      overall_(new QLabel),
      work_bar_(new QProgressBar),
      banner_(new Banner(theme)) {
  setAccessibleName(tr("Pipeline"));
  setMinimumWidth(290);
  confirm_discard_ = [this] {
    return QMessageBox::warning(
               this, tr("Discard the run's work?"),
               tr("The run ends at once. Steps since the last checkpoint are lost; checkpoints already "
                  "saved stay in the run folder."),
               QMessageBox::Discard | QMessageBox::Cancel, QMessageBox::Cancel) == QMessageBox::Discard;
  };

  auto* content = new QWidget;
  auto* layout = new QVBoxLayout(content);
  layout->setContentsMargins(8, 8, 8, 8);
  layout->setSpacing(7);
  auto* head = new QHBoxLayout;
  name_->setProperty("heading", true);
  name_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  head->addWidget(name_, 1);
  head->addWidget(state_);
  layout->addLayout(head);
  overall_->setProperty("muted", true);
  overall_->setWordWrap(true);
  layout->addWidget(overall_);
  work_bar_->setTextVisible(false);
  work_bar_->hide();
  layout->addWidget(work_bar_);
  buildButtons(layout);
  layout->addWidget(banner_);

  auto* cards = new QWidget;
  cards_layout_ = new QVBoxLayout(cards);
  cards_layout_->setContentsMargins(0, 0, 0, 0);
  cards_layout_->setSpacing(6);
  cards_layout_->addStretch(1);
  auto* scroll = new QScrollArea;
  scroll->setWidget(cards);
  scroll->setWidgetResizable(true);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll->setAccessibleName(tr("Stages of the run"));
  layout->addWidget(scroll, 1);

  setLayout(stack_);
  stack_->addWidget(empty_);
  stack_->addWidget(content);
  connect(&controller_, &RunController::actionsChanged, this, &PipelinePanel::refreshButtons);
  connect(&theme_, &Theme::changed, this, &PipelinePanel::refresh);
  refresh();
}

void PipelinePanel::buildButtons(QVBoxLayout* layout) {
  const auto button = [this](const QString& icon, const QString& text, const QString& tip, QColor ThemeColors::*ink) {
    auto* made = new QPushButton(theme_.icon(icon, ink), text);
    made->setToolTip(tip);
    made->setAccessibleName(text);
    return made;
  };
  const auto toolButton = [this](const QString& icon, const QString& name, const QString& tip,
                                 QColor ThemeColors::*ink) {
    auto* made = new QToolButton;
    made->setIcon(theme_.icon(icon, ink));
    made->setProperty("framed", true);
    made->setToolTip(tip);
    made->setAccessibleName(name);
    made->setFocusPolicy(Qt::StrongFocus);
    return made;
  };
  start_ = button(QStringLiteral("play"), tr("Start"), tr("Start this run, or continue it from its last checkpoint"),
                  &ThemeColors::accent_text);
  start_->setProperty("primary", true);
  pause_ = button(QStringLiteral("pause"), tr("Pause"),
                  tr("Hold after the current step (Ctrl+P); the models stay in memory and sampling goes on"),
                  &ThemeColors::text);
  resume_ = button(QStringLiteral("play"), tr("Resume"), tr("Go on from the step the run is held at (Ctrl+P)"),
                   &ThemeColors::accent_text);
  resume_->setProperty("primary", true);
  stop_ =
      button(QStringLiteral("stop"), tr("Stop"),
             tr("Stop and save: write a checkpoint, then end the run; it can be continued later"), &ThemeColors::text);
  save_ =
      toolButton(QStringLiteral("save"), tr("Save now"), tr("Write a checkpoint now and go on"), &ThemeColors::text);
  discard_ = toolButton(QStringLiteral("discard"), tr("Discard"), tr("End the run at once without saving; asks first"),
                        &ThemeColors::bad);
  stop_->setAccessibleName(tr("Stop and save"));
  connect(start_, &QPushButton::clicked, this, &PipelinePanel::startRequested);
  connect(pause_, &QPushButton::clicked, &controller_, &RunController::pause);
  connect(resume_, &QPushButton::clicked, &controller_, &RunController::resume);
  connect(stop_, &QPushButton::clicked, &controller_, &RunController::stopAndSave);
  connect(save_, &QToolButton::clicked, &controller_, &RunController::saveNow);
  connect(discard_, &QToolButton::clicked, this, &PipelinePanel::askDiscard);
  auto* row = new QHBoxLayout;
  row->setSpacing(5);
  for (QWidget* widget :
       {static_cast<QWidget*>(start_), static_cast<QWidget*>(pause_), static_cast<QWidget*>(resume_),
        static_cast<QWidget*>(stop_), static_cast<QWidget*>(save_), static_cast<QWidget*>(discard_)}) {
    row->addWidget(widget);
  }
  row->addStretch(1);
  layout->addLayout(row);
}

void PipelinePanel::askDiscard() {
  if (controller_.actions().can_discard && confirm_discard_()) controller_.discard();
}

void PipelinePanel::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  if (source_) {
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind == StoreKind::kSummary) refresh();
    });
    connect(source_, &RunSource::troubleChanged, this, &PipelinePanel::refresh);
    connect(source_, &RunSource::loadingFinished, this, &PipelinePanel::refresh);
  }
  refresh();
}

void PipelinePanel::setConfig(const base::RunConfig& config) {
  std::map<std::string, QString> imported;
  for (const auto& stage : config.stages)
    if (const QString source = importedFrom(config, stage); !source.isEmpty()) imported[stage] = source;
  if (imported == imported_) return;
  imported_ = std::move(imported);
  refresh();
}

void PipelinePanel::refresh() {
  refreshButtons();
  const bool has_content = source_ && source_->summary().has_started;
  if (!has_content) {
    if (!source_) {
      empty_->setText(tr("No run is open"),
                      tr("Run the demo, or open a run folder from the File menu or by dropping it here."));
    } else if (!source_->trouble().isEmpty()) {
      empty_->setText(tr("This run cannot be read"), source_->trouble());
    } else if (source_->isLoading()) {
      empty_->setText(tr("Reading the run…"), tr("Stages appear as soon as their events are read."));
    } else {
      empty_->setText(tr("The run has not said anything yet"),
                      tr("It is being set up; its stages appear here once it starts."));
    }
    stack_->setCurrentIndex(0);
    return;
  }
  stack_->setCurrentIndex(1);
  refreshCards();
}

void PipelinePanel::refreshCards() {
  const auto& run = source_->summary();
  name_->setText(QString::fromStdString(run.run_name));
  name_->setToolTip(source_->folder());
  const bool is_cut_off =
      !base::isEnded(run.state) && controller_.access() == RunAccess::kNone && !source_->isLoading();
  const bool is_foreign = source_->isForeign();
  state_->setText(is_foreign ? tr("read-only") : is_cut_off ? tr("interrupted") : runStateText(run.state));
  QPalette palette = state_->palette();
  palette.setColor(QPalette::WindowText, theme_.colors().*(is_cut_off ? &ThemeColors::warning : colorOf(run.state)));
  state_->setPalette(palette);

  std::int64_t done = 0;
  double time_left = 0;
  bool is_time_known = !base::isEnded(run.state) && !is_cut_off;
  for (const auto& stage : run.stages) {
    done += stage.state == StageState::kDone || imported_.contains(stage.name) ? 1 : 0;
    if (stage.state == StageState::kRunning) {
      is_time_known = is_time_known && stage.eta_seconds >= 0;
      time_left += stage.eta_seconds;
    }
  }
  QStringList parts;
  if (is_foreign)
    parts << source_->origin();
  else
    parts << tr("%1 of %2 stages done").arg(done).arg(run.stages.size());
  if (is_time_known && time_left > 0) parts << tr("this stage ends in %1").arg(formatDuration(time_left));
  if (!run.progress.what.empty()) {
    parts << tr("now: %1").arg(QString::fromStdString(run.progress.what));
    work_bar_->setRange(0, run.progress.total > 0 ? 1000 : 0);
    if (run.progress.total > 0)
      showProgress(*work_bar_, static_cast<int>(1000 * run.progress.done / run.progress.total));
    work_bar_->setAccessibleName(tr("Progress of: %1").arg(QString::fromStdString(run.progress.what)));
  }
  work_bar_->setVisible(!run.progress.what.empty());
  overall_->setText(parts.join(QStringLiteral(" · ")));

  if (!source_->trouble().isEmpty()) {
    banner_->showMessage(source_->trouble(), true);
  } else if (run.state == base::RunState::kFailed) {
    const QString what = run.failure.empty() ? tr("The run failed without saying why; see the log.")
                                             : QString::fromStdString(run.failure);
    banner_->showMessage(run.is_diverged
                             ? tr("%1\nThe run diverged: continuing it unchanged would diverge again. Lower the "
                                  "learning rate or start from an earlier checkpoint.")
                                   .arg(what)
                             : what,
                         true);
  } else if (is_cut_off) {
    banner_->showMessage(
        tr("The process that trained this run is gone. The run can be continued from its last checkpoint."), false);
  } else {
    banner_->showMessage({}, false);
  }

  while (cards_.size() < run.stages.size()) {
    cards_.push_back(new StageCard(theme_));
    cards_layout_->insertWidget(static_cast<int>(cards_.size()) - 1, cards_.back());
  }
  for (std::size_t i = 0; i < cards_.size(); ++i) {
    const bool is_used = i < run.stages.size();
    if (is_used) {
      StageSummary stage = run.stages[i];
      if (is_foreign) {
        cards_[i]->presentRecorded(stage);
        cards_[i]->setVisible(true);
        continue;
      }
      if (is_cut_off && stage.state == StageState::kRunning) stage.state = StageState::kStopped;
      cards_[i]->present(stage, static_cast<int>(i) == run.current_stage && !base::isEnded(run.state),
                         imported_.contains(stage.name) ? imported_.at(stage.name) : QString());
    }
    cards_[i]->setVisible(is_used);
  }
}

void PipelinePanel::refreshButtons() {
  const auto& can = controller_.actions();
  start_->setText(can.start_continues ? tr("Continue") : tr("Start"));
  start_->setAccessibleName(start_->text());
  // One of the three is shown: what the state makes of "go" and "hold".
  const bool shows_resume = can.can_resume;
  const bool shows_pause = can.can_pause || (can.can_discard && !shows_resume);
  start_->setVisible(!shows_pause && !shows_resume);
  pause_->setVisible(shows_pause);
  resume_->setVisible(shows_resume);
  start_->setEnabled(can.can_start);
  pause_->setEnabled(can.can_pause);
  resume_->setEnabled(can.can_resume);
  stop_->setEnabled(can.can_stop);
  save_->setEnabled(can.can_save);
  discard_->setEnabled(can.can_discard);
}

}  // namespace meanflow::ui

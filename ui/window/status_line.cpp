// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/status_line.h"

#include <QLabel>
#include <QStatusBar>

#include "core/base/run/run_state.h"
#include "ui/models/run_controller.h"
#include "ui/models/run_source.h"
#include "ui/theme/format.h"

namespace meanflow::ui {

StatusLine::StatusLine(QStatusBar* bar, QObject* parent)
    : QObject(parent),
      state_(new QLabel),
      device_(new QLabel),
      rate_(new QLabel),
      watching_(new QLabel),
      saved_(new QLabel) {
  bar->setSizeGripEnabled(false);
  device_->setToolTip(tr("Where the run trains, and with how many workers"));
  rate_->setToolTip(tr("Optimizer steps a second"));
  watching_->setToolTip(tr("What live samples and pictures have cost, as a share of training time, and their budget"));
  saved_->setToolTip(tr("What would be lost if the run ended now"));
  state_->setToolTip(tr("What the run is doing, as it says itself"));
  for (auto* label : {state_, device_, rate_, watching_, saved_}) bar->addPermanentWidget(label);
}

void StatusLine::present(const RunSource* source, const RunController& controller) {
  for (auto* label : {device_, rate_, watching_, saved_}) label->setVisible(source != nullptr);
  if (!source) {
    state_->setText(tr("no run open"));
    return;
  }
  const auto& run = source->summary();
  const bool is_cut_off = !base::isEnded(run.state) && controller.access() == RunAccess::kNone && !source->isLoading();
  const QString where = source->isForeign()                            ? tr("of another program")
                        : source->isLive()                             ? tr("trained here")
                        : controller.access() == RunAccess::kElsewhere ? tr("trained elsewhere")
                                                                       : tr("record");
  state_->setText(source->isLoading() ? tr("reading…")
                  : source->isForeign()
                      ? where
                      : tr("%1 · %2").arg(is_cut_off ? tr("interrupted") : runStateText(run.state),
                                          source->isCondensed() ? tr("reading single points…") : where));
  device_->setText(run.device.empty()
                       ? QString()
                       : tr("%1 × %2 workers").arg(QString::fromStdString(run.device)).arg(run.num_workers));
  const auto* stage = run.current_stage >= 0 ? &run.stages[static_cast<std::size_t>(run.current_stage)] : nullptr;
  const bool is_stepping = stage && run.state == base::RunState::kRunning && !is_cut_off && stage->seconds_per_step > 0;
  rate_->setText(is_stepping ? tr("%1 steps/s").arg(formatShort(1 / stage->seconds_per_step)) : QString());
  rate_->setVisible(is_stepping);
  watching_->setText(tr("watching %1 % of %2 %")
                         .arg(100 * run.watching_fraction, 0, 'f', 1)
                         .arg(100 * run.watching_budget, 0, 'f', 1));
  watching_->setVisible(run.watching_budget > 0);
  const auto unsaved = run.unsavedSteps();
  saved_->setText(base::isEnded(run.state) || unsaved == 0 ? tr("saved")
                                                           : tr("%1 steps unsaved").arg(formatCount(unsaved)));
  saved_->setVisible(run.has_started && !source->isForeign());
}

}  // namespace meanflow::ui

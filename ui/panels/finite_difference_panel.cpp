// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/finite_difference_panel.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>
#include <cmath>

#include "ui/models/derivative_words.h"
#include "ui/models/run_controller.h"
#include "ui/panels/derivative_chart.h"
#include "ui/panels/folded_words.h"
#include "ui/panels/panel_layout.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

FiniteDifferencePanel::FiniteDifferencePanel(const Theme& theme, RunController& controller, QWidget* parent)
    : StepPanel(StoreKind::kDerivative, theme, QStringLiteral("curve"), parent),
      theme_(theme),
      controller_(controller),
      words_(new FoldedWords(tr("What the derivative asks for"))),
      legend_(new QLabel),
      chart_(new DerivativeChart(theme)),
      use_(new QPushButton),
      why_not_(new QLabel) {
  setAccessibleName(tr("Finite difference"));
  for (auto* label : {legend_, why_not_}) label->setWordWrap(true);
  legend_->setTextFormat(Qt::RichText);
  legend_->setContentsMargins(10, 0, 10, 0);
  use_->setAccessibleName(tr("Use the suggested step"));
  why_not_->setProperty("muted", true);
  auto* actions = new QHBoxLayout;
  actions->setContentsMargins(8, 2, 8, 8);
  actions->setSpacing(8);
  actions->addWidget(use_);
  actions->addWidget(why_not_, 1);
  auto* column = makeContent();
  column->addWidget(words_);
  column->addWidget(legend_);
  column->addWidget(chart_, 1);
  column->addLayout(actions);
  connect(use_, &QPushButton::clicked, this, [this] {
    if (const auto* report = shown(); report && obstacle().isEmpty())
      controller_.changeSetting(QStringLiteral("mean_flow.delta_t"),
                                QString::number(report->suggested_delta_t, 'g', 6));
  });
  connect(&controller_, &RunController::actionsChanged, this, &FiniteDifferencePanel::refreshUse);
  connect(&theme_, &Theme::changed, this, &FiniteDifferencePanel::applyTheme);
  applyTheme();
  refresh();
}

QString FiniteDifferencePanel::words() const { return words_->words(); }

const base::DerivativeHealthReady* FiniteDifferencePanel::shown() const {
  if (!source()) return nullptr;
  const auto& history = source()->derivative();
  const auto name = history.stageWithReports(stage(), stageNames());
  if (name.empty()) return nullptr;
  return name == stage() ? history.at(name, step()) : &history.reports(name).back();
}

double FiniteDifferencePanel::deltaInUse(const std::string& stage) const {
  const auto& newest = source()->derivative().reports(stage).back();
  double in_use = newest.delta_t;
  for (const auto& change : source()->metrics().settings()) {
    const auto& event = change.event;
    if (event.key == "mean_flow.delta_t" && event.stage == stage && event.step >= newest.step)
      in_use = QString::fromStdString(event.new_value).toDouble();
  }
  return in_use;
}

void FiniteDifferencePanel::onChanged(StoreKind kind) {
  StepPanel::onChanged(kind);
  if (kind != StoreKind::kMetrics || source()->metrics().revisions().settings == seen_settings_) return;
  seen_settings_ = source()->metrics().revisions().settings;
  refreshUse();
}

QString FiniteDifferencePanel::obstacle() const {
  const auto* report = shown();
  if (!report) return tr("nothing has been measured");
  if (!(report->delta_t > 0)) return tr("the objective takes the exact derivative");
  if (!(report->suggested_delta_t > 0)) return tr("the measurement suggests no step");
  const double in_use = deltaInUse(report->stage);
  if (std::abs(report->suggested_delta_t - in_use) < 1e-5 * in_use) return tr("it is in use");
  if (!controller_.actions().can_stop) return tr("the run on show is not being trained");
  return {};
}

void FiniteDifferencePanel::refresh() {
  const auto* report = shown();
  if (report) {
    showContent();
    words_->setWords(derivativeHeadline(*report), derivativeWords(*report));
    chart_->present(*report);
    refreshUse();
  } else if (!source()) {
    showNothing(tr("No run is open"), tr("How good a run's finite difference is appears here once one is open."));
  } else if (source()->isLoading()) {
    showNothing(tr("Reading the run…"), tr("Measurements appear as soon as they are read."));
  } else {
    showNothing(tr("This run has not compared its finite difference with the exact derivative"),
                tr("A run whose MeanFlow stage does, every diagnostics.derivative_every steps, shows here how far "
                   "du/dt is off at its δt, and which δt would be better."));
  }
}

void FiniteDifferencePanel::refreshUse() {
  const auto* report = shown();
  if (!report) return;
  const QString why = obstacle();
  use_->setText(report->suggested_delta_t > 0 ? tr("Use %1").arg(deltaText(report->suggested_delta_t))
                                              : tr("Use another δt"));
  use_->setEnabled(why.isEmpty());
  use_->setToolTip(why.isEmpty() ? tr("Changes mean_flow.delta_t of the run between two steps")
                                 : tr("Not now: %1").arg(why));
  why_not_->setText(why.isEmpty() ? QString() : tr("Not now: %1.").arg(why));
}

void FiniteDifferencePanel::applyTheme() {
  const auto& colors = theme_.colors();
  legend_->setText(QStringList{legendItem(colors.series[0], QStringLiteral("━"), tr("precision in use")),
                               legendItem(colors.muted, QStringLiteral("╌╌"), tr("float64: truncation")),
                               legendItem(colors.warning, QStringLiteral("▒"), tr("rounding rules"))}
                       .join(QStringLiteral(" &nbsp; ")));
  legend_->setToolTip(
      tr("The relative error of du/dt in the precision in use, and in float64, where rounding does not matter and "
         "truncation is left alone. Left of the smallest error rounding rules."));
}

}  // namespace meanflow::ui

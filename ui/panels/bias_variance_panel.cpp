// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/bias_variance_panel.h"

#include <QLabel>
#include <QVBoxLayout>
#include <optional>

#include "ui/panels/folded_words.h"
#include "ui/panels/panel_layout.h"
#include "ui/panels/residual_charts.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

BiasVariancePanel::BiasVariancePanel(const Theme& theme, QWidget* parent)
    : StepPanel(StoreKind::kResiduals, theme, QStringLiteral("balance"), parent),
      theme_(theme),
      words_(new FoldedWords(tr("What the residuals ask for"))),
      legend_(new QLabel),
      charts_(new ResidualCharts(theme)) {
  setAccessibleName(tr("Bias and variance"));
  legend_->setTextFormat(Qt::RichText);
  legend_->setContentsMargins(10, 0, 10, 0);
  auto* column = makeContent();
  column->addWidget(words_);
  column->addWidget(legend_);
  column->addWidget(charts_, 1);
  connect(charts_, &ResidualCharts::stepPicked, this,
          [this](qint64 step) { Q_EMIT stepPicked(QString::fromStdString(shownStage()), step); });
  connect(&theme_, &Theme::changed, this, &BiasVariancePanel::applyTheme);
  applyTheme();
  refresh();
}

void BiasVariancePanel::applyTheme() {
  const auto& colors = theme_.colors();
  const QString line = QStringLiteral("━");
  legend_->setText(QStringList{legendItem(colors.series[0], line, tr("variance")),
                               legendItem(colors.series[1], line, tr("teacher")),
                               legendItem(colors.series[2], line, tr("bias")),
                               legendItem(colors.muted, QStringLiteral("╌╌"), tr("all together"))}
                       .join(QStringLiteral(" &nbsp; ")));
  legend_->setToolTip(tr(
      "Variance of the single-point velocity: ε − x in place of its mean given z_t; weighs (1 − η)². Teacher-oracle "
      "velocity: how far the teacher is from that mean; weighs η². Oracle bias: what is left of the residual with the "
      "mean itself; the network's own error, whatever η. All: mean squares per latent entry."));
}

QString BiasVariancePanel::words() const { return words_->words(); }

std::string BiasVariancePanel::shownStage() const {
  return source() ? source()->residuals().stageWithReports(stage(), stageNames()) : std::string();
}

void BiasVariancePanel::refresh() {
  const std::string name = shownStage();
  if (name.empty()) {
    charts_->clear();
    words_->setWords({}, {});
    if (!source())
      showNothing(tr("No run is open"), tr("Bias and variance of a run's velocity appear here once one is open."));
    else if (source()->isLoading())
      showNothing(tr("Reading the run…"), tr("Residuals appear as soon as they are read."));
    else
      showNothing(tr("This run has not recorded the residuals of Proposition 3.1"),
                  tr("A run whose MeanFlow stage measures them shows here what its velocity costs: the variance of "
                     "the single-point velocity, the teacher's error and the bias of the network, over training "
                     "and over t, for its own η and for η = 0 and 1."));
    return;
  }
  showContent();
  const bool is_here = name == stage();
  const auto& reports = source()->residuals().reports(name);
  const auto* shown = source()->residuals().at(name, is_here ? step() : reports.back().step);
  words_->setWords(residualHeadline(*shown), residualWords(*shown));
  charts_->present(reports, *shown);
  charts_->setCursor(is_here ? std::optional(step()) : std::nullopt);
}

}  // namespace meanflow::ui

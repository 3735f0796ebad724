// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/time_figures_panel.h"

#include <QLabel>
#include <QVBoxLayout>

#include "ui/panels/time_figure_charts.h"
#include "ui/theme/format.h"

namespace meanflow::ui {

TimeFiguresPanel::TimeFiguresPanel(const Theme& theme, QWidget* parent)
    : StepPanel(StoreKind::kTimeFigures, theme, QStringLiteral("wait"), parent),
      caption_(new QLabel),
      charts_(new TimeFigureCharts(theme)) {
  setAccessibleName(tr("Figures by time"));
  caption_->setWordWrap(true);
  caption_->setContentsMargins(10, 6, 10, 0);
  auto* column = makeContent();
  column->addWidget(caption_);
  column->addWidget(charts_, 1);
  refresh();
}

QString TimeFiguresPanel::caption() const { return caption_->text(); }

void TimeFiguresPanel::refresh() {
  const auto* history = source() ? &source()->timeFigures() : nullptr;
  const auto name = history ? history->stageWithReports(stage(), stageNames()) : std::string();
  if (!name.empty()) {
    showContent();
    const auto& reports = history->reports(name);
    const auto* report = name == stage() ? history->at(name, step()) : &reports.back();
    const auto* before = report == &reports.front() ? nullptr : report - 1;
    charts_->present(*report, before);
    const QString where = tr("%1, step %2").arg(stageTitle(name), formatCount(report->step));
    caption_->setText(before ? tr("%1; in grey step %2").arg(where, formatCount(before->step)) : where);
  } else if (!source()) {
    showNothing(tr("No run is open"), tr("Loss and norms by time appear here once a run is open."));
  } else if (source()->isLoading()) {
    showNothing(tr("Reading the run…"), tr("Figures appear as soon as they are read."));
  } else {
    showNothing(tr("This run does not record its figures by time"),
                tr("A run that does, every diagnostics.figures_every steps, shows here the error, the norm of the "
                   "target, of du/dt and of the teacher's velocity, by t and by t − r."));
  }
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/bias_variance_panel.h"

#include <QLabel>
#include <QStackedLayout>
#include <QTimer>
#include <QVBoxLayout>

#include "ui/panels/empty_state.h"
#include "ui/panels/residual_charts.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

BiasVariancePanel::BiasVariancePanel(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      pages_(new QStackedLayout),
      empty_(new EmptyState(theme, QStringLiteral("balance"))),
      words_(new QLabel),
      legend_(new QLabel),
      charts_(new ResidualCharts(theme)) {
  setAccessibleName(tr("Bias and variance"));
  words_->setWordWrap(true);
  words_->setTextFormat(Qt::PlainText);
  words_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  words_->setContentsMargins(10, 6, 10, 2);
  legend_->setWordWrap(true);
  legend_->setTextFormat(Qt::RichText);
  legend_->setContentsMargins(10, 0, 10, 0);
  auto* content = new QWidget;
  auto* column = new QVBoxLayout(content);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(2);
  column->addWidget(words_);
  column->addWidget(legend_);
  column->addWidget(charts_, 1);
  pages_->addWidget(empty_);
  pages_->addWidget(content);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(1, 1, 1, 1);  // a rim that is painted when the panel comes to the front
  layout->addLayout(pages_);
  connect(charts_, &ResidualCharts::stepPicked, this,
          [this](qint64 step) { Q_EMIT stepPicked(QString::fromStdString(shownStage()), step); });
  connect(&theme_, &Theme::changed, this, &BiasVariancePanel::applyTheme);
  applyTheme();
  refresh();
}

void BiasVariancePanel::applyTheme() {
  const auto& colors = theme_.colors();
  const auto item = [](const QColor& colour, const QString& mark, const QString& text) {
    return QStringLiteral("<span style='white-space:nowrap'><span style='color:%1'><b>%2</b></span> %3</span>")
        .arg(colour.name(), mark, text.toHtmlEscaped());
  };
  const QString line = QStringLiteral("━");
  legend_->setText(QStringList{item(colors.series[0], line, tr("single-point velocity (variance)")),
                               item(colors.series[1], line, tr("teacher-oracle velocity")),
                               item(colors.series[2], line, tr("oracle bias")),
                               item(colors.muted, QStringLiteral("╌╌"), tr("all together"))}
                       .join(QStringLiteral(" &nbsp; ")));
  legend_->setToolTip(tr(
      "Single-point velocity: ε − x in place of its mean given z_t; weighs (1 − η)². Teacher-oracle velocity: how far "
      "the teacher is from that mean; weighs η². Oracle bias: what is left of the residual with the mean itself; the "
      "network's own error, whatever η. All: mean squares per latent entry."));
}

void BiasVariancePanel::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  stage_.clear();
  step_ = 0;
  if (source_) {
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind == StoreKind::kResiduals) refreshSoon();
    });
    connect(source_, &RunSource::loadingFinished, this, &BiasVariancePanel::refreshSoon);
    connect(source_, &QObject::destroyed, this, [this] { setSource(nullptr); });
  }
  refresh();
}

QString BiasVariancePanel::words() const { return words_->text(); }

bool BiasVariancePanel::showsResiduals() const { return pages_->currentIndex() == 1; }

std::string BiasVariancePanel::shownStage() const {
  if (!source_) return {};
  if (!source_->residuals().reports(stage_).empty()) return stage_;
  for (const auto& stage : source_->summary().stages)
    if (!source_->residuals().reports(stage.name).empty()) return stage.name;
  return {};
}

void BiasVariancePanel::showStep(const QString& stage, qint64 step, bool /*is_live*/) {
  stage_ = stage.toStdString();
  step_ = step;
  refreshSoon();
}

void BiasVariancePanel::paintEvent(QPaintEvent* event) {
  if (std::exchange(is_stale_, false)) QTimer::singleShot(0, this, &BiasVariancePanel::refresh);
  QWidget::paintEvent(event);
}

void BiasVariancePanel::refreshSoon() {
  if (visibleRegion().isEmpty())
    is_stale_ = true;
  else
    refresh();
}

void BiasVariancePanel::refresh() {
  is_stale_ = false;
  const std::string stage = shownStage();
  pages_->setCurrentIndex(stage.empty() ? 0 : 1);
  if (stage.empty()) {
    charts_->clear();
    words_->clear();
    if (!source_)
      empty_->setText(tr("No run is open"), tr("Bias and variance of a run's velocity appear here once one is open."));
    else if (source_->isLoading())
      empty_->setText(tr("Reading the run…"), tr("Residuals appear as soon as they are read."));
    else
      empty_->setText(tr("This run has not recorded the residuals of Proposition 3.1"),
                      tr("A run whose MeanFlow stage measures them shows here what its velocity costs: the variance of "
                         "the single-point velocity, the teacher's error and the bias of the network, over training "
                         "and over t, for its own η and for η = 0 and 1."));
    return;
  }
  const bool is_here = stage == stage_;
  const auto& reports = source_->residuals().reports(stage);
  const auto* shown = source_->residuals().at(stage, is_here ? step_ : reports.back().step);
  words_->setText(residualWords(*shown));
  charts_->present(reports, *shown);
  charts_->setCursor(is_here ? std::optional(step_) : std::nullopt);
}

}  // namespace meanflow::ui

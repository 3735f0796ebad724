// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/gradients_panel.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSplitter>
#include <QStackedLayout>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/panels/block_charts.h"
#include "ui/panels/block_map.h"
#include "ui/panels/empty_state.h"
#include "ui/panels/spike_list.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {
/// A long record is gone through in parts of a few milliseconds, between frames.
constexpr std::size_t kPointsAtOnce = 20'000;
}  // namespace

GradientsPanel::GradientsPanel(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      pages_(new QStackedLayout),
      top_(new QStackedLayout),
      nothing_(new EmptyState(theme, QStringLiteral("gradients"))),
      no_blocks_(new EmptyState(theme, QStringLiteral("gradients"))),
      figure_(new QComboBox),
      stage_label_(new QLabel),
      read_out_(new QLabel),
      map_(new BlockMap(theme)),
      charts_(new BlockCharts(theme)),
      clipping_(new ClipChart(theme)),
      spike_list_(new SpikeList) {
  setAccessibleName(tr("Gradients"));
  auto* bottom = new QSplitter(Qt::Horizontal);
  bottom->addWidget(clipping_);
  bottom->addWidget(spike_list_);
  bottom->setStretchFactor(0, 2);
  bottom->setStretchFactor(1, 3);
  bottom->setSizes({200, 300});  // shares of what there is
  bottom->setChildrenCollapsible(false);
  spike_list_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
  auto* both = new QSplitter(Qt::Vertical);
  both->addWidget(buildTop());
  both->addWidget(bottom);
  both->setStretchFactor(0, 5);
  both->setStretchFactor(1, 1);
  both->setSizes({500, 130});
  both->setChildrenCollapsible(false);
  auto* content = new QWidget;
  auto* column = new QVBoxLayout(content);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(both, 1);
  pages_->addWidget(nothing_);
  pages_->addWidget(content);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(1, 1, 1, 1);  // a rim that is painted when the panel comes to the front
  layout->addLayout(pages_);

  connect(figure_, &QComboBox::currentIndexChanged, this, &GradientsPanel::refreshMap);
  connect(map_, &BlockMap::picked, this, [this](qint64 step, int /*block*/) {
    refreshMap();
    Q_EMIT stepPicked(QString::fromStdString(stage_), step);
  });
  connect(map_, &BlockMap::hovered, this,
          [this](const QString& text) { text.isEmpty() ? showCursor() : read_out_->setText(text); });
  connect(clipping_, &ClipChart::stepPicked, this,
          [this](qint64 step) { Q_EMIT stepPicked(QString::fromStdString(stage_), step); });
  connect(spike_list_, &SpikeList::picked, this, &GradientsPanel::stepPicked);
  spike_slices_.setSingleShot(true);
  spike_slices_.setInterval(0);
  connect(&spike_slices_, &QTimer::timeout, this, &GradientsPanel::refreshSpikes);
  clip_slices_.setSingleShot(true);
  clip_slices_.setInterval(0);
  connect(&clip_slices_, &QTimer::timeout, this, &GradientsPanel::refreshClipping);
  setSource(nullptr);
}

GradientsPanel::~GradientsPanel() = default;

QWidget* GradientsPanel::buildTop() {
  figure_->setAccessibleName(tr("Figure of the blocks"));
  figure_->setToolTip(tr("What the map shows of every block; norms are over all its parameters"));
  stage_label_->setProperty("muted", true);
  read_out_->setProperty("muted", true);
  read_out_->setMinimumWidth(10);
  read_out_->setContentsMargins(8, 2, 8, 2);
  auto* tools = new QHBoxLayout;
  tools->setContentsMargins(8, 6, 8, 4);
  tools->setSpacing(8);
  tools->addWidget(figure_);
  tools->addWidget(stage_label_, 1);
  auto* split = new QSplitter(Qt::Vertical);
  split->addWidget(map_);
  split->addWidget(charts_);
  split->setStretchFactor(0, 3);
  split->setStretchFactor(1, 2);
  split->setSizes({300, 160});
  split->setChildrenCollapsible(false);
  auto* page = new QWidget;
  auto* column = new QVBoxLayout(page);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addLayout(tools);
  column->addWidget(split, 1);
  column->addWidget(read_out_);
  auto* top = new QWidget;
  top->setLayout(top_);
  top_->addWidget(no_blocks_);
  top_->addWidget(page);
  return top;
}

void GradientsPanel::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  clip_rate_ = source_ ? std::make_unique<ClipRate>(source_->metrics()) : nullptr;
  spike_finder_ = source_ ? std::make_unique<CurveSpikes>(source_->metrics()) : nullptr;
  spike_slices_.stop();
  clip_slices_.stop();
  clipping_stage_.clear();
  stage_.clear();
  step_.reset();
  map_->present(nullptr, 0, {});
  charts_->present(nullptr, 0, 0, {});
  spike_list_->present({});
  if (source_) {
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind == StoreKind::kMetrics || kind == StoreKind::kBlocks) refreshSoon();
    });
    connect(source_, &RunSource::loadingFinished, this, &GradientsPanel::refreshSoon);
    // All that is drawn is read from the source's stores: let go of them before they die.
    connect(source_, &QObject::destroyed, this, [this] { setSource(nullptr); });
  }
  refresh();
}

bool GradientsPanel::showsMap() const { return pages_->currentIndex() == 1 && top_->currentIndex() == 1; }

void GradientsPanel::showStep(const QString& stage, qint64 step, bool /*is_live*/) {
  const auto shown = stageToShow(stage.toStdString());
  const bool is_other = shown != stage_;
  stage_ = shown;
  step_ = shown == stage.toStdString() ? step : std::numeric_limits<qint64>::max();
  if (is_other) return refreshSoon();
  map_->setCursor(step_);
  charts_->setCursor(step_);
  clipping_->setCursor(step_);
  showCursor();
}

std::string GradientsPanel::stageToShow(const std::string& at) const {
  if (!source_) return at;
  const auto& stages = source_->summary().stages;
  auto stage = std::find_if(stages.begin(), stages.end(), [&](const auto& each) { return each.name == at; });
  // A report has no gradients: the stage before it that has is more to look at than nothing.
  for (; stage != stages.end(); --stage) {
    if (stage->total_steps > 1 || source_->metrics().series(stage->name, "grad_norm")) return stage->name;
    if (stage == stages.begin()) break;
  }
  return at;
}

void GradientsPanel::paintEvent(QPaintEvent* event) {
  if (std::exchange(is_stale_, false)) QTimer::singleShot(0, this, &GradientsPanel::refresh);
  QWidget::paintEvent(event);
}

void GradientsPanel::refreshSoon() {
  if (visibleRegion().isEmpty())
    is_stale_ = true;
  else
    refresh();
}

void GradientsPanel::refresh() {
  is_stale_ = false;
  if (source_ && stage_.empty()) {
    if (const auto head = source_->summary().head()) stage_ = stageToShow(head->stage), step_ = head->step;
  }
  const bool has_steps = source_ && !stage_.empty() && source_->metrics().stage(stage_) != nullptr;
  pages_->setCurrentIndex(has_steps ? 1 : 0);
  explainEmpty();
  if (!has_steps) {
    map_->present(nullptr, 0, {});
    charts_->present(nullptr, 0, 0, {});
    return;
  }
  refreshMap();
  refreshClipping();
  refreshSpikes();
}

void GradientsPanel::explainEmpty() {
  if (!source_)
    nothing_->setText(tr("No run is open"), tr("Gradients of a run appear here once one is open."));
  else if (source_->isLoading())
    nothing_->setText(tr("Reading the run…"), tr("Gradients appear as soon as the first steps are read."));
  else
    nothing_->setText(tr("No steps yet"), tr("Gradients come with the first steps of a stage."));
  if (source_ && source_->blocks().empty())
    no_blocks_->setText(tr("This run does not record figures of single blocks"),
                        tr("A run that does has a map here: gradient, Adam update and parameter norm of each block "
                           "over the steps. Clipped steps and spikes below come from what every run reports."));
  else
    no_blocks_->setText(tr("No figures of the blocks of %1").arg(stageTitle(stage_)),
                        tr("Other stages of this run have some: move the step cursor there."));
}

void GradientsPanel::fillFigures(const BlockFigures& figures) {
  QStringList names;
  for (const auto& name : figures.figures()) names << QString::fromStdString(name);
  QStringList known;
  for (int i = 0; i < figure_->count(); ++i) known << figure_->itemData(i).toString();
  if (names == known) return;
  const QSignalBlocker blocker(figure_);
  const QString chosen = figure_->currentData().toString();
  figure_->clear();
  for (const auto& name : names) figure_->addItem(blockFigureTitle(name.toStdString()), name);
  figure_->setCurrentIndex(std::max(0, figure_->findData(chosen)));
}

void GradientsPanel::refreshMap() {
  const auto* figures = source_ ? source_->blocks().stage(stage_) : nullptr;
  top_->setCurrentIndex(figures ? 1 : 0);
  if (!figures) {
    map_->present(nullptr, 0, {});
    charts_->present(nullptr, 0, 0, {});
    return;
  }
  fillFigures(*figures);
  const auto figure = static_cast<std::size_t>(std::max(0, figure_->currentIndex()));
  map_->present(figures, figure, figure_->currentText());
  charts_->present(figures, figure, map_->block(), figure_->currentText());
  QString text = tr("%1, blocks: %2").arg(stageTitle(stage_)).arg(figures->blocks().size());
  if (figures->reportsAColumn() > 1) text += tr(", %1 reports a column").arg(figures->reportsAColumn());
  stage_label_->setText(text);
  map_->setCursor(step_);
  charts_->setCursor(step_);
  showCursor();
}

void GradientsPanel::showCursor() {
  // Without the pointer over the map: the cell of the chosen block at the step cursor.
  if (!showsMap() || !step_) return read_out_->clear();
  const auto place = map_->rowRect(map_->block()).center();
  const auto x = std::clamp(static_cast<int>(map_->xOf(*step_)) - 1, map_->mapRect().left(), map_->mapRect().right());
  read_out_->setText(map_->readOut(QPoint(x, static_cast<int>(place.y()))));
}

void GradientsPanel::refreshClipping() {
  if (!clip_rate_) return;
  if (!clip_rate_->isReported(stage_)) {
    clipping_->present({}, 0, 1);
    clipping_->setTitle(tr("%1 has not reported clipping").arg(stageTitle(stage_)));
    clipping_->setCursor(std::nullopt);
    return;
  }
  if (!clip_rate_->update(stage_, kPointsAtOnce * 10)) {
    // What is drawn stays until then, if it is of this stage.
    if (clipping_stage_ != stage_) {
      clipping_->present({}, 0, 1);
      clipping_->setTitle(tr("Counting the clipped steps of %1…").arg(stageTitle(stage_)));
    }
    return clip_slices_.start();
  }
  clipping_stage_ = stage_;
  double last = 0;
  if (const auto* loss = source_->metrics().series(stage_, "is_clipped"); loss && !loss->empty())
    last = loss->x(loss->size() - 1);
  clipping_->present(clip_rate_->points(stage_, 0, last, 600), 0, last);
  clipping_->setTitle(
      tr("Clipped: %1 % · %2").arg(100 * clip_rate_->overall(stage_), 0, 'f', 1).arg(stageTitle(stage_)));
  clipping_->setCursor(step_);
}

void GradientsPanel::refreshSpikes() {
  if (!spike_finder_) return;
  const bool has_more = !spike_finder_->isDone() && spike_finder_->update(kPointsAtOnce);
  spike_list_->present(spike_finder_->found());
  if (has_more) spike_slices_.start();
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/curves_panel.h"

#include <QApplication>
#include <QFileDialog>
#include <QLabel>
#include <QMessageBox>
#include <QStackedLayout>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/models/curve_axis.h"
#include "ui/models/curve_marks.h"
#include "ui/models/curve_readout.h"
#include "ui/panels/config_difference_strip.h"
#include "ui/panels/curve_charts.h"
#include "ui/panels/curve_values.h"
#include "ui/panels/curves_export.h"
#include "ui/panels/curves_tool_bar.h"
#include "ui/panels/custom_plot.h"
#include "ui/panels/empty_state.h"
#include "ui/panels/spike_list.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {
/// A long record is gone through in parts of a few milliseconds, between frames.
constexpr std::size_t kSpikePointsAtOnce = 20'000;
constexpr std::size_t kSmoothPointsAtOnce = 200'000;
}  // namespace

CurvesPanel::CurvesPanel(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      stack_(new QStackedLayout),
      empty_(new EmptyState(theme, QStringLiteral("curve"))),
      tools_(new CurvesToolBar(theme)),
      charts_(new CurveCharts(theme, this)),
      differences_(new ConfigDifferenceStrip),
      values_(new CurveValues),
      spike_list_(new SpikeList),
      read_out_(new QLabel) {
  setAccessibleName(tr("Curves"));
  read_out_->setProperty("muted", true);
  read_out_->setContentsMargins(10, 2, 10, 4);
  read_out_->setMinimumWidth(10);
  values_->hide();
  spike_list_->hide();
  auto* content = new QWidget;
  auto* column = new QVBoxLayout(content);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(charts_->plot(), 1);
  column->addWidget(differences_);
  column->addWidget(values_);
  column->addWidget(spike_list_);
  column->addWidget(read_out_);
  stack_->addWidget(empty_);
  stack_->addWidget(content);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(tools_);
  layout->addLayout(stack_, 1);

  click_.setSingleShot(true);
  connect(&click_, &QTimer::timeout, this, [this] { pick(click_x_); });
  connect(charts_, &CurveCharts::clicked, this, [this](double x) {
    click_x_ = x;
    click_.start(QApplication::doubleClickInterval());
  });
  connect(charts_, &CurveCharts::doubleClicked, this, [this] {
    click_.stop();
    showAll();
  });
  connect(charts_, &CurveCharts::hovered, this, &CurvesPanel::showReadOut);
  connect(charts_, &CurveCharts::rangeChanged, this, &CurvesPanel::onRangeChanged);
  connect(tools_, &CurvesToolBar::spanChosen, this,
          [this](int span, const QString& stage) { setSpan(static_cast<Span>(span), stage.toStdString()); });
  connect(tools_, &CurvesToolBar::axisChosen, this, [this](int axis) { setAxis(static_cast<CurveAxis>(axis)); });
  connect(tools_, &CurvesToolBar::scalarsChosen, this, &CurvesPanel::setShownScalars);
  connect(tools_, &CurvesToolBar::logXChosen, this, &CurvesPanel::setLogX);
  connect(tools_, &CurvesToolBar::logYChosen, this, &CurvesPanel::setLogY);
  connect(tools_, &CurvesToolBar::smoothingChosen, this, &CurvesPanel::setSmoothing);
  connect(tools_, &CurvesToolBar::valuesToggled, this, [this](bool is_on) {
    values_->setVisible(is_on);
    showValues(cursorX().value_or(fullEnd()));
  });
  connect(tools_, &CurvesToolBar::spikesToggled, spike_list_, &QWidget::setVisible);
  connect(spike_list_, &SpikeList::picked, this, &CurvesPanel::stepPicked);
  parts_.setSingleShot(true);
  parts_.setInterval(0);
  connect(&parts_, &QTimer::timeout, this, &CurvesPanel::workOn);
  connect(tools_, &CurvesToolBar::showAllRequested, this, &CurvesPanel::showAll);
  connect(tools_, &CurvesToolBar::exportRequested, this, &CurvesPanel::askExport);
  connect(&overlays_, &CurveOverlays::changed, this, &CurvesPanel::refreshData);
  setSmoothing(smoothing_);
  setSource(nullptr);
}

CurvesPanel::~CurvesPanel() = default;

QCustomPlot* CurvesPanel::plot() const { return charts_->plot(); }

void CurvesPanel::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  lines_.clear();
  data_ = source_ ? std::make_unique<CurveData>(source_->metrics()) : nullptr;
  if (data_) data_->setSmoothing(smoothing_);
  spikes_ = source_ ? std::make_unique<CurveSpikes>(source_->metrics()) : nullptr;
  estimate_ = {};
  tools_->setNumSpikes(0);
  spike_list_->present({});
  view_.cursor = {};
  view_.is_live = true;
  view_.images_an_epoch = 0;
  shows_all_ = true;
  read_out_->clear();
  read_out_->setToolTip({});
  if (source_) {
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind == StoreKind::kMetrics) refreshData();
    });
    connect(source_, &RunSource::loadingFinished, this, [this] {
      if (source_->isForeign()) showWhatThereIs();
      refreshData();
    });
    // CurveData reads the source's store: let go of it before it dies.
    connect(source_, &QObject::destroyed, this, [this] {
      lines_.clear();
      data_.reset();
      spikes_.reset();
      refreshData();
    });
  }
  if (view_.axis == CurveAxis::kEpochs) view_.axis = CurveAxis::kStep;
  tools_->setAxis(static_cast<int>(view_.axis));
  tools_->setEpochsKnown(false);
  compareSettings();
  refreshData();
}

void CurvesPanel::setImagesAnEpoch(double images) {
  if (images == view_.images_an_epoch) return;
  view_.images_an_epoch = images;
  tools_->setEpochsKnown(images > 0);
  if (view_.axis == CurveAxis::kEpochs) setAxis(images > 0 ? view_.axis : CurveAxis::kStep);
}

void CurvesPanel::setSpan(Span span, const std::string& stage) {
  view_.span = span;
  view_.one_stage = stage;
  shows_all_ = true;
  refreshData();
}

void CurvesPanel::setAxis(CurveAxis axis) {
  if (axis == CurveAxis::kEpochs && view_.images_an_epoch <= 0) axis = view_.axis;
  view_.axis = axis;
  tools_->setAxis(static_cast<int>(view_.axis));
  shows_all_ = true;
  refreshData();
}

void CurvesPanel::setLogX(bool is_log) {
  is_log_x_ = is_log;
  tools_->setLog(is_log_x_, is_log_y_);
  shows_all_ = true;
  refreshData();
}

void CurvesPanel::setLogY(bool is_log) {
  is_log_y_ = is_log;
  tools_->setLog(is_log_x_, is_log_y_);
  refreshData();
}

void CurvesPanel::setSmoothing(double smoothing) {
  smoothing_ = std::clamp(smoothing, 0.0, 0.9999);
  tools_->setSmoothing(smoothing_);
  if (data_) data_->setSmoothing(smoothing_);
  overlays_.setSmoothing(smoothing_);
  refreshData();
}

void CurvesPanel::setShownScalars(const QStringList& names) {
  if (names == shown_) return;
  shown_ = names;
  refreshData();
}

void CurvesPanel::showWhatThereIs() {
  constexpr qsizetype kMost = 4;
  QStringList found;
  for (const auto& stage : source_->summary().stages) {
    for (const auto& name : source_->metrics().seriesNames(stage.name)) {
      const QString text = QString::fromStdString(name);
      if (shown_.contains(text)) return;
      if (name != "unix_seconds" && !found.contains(text)) found << text;
    }
  }
  // What most people look for first.
  std::stable_partition(found.begin(), found.end(),
                        [](const QString& name) { return name.contains(QStringLiteral("loss"), Qt::CaseInsensitive); });
  if (!found.isEmpty()) shown_ = found.mid(0, kMost);
}

void CurvesPanel::setOverlays(const QStringList& folders) {
  QStringList others = folders;
  if (source_) others.removeAll(source_->folder());
  overlays_.setFolders(others);
  compareSettings();
}

void CurvesPanel::compareSettings() {
  QStringList others;
  for (const auto& run : overlays_.runs())
    if (!source_ || run->folder != source_->folder()) others << run->folder;
  differences_->compare(source_ ? source_->folder() : QString(), others);
}

bool CurvesPanel::showEmptyState(const std::vector<std::string>& stages) {
  const bool has_points =
      data_ && std::any_of(stages.begin(), stages.end(), [this](const auto& s) { return data_->lastStep(s) > 0; });
  if (has_points && !shown_.isEmpty()) {
    stack_->setCurrentIndex(1);
    return false;
  }
  if (!source_)
    empty_->setText(tr("No run is open"), tr("Curves of a run appear here once one is open."));
  else if (shown_.isEmpty())
    empty_->setText(tr("No scalar is chosen"), tr("Choose some with the button Scalars above."));
  else if (source_->isLoading())
    empty_->setText(tr("Reading the run…"), tr("Curves appear as soon as their points are read."));
  else
    empty_->setText(tr("No points yet"),
                    tr("The first ones come with the first steps of this stage; other stages can be chosen above."));
  stack_->setCurrentIndex(0);
  return true;
}

std::vector<std::string> CurvesPanel::shownStages() const {
  return source_ && data_ ? shownCurveStages(*source_, *data_, view_) : std::vector<std::string>{};
}

double CurvesPanel::fullEnd() const {
  double end = endOfCurves(lines_);
  // An estimate that has been nearly reached, or passed, is part of the picture; a far one would squeeze the curves.
  if (const auto hours = estimatedHours(); hours && *hours < 2 * end) end = std::max(end, *hours);
  return end > 0 ? end * (is_log_x_ ? 1.05 : 1.01) : 1;
}

double CurvesPanel::fullBegin() const { return is_log_x_ ? beginOfCurves(lines_) : 0; }

void CurvesPanel::refreshData() {
  std::vector<std::string> names;
  QStringList scalars = shown_;
  if (data_) {
    for (const auto& stage : source_->summary().stages) {
      names.push_back(stage.name);
      for (const auto& name : source_->metrics().seriesNames(stage.name)) {
        if (const QString text = QString::fromStdString(name); !scalars.contains(text)) scalars << text;
      }
    }
  }
  tools_->setStages(names);
  if (source_) tools_->setHoursOfGpu(source_->summary().device.starts_with("cuda"));
  tools_->setSpan(static_cast<int>(view_.span), view_.one_stage);
  tools_->setScalars(scalars, shown_);
  lines_.clear();
  if (showEmptyState(shownStages())) return;
  lines_ = curveLines(*source_, *data_, overlays_, view_);
  const int num_own = static_cast<int>(
      std::count_if(lines_.begin(), lines_.end(), [](const CurveLine& line) { return line.run.isEmpty(); }));

  CurveCharts::Setup setup{
      shown_, {}, curveAxisLabel(estimate_, view_, *source_), view_.axis == CurveAxis::kWallTime, is_log_x_, is_log_y_};
  setup.has_legend = static_cast<int>(lines_.size()) > num_own || view_.span == Span::kStagesOverlaid ||
                     !lines_.front().branch.isEmpty();
  const bool has_one_stage = num_own == 1 || view_.span == Span::kWholeRun;
  for (const auto& line : lines_)
    setup.lines.push_back({curveLineName(line, has_one_stage), line.colour, !line.run.isEmpty()});
  const auto visible = charts_->range();
  charts_->build(setup);
  if (!shows_all_) charts_->setRange(visible);
  std::vector<CurveCharts::Boundary> boundaries;
  if (view_.span == Span::kWholeRun) {
    for (int i = 0; i < num_own; ++i)
      boundaries.push_back(
          {lines_[static_cast<std::size_t>(i)].offset, stageTitle(lines_[static_cast<std::size_t>(i)].stage)});
  }
  if (const auto hours = estimatedHours()) boundaries.push_back({*hours, tr("estimate")});
  charts_->setBoundaries(boundaries);
  if (shows_all_) charts_->setRange({fullBegin(), fullEnd()});
  const auto max_points = static_cast<std::size_t>(std::max(200, plot()->width()));
  const auto range = charts_->range();
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const auto& line = lines_[i];
    const double from = line.toStep(range.lower);
    const double to = line.toStep(range.upper);
    for (int c = 0; c < shown_.size(); ++c) {
      std::vector<CurveCharts::Sample> samples;
      for (const auto& point : line.data->points(line.stage, shown_[c].toStdString(), from, to, max_points))
        samples.push_back({line.toX(point.step), point.value, point.low, point.high});
      charts_->setSamples(c, static_cast<int>(i), samples);
    }
  }
  charts_->fitY();
  if (!isSmoothed()) parts_.start();
  refreshMarks();
  refreshSpikes();
  refreshCursor();
  charts_->replot();
}

bool CurvesPanel::isSmoothed() const {
  const auto& runs = overlays_.runs();
  return (!data_ || data_->isComplete()) &&
         std::all_of(runs.begin(), runs.end(), [](const auto& run) { return run->data->isComplete(); });
}

bool CurvesPanel::isUpToDate() const { return isSmoothed() && (!spikes_ || spikes_->isDone()); }

void CurvesPanel::workOn() {
  if (!isSmoothed()) {
    auto* curves = data_ && !data_->isComplete() ? data_.get() : nullptr;
    for (const auto& run : overlays_.runs())
      if (!curves && !run->data->isComplete()) curves = run->data.get();
    const bool has_news = curves->smoothPart(kSmoothPointsAtOnce);
    parts_.start();
    if (has_news) refreshData();
    return;
  }
  if (!spikes_) return;
  const auto before = spikes_->found();
  if (spikes_->update(kSpikePointsAtOnce)) parts_.start();
  if (spikes_->found() == before) return;
  refreshSpikes();
  charts_->replot();
}

void CurvesPanel::refreshMarks() { charts_->setMarks(curveMarks(*source_, overlays_, lines_)); }

void CurvesPanel::refreshSpikes() {
  if (!spikes_) return;
  if (!spikes_->isDone()) parts_.start();
  std::vector<CurveCharts::Spike> marks;
  for (const auto& spike : spikes_->found()) {
    const auto chart = shown_.indexOf(QString::fromStdString(spike.scalar));
    for (const auto& line : lines_) {
      if (chart < 0 || !line.run.isEmpty() || line.stage != spike.stage) continue;
      marks.push_back(
          {static_cast<int>(chart), line.toX(static_cast<double>(spike.step)), spike.value, spikeText(spike)});
    }
  }
  charts_->setSpikes(marks);
  spike_list_->present(spikes_->found());
  tools_->setNumSpikes(static_cast<int>(spikes_->found().size()));
}

std::optional<double> CurvesPanel::estimatedHours() const {
  return source_ ? estimatedCurveHours(estimate_, view_, *source_) : std::nullopt;
}

void CurvesPanel::setEstimate(const base::CostEstimate& estimate) {
  estimate_ = estimate;
  if (view_.axis == CurveAxis::kDeviceHours) refreshData();
}

std::optional<double> CurvesPanel::cursorX() const {
  if (view_.is_live) return std::nullopt;
  for (const auto& line : lines_) {
    if (line.run.isEmpty() && line.stage == view_.cursor.stage) return line.toX(static_cast<double>(view_.cursor.step));
  }
  return std::nullopt;
}

void CurvesPanel::refreshCursor() {
  charts_->setCursor(cursorX());
  if (tools_->showsValues()) showValues(cursorX().value_or(fullEnd()));
}

void CurvesPanel::showStep(const QString& stage, qint64 step, bool is_live) {
  const auto stages = shownStages();
  view_.cursor = {stage.toStdString(), step};
  if (is_live && !view_.is_live) read_out_->clear();
  view_.is_live = is_live;
  if (shownStages() != stages) {
    refreshData();
  } else if (!lines_.empty()) {
    refreshCursor();
    charts_->replot();
  }
  if (const auto x = cursorX()) showReadOut(*x);
}

void CurvesPanel::showAll() {
  shows_all_ = true;
  refreshData();
}

void CurvesPanel::onRangeChanged(double lower, double upper) {
  const double end = fullEnd();
  if (is_log_x_) {
    lower = std::max(lower, fullBegin() * 0.5);
    upper = std::clamp(upper, lower * 1.01, end * 2);
  } else {
    const bool is_fine = view_.axis == CurveAxis::kEpochs || view_.axis == CurveAxis::kDeviceHours;
    const double size = std::clamp(upper - lower, is_fine ? end * 1e-7 : 2.0, end * 1.2);
    lower = std::clamp(lower, -0.1 * end, std::max(end - 0.2 * size, 0.0));
    upper = lower + size;
  }
  charts_->setRange({lower, upper});
  shows_all_ = false;
  refreshData();
}

void CurvesPanel::zoomTo(double lower, double upper) {
  onRangeChanged(lower, upper);
  plot()->replot(QCustomPlot::rpImmediateRefresh);
}

void CurvesPanel::panBy(double share) {
  const auto range = charts_->range();
  const double shift = share * (range.upper - range.lower);
  zoomTo(range.lower + shift, range.upper + shift);
}

QString CurvesPanel::readOut(double x) {
  QString text = curveReadOut(lines_, shown_, view_.span == Span::kWholeRun ? curveLineAt(lines_, x) : nullptr, x);
  if (const auto hours = estimatedHours(); hours && !text.isEmpty())
    text += QStringLiteral("   ") + tr("%1 % of the estimate").arg(100 * x / *hours, 0, 'f', 0);
  return text;
}

void CurvesPanel::showReadOut(double x) {
  const QString text = readOut(x);
  read_out_->setText(read_out_->fontMetrics().elidedText(text, Qt::ElideRight, read_out_->width() - 24));
  read_out_->setToolTip(text);
  if (tools_->showsValues()) showValues(x);
}

void CurvesPanel::showValues(double x) { values_->presentAt(lines_, shown_, x, theme_.colors()); }

void CurvesPanel::pick(double x) {
  if (!source_ || lines_.empty()) return;
  const CurveLine* line = view_.span == Span::kWholeRun ? curveLineAt(lines_, x) : nullptr;
  const std::string stage = line ? line->stage : currentCurveStage(*source_, view_);
  for (const auto& each : lines_) {
    if (!each.run.isEmpty() || each.stage != stage) continue;
    Q_EMIT stepPicked(QString::fromStdString(stage), std::max<qint64>(std::llround(each.toStep(x)), 0));
    return;
  }
}

bool CurvesPanel::savePng(const QString& path) { return savePlotAsPng(*plot(), path); }

bool CurvesPanel::saveSvg(const QString& path) {
  return savePlotAsSvg(
      *plot(), path, tr("Curves of %1").arg(source_ ? QString::fromStdString(source_->summary().run_name) : QString()));
}

bool CurvesPanel::saveCsv(const QString& path) {
  if (!data_) return false;
  const auto range = charts_->range();
  return saveCurvesAsCsv(lines_, QString::fromStdString(source_->summary().run_name), shown_, range.lower, range.upper,
                         path);
}

QString CurvesPanel::whyNoCsv() const {
  if (source_ && source_->isCondensed())
    return tr(
        "The points of this long run are still being read; until then only their extremes are known. Export them "
        "as CSV once the status bar no longer says so.");
  const auto range = charts_->range();
  for (const auto& name : shown_)
    for (const auto& line : lines_)
      if (!line.data->hasSinglePoints(line.stage, name.toStdString(), line.toStep(range.lower),
                                      line.toStep(range.upper)))
        return tr(
            "The older points shown here were folded into their extremes as the run grew, so that it does not "
            "fill the memory. Show newer steps alone, or open the run's folder once the run has ended: all points "
            "are read from it.");
  return {};
}

void CurvesPanel::askExport() {
  const QString path = QFileDialog::getSaveFileName(this, tr("Export curves"), QStringLiteral("curves.png"),
                                                    tr("Picture (*.png);;Drawing (*.svg);;Visible points (*.csv)"));
  if (path.isEmpty()) return;
  if (const QString why = whyNoCsv(); path.endsWith(QLatin1String(".csv")) && !why.isEmpty()) {
    QMessageBox::information(this, tr("Export curves"), why);
    return;
  }
  const bool is_saved = path.endsWith(QLatin1String(".csv"))   ? saveCsv(path)
                        : path.endsWith(QLatin1String(".svg")) ? saveSvg(path)
                                                               : savePng(path);
  if (!is_saved)
    QMessageBox::warning(this, tr("Export curves"),
                         tr("%1 could not be written; check the folder's permissions and space.").arg(path));
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/curves_panel.h"

#include <QAbstractItemView>
#include <QApplication>
#include <QComboBox>
#include <QFile>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLabel>
#include <QListWidget>
#include <QMenu>
#include <QMessageBox>
#include <QSlider>
#include <QStackedLayout>
#include <QSvgGenerator>
#include <QToolButton>
#include <QVBoxLayout>
#include <QWidgetAction>
#include <algorithm>
#include <cmath>
#include <set>

#include "ui/panels/custom_plot.h"
#include "ui/panels/empty_state.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr int kMaxSlider = 100;

/// The slider is even in the logarithm of the window 1 / (1 - s): 1 step at the left, 1000 at the right.
double smoothingOf(int slider) { return slider == 0 ? 0 : 1 - std::pow(10.0, -3.0 * slider / kMaxSlider); }
int sliderOf(double smoothing) {
  return smoothing <= 0 ? 0 : static_cast<int>(std::lround(-std::log10(1 - smoothing) / 3 * kMaxSlider));
}

QCPItemStraightLine* addVertical(QCustomPlot* plot, QCPAxisRect* rect) {
  auto* line = new QCPItemStraightLine(plot);
  for (auto* point : {line->point1, line->point2}) {
    point->setAxes(rect->axis(QCPAxis::atBottom), rect->axis(QCPAxis::atLeft));
    point->setAxisRect(rect);
    point->setTypeX(QCPItemPosition::ptPlotCoords);
    point->setTypeY(QCPItemPosition::ptAxisRectRatio);
  }
  line->setClipAxisRect(rect);
  line->setVisible(false);
  return line;
}

void placeVertical(QCPItemStraightLine* line, double x) {
  line->point1->setCoords(x, 0);
  line->point2->setCoords(x, 1);
}

}  // namespace

CurvesPanel::CurvesPanel(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      stack_(new QStackedLayout),
      empty_(new EmptyState(theme, QStringLiteral("curve"))),
      plot_(new QCustomPlot),
      span_box_(new QComboBox),
      scalars_button_(new QToolButton),
      scalars_list_(new QListWidget),
      log_button_(new QToolButton),
      smoothing_slider_(new QSlider(Qt::Horizontal)),
      smoothing_label_(new QLabel),
      reset_button_(new QToolButton),
      export_button_(new QToolButton),
      read_out_(new QLabel) {
  setAccessibleName(tr("Curves"));
  auto* bar = new QHBoxLayout;
  bar->setContentsMargins(8, 6, 8, 6);
  bar->setSpacing(6);
  buildToolBar(bar);

  plot_->setAccessibleName(tr("Curves of the run; wheel zooms, dragging pans, double click shows all"));
  plot_->setToolTip(
      tr("Wheel zooms, dragging pans, double click shows all, a click moves the step cursor. Triangles mark "
         "checkpoints."));
  plot_->setFocusPolicy(Qt::StrongFocus);
  plot_->setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
  plot_->setNoAntialiasingOnDrag(true);
  plot_->setPlottingHint(QCP::phFastPolylines, true);
  plot_->plotLayout()->clear();
  plot_->plotLayout()->setRowSpacing(2);
  plot_->setMinimumSize(220, 120);
  read_out_->setProperty("muted", true);
  read_out_->setContentsMargins(10, 2, 10, 4);
  read_out_->setMinimumWidth(10);

  auto* content = new QWidget;
  auto* column = new QVBoxLayout(content);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(plot_, 1);
  column->addWidget(read_out_);
  stack_->addWidget(empty_);
  stack_->addWidget(content);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addLayout(bar);
  layout->addLayout(stack_, 1);

  click_.setSingleShot(true);
  connect(&click_, &QTimer::timeout, this, [this] {
    if (!source_) return;
    if (span_ == Span::kWholeRun) {
      const auto at = source_->axis().at(std::llround(click_x_));
      Q_EMIT stepPicked(QString::fromStdString(at.stage), at.step);
    } else {
      Q_EMIT stepPicked(QString::fromStdString(stageAtCursor()), std::max<qint64>(std::llround(click_x_), 0));
    }
  });
  connect(plot_, &QCustomPlot::mouseMove, this, &CurvesPanel::onMouseMove);
  connect(plot_, &QCustomPlot::mousePress, this, [this](QMouseEvent* event) { pressed_at_ = event->pos(); });
  connect(plot_, &QCustomPlot::mouseRelease, this, &CurvesPanel::onMouseRelease);
  connect(plot_, &QCustomPlot::mouseDoubleClick, this, [this] {
    click_.stop();
    pressed_at_ = QPoint(-1000, -1000);  // the release that follows is no click
    showAll();
  });
  connect(&theme_, &Theme::changed, this, &CurvesPanel::applyTheme);
  setSource(nullptr);
}

CurvesPanel::~CurvesPanel() = default;

void CurvesPanel::buildToolBar(QHBoxLayout* bar) {
  span_box_->setAccessibleName(tr("What the x axis spans"));
  span_box_->setToolTip(
      tr("Steps of the stage being trained, of all stages end to end, laid over each other, or of one stage"));
  span_box_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  connect(span_box_, &QComboBox::activated, this, [this](int index) {
    setSpan(static_cast<Span>(span_box_->itemData(index).toInt()),
            span_box_->itemData(index, Qt::UserRole + 1).toString().toStdString());
  });

  const auto setUp = [](QToolButton* button, const QString& text, const QString& name, const QString& tip) {
    button->setText(text);
    button->setProperty("framed", true);
    button->setFocusPolicy(Qt::StrongFocus);
    button->setAccessibleName(name);
    button->setToolTip(tip);
  };
  setUp(scalars_button_, tr("Scalars"), tr("Choose scalars"), tr("Choose which scalars have a chart"));
  scalars_button_->setPopupMode(QToolButton::InstantPopup);
  scalars_list_->setAccessibleName(tr("Scalars with a chart"));
  scalars_list_->setMinimumSize(190, 160);
  auto* menu = new QMenu(scalars_button_);
  auto* action = new QWidgetAction(menu);
  action->setDefaultWidget(scalars_list_);
  menu->addAction(action);
  scalars_button_->setMenu(menu);
  connect(scalars_list_, &QListWidget::itemChanged, this, [this] {
    QStringList names;
    for (int i = 0; i < scalars_list_->count(); ++i) {
      const auto* item = scalars_list_->item(i);
      if (item->checkState() == Qt::Checked) names << item->data(Qt::UserRole).toString();
    }
    setShownScalars(names);
  });

  setUp(log_button_, tr("Log"), tr("Logarithmic y axes"), tr("Logarithmic y axes"));
  log_button_->setCheckable(true);
  connect(log_button_, &QToolButton::toggled, this, &CurvesPanel::setLogY);

  smoothing_slider_->setRange(0, kMaxSlider);
  smoothing_slider_->setPageStep(10);
  smoothing_slider_->setValue(sliderOf(smoothing_));
  smoothing_slider_->setMinimumWidth(60);
  smoothing_slider_->setMaximumWidth(140);
  smoothing_slider_->setAccessibleName(tr("Smoothing"));
  smoothing_slider_->setToolTip(
      tr("Debiased moving average over all points; the pale band behind the line shows their extremes"));
  connect(smoothing_slider_, &QSlider::valueChanged, this, [this](int value) { setSmoothing(smoothingOf(value)); });
  smoothing_label_->setProperty("muted", true);
  smoothing_label_->setMinimumWidth(fontMetrics().horizontalAdvance(tr("over %1").arg(1000)) + 6);

  setUp(reset_button_, tr("Show all"), tr("Show all"), tr("Show the whole range again (double click)"));
  connect(reset_button_, &QToolButton::clicked, this, &CurvesPanel::showAll);
  setUp(export_button_, {}, tr("Export"), tr("Save the charts as PNG or SVG, or the visible points as CSV (Ctrl+E)"));
  export_button_->setIcon(theme_.icon(QStringLiteral("export")));
  connect(export_button_, &QToolButton::clicked, this, &CurvesPanel::askExport);

  auto* smoothing_title = new QLabel(tr("Smooth"));
  smoothing_title->setBuddy(smoothing_slider_);
  bar->addWidget(span_box_);
  bar->addWidget(scalars_button_);
  bar->addWidget(log_button_);
  bar->addWidget(smoothing_title);
  bar->addWidget(smoothing_slider_, 1);
  bar->addWidget(smoothing_label_);
  bar->addStretch(1);
  bar->addWidget(reset_button_);
  bar->addWidget(export_button_);
  setSmoothing(smoothing_);
}

void CurvesPanel::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  data_ = source_ ? std::make_unique<CurveData>(source_->metrics()) : nullptr;
  if (data_) data_->setSmoothing(smoothing_);
  cursor_ = {};
  is_live_ = true;
  shows_all_ = true;
  read_out_->clear();
  read_out_->setToolTip({});
  if (source_) {
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind == StoreKind::kMetrics) refreshData();
    });
    connect(source_, &RunSource::loadingFinished, this, &CurvesPanel::refreshData);
    // CurveData reads the source's store: let go of it before it dies.
    connect(source_, &QObject::destroyed, this, [this] {
      data_.reset();
      refreshData();
    });
  }
  built_stages_.clear();
  refreshData();
}

void CurvesPanel::setSpan(Span span, const std::string& stage) {
  span_ = span;
  one_stage_ = stage;
  shows_all_ = true;
  built_stages_.clear();
  refreshData();
}

void CurvesPanel::setLogY(bool is_log) {
  is_log_y_ = is_log;
  log_button_->setChecked(is_log);
  for (auto& chart : charts_) {
    auto* axis = chart.rect->axis(QCPAxis::atLeft);
    axis->setScaleType(is_log ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    axis->setTicker(is_log ? QSharedPointer<QCPAxisTicker>(new QCPAxisTickerLog)
                           : QSharedPointer<QCPAxisTicker>(new QCPAxisTicker));
    axis->setNumberFormat(QStringLiteral("gb"));
    axis->setNumberPrecision(is_log ? 1 : 4);
  }
  refreshData();
}

void CurvesPanel::setSmoothing(double smoothing) {
  smoothing_ = std::clamp(smoothing, 0.0, 0.9999);
  const QSignalBlocker blocker(smoothing_slider_);
  smoothing_slider_->setValue(sliderOf(smoothing_));
  smoothing_label_->setText(smoothing_ == 0 ? tr("off") : tr("over %1").arg(std::lround(1 / (1 - smoothing_))));
  if (data_) data_->setSmoothing(smoothing_);
  refreshData();
}

void CurvesPanel::setShownScalars(const QStringList& names) {
  if (names == shown_) return;
  shown_ = names;
  built_stages_.clear();
  refreshData();
}

QStringList CurvesPanel::shownScalars() const { return shown_; }

std::string CurvesPanel::stageAtCursor() const {
  if (span_ == Span::kOneStage) return one_stage_;
  if (!cursor_.stage.empty() && !is_live_) return cursor_.stage;
  if (!source_) return {};
  const auto& summary = source_->summary();
  const auto head = summary.head();
  if (!head) return {};
  // A stage that trains nothing, such as the report, has no curves: the last one that was trained says more than an
  // empty chart.
  std::string trained;
  for (const auto& stage : summary.stages) {
    if (stage.num_parameters > 0) trained = stage.name;
    if (stage.name == head->stage && (stage.num_parameters > 0 || trained.empty())) return stage.name;
    if (stage.name == head->stage) return trained;
  }
  return head->stage;
}

std::vector<std::string> CurvesPanel::shownStages() const {
  if (!source_) return {};
  if (span_ == Span::kCurrentStage || span_ == Span::kOneStage) {
    const auto stage = stageAtCursor();
    return stage.empty() ? std::vector<std::string>{} : std::vector<std::string>{stage};
  }
  std::vector<std::string> stages;
  for (const auto& stage : source_->summary().stages) stages.push_back(stage.name);
  return stages;
}

double CurvesPanel::offsetOf(const std::string& stage) const {
  return span_ == Span::kWholeRun ? static_cast<double>(source_->axis().position(stage, 0)) : 0;
}

QCPRange CurvesPanel::fullRange() const {
  double end = 1;
  for (const auto& stage : shownStages()) {
    end = std::max(end, offsetOf(stage) + (data_ ? data_->lastStep(stage) : 0));
  }
  return QCPRange(0, end * 1.01);
}

void CurvesPanel::rebuildCharts() {
  built_stages_ = shownStages();
  charts_.clear();
  plot_->clearItems();
  plot_->clearPlottables();
  plot_->plotLayout()->clear();
  auto* margins = new QCPMarginGroup(plot_);
  int row = 0;
  for (const auto& scalar : shown_) {
    Chart chart;
    chart.name = scalar.toStdString();
    chart.rect = new QCPAxisRect(plot_);
    plot_->plotLayout()->addElement(row, 0, chart.rect);
    plot_->plotLayout()->setRowStretchFactor(row, row == 0 ? 1.8 : 1.0);
    ++row;
    chart.rect->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
    chart.rect->setMinimumMargins(QMargins(8, 4, 12, 4));
    chart.rect->setRangeDrag(Qt::Horizontal);
    chart.rect->setRangeZoom(Qt::Horizontal);
    auto* x = chart.rect->axis(QCPAxis::atBottom);
    auto* y = chart.rect->axis(QCPAxis::atLeft);
    if (row > 1) y->ticker()->setTickCount(3);
    auto* marks_y = chart.rect->addAxis(QCPAxis::atRight);
    marks_y->setRange(0, 1);
    marks_y->setVisible(false);
    x->setNumberFormat(QStringLiteral("f"));
    x->setNumberPrecision(0);
    x->setTickLabels(row == shown_.size());
    if (row == shown_.size())
      x->setLabel(span_ == Span::kWholeRun ? tr("step of the whole run") : tr("step of the stage"));
    connect(x, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this, &CurvesPanel::onRangeChanged);
    for (const auto& stage : built_stages_) {
      Curve curve{.stage = stage};
      curve.low = plot_->addGraph(x, y);
      curve.high = plot_->addGraph(x, y);
      curve.high->setChannelFillGraph(curve.low);
      curve.line = plot_->addGraph(x, y);
      chart.curves.push_back(curve);
    }
    chart.marks = plot_->addGraph(x, marks_y);
    chart.marks->setLineStyle(QCPGraph::lsNone);
    auto* title = new QCPItemText(plot_);
    title->setObjectName(QStringLiteral("title"));
    title->setText(scalarTitle(chart.name));
    title->setClipAxisRect(chart.rect);
    title->position->setAxisRect(chart.rect);
    title->position->setType(QCPItemPosition::ptAxisRectRatio);
    title->position->setCoords(1, 0);
    title->setPositionAlignment(Qt::AlignRight | Qt::AlignTop);
    title->setPadding(QMargins(0, 2, 6, 0));
    chart.cursor = addVertical(plot_, chart.rect);
    chart.hover = addVertical(plot_, chart.rect);
    charts_.push_back(chart);
  }
  if (!charts_.empty() && span_ == Span::kWholeRun) {
    // Stage boundaries, named in the first chart.
    for (auto& chart : charts_) {
      for (const auto& stage : built_stages_) {
        auto* boundary = addVertical(plot_, chart.rect);
        boundary->setObjectName(QStringLiteral("boundary"));
        boundary->setVisible(offsetOf(stage) > 0);
        placeVertical(boundary, offsetOf(stage));
        if (&chart != &charts_.front()) continue;
        auto* name = new QCPItemText(plot_);
        name->setText(stageTitle(stage));
        name->setClipAxisRect(chart.rect);
        name->position->setAxisRect(chart.rect);
        name->position->setAxes(chart.rect->axis(QCPAxis::atBottom), chart.rect->axis(QCPAxis::atLeft));
        name->position->setTypeX(QCPItemPosition::ptPlotCoords);
        name->position->setTypeY(QCPItemPosition::ptAxisRectRatio);
        name->position->setCoords(offsetOf(stage), 0);
        name->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
        name->setPadding(QMargins(4, 2, 0, 0));
      }
    }
  }
  for (auto& chart : charts_) {
    auto* axis = chart.rect->axis(QCPAxis::atLeft);
    axis->setScaleType(is_log_y_ ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    if (is_log_y_) axis->setTicker(QSharedPointer<QCPAxisTicker>(new QCPAxisTickerLog));
    axis->setNumberFormat(QStringLiteral("gb"));
    axis->setNumberPrecision(is_log_y_ ? 1 : 4);
  }
  applyTheme();
}

void CurvesPanel::applyTheme() {
  const auto& colors = theme_.colors();
  plot_->setBackground(colors.plot_background);
  for (auto& chart : charts_) {
    for (auto* axis : chart.rect->axes()) {
      axis->setBasePen(QPen(colors.border));
      axis->setTickPen(QPen(colors.border));
      axis->setSubTickPen(QPen(colors.border));
      axis->setTickLabelColor(colors.plot_axis);
      axis->setLabelColor(colors.text);
      axis->setSelectableParts(QCPAxis::spNone);
      axis->grid()->setPen(QPen(colors.plot_grid));
      axis->grid()->setZeroLinePen(QPen(colors.plot_grid));
      axis->setTickLabelFont(font());
      axis->setLabelFont(font());
    }
    chart.rect->setBackground(colors.plot_background);
    for (std::size_t i = 0; i < chart.curves.size(); ++i) {
      const auto& curve = chart.curves[i];
      // A stage keeps its colour whichever stages are on show.
      qsizetype number = 0;
      if (source_) {
        const auto& spans = source_->axis().spans();
        const auto at =
            std::find_if(spans.begin(), spans.end(), [&](const auto& span) { return span.stage == curve.stage; });
        number = at - spans.begin();
      }
      const QColor color = colors.series[number % colors.series.size()];
      QColor pale = color;
      pale.setAlpha(colors.is_dark ? 70 : 55);
      curve.line->setPen(QPen(color, 1.6));
      curve.low->setPen(QPen(pale, 1));
      curve.high->setPen(QPen(pale, 1));
      curve.high->setBrush(pale);
    }
    chart.marks->setScatterStyle(
        QCPScatterStyle(QCPScatterStyle::ssTriangle, QPen(colors.muted), QBrush(colors.muted), 6));
    chart.cursor->setPen(QPen(colors.accent, 1.2));
    chart.hover->setPen(QPen(colors.muted, 1, Qt::DotLine));
  }
  for (int i = 0; i < plot_->itemCount(); ++i) {
    auto* item = plot_->item(i);
    if (auto* line = qobject_cast<QCPItemStraightLine*>(item);
        line && line->objectName() == QLatin1String("boundary")) {
      line->setPen(QPen(colors.border, 1, Qt::DashLine));
    } else if (auto* text = qobject_cast<QCPItemText*>(item)) {
      const bool is_title = text->objectName() == QLatin1String("title");
      QFont text_font = font();
      if (is_title) text_font.setWeight(QFont::DemiBold);
      text->setColor(is_title ? colors.text : colors.muted);
      text->setFont(text_font);
    }
  }
  plot_->replot(QCustomPlot::rpQueuedReplot);
}

void CurvesPanel::refreshLists() {
  const bool is_open = scalars_button_->menu()->isVisible();
  QStringList names = shown_;
  if (data_) {
    for (const auto& stage : source_->summary().stages) {
      for (const auto& name : source_->metrics().seriesNames(stage.name)) {
        if (const QString text = QString::fromStdString(name); !names.contains(text)) names << text;
      }
    }
  }
  if (names.size() != scalars_list_->count() && !is_open) {
    const QSignalBlocker blocker(scalars_list_);
    scalars_list_->clear();
    for (const auto& name : names) {
      auto* item = new QListWidgetItem(scalarTitle(name.toStdString()), scalars_list_);
      item->setData(Qt::UserRole, name);
      item->setToolTip(name);
      item->setCheckState(shown_.contains(name) ? Qt::Checked : Qt::Unchecked);
    }
  }
  const std::size_t num_stages = source_ ? source_->summary().stages.size() : 0;
  if (span_box_->count() != static_cast<int>(num_stages) + 3 && !span_box_->view()->isVisible()) {
    const QSignalBlocker blocker(span_box_);
    span_box_->clear();
    span_box_->addItem(tr("Current stage"), static_cast<int>(Span::kCurrentStage));
    span_box_->addItem(tr("Whole run"), static_cast<int>(Span::kWholeRun));
    span_box_->addItem(tr("Stages overlaid"), static_cast<int>(Span::kStagesOverlaid));
    for (std::size_t i = 0; i < num_stages; ++i) {
      const auto& name = source_->summary().stages[i].name;
      span_box_->addItem(stageTitle(name), static_cast<int>(Span::kOneStage));
      span_box_->setItemData(span_box_->count() - 1, QString::fromStdString(name), Qt::UserRole + 1);
    }
  }
  for (int i = 0; i < span_box_->count(); ++i) {
    if (static_cast<Span>(span_box_->itemData(i).toInt()) == span_ &&
        (span_ != Span::kOneStage || span_box_->itemData(i, Qt::UserRole + 1).toString().toStdString() == one_stage_)) {
      span_box_->setCurrentIndex(i);
    }
  }
}

void CurvesPanel::refreshData() {
  refreshLists();
  const auto stages = shownStages();
  const bool has_points =
      data_ && std::any_of(stages.begin(), stages.end(), [this](const auto& s) { return data_->lastStep(s) > 0; });
  if (!has_points || shown_.isEmpty()) {
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
    return;
  }
  stack_->setCurrentIndex(1);
  if (stages != built_stages_ || charts_.size() != static_cast<std::size_t>(shown_.size())) rebuildCharts();
  if (shows_all_) {
    is_setting_range_ = true;
    for (auto& chart : charts_) chart.rect->axis(QCPAxis::atBottom)->setRange(fullRange());
    is_setting_range_ = false;
  }
  const auto max_points = static_cast<std::size_t>(std::max(200, plot_->width()));
  for (auto& chart : charts_) {
    const auto range = chart.rect->axis(QCPAxis::atBottom)->range();
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (auto& curve : chart.curves) {
      const double offset = offsetOf(curve.stage);
      const auto points =
          data_->points(curve.stage, chart.name, range.lower - offset, range.upper - offset, max_points);
      QVector<QCPGraphData> line, lows, highs;
      line.reserve(static_cast<qsizetype>(points.size()));
      lows.reserve(line.capacity());
      highs.reserve(line.capacity());
      for (const auto& point : points) {
        const double x = point.step + offset;
        line.append({x, point.value});
        lows.append({x, point.low});
        highs.append({x, point.high});
        if (x < range.lower || x > range.upper) continue;
        const double floor = is_log_y_ ? 1e-300 : -std::numeric_limits<double>::infinity();
        if (std::isfinite(point.low) && point.low > floor) low = std::min(low, point.low);
        if (std::isfinite(point.high) && point.high > floor) high = std::max(high, point.high);
      }
      curve.line->data()->set(line, true);
      curve.low->data()->set(lows, true);
      curve.high->data()->set(highs, true);
    }
    if (low > high) continue;
    if (is_log_y_) {
      chart.rect->axis(QCPAxis::atLeft)->setRange(low / 1.15, high * 1.15);
    } else {
      const double pad = high > low ? 0.06 * (high - low) : std::max(std::abs(high) * 0.1, 1e-12);
      auto* axis = chart.rect->axis(QCPAxis::atLeft);
      axis->setRange(low - pad, high + pad);
      // A nearly constant curve, such as an adaptively weighted loss, needs more digits for its ticks to differ.
      const double size = std::max(std::abs(low - pad), std::abs(high + pad));
      const double span = high - low + 2 * pad;
      const int digits = span > 0 && size > 0 ? static_cast<int>(std::ceil(std::log10(size / span))) + 2 : 4;
      axis->setNumberPrecision(std::clamp(digits, 4, 10));
    }
  }
  refreshMarks();
  refreshCursor();
  plot_->replot(QCustomPlot::rpQueuedReplot);
}

void CurvesPanel::refreshMarks() {
  for (auto& chart : charts_) {
    QVector<double> x, y;
    for (const auto& mark : source_->summary().milestones) {
      if (mark.kind == Milestone::Kind::kSamples) continue;
      if (std::find(built_stages_.begin(), built_stages_.end(), mark.stage) == built_stages_.end()) continue;
      x << static_cast<double>(mark.step) + offsetOf(mark.stage);
      y << 0.03;
    }
    chart.marks->setData(x, y);
  }
}

void CurvesPanel::refreshCursor() {
  const bool is_shown =
      !is_live_ && std::find(built_stages_.begin(), built_stages_.end(), cursor_.stage) != built_stages_.end();
  for (auto& chart : charts_) {
    chart.cursor->setVisible(is_shown);
    if (is_shown) placeVertical(chart.cursor, static_cast<double>(cursor_.step) + offsetOf(cursor_.stage));
  }
}

void CurvesPanel::showStep(const QString& stage, qint64 step, bool is_live) {
  cursor_ = {stage.toStdString(), step};
  if (is_live && !is_live_) read_out_->clear();
  is_live_ = is_live;
  if (shownStages() != built_stages_) {
    refreshData();
  } else {
    refreshCursor();
    plot_->replot(QCustomPlot::rpQueuedReplot);
  }
  if (!is_live && source_) showReadOut(static_cast<double>(step) + offsetOf(cursor_.stage));
}

void CurvesPanel::showAll() {
  shows_all_ = true;
  refreshData();
}

void CurvesPanel::onRangeChanged(const QCPRange& range) {
  if (is_setting_range_) return;
  is_setting_range_ = true;
  const auto full = fullRange();
  const double size = std::clamp(range.size(), 2.0, full.size() * 1.2);
  const double lower =
      std::clamp(range.lower, full.lower - 0.1 * full.size(), std::max(full.upper - 0.2 * size, full.lower));
  for (auto& chart : charts_) chart.rect->axis(QCPAxis::atBottom)->setRange(lower, lower + size);
  is_setting_range_ = false;
  shows_all_ = false;
  refreshData();
}

QString CurvesPanel::readOut(double x) {
  if (!data_ || charts_.empty()) return {};
  std::vector<std::string> stages = built_stages_;
  double offset = 0;
  if (span_ == Span::kWholeRun) {
    const auto at = source_->axis().at(std::llround(x));
    stages = {at.stage};
    offset = offsetOf(at.stage);
  }
  QStringList parts;
  for (const auto& stage : stages) {
    QStringList values;
    std::int64_t step = 0;
    for (const auto& chart : charts_) {
      const auto point = data_->nearest(stage, chart.name, x - offset);
      if (!point) continue;
      step = std::llround(point->step);
      const QString raw = formatNumber(point->low);
      values << (data_->isSmoothed(chart.name)
                     ? tr("%1 %2 (smoothed %3)").arg(scalarTitle(chart.name).toLower(), raw, formatNumber(point->value))
                     : tr("%1 %2").arg(scalarTitle(chart.name).toLower(), raw));
    }
    if (!values.isEmpty())
      parts << tr("%1, step %2: %3").arg(stageTitle(stage), formatCount(step), values.join(QStringLiteral(", ")));
  }
  return parts.join(QStringLiteral("   "));
}

void CurvesPanel::showReadOut(double x) {
  const QString text = readOut(x);
  read_out_->setText(read_out_->fontMetrics().elidedText(text, Qt::ElideRight, read_out_->width() - 24));
  read_out_->setToolTip(text);
}

void CurvesPanel::onMouseMove(QMouseEvent* event) {
  if (charts_.empty()) return;
  const double x = charts_.front().rect->axis(QCPAxis::atBottom)->pixelToCoord(event->position().x());
  for (auto& chart : charts_) {
    chart.hover->setVisible(true);
    placeVertical(chart.hover, x);
  }
  showReadOut(x);
  plot_->replot(QCustomPlot::rpQueuedReplot);
}

void CurvesPanel::onMouseRelease(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton || charts_.empty()) return;
  if ((event->pos() - pressed_at_).manhattanLength() > 3) return;
  click_x_ = charts_.front().rect->axis(QCPAxis::atBottom)->pixelToCoord(event->position().x());
  click_.start(QApplication::doubleClickInterval());
}

bool CurvesPanel::savePng(const QString& path) { return plot_->savePng(path, plot_->width(), plot_->height(), 2); }

bool CurvesPanel::saveSvg(const QString& path) {
  QSvgGenerator svg;
  svg.setFileName(path);
  svg.setTitle(tr("Curves of %1").arg(source_ ? QString::fromStdString(source_->summary().run_name) : QString()));
  svg.setSize(plot_->size());
  svg.setViewBox(QRect(QPoint(0, 0), plot_->size()));
  QCPPainter painter;
  if (!painter.begin(&svg)) return false;
  painter.setMode(QCPPainter::pmVectorized);
  plot_->toPainter(&painter, plot_->width(), plot_->height());
  return painter.end();
}

bool CurvesPanel::saveCsv(const QString& path) {
  QFile file(path);
  if (!data_ || !file.open(QIODevice::WriteOnly | QIODevice::Text)) return false;
  QByteArray text = "stage,step,name,value\n";
  for (const auto& chart : charts_) {
    const auto range = chart.rect->axis(QCPAxis::atBottom)->range();
    for (const auto& stage : built_stages_) {
      const double offset = offsetOf(stage);
      data_->eachRaw(
          stage, chart.name, range.lower - offset, range.upper - offset, [&](std::int64_t step, double value) {
            text += QByteArray::fromStdString(stage) + ',' + QByteArray::number(static_cast<qint64>(step)) + ',' +
                    QByteArray::fromStdString(chart.name) + ',' + QByteArray::number(value, 'g', 9) + '\n';
          });
    }
  }
  return file.write(text) == text.size() && file.flush();
}

void CurvesPanel::askExport() {
  const QString path = QFileDialog::getSaveFileName(this, tr("Export curves"), QStringLiteral("curves.png"),
                                                    tr("Picture (*.png);;Drawing (*.svg);;Visible points (*.csv)"));
  if (path.isEmpty()) return;
  const bool is_saved = path.endsWith(QLatin1String(".csv"))   ? saveCsv(path)
                        : path.endsWith(QLatin1String(".svg")) ? saveSvg(path)
                                                               : savePng(path);
  if (!is_saved)
    QMessageBox::warning(this, tr("Export curves"),
                         tr("%1 could not be written; check the folder's permissions and space.").arg(path));
}

}  // namespace meanflow::ui

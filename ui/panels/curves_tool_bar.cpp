// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/curves_tool_bar.h"

#include <QAbstractItemView>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QListWidget>
#include <QMenu>
#include <QSlider>
#include <QStandardItemModel>
#include <QToolButton>
#include <QVBoxLayout>
#include <QWidgetAction>
#include <cmath>

#include "ui/models/step_scale.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr int kMaxSlider = 100;
constexpr int kNumSpans = 3;  // before the single stages

/// The slider is even in the logarithm of the window 1 / (1 - s): 1 step at the left, 1000 at the right.
double smoothingOf(int slider) { return slider == 0 ? 0 : 1 - std::pow(10.0, -3.0 * slider / kMaxSlider); }
int sliderOf(double smoothing) {
  return smoothing <= 0 ? 0 : static_cast<int>(std::lround(-std::log10(1 - smoothing) / 3 * kMaxSlider));
}

}  // namespace

CurvesToolBar::CurvesToolBar(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      span_(new QComboBox),
      axis_(new QComboBox),
      scalars_(new QToolButton),
      scalars_list_(new QListWidget),
      log_x_(new QToolButton),
      log_y_(new QToolButton),
      smoothing_(new QSlider(Qt::Horizontal)),
      smoothing_label_(new QLabel),
      values_(new QToolButton),
      spikes_(new QToolButton),
      reset_(new QToolButton),
      export_(new QToolButton) {
  span_->setAccessibleName(tr("What the x axis spans"));
  span_->setToolTip(tr("The stage being trained, all stages end to end, all laid over each other, or one stage"));
  axis_->setAccessibleName(tr("What the x axis counts"));
  axis_->setToolTip(
      tr("Optimizer steps, images seen, passes over the data, wall time since the beginning, or the time devices were "
         "held: wall time of the processes times their workers, beside what `meanflow cost` expects"));
  axis_->addItem(tr("Steps"), static_cast<int>(CurveAxis::kStep));
  axis_->addItem(tr("Images"), static_cast<int>(CurveAxis::kImages));
  axis_->addItem(tr("Epochs"), static_cast<int>(CurveAxis::kEpochs));
  axis_->addItem(tr("Time"), static_cast<int>(CurveAxis::kWallTime));
  axis_->addItem(tr("CPU-hours"), static_cast<int>(CurveAxis::kDeviceHours));
  for (auto* box : {span_, axis_}) {
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(box == span_ ? 9 : 6);
  }
  connect(span_, &QComboBox::activated, this, [this](int index) {
    Q_EMIT spanChosen(span_->itemData(index).toInt(), span_->itemData(index, Qt::UserRole + 1).toString());
  });
  connect(axis_, &QComboBox::activated, this, [this](int index) { Q_EMIT axisChosen(axis_->itemData(index).toInt()); });

  setUp(scalars_, tr("Scalars"), tr("Choose scalars"), tr("Choose which scalars have a chart"));
  scalars_->setPopupMode(QToolButton::InstantPopup);
  scalars_list_->setAccessibleName(tr("Scalars with a chart"));
  scalars_list_->setMinimumSize(190, 160);
  auto* menu = new QMenu(scalars_);
  auto* action = new QWidgetAction(menu);
  action->setDefaultWidget(scalars_list_);
  menu->addAction(action);
  scalars_->setMenu(menu);
  connect(scalars_list_, &QListWidget::itemChanged, this, [this] {
    QStringList names;
    for (int i = 0; i < scalars_list_->count(); ++i) {
      const auto* item = scalars_list_->item(i);
      if (item->checkState() == Qt::Checked) names << item->data(Qt::UserRole).toString();
    }
    Q_EMIT scalarsChosen(names);
  });

  setUp(log_x_, tr("log x"), tr("Logarithmic x axis"), tr("Logarithmic x axis"));
  setUp(log_y_, tr("log y"), tr("Logarithmic y axes"), tr("Logarithmic y axes"));
  setUp(values_, tr("Values"), tr("Table of values"), tr("A table of the values under the cursor, a row a curve"));
  setUp(spikes_, tr("Spikes"), tr("List of spikes"),
        tr("A list of the points of loss and gradient norm that stand out of what came before them"));
  for (auto* button : {log_x_, log_y_, values_, spikes_}) button->setCheckable(true);
  connect(log_x_, &QToolButton::clicked, this, &CurvesToolBar::logXChosen);
  connect(log_y_, &QToolButton::clicked, this, &CurvesToolBar::logYChosen);
  connect(values_, &QToolButton::toggled, this, &CurvesToolBar::valuesToggled);
  connect(spikes_, &QToolButton::toggled, this, &CurvesToolBar::spikesToggled);

  smoothing_->setRange(0, kMaxSlider);
  smoothing_->setPageStep(10);
  smoothing_->setMinimumWidth(50);
  smoothing_->setMaximumWidth(120);
  smoothing_->setAccessibleName(tr("Smoothing"));
  smoothing_->setToolTip(
      tr("Debiased moving average over all points; the pale band behind the line shows their extremes"));
  connect(smoothing_, &QSlider::valueChanged, this, [this](int value) { Q_EMIT smoothingChosen(smoothingOf(value)); });
  smoothing_label_->setProperty("muted", true);
  smoothing_label_->setMinimumWidth(fontMetrics().horizontalAdvance(QStringLiteral("× 1000")) + 6);
  smoothing_label_->setToolTip(tr("Points that the smoothed line averages over, about"));

  setUp(reset_, tr("All"), tr("Show all"), tr("Show the whole range again (double click)"));
  connect(reset_, &QToolButton::clicked, this, &CurvesToolBar::showAllRequested);
  setUp(export_, {}, tr("Export"), tr("Save the charts as PNG or SVG, or the visible points as CSV (Ctrl+E)"));
  export_->setIcon(theme.icon(QStringLiteral("export")));
  connect(export_, &QToolButton::clicked, this, &CurvesToolBar::exportRequested);

  auto* first = new QHBoxLayout;
  first->setSpacing(6);
  for (QWidget* widget : {static_cast<QWidget*>(span_), static_cast<QWidget*>(axis_), static_cast<QWidget*>(scalars_),
                          static_cast<QWidget*>(spikes_)})
    first->addWidget(widget);
  first->addStretch(1);
  first->addWidget(export_);
  auto* smoothing_title = new QLabel(tr("Smooth"));
  smoothing_title->setBuddy(smoothing_);
  auto* second = new QHBoxLayout;
  second->setSpacing(6);
  second->addWidget(log_x_);
  second->addWidget(log_y_);
  second->addWidget(values_);
  second->addWidget(smoothing_title);
  second->addWidget(smoothing_, 1);
  second->addWidget(smoothing_label_);
  second->addStretch(1);
  second->addWidget(reset_);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(8, 6, 8, 6);
  layout->setSpacing(4);
  layout->addLayout(first);
  layout->addLayout(second);
  setStages({});
}

void CurvesToolBar::setUp(QToolButton* button, const QString& text, const QString& name, const QString& tip) {
  button->setText(text);
  button->setProperty("framed", true);
  button->setFocusPolicy(Qt::StrongFocus);
  button->setAccessibleName(name);
  button->setToolTip(tip);
}

void CurvesToolBar::setStages(const std::vector<std::string>& stages) {
  if (span_->count() == static_cast<int>(stages.size()) + kNumSpans || span_->view()->isVisible()) return;
  const QSignalBlocker blocker(span_);
  span_->clear();
  span_->addItem(tr("Current stage"), 0);
  span_->addItem(tr("Whole run"), 1);
  span_->addItem(tr("Stages overlaid"), 2);
  for (const auto& stage : stages) {
    span_->addItem(stageTitle(stage), kNumSpans);
    span_->setItemData(span_->count() - 1, QString::fromStdString(stage), Qt::UserRole + 1);
  }
}

void CurvesToolBar::setSpan(int span, const std::string& stage) {
  for (int i = 0; i < span_->count(); ++i) {
    const bool is_it = span_->itemData(i).toInt() == span &&
                       (span != kNumSpans || span_->itemData(i, Qt::UserRole + 1).toString().toStdString() == stage);
    if (is_it && span_->currentIndex() != i) span_->setCurrentIndex(i);
  }
}

void CurvesToolBar::setAxis(int axis) { axis_->setCurrentIndex(axis_->findData(axis)); }

void CurvesToolBar::setEpochsKnown(bool is_known) {
  auto* model = qobject_cast<QStandardItemModel*>(axis_->model());
  auto* item = model->item(axis_->findData(static_cast<int>(CurveAxis::kEpochs)));
  item->setEnabled(is_known);
  item->setToolTip(is_known ? QString() : tr("The run's data.num_images is 0: nobody knows how long an epoch is."));
}

void CurvesToolBar::setHoursOfGpu(bool is_gpu) {
  axis_->setItemText(axis_->findData(static_cast<int>(CurveAxis::kDeviceHours)),
                     is_gpu ? tr("GPU-hours") : tr("CPU-hours"));
}

void CurvesToolBar::setNumSpikes(int count) {
  spikes_->setText(count > 0 ? tr("Spikes: %1").arg(count) : tr("Spikes"));
  spikes_->setAccessibleName(tr("List of spikes, %1 found").arg(count));
}

void CurvesToolBar::setScalars(const QStringList& all, const QStringList& shown) {
  if (all.size() == scalars_list_->count() || scalars_->menu()->isVisible()) return;
  const QSignalBlocker blocker(scalars_list_);
  scalars_list_->clear();
  for (const auto& name : all) {
    auto* item = new QListWidgetItem(scalarTitle(name.toStdString()), scalars_list_);
    item->setData(Qt::UserRole, name);
    item->setToolTip(name);
    item->setCheckState(shown.contains(name) ? Qt::Checked : Qt::Unchecked);
  }
}

void CurvesToolBar::setLog(bool is_log_x, bool is_log_y) {
  log_x_->setChecked(is_log_x);
  log_y_->setChecked(is_log_y);
}

void CurvesToolBar::setSmoothing(double smoothing) {
  const QSignalBlocker blocker(smoothing_);
  smoothing_->setValue(sliderOf(smoothing));
  smoothing_label_->setText(smoothing == 0 ? tr("off") : tr("× %1").arg(std::lround(1 / (1 - smoothing))));
}

bool CurvesToolBar::showsValues() const { return values_->isChecked(); }

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/spike_list.h"

#include <QHeaderView>
#include <algorithm>

#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {

constexpr int kZ = 3;  // its column
constexpr int kSortRole = Qt::UserRole;
constexpr int kStepRole = Qt::UserRole + 1;
constexpr int kStageRole = Qt::UserRole + 2;

/// Sorts columns of numbers by number.
class SpikeItem final : public QTreeWidgetItem {
 public:
  using QTreeWidgetItem::QTreeWidgetItem;
  bool operator<(const QTreeWidgetItem& other) const override {
    const int column = treeWidget()->sortColumn();
    const QVariant mine = data(column, kSortRole), theirs = other.data(column, kSortRole);
    if (!mine.isValid() || !theirs.isValid()) return QTreeWidgetItem::operator<(other);
    return mine.toDouble() < theirs.toDouble();
  }
};

}  // namespace

QString spikeText(const CurveSpikes::Found& spike) {
  return SpikeList::tr("Spike: %1 %2 at step %3 of %4, robust z %5")
      .arg(scalarTitle(spike.scalar).toLower(), formatNumber(spike.value), formatCount(spike.step),
           stageTitle(spike.stage), QString::number(spike.z, 'f', 1));
}

SpikeList::SpikeList(QWidget* parent) : QTreeWidget(parent) {
  setAccessibleName(tr("Spikes of loss and gradient norm"));
  setToolTip(
      tr("Points far above the hundred before them: z is the distance from their median over 1.4826 times their median "
         "absolute deviation. Enter or a double click moves the step cursor there."));
  setHeaderLabels({tr("Step"), tr("Curve"), tr("Value"), tr("z"), tr("Stage")});
  setRootIsDecorated(false);
  setUniformRowHeights(true);
  setSortingEnabled(true);
  sortByColumn(kZ, Qt::DescendingOrder);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Maximum);
  connect(this, &QTreeWidget::itemActivated, this, [this](QTreeWidgetItem* item) {
    if (const QString stage = item->data(0, kStageRole).toString(); !stage.isEmpty())
      Q_EMIT picked(stage, item->data(0, kStepRole).toLongLong());
  });
}

void SpikeList::present(const std::vector<CurveSpikes::Found>& spikes) {
  if (spikes == shown_ && topLevelItemCount() > 0) return;
  shown_ = spikes;
  setSortingEnabled(false);
  clear();
  if (spikes.empty()) {
    auto* none = new QTreeWidgetItem(this, {tr("No spike so far")});
    none->setFirstColumnSpanned(true);
    none->setFlags(Qt::NoItemFlags);
  }
  for (const auto& spike : spikes) {
    auto* item = new SpikeItem({formatCount(spike.step), scalarTitle(spike.scalar), formatNumber(spike.value),
                                QString::number(spike.z, 'f', 1), stageTitle(spike.stage)});
    item->setData(0, kStageRole, QString::fromStdString(spike.stage));
    item->setData(0, kStepRole, static_cast<qlonglong>(spike.step));
    item->setData(0, kSortRole, static_cast<double>(spike.step));
    item->setData(2, kSortRole, spike.value);
    item->setData(kZ, kSortRole, spike.z);
    for (int column = 0; column < 5; ++column) item->setToolTip(column, spikeText(spike));
    addTopLevelItem(item);
  }
  setSortingEnabled(!spikes.empty());
  for (int column = 0; column < 5; ++column) resizeColumnToContents(column);
  updateGeometry();
}

QSize SpikeList::sizeHint() const {
  const int rows = std::clamp(topLevelItemCount(), 1, 5);
  return {200, header()->sizeHint().height() + rows * (fontMetrics().height() + 8) + 4};
}

}  // namespace meanflow::ui

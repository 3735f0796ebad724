// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QTreeWidget>
#include <vector>

#include "ui/models/curve_spikes.h"

namespace meanflow::ui {

/// The spikes of a run, a row each, the highest score first unless sorted otherwise; choosing one says where it is.
class SpikeList final : public QTreeWidget {
  Q_OBJECT
 public:
  explicit SpikeList(QWidget* parent = nullptr);
  void present(const std::vector<CurveSpikes::Found>& spikes);
  QSize sizeHint() const override;

 Q_SIGNALS:
  void picked(const QString& stage, qint64 step);

 private:
  std::vector<CurveSpikes::Found> shown_;
};

/// "Spike of the loss at step 1 234 of Teacher: 5.2, robust z 41".
QString spikeText(const CurveSpikes::Found& spike);

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointer>
#include <QTimer>
#include <QWidget>
#include <memory>
#include <optional>
#include <string>

#include "ui/models/clip_rate.h"
#include "ui/models/curve_spikes.h"
#include "ui/models/run_source.h"

class QComboBox;
class QLabel;
class QStackedLayout;

namespace meanflow::ui {

class BlockCharts;
class BlockMap;
class ClipChart;
class EmptyState;
class SpikeList;
class Theme;

/// Gradients of the stage at the step cursor: a figure of every block over the steps as a heat map, one block's history
/// and histogram, how many steps were clipped, and the spikes of loss and gradient norm. Runs that do not report
/// figures of blocks have the last two.
class GradientsPanel final : public QWidget {
  Q_OBJECT
 public:
  explicit GradientsPanel(const Theme& theme, QWidget* parent = nullptr);
  ~GradientsPanel() override;

  void setSource(RunSource* source);
  BlockMap& map() { return *map_; }
  BlockCharts& charts() { return *charts_; }
  ClipChart& clipping() { return *clipping_; }
  SpikeList& spikes() { return *spike_list_; }
  const std::string& stage() const { return stage_; }
  bool showsMap() const;

 public Q_SLOTS:
  void showStep(const QString& stage, qint64 step, bool is_live);

 Q_SIGNALS:
  void stepPicked(const QString& stage, qint64 step);

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QWidget* buildTop();
  void refreshSoon();  ///< Now where it is seen, otherwise as soon as it is.
  void refresh();
  /// The stage at the cursor, or the one before it that trains.
  std::string stageToShow(const std::string& at) const;
  void refreshMap();
  void refreshClipping();
  void refreshSpikes();
  void fillFigures(const BlockFigures& figures);
  void showCursor();
  void explainEmpty();

  const Theme& theme_;
  QPointer<RunSource> source_;
  std::unique_ptr<ClipRate> clip_rate_;
  std::unique_ptr<CurveSpikes> spike_finder_;
  std::string stage_;
  std::string clipping_stage_;  ///< Whose clipping is drawn.
  std::optional<std::int64_t> step_;
  bool is_stale_ = false;
  QTimer spike_slices_, clip_slices_;
  QStackedLayout* pages_;
  QStackedLayout* top_;
  EmptyState* nothing_;
  EmptyState* no_blocks_;
  QComboBox* figure_;
  QLabel* stage_label_;
  QLabel* read_out_;
  BlockMap* map_;
  BlockCharts* charts_;
  ClipChart* clipping_;
  SpikeList* spike_list_;
};

}  // namespace meanflow::ui

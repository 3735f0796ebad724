// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointer>
#include <QTimer>
#include <QWidget>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/run/cost_estimate.h"
#include "ui/models/curve_lines.h"
#include "ui/models/curve_spikes.h"

class QCustomPlot;
class QLabel;
class QStackedLayout;

namespace meanflow::ui {

class ConfigDifferenceStrip;
class CurveCharts;
class CurvesToolBar;
class CurveValues;
class EmptyState;
class SpikeList;
class Theme;

/// Scalars of a run, and of others laid over it, one chart below the other with a common x axis: loss, gradient norm
/// and learning rate unless others are chosen. Wheel zooms, dragging pans, double click shows all again, a click puts
/// the step cursor. However many points there are, what is drawn is a few thousand columns out of the series' pyramid.
class CurvesPanel final : public QWidget {
  Q_OBJECT
 public:
  using Span = CurveSpan;

  explicit CurvesPanel(const Theme& theme, QWidget* parent = nullptr);
  ~CurvesPanel() override;

  void setSource(RunSource* source);
  void setSpan(Span span, const std::string& stage = {});
  void setAxis(CurveAxis axis);
  CurveAxis axis() const { return view_.axis; }
  /// Against which the device-hours are drawn; forgotten when another run is shown.
  void setEstimate(const base::CostEstimate& estimate);
  void setImagesAnEpoch(double images);  ///< data.num_images of the run; 0: not known.
  void setLogX(bool is_log);
  void setLogY(bool is_log);
  void setSmoothing(double smoothing);  ///< In [0, 1).
  void setShownScalars(const QStringList& names);
  QStringList shownScalars() const { return shown_; }
  double smoothing() const { return smoothing_; }
  /// What the read-out says at a place of the x axis; empty where there is nothing.
  QString readOut(double x);
  /// Nothing is left to be smoothed, nor to be looked through for spikes.
  bool isUpToDate() const;
  QCustomPlot* plot() const;
  // As wheel and drag do, with the picture drawn before they return: for measuring.
  void zoomTo(double lower, double upper);
  void panBy(double share);

  bool savePng(const QString& path);
  bool saveSvg(const QString& path);
  /// The points of the shown scalars in the visible range: stage,step,name,value, with a column run before them where
  /// other runs are laid over.
  bool saveCsv(const QString& path);
  /// Why not every one of those points is at hand; empty when it is.
  QString whyNoCsv() const;

 public Q_SLOTS:
  void showStep(const QString& stage, qint64 step, bool is_live);
  void showAll();
  void askExport();
  void setOverlays(const QStringList& folders);

 Q_SIGNALS:
  void stepPicked(const QString& stage, qint64 step);

 private:
  void refreshData();  ///< The data, the lines or the visible range changed.
  void refreshMarks();
  void refreshSpikes();
  void workOn();  ///< A part of what a long record takes: smoothing first, then the search for spikes.
  bool isSmoothed() const;
  void refreshCursor();
  void compareSettings();
  /// A foreign run has tags of its own: takes the first of them when none of those on show is there.
  void showWhatThereIs();
  bool showEmptyState(const std::vector<std::string>& stages);
  void onRangeChanged(double lower, double upper);
  void showReadOut(double x);
  void showValues(double x);
  void pick(double x);
  std::vector<std::string> shownStages() const;
  std::optional<double> cursorX() const;
  /// What the stage or run on show is expected to take, where the x axis counts device-hours.
  std::optional<double> estimatedHours() const;
  double fullEnd() const;
  double fullBegin() const;

  const Theme& theme_;
  QPointer<RunSource> source_;
  std::unique_ptr<CurveData> data_;
  std::unique_ptr<CurveSpikes> spikes_;
  CurveOverlays overlays_;
  QStackedLayout* stack_;
  EmptyState* empty_;
  CurvesToolBar* tools_;
  CurveCharts* charts_;
  ConfigDifferenceStrip* differences_;
  CurveValues* values_;
  SpikeList* spike_list_;
  QLabel* read_out_;
  std::vector<CurveLine> lines_;
  QStringList shown_ = {QStringLiteral("loss"), QStringLiteral("grad_norm"), QStringLiteral("lr")};
  CurveView view_;
  base::CostEstimate estimate_;
  double smoothing_ = 0.6;
  bool is_log_x_ = false;
  bool is_log_y_ = false;
  bool shows_all_ = true;  ///< The range follows the data until a person zooms or pans.
  QTimer parts_;
  QTimer click_;  ///< A click counts once it can no longer become a double click.
  double click_x_ = 0;
};

}  // namespace meanflow::ui

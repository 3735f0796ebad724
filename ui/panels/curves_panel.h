// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointer>
#include <QTimer>
#include <QWidget>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ui/models/curve_data.h"
#include "ui/models/run_source.h"

class QCPAxisRect;
class QCPGraph;
class QCPItemStraightLine;
class QCPRange;
class QComboBox;
class QCustomPlot;
class QHBoxLayout;
class QLabel;
class QListWidget;
class QMouseEvent;
class QSlider;
class QStackedLayout;
class QToolButton;

namespace meanflow::ui {

class EmptyState;
class Theme;

/// Scalars of a run over its steps, one chart below the other with a common x axis: loss, gradient norm and learning
/// rate unless others are chosen. Wheel zooms, dragging pans, double click shows all again, a click puts the step
/// cursor. However many points there are, what is drawn is a few thousand columns out of the series' pyramid.
class CurvesPanel final : public QWidget {
  Q_OBJECT
 public:
  /// What the x axis spans.
  enum class Span { kCurrentStage, kWholeRun, kStagesOverlaid, kOneStage };

  explicit CurvesPanel(const Theme& theme, QWidget* parent = nullptr);
  ~CurvesPanel() override;

  void setSource(RunSource* source);
  void setSpan(Span span, const std::string& stage = {});
  void setLogY(bool is_log);
  void setSmoothing(double smoothing);  ///< In [0, 1).
  void setShownScalars(const QStringList& names);
  QStringList shownScalars() const;
  double smoothing() const { return smoothing_; }
  /// What the read-out says at a place of the x axis; empty where there is nothing.
  QString readOut(double x);
  QCustomPlot* plot() const { return plot_; }

  bool savePng(const QString& path);
  bool saveSvg(const QString& path);
  /// The points of the shown scalars in the visible range: stage,step,name,value.
  bool saveCsv(const QString& path);

 public Q_SLOTS:
  void showStep(const QString& stage, qint64 step, bool is_live);
  void showAll();
  void askExport();

 Q_SIGNALS:
  void stepPicked(const QString& stage, qint64 step);

 private:
  struct Curve {
    std::string stage;
    QCPGraph* low = nullptr;
    QCPGraph* high = nullptr;
    QCPGraph* line = nullptr;
  };
  struct Chart {
    std::string name;
    QCPAxisRect* rect = nullptr;
    QCPGraph* marks = nullptr;
    QCPItemStraightLine* cursor = nullptr;
    QCPItemStraightLine* hover = nullptr;
    std::vector<Curve> curves;
  };

  void buildToolBar(QHBoxLayout* bar);
  void rebuildCharts();  ///< The charts or stages on show changed.
  void refreshData();    ///< The data or the visible range changed.
  void refreshLists();
  void refreshMarks();
  void refreshCursor();
  void applyTheme();
  void onRangeChanged(const QCPRange& range);
  void showReadOut(double x);
  void onMouseMove(QMouseEvent* event);
  void onMouseRelease(QMouseEvent* event);
  std::vector<std::string> shownStages() const;
  /// Offset of a stage's step 0 on the x axis.
  double offsetOf(const std::string& stage) const;
  QCPRange fullRange() const;
  std::string stageAtCursor() const;

  const Theme& theme_;
  QPointer<RunSource> source_;
  std::unique_ptr<CurveData> data_;
  QStackedLayout* stack_;
  EmptyState* empty_;
  QCustomPlot* plot_;
  QComboBox* span_box_;
  QToolButton* scalars_button_;
  QListWidget* scalars_list_;
  QToolButton* log_button_;
  QSlider* smoothing_slider_;
  QLabel* smoothing_label_;
  QToolButton* reset_button_;
  QToolButton* export_button_;
  QLabel* read_out_;
  std::vector<Chart> charts_;
  std::vector<std::string> built_stages_;
  QStringList shown_ = {QStringLiteral("loss"), QStringLiteral("grad_norm"), QStringLiteral("lr")};
  Span span_ = Span::kCurrentStage;
  std::string one_stage_;
  double smoothing_ = 0.6;
  bool is_log_y_ = false;
  bool shows_all_ = true;  ///< The range follows the data until a person zooms or pans.
  bool is_setting_range_ = false;
  StepCursor cursor_;
  bool is_live_ = true;
  QPoint pressed_at_;
  QTimer click_;  ///< A click counts once it can no longer become a double click.
  double click_x_ = 0;
};

}  // namespace meanflow::ui

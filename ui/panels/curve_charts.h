// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QPoint>
#include <QStringList>
#include <optional>
#include <vector>

#include "ui/models/curve_marks.h"
#include "ui/models/step_scale.h"

class QCPAxis;
class QCPAxisRect;
class QCPGraph;
class QCPItemStraightLine;
class QCPLegend;
class QCPRange;
class QCustomPlot;
class QMouseEvent;

namespace meanflow::ui {

class Theme;

/// Charts below each other with a common x axis, drawn with QCustomPlot: a line with a pale band a curve, marks along
/// the bottom, a cursor. Knows places on the x axis, not runs; what it draws is handed in.
class CurveCharts final : public QObject {
  Q_OBJECT
 public:
  struct Line {
    QString name;
    int colour = 0;
    bool is_dashed = false;
    bool operator==(const Line&) const = default;
  };
  struct Setup {
    QStringList scalars;  ///< One chart each.
    std::vector<Line> lines;
    QString x_label;
    bool is_time = false;  ///< x is seconds and is labelled as hours and minutes.
    bool is_log_x = false, is_log_y = false;
    bool has_legend = false;
    bool operator==(const Setup&) const = default;
  };
  struct Sample {
    double x = 0, value = 0, low = 0, high = 0;
  };
  using Mark = CurveMark;
  /// A point that stands out, drawn where it is in one chart; `tip` is said under the pointer.
  struct Spike {
    int chart = 0;
    double x = 0, y = 0;
    QString tip;
  };
  struct Boundary {
    double x = 0;
    QString name;
    bool operator==(const Boundary&) const = default;
  };
  struct Range {
    double lower = 0, upper = 1;
  };

  explicit CurveCharts(const Theme& theme, QObject* parent = nullptr);

  QCustomPlot* plot() const { return plot_; }
  /// Builds anew when the setup is another one.
  void build(const Setup& setup);
  const Setup& setup() const { return setup_; }
  void setBoundaries(const std::vector<Boundary>& boundaries);
  void setMarks(const std::vector<Mark>& marks);
  const std::vector<Mark>& marks() const { return marks_; }
  void setSpikes(const std::vector<Spike>& spikes);
  const std::vector<Spike>& spikes() const { return spikes_; }
  QStringList legendTexts() const;  ///< As they are drawn: names that are too long for the chart are cut in the middle.
  QPointF legendPlace(int line) const;  ///< Of a line's entry in the legend, in the plot's coordinates.
  void setSamples(int chart, int line, const std::vector<Sample>& samples);
  void fitY();  ///< Every chart to what is visible of its curves.
  Range range() const;
  void setRange(const Range& range);  ///< Says nothing.
  void setCursor(std::optional<double> x);
  void replot();

 Q_SIGNALS:
  void rangeChanged(double lower, double upper);  ///< By a person.
  void hovered(double x);
  void clicked(double x);
  void doubleClicked();

 private:
  struct Curve {
    QCPGraph *low = nullptr, *high = nullptr, *line = nullptr;
  };
  struct Chart {
    QCPAxisRect* rect = nullptr;
    QCPItemStraightLine *cursor = nullptr, *hover = nullptr;
    QCPLegend* legend = nullptr;
    QCPAxis* marks_y = nullptr;
    std::vector<Curve> curves;
    std::vector<QCPGraph*> marks;  ///< One a kind.
    QCPGraph* spikes = nullptr;
  };
  void addChart(int row, const QString& scalar);
  void addMarks(Chart& chart, QCPAxis* x, QCPAxis* y);
  void addLegend(Chart& chart);
  void applyTheme();
  void fitLegend();   ///< Names cut to the width of the chart.
  void spaceTicks();  ///< As many labels on the y axes as have room; marks not cut off below.
  void applyScales(Chart& chart);
  void onMouseMove(QMouseEvent* event);
  const Spike* spikeAt(const QPointF& place) const;
  QString legendTipAt(const QPointF& place) const;
  QString tipAt(const QPointF& place) const;
  QCPAxis* xAxis(const Chart& chart) const;

  const Theme& theme_;
  QCustomPlot* plot_;
  Setup setup_;
  std::vector<Chart> charts_;
  std::vector<Boundary> boundaries_;
  std::vector<Spike> spikes_;
  std::vector<Mark> marks_;
  bool is_setting_range_ = false;
  QPoint pressed_at_;
};

}  // namespace meanflow::ui

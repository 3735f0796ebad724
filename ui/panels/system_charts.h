// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <QVector>
#include <QWidget>
#include <vector>

class QCustomPlot;

namespace meanflow::ui {

class Theme;

/// Charts of the last minutes, one below the other over one time axis that ends now.
class SystemCharts final : public QWidget {
  Q_OBJECT
 public:
  struct Line {
    QString name;
    QVector<double> minutes;  ///< Before now: negative, rising.
    QVector<double> values;   ///< NaN leaves a gap.
    bool operator==(const Line&) const = default;
  };
  struct Chart {
    QString title;
    double top = 0;  ///< Upper end of the axis; 0: what the values need.
    std::vector<Line> lines;
  };
  explicit SystemCharts(const Theme& theme, QWidget* parent = nullptr);

  void present(const std::vector<Chart>& charts);
  std::size_t numCharts() const { return titles_.size(); }

 private:
  void build(const std::vector<Chart>& charts);
  void applyTheme();

  const Theme& theme_;
  QCustomPlot* plot_;
  QStringList titles_;  ///< Titles and line names of what is built.
};

/// A bar whose parts are as long as their shares.
class TimeSplitBar final : public QWidget {
  Q_OBJECT
 public:
  struct Part {
    QString name;
    double share = 0;  ///< 0 to 1.
    bool operator==(const Part&) const = default;
  };
  explicit TimeSplitBar(const Theme& theme, QWidget* parent = nullptr);
  void present(std::vector<Part> parts);
  QSize sizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  const Theme& theme_;
  std::vector<Part> parts_;
};

}  // namespace meanflow::ui

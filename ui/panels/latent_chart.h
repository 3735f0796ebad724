// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>
#include <vector>

class QCustomPlot;

namespace meanflow::ui {

class Theme;

/// Mean and standard deviation of every latent channel, one small chart beside the other.
class LatentChart final : public QWidget {
  Q_OBJECT
 public:
  explicit LatentChart(const Theme& theme, QWidget* parent = nullptr);
  void present(const std::vector<float>& mean, const std::vector<float>& std);

 private:
  void applyTheme();

  const Theme& theme_;
  QCustomPlot* plot_;
};

}  // namespace meanflow::ui

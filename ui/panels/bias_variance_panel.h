// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <string>

#include "ui/panels/step_panel.h"

class QLabel;

namespace meanflow::ui {

class FoldedWords;
class ResidualCharts;

/// Bias and variance of the proxy velocity (Proposition 3.1): what the single-point velocity, the teacher's distance
/// from the oracle and the oracle bias add to the squared MeanFlow residual, over training and over t, for the eta in
/// use and for eta = 0 and 1, and in one line what to do about it, which unfolds to the numbers.
class BiasVariancePanel final : public StepPanel {
  Q_OBJECT
 public:
  explicit BiasVariancePanel(const Theme& theme, QWidget* parent = nullptr);

  ResidualCharts& charts() { return *charts_; }
  QString words() const;
  FoldedWords& foldedWords() { return *words_; }
  bool showsResiduals() const { return showsContent(); }

 protected:
  void refresh() override;

 private:
  void applyTheme();
  /// Whose residuals are shown: the stage at the cursor, or the one that has some.
  std::string shownStage() const;

  const Theme& theme_;
  FoldedWords* words_;
  QLabel* legend_;
  ResidualCharts* charts_;
};

}  // namespace meanflow::ui

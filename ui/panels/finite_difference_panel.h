// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "ui/panels/step_panel.h"

class QLabel;
class QPushButton;

namespace meanflow::ui {

class DerivativeChart;
class FoldedWords;
class RunController;

/// How good the finite difference of du/dt is at the step delta_t in use, against the exact derivative: its error over
/// the step, in one line what to do about it, which unfolds to the numbers, and a button that gives a live run the
/// better step.
class FiniteDifferencePanel final : public StepPanel {
  Q_OBJECT
 public:
  FiniteDifferencePanel(const Theme& theme, RunController& controller, QWidget* parent = nullptr);

  DerivativeChart& chart() { return *chart_; }
  QPushButton& useButton() { return *use_; }
  QString words() const;
  FoldedWords& foldedWords() { return *words_; }
  QString obstacle() const;  ///< Why the suggestion cannot be taken; empty when it can.
  bool showsReport() const { return showsContent(); }

 protected:
  void refresh() override;
  void onChanged(StoreKind kind) override;

 private:
  /// delta_t as it is now: that of the newest report, or of a change of the setting since.
  double deltaInUse(const std::string& stage) const;
  const base::DerivativeHealthReady* shown() const;
  void refreshUse();
  void applyTheme();

  const Theme& theme_;
  RunController& controller_;
  FoldedWords* words_;
  QLabel* legend_;
  DerivativeChart* chart_;
  QPushButton* use_;
  QLabel* why_not_;
  std::uint64_t seen_settings_ = 0;
};

}  // namespace meanflow::ui

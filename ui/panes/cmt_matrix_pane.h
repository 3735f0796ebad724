// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPoint>
#include <map>
#include <string>
#include <vector>

#include "core/base/events/training_event.h"
#include "ui/panes/color_scale.h"
#include "ui/panes/imgui_widget.h"

namespace meanflow::ui {

/// The errors of the student's jumps t_i -> t_j against a reference of the teacher, as a heat map on a logarithmic
/// colour scale with its legend; a slider goes through every matrix saved; the cell under the cursor shows its value
/// and how it came there. Errors that are not finite stand out. Matrices against the path that CMT learns and against
/// the teacher's fine solution are kept apart; where there are both, a person chooses.
///
/// Keys: Left/Right step, Home/End first and newest, L live, R colour range, A reference, Shift+arrows move the
/// selected cell. Item names: "reference", "live", "previous", "next", "step", "range", "matrix", "legend", "history",
/// "info", "help".
class CmtMatrixPane final : public ImGuiWidget {
  Q_OBJECT
 public:
  explicit CmtMatrixPane(QWidget* parent = nullptr);

  void setEntries(std::vector<base::CmtMatrixReady> entries);  ///< In order of the event stream.
  void addEntry(base::CmtMatrixReady entry);
  void setEmptyText(const QString& text);

  const base::CmtMatrixReady* shown() const;
  const std::string& reference() const { return reference_; }  ///< As CmtMatrixReady::reference.
  std::vector<std::string> references() const;                 ///< Those that there are matrices of.
  bool isLive() const { return is_live_; }
  /// The cell under the cursor or chosen by keys: x = j, y = i; (-1, -1) if none.
  QPoint cell() const { return hovered_.x() >= 0 ? hovered_ : selected_; }

 public Q_SLOTS:
  void setStep(const QString& stage, qint64 step);  ///< Shows the newest matrix at or before; ends live. No signal.
  void setLive(bool is_live);
  void setReference(const std::string& reference);  ///< Keeps the step as near as can be.

 Q_SIGNALS:
  void stepPicked(const QString& stage, qint64 step);
  void liveChanged(bool is_live);

 protected:
  void draw() override;

 private:
  struct Range {
    double low = 0, high = 0;  ///< Smallest and largest positive finite error; high == 0 when there is none.
    void add(double error);
  };
  /// The matrices against one reference.
  struct History {
    std::vector<base::CmtMatrixReady> entries;
    Range range;  ///< Of all of them.
  };
  void absorb(base::CmtMatrixReady entry);
  const std::vector<base::CmtMatrixReady>& entries() const;
  static int sizeOf(const base::CmtMatrixReady& entry);
  static double errorAt(const base::CmtMatrixReady& entry, const QPoint& cell);
  static double meanError(const base::CmtMatrixReady& entry);
  void showEntry(int index, bool by_person);
  void pick(int index);
  void stepBy(int offset);
  void moveCell(const QPoint& way);
  Range colorRange() const;
  QString jumpText(const QPoint& cell) const;
  void drawTools();
  void drawMatrix(const QRectF& area);
  void drawLegend(const QRectF& area, const Range& range);
  void drawHistory(const QRectF& area);
  QColor colorOf(double error, const Range& range) const;

  ColorScale scale_;
  std::map<std::string, History> histories_;
  std::string reference_ = "path";
  bool is_reference_chosen_ = false;  // by a person
  QString empty_text_;
  int shown_ = -1;
  bool is_live_ = true;
  bool has_shared_range_ = true;  // one colour range for every step, so that shrinking errors are seen to shrink
  QPoint hovered_{-1, -1};
  QPoint selected_{-1, -1};
};

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPoint>
#include <QToolButton>
#include <functional>
#include <memory>

class QDrag;
class QMimeData;

namespace meanflow::ui {

class Theme;

/// A button to drag something out of the window with; a click, or Enter, puts the same on the clipboard.
class DragButton final : public QToolButton {
  Q_OBJECT
 public:
  /// `data` makes what is dragged, when it is dragged; null: there is nothing (and has been said).
  using MakeData = std::function<std::unique_ptr<QMimeData>()>;
  DragButton(const Theme& theme, MakeData data, QWidget* parent = nullptr);

  /// In place of QDrag::exec(), which waits for a person's hand.
  void setRunDrag(std::function<void(QDrag*)> run) { run_drag_ = std::move(run); }

 Q_SIGNALS:
  void copied();

 protected:
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;

 private:
  void copy();

  MakeData make_data_;
  std::function<void(QDrag*)> run_drag_;
  QPoint pressed_at_;
};

}  // namespace meanflow::ui

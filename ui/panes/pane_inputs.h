// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointF>
#include <QString>
#include <deque>

class QKeyEvent;
class QMouseEvent;
class QWheelEvent;
struct ImGuiIO;

namespace meanflow::ui {

/// What a person does with mouse and keys between two frames of a pane, from Qt's events to ImGui's state. The adding
/// functions return whether the event means anything to a pane.
class PaneInputs {
 public:
  bool addButton(const QMouseEvent& event, bool is_down, bool is_double);
  void addMove(const QPointF& position, Qt::KeyboardModifiers modifiers);
  void addWheel(const QWheelEvent& event);
  bool addKeyPress(const QKeyEvent& event);  ///< For a text field.
  bool addKeyRelease(const QKeyEvent& event);
  void clear() { waiting_.clear(); }
  bool empty() const { return waiting_.empty(); }
  /// One frame's worth; true when some is left for the next.
  bool feed(ImGuiIO& io, bool& is_double_click);

 private:
  struct Input {
    enum class Kind { kMove, kButton, kWheel, kKey, kText };
    Kind kind = Kind::kMove;
    QPointF position;  ///< Of the cursor, or the wheel's turn in notches.
    int code = 0;      ///< Button or ImGui key.
    bool is_down = false;
    bool is_double = false;
    QString text;
    Qt::KeyboardModifiers modifiers;
  };
  void push(const Input& input);

  std::deque<Input> waiting_;
};

}  // namespace meanflow::ui

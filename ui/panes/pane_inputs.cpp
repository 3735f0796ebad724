// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/pane_inputs.h"

#include <imgui.h>

#include <QKeyEvent>
#include <QMouseEvent>
#include <QWheelEvent>

namespace meanflow::ui {
namespace {

/// The ImGui key for editing text in a field, or -1.
int editKey(int qt_key) {
  switch (qt_key) {
    case Qt::Key_Left:
      return ImGuiKey_LeftArrow;
    case Qt::Key_Right:
      return ImGuiKey_RightArrow;
    case Qt::Key_Up:
      return ImGuiKey_UpArrow;
    case Qt::Key_Down:
      return ImGuiKey_DownArrow;
    case Qt::Key_Home:
      return ImGuiKey_Home;
    case Qt::Key_End:
      return ImGuiKey_End;
    case Qt::Key_Insert:
      return ImGuiKey_Insert;
    case Qt::Key_Delete:
      return ImGuiKey_Delete;
    case Qt::Key_Backspace:
      return ImGuiKey_Backspace;
    case Qt::Key_Return:
      return ImGuiKey_Enter;
    case Qt::Key_Enter:
      return ImGuiKey_KeyPadEnter;
    case Qt::Key_Escape:
      return ImGuiKey_Escape;
    case Qt::Key_A:
      return ImGuiKey_A;
    case Qt::Key_C:
      return ImGuiKey_C;
    case Qt::Key_V:
      return ImGuiKey_V;
    case Qt::Key_X:
      return ImGuiKey_X;
    case Qt::Key_Y:
      return ImGuiKey_Y;
    case Qt::Key_Z:
      return ImGuiKey_Z;
    default:
      return -1;
  }
}

int mouseButton(Qt::MouseButton button) {
  switch (button) {
    case Qt::LeftButton:
      return ImGuiMouseButton_Left;
    case Qt::RightButton:
      return ImGuiMouseButton_Right;
    case Qt::MiddleButton:
      return ImGuiMouseButton_Middle;
    default:
      return -1;
  }
}

}  // namespace

void PaneInputs::push(const Input& input) {
  // A stream of moves needs only its end, as long as nothing happened in between.
  if (input.kind == Input::Kind::kMove && !waiting_.empty() && waiting_.back().kind == Input::Kind::kMove) {
    waiting_.back() = input;
  } else {
    waiting_.push_back(input);
  }
}

bool PaneInputs::addButton(const QMouseEvent& event, bool is_down, bool is_double) {
  const int button = mouseButton(event.button());
  if (button < 0) return false;
  Input input;
  input.kind = Input::Kind::kButton;
  input.position = event.position();
  input.code = button;
  input.is_down = is_down;
  input.is_double = is_double && event.button() == Qt::LeftButton;
  input.modifiers = event.modifiers();
  push(input);
  return true;
}

void PaneInputs::addMove(const QPointF& position, Qt::KeyboardModifiers modifiers) {
  Input input;
  input.position = position;
  input.modifiers = modifiers;
  push(input);
}

void PaneInputs::addWheel(const QWheelEvent& event) {
  addMove(event.position(), event.modifiers());
  Input wheel;
  wheel.kind = Input::Kind::kWheel;
  wheel.position = QPointF(event.angleDelta()) / 120.0;
  wheel.modifiers = event.modifiers();
  push(wheel);
}

bool PaneInputs::addKeyPress(const QKeyEvent& event) {
  Input input;
  input.modifiers = event.modifiers();
  const int key = editKey(event.key());
  if (key >= 0) {
    input.kind = Input::Kind::kKey;
    input.code = key;
    input.is_down = true;
    push(input);
  }
  const bool is_text = !event.text().isEmpty() && event.text().front().isPrint();
  if (is_text) {
    Input text;
    text.kind = Input::Kind::kText;
    text.text = event.text();
    text.modifiers = event.modifiers();
    push(text);
  }
  return key >= 0 || is_text;
}

bool PaneInputs::addKeyRelease(const QKeyEvent& event) {
  const int key = editKey(event.key());
  if (key < 0) return false;
  Input input;
  input.kind = Input::Kind::kKey;
  input.code = key;
  input.modifiers = event.modifiers();
  push(input);
  return true;
}

bool PaneInputs::feed(ImGuiIO& io, bool& is_double_click) {
  is_double_click = false;
  bool has_button = false;
  bool has_wheel = false;
  while (!waiting_.empty()) {
    const Input& input = waiting_.front();
    // ImGui sees states, not events: a press and its release, or a move between them, must not share a frame.
    if (has_button && input.kind != Input::Kind::kText) break;
    if (has_wheel && input.kind == Input::Kind::kMove) break;
    switch (input.kind) {
      case Input::Kind::kMove:
        io.MousePos = ImVec2(static_cast<float>(input.position.x()), static_cast<float>(input.position.y()));
        break;
      case Input::Kind::kButton:
        io.MousePos = ImVec2(static_cast<float>(input.position.x()), static_cast<float>(input.position.y()));
        io.MouseDown[input.code] = input.is_down;
        is_double_click |= input.is_double;
        has_button = true;
        break;
      case Input::Kind::kWheel:
        io.MouseWheelH += static_cast<float>(input.position.x());
        io.MouseWheel += static_cast<float>(input.position.y());
        has_wheel = true;
        break;
      case Input::Kind::kKey:
        io.KeysDown[input.code] = input.is_down;
        has_button = true;
        break;
      case Input::Kind::kText:
        io.AddInputCharactersUTF8(input.text.toUtf8().constData());
        break;
    }
    io.KeyCtrl = input.modifiers.testFlag(Qt::ControlModifier);
    io.KeyShift = input.modifiers.testFlag(Qt::ShiftModifier);
    io.KeyAlt = input.modifiers.testFlag(Qt::AltModifier);
    waiting_.pop_front();
  }
  return !waiting_.empty();
}

}  // namespace meanflow::ui

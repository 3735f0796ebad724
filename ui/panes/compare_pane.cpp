// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/compare_pane.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "ui/panes/pane_controls.h"
#include "ui/panes/texture_cache.h"

namespace meanflow::ui {
ComparePane::ComparePane(QWidget* parent) : ImGuiWidget(parent) {
  setAccessibleName(tr("Class grids"));
  setAccessibleDescription(tr("Images made on request, one row a class. None yet."));
  bind(Qt::Key_F, tr("fit the picture"), [this] { fit(); });
  bind(Qt::Key_Plus, tr("zoom in"), [this] { zoomBy(kWheelFactor); });
  bind(Qt::Key_Equal, {}, [this] { zoomBy(kWheelFactor); });
  bind(Qt::Key_Minus, tr("zoom out"), [this] { zoomBy(1 / kWheelFactor); });
  bind(QKeyCombination(Qt::ShiftModifier, Qt::Key_Left), tr("move the wipe left"),
       [this] { wipe_ = std::max(0.0, wipe_ - 0.05); });
  bind(QKeyCombination(Qt::ShiftModifier, Qt::Key_Right), tr("move the wipe right"),
       [this] { wipe_ = std::min(1.0, wipe_ + 0.05); });
  bind(Qt::Key_X, tr("swap the sides"), [this] { std::swap(first_, second_); });
}

void ComparePane::setSides(Side first, Side second, int rows, int columns, QStringList row_labels) {
  const QSizeF before = imageSize();
  first_ = std::move(first);
  second_ = std::move(second);
  rows_ = rows;
  columns_ = columns;
  labels_ = std::move(row_labels);
  if (imageSize() != before) is_fitted_ = true;
  setAccessibleDescription(first_.image
                               ? tr("%1 rows by %2 columns of images: %3").arg(rows).arg(columns).arg(first_.caption)
                               : tr("Images made on request, one row a class. None yet."));
  requestRedraw();
}

void ComparePane::setNotice(const QString& title, const QString& advice) {
  notice_title_ = title;
  notice_advice_ = advice;
  requestRedraw();
}

QSizeF ComparePane::imageSize() const {
  const auto& image = first_.image ? first_.image : second_.image;
  return image ? QSizeF(image->width, image->height) : QSizeF();
}

void ComparePane::fit() {
  is_fitted_ = true;
  requestRedraw();
}

void ComparePane::zoomBy(double factor) {
  if (imageSize().isEmpty()) return;
  is_fitted_ = false;
  view_.zoomAbout(area_.center(), factor, area_, 0.05, kMaxZoom);
  view_.clamp(imageSize(), area_);
  requestRedraw();
}

void ComparePane::draw() {
  const QRectF whole = remainingArea();
  if (imageSize().isEmpty()) {
    drawNotice(whole, colors(), notice_title_, notice_advice_);
    return;
  }
  const double line = ImGui::GetFontSize();
  double label_width = 0;
  for (const auto& label : labels_) label_width = std::max(label_width, textSize(label).width());
  label_width = labels_.isEmpty() ? 0 : std::min(label_width + 8, 0.3 * whole.width());
  const double caption_height = line + 6;
  const QRectF labels(whole.left(), whole.top() + caption_height, label_width, whole.height() - caption_height);
  area_ = whole.adjusted(label_width, caption_height, 0, 0);
  if (is_fitted_) view_.fit(imageSize(), area_, devicePixelRatioF());
  view_.clamp(imageSize(), area_);

  ImGui::SetCursorScreenPos(toVec2(area_.topLeft()));
  ImGui::InvisibleButton("picture", toVec2(QPointF(area_.width(), area_.height())));
  noteLastItem(QStringLiteral("picture"));
  const bool is_hovered = ImGui::IsItemHovered();
  handleMouse(area_);

  ImDrawList& list = *ImGui::GetWindowDrawList();
  const bool is_comparing = first_.image && second_.image;
  const double split = area_.left() + wipe_ * area_.width();
  QRectF left = area_;
  QRectF right = area_;
  if (is_comparing) left.setRight(split), right.setLeft(split);
  if (first_.image) drawSide(first_, area_, left);
  if (second_.image) drawSide(second_, area_, right);
  const double half = area_.width() / 2 - 6;
  const QString first_caption = first_.image ? first_.caption : second_.caption;
  drawText(list, QPointF(area_.left(), whole.top()), colors().muted,
           elided(first_caption, is_comparing ? half : area_.width()));
  if (is_comparing) {
    drawText(list, QPointF(area_.right(), whole.top()), colors().muted, elided(second_.caption, half), {1, 0});
    drawWipe(area_);
  }
  if (rows_ > 0) drawLabels(labels, view_.zoom * imageSize().height() / rows_);
  if (is_hovered && !ImGui::IsAnyMouseDown()) drawHover(area_);
}

void ComparePane::drawSide(const Side& side, const QRectF& area, const QRectF& clip) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  QRectF target(view_.toWidget({0, 0}, area), imageSize() * view_.zoom);
  // Texels on whole device pixels, so that a pixel of the picture has the same size everywhere.
  const double scale = devicePixelRatioF();
  target.moveTopLeft({std::round(target.left() * scale) / scale, std::round(target.top() * scale) / scale});
  textures().draw(list, side.image, target, clip);
}

void ComparePane::handleMouse(const QRectF& area) {
  const ImGuiIO& io = ImGui::GetIO();
  const QPointF mouse(io.MousePos.x, io.MousePos.y);
  if (ImGui::IsItemHovered() && isDoubleClicked()) return fit();
  if (ImGui::IsItemHovered() && io.MouseWheel != 0) {
    is_fitted_ = false;
    ViewTransform fitted;
    fitted.fit(imageSize(), area, devicePixelRatioF());
    view_.zoomAbout(mouse, std::pow(kWheelFactor, io.MouseWheel), area, std::min(fitted.zoom, 1.0), kMaxZoom);
    view_.clamp(imageSize(), area);
    requestRedraw();
  }
  if (ImGui::IsItemActive() && !is_dragging_wipe_ && ImGui::IsMouseDragging(ImGuiMouseButton_Left, 4)) {
    is_fitted_ = false;
    view_.pan += QPointF(io.MouseDelta.x, io.MouseDelta.y);
    view_.clamp(imageSize(), area);
    ImGui::SetMouseCursor(ImGuiMouseCursor_ResizeAll);
    requestRedraw();
  }
}

void ComparePane::drawWipe(const QRectF& area) {
  const ImGuiIO& io = ImGui::GetIO();
  constexpr double kGrip = 6;
  const double x = std::round(area.left() + wipe_ * area.width());
  const bool is_near =
      QRectF(x - kGrip, area.top(), 2 * kGrip, area.height()).contains(QPointF(io.MousePos.x, io.MousePos.y)) &&
      ImGui::IsWindowHovered(ImGuiHoveredFlags_AllowWhenBlockedByActiveItem);
  if (is_near && ImGui::IsMouseClicked(ImGuiMouseButton_Left)) is_dragging_wipe_ = true;
  if (!ImGui::IsMouseDown(ImGuiMouseButton_Left)) is_dragging_wipe_ = false;
  if (is_dragging_wipe_) {
    wipe_ = std::clamp((io.MousePos.x - area.left()) / area.width(), 0.0, 1.0);
    requestRedraw();
  }
  if (is_dragging_wipe_ || is_near) ImGui::SetMouseCursor(ImGuiMouseCursor_ResizeEW);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddLine(toVec2({x, area.top()}), toVec2({x, area.bottom()}), toU32(colors().window), 4);
  list.AddLine(toVec2({x, area.top()}), toVec2({x, area.bottom()}), toU32(colors().accent), 2);
  const QPointF knob(x, area.center().y());
  list.AddCircleFilled(toVec2(knob), 7, toU32(colors().accent));
  list.AddCircle(toVec2(knob), 7, toU32(colors().window));
  noteItem(QStringLiteral("wipe"), QRectF(x - kGrip, area.top(), 2 * kGrip, area.height()));
}

void ComparePane::drawLabels(const QRectF& column, double cell_height) {
  if (labels_.isEmpty() || cell_height <= 0) return;
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const double line = ImGui::GetFontSize();
  const int stride = std::max(1, static_cast<int>(std::ceil(line / cell_height)));
  const double top = column.top() + view_.pan.y();
  list.PushClipRect(toVec2(column.topLeft()), toVec2(column.bottomRight()), true);
  for (int row = 0; row < std::min<int>(rows_, static_cast<int>(labels_.size())); row += stride) {
    const double row_top = std::max(top + row * cell_height, column.top());
    const double row_bottom = std::min(top + (row + 1) * cell_height, column.bottom());
    if (row_bottom <= row_top) continue;
    drawText(list, QPointF(column.right() - 6, (row_top + row_bottom) / 2), colors().text,
             elided(labels_[row], column.width() - 6), {1, 0.5});
  }
  list.PopClipRect();
  noteItem(QStringLiteral("labels"), column);
}

void ComparePane::drawHover(const QRectF& area) {
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  const QPointF point = view_.toImage(QPointF(mouse.x, mouse.y), area);
  const QSizeF size = imageSize();
  if (!QRectF({0, 0}, size).contains(point) || rows_ <= 0 || columns_ <= 0) return;
  const int column = std::min(columns_ - 1, static_cast<int>(point.x() * columns_ / size.width()));
  const int row = std::min(rows_ - 1, static_cast<int>(point.y() * rows_ / size.height()));
  const double w = size.width() / columns_;
  const double h = size.height() / rows_;
  ImGui::GetWindowDrawList()->AddRect(toVec2(view_.toWidget({column * w, row * h}, area)),
                                      toVec2(view_.toWidget({(column + 1) * w, (row + 1) * h}, area)),
                                      toU32(colors().accent));
  ImGui::BeginTooltip();
  textLine(tr("%1, column %2").arg(row < labels_.size() ? labels_[row] : QString::number(row)).arg(column));
  ImGui::EndTooltip();
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/pane_controls.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>
#include <utility>

namespace meanflow::ui {

ImU32 toU32(const QColor& color, double alpha) {
  return IM_COL32(color.red(), color.green(), color.blue(), static_cast<int>(std::lround(255 * alpha)));
}

ImVec2 toVec2(const QPointF& point) { return {static_cast<float>(point.x()), static_cast<float>(point.y())}; }

QSizeF textSize(const QString& text, double wrap_width) {
  const ImVec2 size = ImGui::CalcTextSize(text.toUtf8().constData(), nullptr, false, static_cast<float>(wrap_width));
  return {size.x, size.y};
}

QString elided(const QString& text, double width) {
  if (textSize(text).width() <= width) return text;
  const QString ellipsis = QStringLiteral("\u2026");
  int low = 0;
  int high = static_cast<int>(text.size());
  while (low < high) {  // the longest start that fits
    const int middle = (low + high + 1) / 2;
    textSize(text.left(middle) + ellipsis).width() <= width ? low = middle : high = middle - 1;
  }
  return text.left(low) + ellipsis;
}

void drawText(ImDrawList& list, const QPointF& point, const QColor& color, const QString& text, Anchor anchor) {
  const QSizeF size = textSize(text);
  // Whole pixels keep letters sharp.
  const QPointF corner(std::round(point.x() - anchor.x * size.width()),
                       std::round(point.y() - anchor.y * size.height()));
  list.AddText(toVec2(corner), toU32(color), text.toUtf8().constData());
}

void drawNotice(const QRectF& area, const PaneColors& colors, const QString& title, const QString& advice) {
  const double width = std::min(area.width() - 24, 460.0);
  if (width < 40) return;
  const QByteArray title_utf8 = title.toUtf8();
  const QByteArray advice_utf8 = advice.toUtf8();
  const double title_height = textSize(title, width).height();
  const double height = title_height + 8 + textSize(advice, width).height();
  const double left = area.center().x() - width / 2;
  double top = std::max(area.top() + 4, area.center().y() - height / 2);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const auto put = [&](const QByteArray& text, const QColor& color) {
    list.AddText(ImGui::GetFont(), ImGui::GetFontSize(), toVec2({std::round(left), std::round(top)}), toU32(color),
                 text.constData(), nullptr, static_cast<float>(width));
  };
  put(title_utf8, colors.text);
  top += title_height + 8;
  put(advice_utf8, colors.muted);
}

void textLine(const QString& text) { ImGui::TextUnformatted(text.toUtf8().constData()); }

void tooltipForLastItem(const QString& text) {
  if (!ImGui::IsItemHovered()) return;
  ImGui::BeginTooltip();
  ImGui::PushTextWrapPos(ImGui::GetFontSize() * 28);
  textLine(text);
  ImGui::PopTextWrapPos();
  ImGui::EndTooltip();
}

void FlowRow::next(double width) {
  if (std::exchange(is_first_, false)) return;
  ImGui::SameLine();
  if (ImGui::GetContentRegionAvail().x < width) ImGui::NewLine();
}

double buttonWidth(const QString& text) { return textSize(text).width() + 2 * ImGui::GetStyle().FramePadding.x; }

double comboWidth(const std::vector<QString>& choices) {
  double width = 40;
  for (const QString& choice : choices) width = std::max(width, textSize(choice).width());
  return width + 2 * ImGui::GetStyle().FramePadding.x + ImGui::GetFrameHeight() + 2;
}

int combo(const char* id, const QString& current, const std::vector<QString>& choices, double width) {
  int picked = -1;
  ImGui::SetNextItemWidth(static_cast<float>(width));
  if (ImGui::BeginCombo(id, current.toUtf8().constData(), ImGuiComboFlags_HeightLarge)) {
    for (std::size_t i = 0; i < choices.size(); ++i) {
      ImGui::PushID(static_cast<int>(i));
      if (ImGui::Selectable(choices[i].toUtf8().constData(), choices[i] == current)) picked = static_cast<int>(i);
      ImGui::PopID();
    }
    ImGui::EndCombo();
  }
  return picked;
}

StepBarAction drawStepBar(int position, int count, bool is_live, const QString& text,
                          const std::function<void(const QString&)>& note) {
  const auto translate = [](const char* source) { return QCoreApplication::translate("StepBar", source); };
  StepBarAction action;
  bool is_checked = is_live;
  action.toggles_live = ImGui::Checkbox(translate("Live").toUtf8().constData(), &is_checked);
  note(QStringLiteral("live"));
  tooltipForLastItem(translate("Follow the newest (L)"));
  ImGui::SameLine();
  if (ImGui::ArrowButton("previous", ImGuiDir_Left) && position > 0) action.position = position - 1;
  note(QStringLiteral("previous"));
  tooltipForLastItem(translate("The one saved before"));
  ImGui::SameLine(0, 2);
  if (ImGui::ArrowButton("next", ImGuiDir_Right) && position + 1 < count) action.position = position + 1;
  note(QStringLiteral("next"));
  tooltipForLastItem(translate("The one saved after"));
  ImGui::SameLine();
  int slid = position;
  ImGui::SetNextItemWidth(-1);
  QString format = elided(text, ImGui::GetContentRegionAvail().x - 8);
  format.replace(QLatin1Char('%'), QStringLiteral("%%"));
  const int last = std::max(0, count - 1);
  // With one thing saved there is nowhere to slide: the text alone, no grip.
  if (last == 0) ImGui::PushStyleColor(ImGuiCol_SliderGrab, IM_COL32_BLACK_TRANS);
  if (ImGui::SliderInt("##step", &slid, 0, std::max(1, last), format.toUtf8().constData(),
                       ImGuiSliderFlags_NoInput | ImGuiSliderFlags_AlwaysClamp) &&
      slid != position && slid <= last) {
    action.position = slid;
  }
  if (last == 0) ImGui::PopStyleColor();
  note(QStringLiteral("step"));
  return action;
}

QRectF remainingArea() {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const ImVec2 size = ImGui::GetContentRegionAvail();
  return {QPointF(at.x, at.y), QSizeF(std::max(1.0F, size.x), std::max(1.0F, size.y))};
}

QPointF PlotFrame::at(double x, double y) const {
  const double across = right == left ? 0.5 : (x - left) / (right - left);
  double up = 0.5;
  if (is_log) {
    up = high > low && low > 0 ? std::log(std::max(y, 1e-300) / low) / std::log(high / low) : 0.5;
  } else if (high > low) {
    up = (y - low) / (high - low);
  }
  return {area.left() + across * area.width(), area.bottom() - std::clamp(up, -0.05, 1.05) * area.height()};
}

PlotFrame drawPlotFrame(ImDrawList& list, const QRectF& area, const PaneColors& colors, const QString& title,
                        double low, double high, double left, double right, const QString& axis, bool is_log) {
  const double line = ImGui::GetFontSize();
  const QString high_text = shortNumber(high);
  const QString low_text = shortNumber(low);
  const double margin = std::max(textSize(high_text).width(), textSize(low_text).width()) + 6;
  PlotFrame frame;
  frame.area = area.adjusted(margin, line + 4, -6, -line - 4);
  frame.low = low;
  frame.high = high;
  frame.left = left;
  frame.right = right;
  frame.is_log = is_log;
  drawText(list, area.topLeft(), colors.text, elided(title, area.width()));
  if (frame.area.height() < 8 || frame.area.width() < 8) return frame;
  list.AddRectFilled(toVec2(frame.area.topLeft()), toVec2(frame.area.bottomRight()), toU32(colors.plot), 3);
  for (int i = 1; i < 4; ++i) {
    const double x = frame.area.left() + frame.area.width() * i / 4;
    list.AddLine(toVec2({x, frame.area.top()}), toVec2({x, frame.area.bottom()}), toU32(colors.plot_grid));
  }
  list.AddRect(toVec2(frame.area.topLeft()), toVec2(frame.area.bottomRight()), toU32(colors.border), 3);
  drawText(list, frame.area.topLeft() - QPointF(4, 0), colors.muted, high_text, {1, 0});
  if (frame.area.height() > 2 * line) {
    drawText(list, frame.area.bottomLeft() - QPointF(4, 0), colors.muted, low_text, {1, 1});
  }
  const QString left_text = shortNumber(left);
  const QString right_text = shortNumber(right);
  drawText(list, frame.area.bottomLeft() + QPointF(0, 2), colors.muted, left_text);
  drawText(list, frame.area.bottomRight() + QPointF(0, 2), colors.muted, right_text, {1, 0});
  const double room = frame.area.width() - textSize(left_text).width() - textSize(right_text).width() - 12;
  if (textSize(axis).width() <= room) {
    drawText(list, QPointF(frame.area.center().x(), frame.area.bottom() + 2), colors.muted, axis, {0.5, 0});
  }
  return frame;
}

QString shortNumber(double value) { return QString::number(value, 'g', 3); }

}  // namespace meanflow::ui

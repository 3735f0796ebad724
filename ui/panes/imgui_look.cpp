// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/imgui_look.h"

#include <imgui.h>

#include <QDirIterator>
#include <QFileInfo>
#include <QStandardPaths>

namespace meanflow::ui {
namespace {

QColor mix(const QColor& a, const QColor& b, double share_of_b) {
  const auto channel = [&](int x, int y) { return static_cast<int>(x + (y - x) * share_of_b + 0.5); };
  return {channel(a.red(), b.red()), channel(a.green(), b.green()), channel(a.blue(), b.blue())};
}

ImVec4 toVec4(const QColor& color, double alpha = 1.0) {
  return {static_cast<float>(color.redF()), static_cast<float>(color.greenF()), static_cast<float>(color.blueF()),
          static_cast<float>(alpha)};
}

}  // namespace

PaneColors paneColors(const QPalette& palette) {
  PaneColors colors;
  colors.window = palette.color(QPalette::Active, QPalette::Window);
  colors.text = palette.color(QPalette::Active, QPalette::WindowText);
  colors.panel = palette.color(QPalette::Active, QPalette::Base);
  colors.accent = palette.color(QPalette::Active, QPalette::Highlight);
  colors.accent_text = palette.color(QPalette::Active, QPalette::HighlightedText);
  colors.is_dark = colors.window.lightness() < 128;
  colors.border = mix(colors.window, colors.text, 0.22);
  colors.muted = mix(colors.text, colors.window, 0.32);
  colors.plot = colors.panel;
  colors.plot_grid = mix(colors.panel, colors.text, 0.14);
  colors.good = colors.is_dark ? QColor(0x5c, 0xc8, 0x8a) : QColor(0x14, 0x80, 0x4a);
  colors.warning = colors.is_dark ? QColor(0xf0, 0xa9, 0x4a) : QColor(0xb4, 0x5f, 0x06);
  colors.bad = colors.is_dark ? QColor(0xf2, 0x7a, 0x7a) : QColor(0xb4, 0x23, 0x2c);
  return colors;
}

void applyLook(const PaneColors& colors, ImGuiStyle& style) {
  style = ImGuiStyle();
  colors.is_dark ? ImGui::StyleColorsDark(&style) : ImGui::StyleColorsLight(&style);
  style.WindowPadding = {8, 8};
  style.FramePadding = {7, 3};
  style.ItemSpacing = {6, 6};
  style.ItemInnerSpacing = {6, 4};
  style.WindowBorderSize = 0;
  style.FrameBorderSize = 1;
  style.PopupBorderSize = 1;
  style.WindowRounding = 0;
  style.FrameRounding = style.PopupRounding = style.GrabRounding = 4;
  style.GrabMinSize = 12;
  style.AntiAliasedLinesUseTex = true;

  const auto set = [&](ImGuiCol slot, const QColor& color, double alpha = 1.0) {
    style.Colors[slot] = toVec4(color, alpha);
  };
  const QColor frame = colors.is_dark ? mix(colors.window, colors.text, 0.09) : colors.panel;
  set(ImGuiCol_Text, colors.text);
  set(ImGuiCol_TextDisabled, colors.muted);
  set(ImGuiCol_WindowBg, colors.window);
  set(ImGuiCol_PopupBg, colors.panel);
  set(ImGuiCol_Border, colors.border);
  set(ImGuiCol_FrameBg, frame);
  set(ImGuiCol_FrameBgHovered, mix(frame, colors.accent, 0.18));
  set(ImGuiCol_FrameBgActive, mix(frame, colors.accent, 0.28));
  set(ImGuiCol_Button, frame);
  set(ImGuiCol_ButtonHovered, mix(frame, colors.accent, 0.22));
  set(ImGuiCol_ButtonActive, mix(frame, colors.accent, 0.4));
  set(ImGuiCol_Header, mix(frame, colors.accent, 0.3));
  set(ImGuiCol_HeaderHovered, mix(frame, colors.accent, 0.22));
  set(ImGuiCol_HeaderActive, mix(frame, colors.accent, 0.4));
  set(ImGuiCol_CheckMark, colors.accent);
  set(ImGuiCol_SliderGrab, mix(frame, colors.accent, 0.45));  // text runs over it
  set(ImGuiCol_SliderGrabActive, mix(frame, colors.accent, 0.6));
  set(ImGuiCol_ScrollbarBg, colors.window, 0);
  set(ImGuiCol_ScrollbarGrab, colors.border);
  set(ImGuiCol_ScrollbarGrabHovered, colors.muted);
  set(ImGuiCol_ScrollbarGrabActive, colors.accent);
  set(ImGuiCol_Separator, colors.border);
}

QString uiFontFile() {
  QStringList folders = QStandardPaths::standardLocations(QStandardPaths::FontsLocation);
  folders << QStringLiteral("/usr/share/fonts") << QStringLiteral("/usr/local/share/fonts");
  for (const QString& name : {QStringLiteral("DejaVuSans.ttf"), QStringLiteral("LiberationSans-Regular.ttf")}) {
    for (const QString& folder : std::as_const(folders)) {
      QDirIterator files(folder, {name}, QDir::Files, QDirIterator::Subdirectories);
      if (files.hasNext()) return files.next();
    }
  }
  return {};
}

const unsigned short* uiGlyphRanges() {
  static const ImWchar kRanges[] = {0x0020, 0x024f, 0x0370, 0x04ff, 0x2010, 0x2044, 0x2070, 0x209f, 0x2190,
                                    0x21ff, 0x2200, 0x22ff, 0x25a0, 0x25ff, 0xfffd, 0xfffd, 0};
  static_assert(sizeof(ImWchar) == sizeof(unsigned short));
  return kRanges;
}

}  // namespace meanflow::ui

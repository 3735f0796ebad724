// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <string_view>

namespace meanflow::base {
namespace {

constexpr double kWidth = 720, kHeight = 300, kLeft = 70, kRight = 20, kTop = 40, kBottom = 40;
constexpr std::array<const char*, 6> kColours = {"#2a78c8", "#d9822b", "#2c9c69", "#a05cc8", "#c8506e", "#7d7d7d"};
constexpr const char* kInk = "#808080";  // on white as on black

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string text(double x, double y, std::string_view what, const char* anchor = "start") {
  return fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)", x, y, anchor, escaped(what)) + "\n";
}

std::string head(double width, double height, std::string_view title) {
  return fmt::format(
             R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0:.0f} {1:.0f}" width="{0:.0f}" height="{1:.0f}" font-family="sans-serif" font-size="12" fill="{2}">)",
             width, height, kInk) +
         "\n" + fmt::format(R"(<text x="10" y="20" font-size="14">{}</text>)", escaped(title)) + "\n";
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void add(double value) { low = std::min(low, value), high = std::max(high, value); }
  void widen() {
    if (!(low <= high)) low = 0, high = 1;
    if (low == high) low -= 0.5, high += 0.5;
  }
};

}  // namespace

std::string svgLineChart(const ChartLook& look, const std::vector<ChartLine>& lines) {
  const auto isDrawn = [&](double y) { return std::isfinite(y) && (!look.is_log_y || y > 0); };
  const auto scaled = [&](double y) { return look.is_log_y ? std::log10(y) : y; };
  Range xs, ys;
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.x.size(); ++i) {
      xs.add(line.x[i]);
      if (isDrawn(line.y[i])) ys.add(scaled(line.y[i]));
    }
  if (look.has_mark) xs.add(look.marked_x);
  xs.widen(), ys.widen();
  const auto px = [&](double x) { return kLeft + (x - xs.low) / (xs.high - xs.low) * (kWidth - kLeft - kRight); };
  const auto py = [&](double y) {
    return kHeight - kBottom - (y - ys.low) / (ys.high - ys.low) * (kHeight - kTop - kBottom);
  };
  std::string svg = head(kWidth, kHeight, look.title);
  svg += fmt::format(R"(<path d="M{0} {1}V{2}H{3}" fill="none" stroke="{4}"/>)", kLeft, kTop, kHeight - kBottom,
                     kWidth - kRight, kInk) +
         "\n";
  for (const double share : {0.0, 0.5, 1.0}) {
    const double y = ys.low + share * (ys.high - ys.low), x = xs.low + share * (xs.high - xs.low);
    svg += text(kLeft - 6, py(y) + 4, fmt::format("{:.3g}", look.is_log_y ? std::pow(10, y) : y), "end");
    svg += text(px(x), kHeight - kBottom + 16, fmt::format("{:.6g}", x), "middle");
  }
  svg += text((kLeft + kWidth - kRight) / 2, kHeight - 6, look.x_label, "middle");
  if (look.has_mark)
    svg += fmt::format(R"(<path d="M{0:.1f} {1}V{2}" stroke="#d03030" stroke-dasharray="4 3"/>)", px(look.marked_x),
                       kTop, kHeight - kBottom) +
           "\n";
  double legend = kWidth - kRight;
  for (std::size_t k = 0; k < lines.size(); ++k) {
    const auto& line = lines[k];
    const char* colour = kColours[k % kColours.size()];
    std::string path;
    bool is_down = false;
    for (std::size_t i = 0; i < line.x.size(); ++i) {
      if (!isDrawn(line.y[i])) {
        is_down = false;
        if (!std::isfinite(line.y[i]))
          svg += fmt::format(R"(<circle cx="{:.1f}" cy="{}" r="3" fill="#d03030"/>)", px(line.x[i]), kTop) + "\n";
        continue;
      }
      path += fmt::format("{}{:.1f} {:.1f}", is_down ? "L" : "M", px(line.x[i]), py(scaled(line.y[i])));
      is_down = true;
    }
    svg += fmt::format(R"(<path d="{}" fill="none" stroke="{}" stroke-width="1.5"/>)", path, colour) + "\n";
    legend -= 8.0 * static_cast<double>(line.name.size()) + 16;
    svg += fmt::format(R"(<g fill="{}">)", colour) + text(legend, 20, line.name) + "</g>\n";
  }
  return svg + "</svg>\n";
}

std::string svgHeatMap(const std::string& title, const std::vector<std::string>& row_names,
                       const std::vector<std::string>& column_names, const std::vector<std::vector<double>>& rows) {
  Range range;
  for (const auto& row : rows)
    for (const double value : row)
      if (std::isfinite(value) && value > 0) range.add(std::log10(value));
  range.widen();
  constexpr double kCell = 16, kNames = 130;
  const double cell_width =
      std::clamp(560.0 / std::max<double>(1, static_cast<double>(column_names.size())), 4.0, 40.0);
  const double width = kNames + cell_width * static_cast<double>(column_names.size()) + 20;
  const double height = 56 + kCell * static_cast<double>(rows.size());
  std::string svg = head(std::max(width, 360.0), height, title);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const double y = 32 + kCell * static_cast<double>(r);
    if (r < row_names.size()) svg += text(kNames - 6, y + 12, row_names[r], "end");
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      const double value = rows[r][c];
      std::string colour = "#d03030";
      if (std::isfinite(value)) {
        const double share = value > 0 ? (std::log10(value) - range.low) / (range.high - range.low) : 0;
        // Dark blue to pale yellow.
        colour = fmt::format("#{:02x}{:02x}{:02x}", static_cast<int>(30 + 220 * share),
                             static_cast<int>(50 + 180 * share), static_cast<int>(110 + 40 * share));
      }
      svg += fmt::format(
                 R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}" fill="{}"><title>{}: {:.4g}</title></rect>)",
                 kNames + cell_width * static_cast<double>(c), y, cell_width - 0.5, kCell - 1, colour,
                 c < column_names.size() ? escaped(column_names[c]) : std::string(), value) +
             "\n";
    }
  }
  if (!column_names.empty()) {
    svg += text(kNames, height - 6, column_names.front());
    svg += text(kNames + cell_width * static_cast<double>(column_names.size()), height - 6, column_names.back(), "end");
  }
  return svg + "</svg>\n";
}

}  // namespace meanflow::base

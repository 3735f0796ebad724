// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/cmt_matrix_pane.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "ui/panes/pane_controls.h"
#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {
const QColor kExploded(0xe0, 0x2f, 0xb0);  // outside the scale, on purpose

QString referenceText(const std::string& reference) {
  if (reference == "path") return CmtMatrixPane::tr("Against the path of CMT");
  if (reference == "fine") return CmtMatrixPane::tr("Against the fine solution");
  return CmtMatrixPane::tr("Against %1").arg(QString::fromStdString(reference));
}
}  // namespace

CmtMatrixPane::CmtMatrixPane(QWidget* parent) : ImGuiWidget(parent) {
  setAccessibleName(tr("CMT errors"));
  setAccessibleDescription(tr("Errors of the student's jumps between solver times. No matrix yet."));
  const auto shift = [](Qt::Key key) { return QKeyCombination(Qt::ShiftModifier, key); };
  bind(Qt::Key_Left, tr("the matrix saved before"), [this] { stepBy(-1); });
  bind(Qt::Key_Right, tr("the matrix saved after"), [this] { stepBy(1); });
  bind(Qt::Key_Home, tr("the first matrix"), [this] { stepBy(-static_cast<int>(entries().size())); });
  bind(Qt::Key_End, tr("the newest matrix"), [this] { stepBy(static_cast<int>(entries().size())); });
  bind(Qt::Key_L, tr("live on or off"), [this] { setLive(!is_live_); });
  bind(Qt::Key_A, tr("the other reference"), [this] {
    const auto all = references();
    const auto here = std::find(all.begin(), all.end(), reference_) - all.begin();
    if (all.size() > 1) setReference(all[static_cast<std::size_t>(here + 1) % all.size()]);
  });
  bind(Qt::Key_R, tr("colours over all steps or this one"), [this] { has_shared_range_ = !has_shared_range_; });
  bind(shift(Qt::Key_Right), tr("choose a cell"), [this] { moveCell({1, 0}); });
  bind(shift(Qt::Key_Left), {}, [this] { moveCell({-1, 0}); });
  bind(shift(Qt::Key_Down), {}, [this] { moveCell({0, 1}); });
  bind(shift(Qt::Key_Up), {}, [this] { moveCell({0, -1}); });
}

int CmtMatrixPane::sizeOf(const base::CmtMatrixReady& entry) {
  const std::size_t n = entry.times.size();
  return entry.errors.size() == n * n ? static_cast<int>(n) : 0;
}

double CmtMatrixPane::errorAt(const base::CmtMatrixReady& entry, const QPoint& cell) {
  const int n = sizeOf(entry);
  if (cell.x() < 0 || cell.y() < 0 || cell.x() >= n || cell.y() >= n) return std::numeric_limits<double>::quiet_NaN();
  return entry.errors[static_cast<std::size_t>(cell.y()) * n + cell.x()];
}

double CmtMatrixPane::meanError(const base::CmtMatrixReady& entry) {
  double sum = 0;
  int count = 0;
  for (const float error : entry.errors) {
    if (!std::isfinite(error)) continue;
    sum += error;
    ++count;
  }
  return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
}

void CmtMatrixPane::Range::add(double error) {
  if (!std::isfinite(error) || error <= 0) return;
  low = high == 0 ? error : std::min(low, error);
  high = std::max(high, error);
}

void CmtMatrixPane::setEmptyText(const QString& text) {
  empty_text_ = text;
  requestRedraw();
}

const std::vector<base::CmtMatrixReady>& CmtMatrixPane::entries() const {
  static const std::vector<base::CmtMatrixReady> kNone;
  const auto found = histories_.find(reference_);
  return found == histories_.end() ? kNone : found->second.entries;
}

std::vector<std::string> CmtMatrixPane::references() const {
  std::vector<std::string> found;
  for (const auto& [reference, history] : histories_) found.push_back(reference);
  // What CMT is trained on comes first.
  std::stable_partition(found.begin(), found.end(), [](const auto& each) { return each == "path"; });
  return found;
}

void CmtMatrixPane::absorb(base::CmtMatrixReady entry) {
  // Until a person chooses, the path that CMT learns is shown, or what there is.
  if (!is_reference_chosen_ && (histories_.empty() || entry.reference == "path") && entry.reference != reference_) {
    reference_ = entry.reference;
    shown_ = -1;
  }
  History& history = histories_[entry.reference];
  for (const float error : entry.errors) history.range.add(error);
  history.entries.push_back(std::move(entry));
}

void CmtMatrixPane::setEntries(std::vector<base::CmtMatrixReady> entries) {
  std::optional<std::pair<std::string, std::int64_t>> before;
  if (shown()) before.emplace(shown()->stage, shown()->step);
  histories_.clear();
  if (entries.empty()) is_reference_chosen_ = false;  // another run
  shown_ = -1;
  for (base::CmtMatrixReady& entry : entries) absorb(std::move(entry));
  if (!histories_.empty() && !histories_.contains(reference_)) reference_ = references().front();
  if (!is_live_ && before) setStep(QString::fromStdString(before->first), before->second);
  if (shown_ < 0) showEntry(static_cast<int>(this->entries().size()) - 1, false);
  requestRedraw();
}

void CmtMatrixPane::addEntry(base::CmtMatrixReady entry) {
  absorb(std::move(entry));
  if (is_live_ || shown_ < 0) showEntry(static_cast<int>(entries().size()) - 1, false);
  requestRedraw();
}

void CmtMatrixPane::setReference(const std::string& reference) {
  if (reference == reference_ || !histories_.contains(reference)) return;
  const base::CmtMatrixReady before = shown() ? *shown() : base::CmtMatrixReady{};
  reference_ = reference;
  is_reference_chosen_ = true;
  shown_ = -1;
  int nearest = static_cast<int>(entries().size()) - 1;
  if (!is_live_) {
    for (std::size_t i = 0; i < entries().size(); ++i)
      if (entries()[i].stage == before.stage && entries()[i].step <= before.step) nearest = static_cast<int>(i);
  }
  showEntry(nearest, false);
}

const base::CmtMatrixReady* CmtMatrixPane::shown() const {
  return shown_ < 0 ? nullptr : &entries()[static_cast<std::size_t>(shown_)];
}

void CmtMatrixPane::showEntry(int index, bool by_person) {
  if (index != shown_) {
    shown_ = index;
    const base::CmtMatrixReady* entry = shown();
    setAccessibleDescription(entry ? tr("Errors of the student's jumps between solver times: %1, step %2, mean %3.")
                                         .arg(stageTitle(entry->stage))
                                         .arg(entry->step)
                                         .arg(shortNumber(meanError(*entry)))
                                   : tr("Errors of the student's jumps between solver times. No matrix yet."));
    if (entry && by_person) Q_EMIT stepPicked(QString::fromStdString(entry->stage), entry->step);
  }
  requestRedraw();
}

void CmtMatrixPane::pick(int index) {
  setLive(false);
  showEntry(index, true);
}

void CmtMatrixPane::stepBy(int offset) {
  if (entries().empty()) return;
  const int there = std::clamp(shown_ + offset, 0, static_cast<int>(entries().size()) - 1);
  if (there != shown_) pick(there);
}

void CmtMatrixPane::setStep(const QString& stage, qint64 step) {
  const std::string name = stage.toStdString();
  int best = -1;
  for (std::size_t i = 0; i < entries().size(); ++i) {
    if (entries()[i].stage == name && entries()[i].step <= step) best = static_cast<int>(i);
  }
  if (best < 0) return;
  is_live_ = false;
  showEntry(best, false);
}

void CmtMatrixPane::setLive(bool is_live) {
  if (is_live_ == is_live) return;
  is_live_ = is_live;
  if (is_live_) showEntry(static_cast<int>(entries().size()) - 1, false);
  Q_EMIT liveChanged(is_live_);
  requestRedraw();
}

void CmtMatrixPane::moveCell(const QPoint& way) {
  const int n = shown() ? sizeOf(*shown()) : 0;
  if (n < 2) return;
  // From the corner that a one-step sample jumps over, t = 1 to t = 0.
  const QPoint next = selected_.x() < 0 ? QPoint(n - 1, 0) : selected_ + way;
  if (next.y() >= 0 && next.x() < n && next.x() > next.y()) selected_ = next;
}

CmtMatrixPane::Range CmtMatrixPane::colorRange() const {
  if (has_shared_range_) return histories_.at(reference_).range;
  Range range;
  for (const float error : shown()->errors) range.add(error);
  return range;
}

QColor CmtMatrixPane::colorOf(double error, const Range& range) const {
  if (!std::isfinite(error)) return kExploded;
  return scale_.at(ColorScale::logPosition(error, range.low, range.high));
}

QString CmtMatrixPane::jumpText(const QPoint& cell) const {
  const std::vector<float>& times = shown()->times;
  return tr("t %1 \u2192 %2")
      .arg(static_cast<double>(times[static_cast<std::size_t>(cell.y())]), 0, 'f', 3)
      .arg(static_cast<double>(times[static_cast<std::size_t>(cell.x())]), 0, 'f', 3);
}

void CmtMatrixPane::draw() {
  if (entries().empty() || sizeOf(*shown()) < 2) {
    const QString advice = tr(
        "The matrix appears when consistency mid-training (the cmt stage) has begun: start or resume the run, or open "
        "a "
        "run folder that reached it. Each cell is one jump of the student along the teacher's path, from time t_i to "
        "t_j.");
    drawNotice(remainingArea(), colors(), entries().empty() ? tr("No CMT errors yet") : tr("This matrix is empty"),
               empty_text_.isEmpty() ? advice : empty_text_);
    return;
  }
  drawTools();
  const double line = ImGui::GetFontSize();
  const double spacing = ImGui::GetStyle().ItemSpacing.y;
  QRectF area = remainingArea();
  area.setHeight(std::max(40.0, area.height() - ImGui::GetFrameHeight() - line - 2 * spacing));
  const bool has_history = area.width() > 440;
  const double legend_width = 5.2 * line;
  const double room = area.width() - legend_width - 12;
  const double matrix_width = std::min(area.height() + 4 * line, has_history ? room * 0.58 : room);
  const Range range = colorRange();
  drawMatrix(QRectF(area.left(), area.top(), matrix_width, area.height()));
  drawLegend(QRectF(area.left() + matrix_width + 10, area.top(), legend_width, area.height()), range);
  if (has_history) {
    const double left = area.left() + matrix_width + legend_width + 22;
    drawHistory(QRectF(left, area.top(), area.right() - left, area.height()));
  }
  ImGui::SetCursorScreenPos(toVec2(QPointF(area.left(), area.bottom() + spacing)));
  const auto count = static_cast<int>(entries().size());
  const QString text =
      tr("%1, step %2  (%3 of %4)").arg(stageTitle(shown()->stage)).arg(shown()->step).arg(shown_ + 1).arg(count);
  const StepBarAction action =
      drawStepBar(shown_, count, is_live_, text, [this](const QString& name) { noteLastItem(name); });
  if (action.toggles_live) setLive(!is_live_);
  if (action.position >= 0) pick(action.position);

  QString info = tr("mean %1").arg(shortNumber(meanError(*shown())));
  if (cell().x() >= 0 && cell().x() < sizeOf(*shown())) {
    info = jumpText(cell()) + QStringLiteral(": ") + shortNumber(errorAt(*shown(), cell())) +
           QStringLiteral(" \u00b7 ") + info;
  } else {
    info += QStringLiteral(" \u00b7 ") + (reference_ == "fine"
                                              ? tr("relative L2 error of the jump against the teacher's fine solution")
                                              : tr("relative L2 error of the jump against the teacher's path"));
  }
  ImGui::PushStyleColor(ImGuiCol_Text, toU32(colors().muted));
  textLine(elided(info, ImGui::GetContentRegionAvail().x));
  ImGui::PopStyleColor();
  noteLastItem(QStringLiteral("info"));
}

void CmtMatrixPane::drawTools() {
  FlowRow row;
  if (const auto all = references(); all.size() > 1) {
    std::vector<QString> texts;
    for (const auto& each : all) texts.push_back(referenceText(each));
    const double reference_width = comboWidth(texts);
    row.next(reference_width);
    if (const int i = combo("##reference", referenceText(reference_), texts, reference_width); i >= 0)
      setReference(all[static_cast<std::size_t>(i)]);
    noteLastItem(QStringLiteral("reference"));
    tooltipForLastItem(
        tr("What a jump should have come to: the solver's path that CMT learns from, or the teacher's fine solution "
           "(A)"));
  }
  const std::vector<QString> choices = {tr("Colours over all steps"), tr("Colours of this step")};
  const double width = comboWidth(choices);
  row.next(width);
  if (const int i = combo("##range", choices[has_shared_range_ ? 0 : 1], choices, width); i >= 0) {
    has_shared_range_ = i == 0;
  }
  noteLastItem(QStringLiteral("range"));
  tooltipForLastItem(
      tr("One range for every step shows errors shrink; the range of one step shows where they are (R)"));
  row.next(buttonWidth(QStringLiteral("?")));
  drawKeyHelp();
}

void CmtMatrixPane::drawMatrix(const QRectF& area) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const base::CmtMatrixReady& entry = *shown();
  const int n = sizeOf(entry);
  const double line = ImGui::GetFontSize();
  const QString widest = QStringLiteral("0.00");
  const double margin = textSize(widest).width() + 6;
  const QRectF room = area.adjusted(margin, line + 4, 0, -line - 4);
  const double side = std::floor(std::max(1.0, std::min(room.width(), room.height()) / n));
  const QRectF grid(room.topLeft(), QSizeF(side * n, side * n));
  drawText(list, area.topLeft(), colors().text, elided(tr("Jump from t_i (down) to t_j (across)"), area.width()));
  noteItem(QStringLiteral("matrix"), grid);
  list.AddRectFilled(toVec2(grid.topLeft()), toVec2(grid.bottomRight()), toU32(colors().plot));
  const Range range = colorRange();
  const double gap = side >= 6 ? 1 : 0;
  for (int i = 0; i < n; ++i) {
    for (int j = i + 1; j < n; ++j) {
      const double error = errorAt(entry, {j, i});
      if (std::isnan(error)) continue;  // not measured
      const QPointF low = grid.topLeft() + QPointF(j * side, i * side);
      list.AddRectFilled(toVec2(low), toVec2(low + QPointF(side - gap, side - gap)), toU32(colorOf(error, range)));
    }
  }
  // Times along both axes, as many as fit.
  const int stride_y = std::max(1, static_cast<int>(std::ceil((line + 2) / side)));
  const int stride_x = std::max(1, static_cast<int>(std::ceil((margin + 4) / side)));
  const auto timeText = [&](int i) {
    return QString::number(static_cast<double>(entry.times[static_cast<std::size_t>(i)]), 'f', 2);
  };
  for (int i = 0; i < n; i += stride_y) {
    drawText(list, grid.topLeft() + QPointF(-5, (i + 0.5) * side), colors().muted, timeText(i), {1, 0.5});
  }
  for (int j = (n - 1) % stride_x; j < n; j += stride_x) {
    drawText(list, grid.bottomLeft() + QPointF((j + 0.5) * side, 3), colors().muted, timeText(j), {0.5, 0});
  }
  const auto outline = [&](const QPoint& at, const QColor& color) {
    const QPointF low = grid.topLeft() + QPointF(at.x() * side, at.y() * side);
    list.AddRect(toVec2(low - QPointF(1, 1)), toVec2(low + QPointF(side, side)), toU32(color), 0, 0, 2);
  };
  if (selected_.x() >= n) selected_ = {-1, -1};
  if (selected_.x() >= 0) outline(selected_, colors().text);

  hovered_ = {-1, -1};
  ImGui::SetCursorScreenPos(toVec2(grid.topLeft()));
  ImGui::InvisibleButton("matrix", toVec2(QPointF(grid.width(), grid.height())));
  if (!ImGui::IsItemHovered()) return;
  const QPointF mouse = QPointF(ImGui::GetIO().MousePos.x, ImGui::GetIO().MousePos.y) - grid.topLeft();
  const QPoint at(static_cast<int>(mouse.x() / side), static_cast<int>(mouse.y() / side));
  if (at.x() >= n || at.y() >= n || at.x() <= at.y()) {
    tooltipForLastItem(tr("A jump goes towards the image: only t_j below t_i."));
    return;
  }
  hovered_ = at;
  outline(at, colors().accent);
  if (ImGui::IsMouseClicked(ImGuiMouseButton_Left)) selected_ = selected_ == at ? QPoint(-1, -1) : at;
  const double error = errorAt(entry, at);
  QString text = jumpText(at) + QLatin1Char('\n') +
                 (std::isnan(error) ? tr("not measured") : tr("error %1").arg(shortNumber(error)));
  if (shown_ > 0) {
    const base::CmtMatrixReady& earlier = entries()[static_cast<std::size_t>(shown_) - 1];
    const double before = errorAt(earlier, at);
    if (std::isfinite(before) && std::isfinite(error)) {
      text += QLatin1Char('\n') + tr("step %1: %2").arg(earlier.step).arg(shortNumber(before));
    }
  }
  tooltipForLastItem(text);
}

void CmtMatrixPane::drawLegend(const QRectF& area, const Range& range) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const double line = ImGui::GetFontSize();
  const bool has_exploded =
      std::any_of(shown()->errors.begin(), shown()->errors.end(), [](float error) { return std::isinf(error); });
  drawText(list, area.topLeft(), colors().text, elided(tr("Error (log)"), area.width()));
  const QRectF bar(area.left(), area.top() + line + 6, 14,
                   area.height() - 2 * line - 12 - (has_exploded ? line + 6 : 0));
  noteItem(QStringLiteral("legend"), bar);
  if (bar.height() < 16) return;
  if (range.high <= 0) {
    drawText(list, bar.topLeft(), colors().muted, tr("none"));
    return;
  }
  constexpr int kBands = 64;
  for (int i = 0; i < kBands; ++i) {
    const double top = bar.top() + bar.height() * i / kBands;
    list.AddRectFilled(toVec2({bar.left(), top}), toVec2({bar.right(), bar.top() + bar.height() * (i + 1) / kBands}),
                       toU32(scale_.at(1 - (i + 0.5) / kBands)));
  }
  list.AddRect(toVec2(bar.topLeft()), toVec2(bar.bottomRight()), toU32(colors().border));
  double last_y = 1e9;
  const auto tick = [&](double value) {
    const double y = bar.bottom() - bar.height() * ColorScale::logPosition(value, range.low, range.high);
    if (std::abs(last_y - y) < line + 2) return;
    list.AddLine(toVec2({bar.right(), y}), toVec2({bar.right() + 4, y}), toU32(colors().text));
    drawText(list, {bar.right() + 7, y}, colors().muted, shortNumber(value), {0, 0.5});
    last_y = y;
  };
  tick(range.low);
  const double end_y = bar.top() + line + 2;  // keeps a place for the highest value
  for (double decade = std::pow(10, std::floor(std::log10(range.low))); decade <= range.high; decade *= 10) {
    for (const double step : {1.0, 2.0, 5.0}) {
      const double value = decade * step;
      if (value <= range.low || value >= range.high) continue;
      const double y = bar.bottom() - bar.height() * ColorScale::logPosition(value, range.low, range.high);
      if (y > end_y) tick(value);
    }
  }
  tick(range.high);
  if (has_exploded) {
    const QPointF at(bar.left(), bar.bottom() + 6);
    list.AddRectFilled(toVec2(at), toVec2(at + QPointF(14, line)), toU32(kExploded));
    drawText(list, at + QPointF(19, 0), colors().muted, tr("infinite"));
  }
}

void CmtMatrixPane::drawHistory(const QRectF& area) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const bool has_cell = cell().x() >= 0 && cell().x() < sizeOf(*shown());
  const QPoint at = cell();
  Range range;
  std::vector<double> values;
  for (const base::CmtMatrixReady& entry : entries()) {
    values.push_back(has_cell ? errorAt(entry, at) : meanError(entry));
    range.add(values.back());
  }
  if (range.high <= 0) range = {0.1, 1};
  if (range.high < 1.05 * range.low) range = {range.low / 1.5, range.high * 1.5};
  const QString title = has_cell ? tr("%1 over steps").arg(jumpText(at)) : tr("Mean error over steps");
  // By number saved, not by step: stages restart their count, and the slider below goes the same way.
  const double last = std::max<double>(1, static_cast<double>(entries().size()) - 1);
  const PlotFrame frame =
      drawPlotFrame(list, area, colors(), title, range.low, range.high, 0, last, tr("matrices saved"), true);
  noteItem(QStringLiteral("history"), frame.area);
  if (frame.area.width() < 8 || frame.area.height() < 8) return;
  list.PushClipRect(toVec2(frame.area.topLeft()), toVec2(frame.area.bottomRight()), true);
  std::optional<QPointF> before;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(values[i] > 0) || !std::isfinite(values[i])) {
      before.reset();
      continue;
    }
    const QPointF point = frame.at(static_cast<double>(i), values[i]);
    if (before) list.AddLine(toVec2(*before), toVec2(point), toU32(colors().accent), 2);
    list.AddCircleFilled(toVec2(point), 2.5F, toU32(colors().accent));
    before = point;
  }
  const double x = frame.at(shown_, range.low).x();
  list.AddLine(toVec2({x, frame.area.top()}), toVec2({x, frame.area.bottom()}), toU32(colors().text, 0.6), 1);
  list.PopClipRect();
  ImGui::SetCursorScreenPos(toVec2(frame.area.topLeft()));
  ImGui::InvisibleButton("history", toVec2(QPointF(frame.area.width(), frame.area.height())));
  const double share = (ImGui::GetIO().MousePos.x - frame.area.left()) / frame.area.width();
  const int nearest =
      std::clamp(static_cast<int>(std::lround(share * last)), 0, static_cast<int>(entries().size()) - 1);
  if (ImGui::IsItemActive() && nearest != shown_) pick(nearest);
  if (ImGui::IsItemHovered()) {
    const auto index = static_cast<std::size_t>(nearest);
    tooltipForLastItem(tr("step %1: %2").arg(entries()[index].step).arg(shortNumber(values[index])));
  }
}

}  // namespace meanflow::ui

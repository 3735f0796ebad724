// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/trajectory_pane.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "ui/panes/pane_controls.h"
#include "ui/panes/texture_cache.h"
#include "ui/panes/trajectory_plots.h"
#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {

constexpr int kFrameMs = 160;

}  // namespace

TrajectoryPane::TrajectoryPane(ImageLoader loader, QWidget* parent) : ImGuiWidget(parent) {
  setAccessibleName(tr("Trajectories"));
  setAccessibleDescription(tr("The teacher's path from noise to image, knot by knot. No trajectory yet."));
  setLoader(std::move(loader));
  timer_.setInterval(kFrameMs);
  connect(&timer_, &QTimer::timeout, this, &TrajectoryPane::advance);
  bind(Qt::Key_Left, tr("the knot before"), [this] { setKnot(knot_ - 1); });
  bind(Qt::Key_Right, tr("the knot after"), [this] { setKnot(knot_ + 1); });
  bind(Qt::Key_Home, tr("noise (t = 1)"), [this] { setKnot(0); });
  bind(Qt::Key_End, tr("image (t = 0)"), [this] { setKnot(numKnots() - 1); });
  bind(Qt::Key_Space, tr("play or pause"), [this] { isPlaying() ? pause() : play(); });
  bind(QKeyCombination(Qt::ControlModifier, Qt::Key_Left), tr("the step saved before"), [this] { stepBy(-1); });
  bind(QKeyCombination(Qt::ControlModifier, Qt::Key_Right), tr("the step saved after"), [this] { stepBy(1); });
  bind(Qt::Key_L, tr("live on or off"), [this] { setLive(!is_live_); });
  bind(Qt::Key_C, tr("next class"), [this] {
    if (labels_.empty() || !shown()) return;
    const auto here = std::find(labels_.begin(), labels_.end(), shown()->label) - labels_.begin();
    chooseLabel(labels_[static_cast<std::size_t>(here + 1) % labels_.size()]);
  });
}

TrajectoryPane::~TrajectoryPane() = default;

void TrajectoryPane::setLoader(ImageLoader loader) {
  store_ = std::make_unique<ImageStore>(std::move(loader));
  connect(store_.get(), &ImageStore::loaded, this, &ImGuiWidget::requestRedraw);
  frames_.reset();
  requestRedraw();
}

void TrajectoryPane::setEmptyText(const QString& text) {
  empty_text_ = text;
  requestRedraw();
}

void TrajectoryPane::absorb(base::TrajectoryReady entry) {
  if (entry.frames && !entry.path.empty()) {
    store_->insert(entry.path, std::move(entry.frames));  // to be read again when memory is short
    entry.frames.reset();
  }
  if (std::find(labels_.begin(), labels_.end(), entry.label) == labels_.end()) labels_.push_back(entry.label);
  entries_.push_back(std::move(entry));
}

void TrajectoryPane::setEntries(std::vector<base::TrajectoryReady> entries) {
  std::optional<std::pair<std::string, std::int64_t>> before;
  if (shown()) before.emplace(shown()->stage, shown()->step);
  entries_.clear();
  labels_.clear();
  shown_ = -1;
  for (base::TrajectoryReady& entry : entries) absorb(std::move(entry));
  store_->retryFailed();
  if (!is_live_ && before && !entries_.empty()) {
    setStep(QString::fromStdString(before->first), before->second);
  }
  if (shown_ < 0) follow();
  requestRedraw();
}

void TrajectoryPane::addEntry(base::TrajectoryReady entry) {
  store_->retryFailed();
  absorb(std::move(entry));
  if (is_live_ || shown_ < 0) follow();
  requestRedraw();
}

const base::TrajectoryReady* TrajectoryPane::shown() const {
  return shown_ < 0 ? nullptr : &entries_[static_cast<std::size_t>(shown_)];
}

int TrajectoryPane::numKnots() const { return shown() ? static_cast<int>(shown()->times.size()) : 0; }

QString TrajectoryPane::labelText(int label) const {
  for (const base::TrajectoryReady& entry : entries_) {
    if (entry.label == label && !entry.label_name.empty()) {
      return QStringLiteral("%1 (%2)").arg(QString::fromStdString(entry.label_name)).arg(label);
    }
  }
  return tr("class %1").arg(label);
}

std::vector<int> TrajectoryPane::indicesOf(int label) const {
  std::vector<int> indices;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].label == label) indices.push_back(static_cast<int>(i));
  }
  return indices;
}

int TrajectoryPane::newestOf(int label) const {
  const std::vector<int> indices = indicesOf(label);
  return indices.empty() ? -1 : indices.back();
}

void TrajectoryPane::follow() {
  if (entries_.empty()) return showEntry(-1, false);
  const int wanted = newestOf(label_);
  showEntry(wanted >= 0 ? wanted : static_cast<int>(entries_.size()) - 1, false);
}

void TrajectoryPane::showEntry(int index, bool by_person) {
  if (index != shown_) {
    shown_ = index;
    knot_ = std::clamp(knot_, 0, std::max(0, numKnots() - 1));
    const base::TrajectoryReady* entry = shown();
    setAccessibleDescription(entry ? tr("The teacher's path from noise to image: %1, %2, step %3. Knots: %4.")
                                         .arg(labelText(entry->label), stageTitle(entry->stage))
                                         .arg(entry->step)
                                         .arg(numKnots())
                                   : tr("The teacher's path from noise to image, knot by knot. No trajectory yet."));
    if (entry && by_person) Q_EMIT stepPicked(QString::fromStdString(entry->stage), entry->step);
  }
  requestRedraw();
}

void TrajectoryPane::pick(int index) {
  setLive(false);
  showEntry(index, true);
}

void TrajectoryPane::chooseLabel(int label) {
  label_ = label;
  const base::TrajectoryReady* entry = shown();
  if (!entry || is_live_) return follow();
  const std::string stage = entry->stage;
  const std::int64_t step = entry->step;
  int best = -1;
  for (const int index : indicesOf(label)) {
    const base::TrajectoryReady& candidate = entries_[static_cast<std::size_t>(index)];
    if (best < 0 || (candidate.stage == stage && candidate.step <= step)) best = index;
  }
  if (best >= 0) showEntry(best, false);
}

void TrajectoryPane::stepBy(int offset) {
  if (!shown()) return;
  const std::vector<int> indices = indicesOf(shown()->label);
  const auto here = std::find(indices.begin(), indices.end(), shown_) - indices.begin();
  const auto there = std::clamp<std::ptrdiff_t>(here + offset, 0, static_cast<std::ptrdiff_t>(indices.size()) - 1);
  if (there != here) pick(indices[static_cast<std::size_t>(there)]);
}

void TrajectoryPane::setStep(const QString& stage, qint64 step) {
  const std::string name = stage.toStdString();
  const int label = shown() ? shown()->label : label_;
  int best = -1;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const base::TrajectoryReady& entry = entries_[i];
    if (entry.stage != name || entry.step > step) continue;
    const bool is_wanted = entry.label == label;
    const bool has_wanted = best >= 0 && entries_[static_cast<std::size_t>(best)].label == label;
    if (is_wanted || !has_wanted) best = static_cast<int>(i);
  }
  if (best < 0) return;
  is_live_ = false;
  showEntry(best, false);
}

void TrajectoryPane::setLive(bool is_live) {
  if (is_live_ == is_live) return;
  is_live_ = is_live;
  if (is_live_) follow();
  Q_EMIT liveChanged(is_live_);
  requestRedraw();
}

void TrajectoryPane::setKnot(int knot) {
  const int clamped = std::clamp(knot, 0, std::max(0, numKnots() - 1));
  if (clamped == knot_) return;
  knot_ = clamped;
  Q_EMIT knotChanged(knot_);
  requestRedraw();
}

void TrajectoryPane::play() {
  if (numKnots() < 2) return;
  if (knot_ + 1 >= numKnots()) setKnot(0);
  timer_.start();
  requestRedraw();
}

void TrajectoryPane::pause() {
  timer_.stop();
  requestRedraw();
}

void TrajectoryPane::advance() {
  if (!isVisible() || knot_ + 1 >= numKnots()) return pause();
  setKnot(knot_ + 1);
}

void TrajectoryPane::findFrames() {
  const base::TrajectoryReady& entry = *shown();
  frames_problem_.clear();
  if (entry.frames) {
    frames_ = entry.frames;
    return;
  }
  if (entry.path.empty()) {
    frames_.reset();
    frames_problem_ = tr("No decoded frames were saved.");
    return;
  }
  const ImageStore::Lookup found = store_->find(entry.path);
  if (found.image) frames_ = found.image;
  frames_problem_ = found.problem;
  if (!frames_problem_.isEmpty()) frames_.reset();
}

QString TrajectoryPane::knotText(int knot) const {
  const base::TrajectoryReady& entry = *shown();
  const auto at = static_cast<std::size_t>(knot);
  QStringList parts = {tr("knot %1 of %2").arg(knot + 1).arg(numKnots()),
                       tr("t = %1").arg(static_cast<double>(entry.times[at]), 0, 'f', 3)};
  if (at < entry.speed.size()) parts << tr("|v| %1").arg(shortNumber(entry.speed[at]));
  if (at < entry.jump_error.size()) parts << tr("jump error %1").arg(shortNumber(entry.jump_error[at]));
  return parts.join(QStringLiteral(" \u00b7 "));
}

void TrajectoryPane::draw() {
  if (entries_.empty() || numKnots() == 0) {
    const QString advice = tr(
        "Trajectories appear here when the teacher has one to show: start or resume a run, or open a run folder whose "
        "teacher stage has been reached. One noise and one class are followed from t = 1 (noise) to t = 0 (image).");
    const QString title = entries_.empty() ? tr("No trajectory yet") : tr("This trajectory has no knots");
    drawNotice(remainingArea(), colors(), title, empty_text_.isEmpty() ? advice : empty_text_);
    return;
  }
  knot_ = std::clamp(knot_, 0, numKnots() - 1);
  findFrames();
  drawTools();
  const double line = ImGui::GetFontSize();
  const double spacing = ImGui::GetStyle().ItemSpacing.y;
  const QRectF area = remainingArea();
  const double bars = ImGui::GetFrameHeight() + spacing + line + spacing;
  const double film_height = std::clamp(area.height() * 0.24, 36.0, 110.0);
  drawFilm(QRectF(area.left(), area.top(), area.width(), film_height));
  ImGui::SetCursorScreenPos(toVec2(QPointF(area.left(), area.top() + film_height + 4)));
  ImGui::SetNextItemWidth(-1);
  int slid = knot_;
  const QString format =
      tr("t = %1").arg(static_cast<double>(shown()->times[static_cast<std::size_t>(knot_)]), 0, 'f', 3);
  if (ImGui::SliderInt("##scrub", &slid, 0, std::max(1, numKnots() - 1), format.toUtf8().constData(),
                       ImGuiSliderFlags_NoInput | ImGuiSliderFlags_AlwaysClamp)) {
    setKnot(slid);
  }
  noteLastItem(QStringLiteral("scrub"));
  tooltipForLastItem(tr("From noise (t = 1) to image (t = 0)"));

  const double top = ImGui::GetCursorScreenPos().y;
  const QRectF plots(area.left(), top, area.width(), std::max(20.0, area.bottom() - bars - top));
  const double frame_side = std::min(plots.height(), plots.width() * 0.26);
  const bool has_frame = plots.width() > 420;
  double left = plots.left();
  if (has_frame) {
    drawFrame(QRectF(left, plots.top(), frame_side, plots.height()));
    left += frame_side + 12;
  }
  const double half = (plots.right() - left - 12) / 2;
  const auto answer = [this](const QString& name, const KnotAnswer& said) {
    noteItem(name, said.frame);
    if (said.hovered >= 0) tooltipForLastItem(knotText(said.hovered));
    if (said.picked >= 0) setKnot(said.picked);
  };
  answer(QStringLiteral("path"),
         drawTrajectoryPath(QRectF(left, plots.top(), half, plots.height()), *shown(), knot_, colors()));
  const QRectF curves(left + half + 12, plots.top(), half, plots.height());
  const double curve_height = (curves.height() - 4) / 2;
  const auto drawCurve = [&](const QRectF& place, const TrajectoryCurve& curve) {
    answer(curve.name, drawTrajectoryCurve(place, *shown(), knot_, curve, colors()));
  };
  drawCurve(QRectF(curves.topLeft(), QSizeF(half, curve_height)),
            {QStringLiteral("speed"), tr("Speed |v| of the teacher"), &shown()->speed, colors().accent});
  drawCurve(QRectF(curves.left(), curves.bottom() - curve_height, half, curve_height),
            {QStringLiteral("error"), tr("Error of the student's jump"), &shown()->jump_error, colors().warning});

  ImGui::SetCursorScreenPos(toVec2(QPointF(area.left(), plots.bottom() + spacing)));
  const std::vector<int> indices = indicesOf(shown()->label);
  const int position = static_cast<int>(std::find(indices.begin(), indices.end(), shown_) - indices.begin());
  const auto count = static_cast<int>(indices.size());
  const QString text =
      tr("%1, step %2  (%3 of %4)").arg(stageTitle(shown()->stage)).arg(shown()->step).arg(position + 1).arg(count);
  const StepBarAction action =
      drawStepBar(position, count, is_live_, text, [this](const QString& name) { noteLastItem(name); });
  if (action.toggles_live) setLive(!is_live_);
  if (action.position >= 0) pick(indices[static_cast<std::size_t>(action.position)]);
  ImGui::PushStyleColor(ImGuiCol_Text, toU32(colors().muted));
  textLine(elided(knotText(knot_), ImGui::GetContentRegionAvail().x));
  ImGui::PopStyleColor();
  noteLastItem(QStringLiteral("info"));
}

void TrajectoryPane::drawTools() {
  FlowRow row;
  std::vector<QString> texts;
  for (const int label : labels_) texts.push_back(labelText(label));
  const double width = std::min(comboWidth(texts), 260.0);
  row.next(width);
  if (const int i = combo("##class", labelText(shown()->label), texts, width); i >= 0) {
    chooseLabel(labels_[static_cast<std::size_t>(i)]);
  }
  noteLastItem(QStringLiteral("class"));
  tooltipForLastItem(tr("Class of the image (C)"));
  const QString play_text = isPlaying() ? tr("Pause") : tr("Play");
  const double play_width = std::max(buttonWidth(tr("Pause")), buttonWidth(tr("Play")));
  row.next(play_width);
  if (ImGui::Button((play_text + QStringLiteral("##play")).toUtf8().constData(), toVec2(QPointF(play_width, 0)))) {
    isPlaying() ? pause() : play();
  }
  noteLastItem(QStringLiteral("play"));
  tooltipForLastItem(tr("Run through the knots (Space)"));
  row.next(2 * ImGui::GetFrameHeight() + 8);
  if (ImGui::ArrowButton("back", ImGuiDir_Left)) setKnot(knot_ - 1);
  noteLastItem(QStringLiteral("back"));
  tooltipForLastItem(tr("The knot before, towards noise (Left)"));
  ImGui::SameLine(0, 2);
  if (ImGui::ArrowButton("forward", ImGuiDir_Right)) setKnot(knot_ + 1);
  noteLastItem(QStringLiteral("forward"));
  tooltipForLastItem(tr("The knot after, towards the image (Right)"));
  row.next(buttonWidth(QStringLiteral("?")));
  drawKeyHelp();
}

void TrajectoryPane::drawKnotFrame(int knot, const QRectF& target, const QRectF& clip) {
  // The strip holds the knots side by side: placed so that this knot's cell covers `target`, and cut there.
  const double cell = static_cast<double>(frames_->width) / numKnots();
  const double scale = target.width() / cell;
  const QRectF whole(target.left() - knot * target.width(), target.top(), frames_->width * scale,
                     frames_->height * (target.height() / frames_->height));
  textures().draw(*ImGui::GetWindowDrawList(), frames_, whole, target.intersected(clip));
}

void TrajectoryPane::drawFilm(const QRectF& area) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  noteItem(QStringLiteral("film"), area);
  list.AddRectFilled(toVec2(area.topLeft()), toVec2(area.bottomRight()), toU32(colors().panel), 3);
  if (!frames_) {
    drawNotice(area, colors(), frames_problem_.isEmpty() ? tr("Reading the film\u2026") : tr("No film"),
               frames_problem_);
    return;
  }
  const int count = numKnots();
  const double line = ImGui::GetFontSize();
  constexpr double kGap = 3;
  const double aspect = static_cast<double>(frames_->width) / count / frames_->height;
  double height = area.height() - line - 8;
  double width = height * aspect;
  const double spread = (area.width() - kGap) / count - kGap;
  constexpr double kSmallest = 72;  // then it scrolls
  if (width > spread) width = std::max(spread, std::min(kSmallest, width));
  height = width / aspect;
  const double total = count * (width + kGap) + kGap;
  double left = area.left() + std::max(0.0, (area.width() - total) / 2) + kGap;
  if (total > area.width()) {  // too long: the current knot stays in sight
    const double centre = knot_ * (width + kGap) + width / 2;
    left = area.left() + kGap - std::clamp(centre - area.width() / 2, 0.0, total - area.width());
  }
  ImGui::SetCursorScreenPos(toVec2(area.topLeft()));
  ImGui::InvisibleButton("film", toVec2(QPointF(area.width(), area.height())));
  const double mouse_x = ImGui::GetIO().MousePos.x;
  if (ImGui::IsItemActive()) setKnot(static_cast<int>(std::floor((mouse_x - left) / (width + kGap))));
  if (ImGui::IsItemHovered()) {
    const int knot = static_cast<int>(std::floor((mouse_x - left) / (width + kGap)));
    if (knot >= 0 && knot < count) tooltipForLastItem(knotText(knot));
    if (ImGui::GetIO().MouseWheel != 0) setKnot(knot_ - (ImGui::GetIO().MouseWheel > 0 ? 1 : -1));
  }
  const double top = area.top() + 3;
  double last_text_end = -1e9;
  for (int knot = 0; knot < count; ++knot) {
    const QRectF target(std::round(left + knot * (width + kGap)), top, width, height);
    if (!target.intersects(area)) continue;
    drawKnotFrame(knot, target, area);
    const bool is_current = knot == knot_;
    list.PushClipRect(toVec2(area.topLeft()), toVec2(area.bottomRight()), true);
    if (is_current) {
      list.AddRect(toVec2(target.topLeft() - QPointF(2, 2)), toVec2(target.bottomRight() + QPointF(2, 2)),
                   toU32(colors().accent), 2, 0, 2);
    }
    const QString text = QString::number(static_cast<double>(shown()->times[static_cast<std::size_t>(knot)]), 'f', 2);
    const double text_width = textSize(text).width();
    const double text_left = target.center().x() - text_width / 2;
    if (text_left > last_text_end + 6) {
      drawText(list, QPointF(text_left, top + height + 3), is_current ? colors().text : colors().muted, text);
      last_text_end = text_left + text_width;
    }
    list.PopClipRect();
  }
}

void TrajectoryPane::drawFrame(const QRectF& area) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const double line = ImGui::GetFontSize();
  const double t = shown()->times[static_cast<std::size_t>(knot_)];
  drawText(list, area.topLeft(), colors().text, elided(tr("Decoded at t = %1").arg(t, 0, 'f', 3), area.width()));
  QRectF room = area.adjusted(0, line + 4, 0, 0);
  if (!frames_ || room.height() < 8) return;
  const double cell_width = static_cast<double>(frames_->width) / numKnots();
  const double scale = std::min(room.width() / cell_width, room.height() / frames_->height);
  const QRectF target(room.topLeft(), QSizeF(cell_width * scale, frames_->height * scale));
  drawKnotFrame(knot_, target, target);
  list.AddRect(toVec2(target.topLeft()), toVec2(target.bottomRight()), toU32(colors().border));
  noteItem(QStringLiteral("frame"), target);
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/sample_grid_pane.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "ui/panes/pane_controls.h"
#include "ui/panes/sample_grid_marks.h"
#include "ui/panes/texture_cache.h"
#include "ui/theme/format.h"

namespace meanflow::ui {

SampleGridPane::SampleGridPane(ImageLoader loader, QWidget* parent) : ImGuiWidget(parent) {
  setAccessibleName(tr("Live samples"));
  setAccessibleDescription(tr("Sample grids of the run, one row a class. No grid yet."));
  setLoader(std::move(loader));
  bind(Qt::Key_Left, tr("the grid saved before"), [this] { stepBy(-1); });
  bind(Qt::Key_Right, tr("the grid saved after"), [this] { stepBy(1); });
  bind(Qt::Key_Home, tr("the first grid"), [this] { stepBy(-static_cast<int>(entries().size())); });
  bind(Qt::Key_End, tr("the newest grid"), [this] { stepBy(static_cast<int>(entries().size())); });
  bind(Qt::Key_L, tr("live on or off"), [this] { setLive(!is_live_); });
  bind(Qt::Key_K, tr("next kind of grid"), [this] { cycle(false); });
  bind(Qt::Key_S, tr("next stage"), [this] { cycle(true); });
  bind(Qt::Key_C, tr("next way to compare"),
       [this] { setCompare(static_cast<Compare>((static_cast<int>(compare_) + 1) % 3)); });
  bind(Qt::Key_F, tr("fit the picture"), [this] { fit(); });
  bind(Qt::Key_Plus, tr("zoom in"), [this] { zoomBy(kWheelFactor); });
  bind(QKeyCombination(Qt::ShiftModifier, Qt::Key_Plus), {}, [this] { zoomBy(kWheelFactor); });
  bind(Qt::Key_Equal, {}, [this] { zoomBy(kWheelFactor); });
  bind(Qt::Key_Minus, tr("zoom out"), [this] { zoomBy(1 / kWheelFactor); });
  bind(Qt::Key_Up, tr("scroll up"), [this] { scrollBy(-1); });
  bind(Qt::Key_PageUp, {}, [this] { scrollBy(-8); });
  bind(Qt::Key_Down, tr("scroll down"), [this] { scrollBy(1); });
  bind(Qt::Key_PageDown, {}, [this] { scrollBy(8); });
  bind(QKeyCombination(Qt::ShiftModifier, Qt::Key_Left), tr("move the wipe left"),
       [this] { wipe_ = std::max(0.0, wipe_ - 0.05); });
  bind(QKeyCombination(Qt::ShiftModifier, Qt::Key_Right), tr("move the wipe right"),
       [this] { wipe_ = std::min(1.0, wipe_ + 0.05); });
}

SampleGridPane::~SampleGridPane() = default;

void SampleGridPane::setLoader(ImageLoader loader) {
  store_ = std::make_unique<ImageStore>(std::move(loader));
  store_->setBudget(image_budget_);
  connect(store_.get(), &ImageStore::loaded, this, &ImGuiWidget::requestRedraw);
  kept_.reset();
  kept_b_.reset();
  requestRedraw();
}

void SampleGridPane::setMemoryBudget(qint64 texture_bytes, std::size_t image_bytes) {
  setTextureBudget(texture_bytes);
  image_budget_ = image_bytes;
  store_->setBudget(image_bytes);
}

void SampleGridPane::setEmptyText(const QString& text) {
  empty_text_ = text;
  requestRedraw();
}

void SampleGridPane::absorb(SampleGridEntry entry) {
  if (entry.image && !entry.path.empty()) {
    // It can be read again, so memory stays bounded however many grids a run saves.
    store_->insert(entry.path, std::move(entry.image));
    entry.image.reset();
  }
  grids_.add(std::move(entry));
}

void SampleGridPane::setEntries(std::vector<SampleGridEntry> entries) {
  std::optional<SampleGridEntry> before;
  if (const SampleGridEntry* entry = shown()) before = *entry;
  grids_.clear();
  for (SampleGridEntry& entry : entries) absorb(std::move(entry));
  store_->retryFailed();
  shown_ = -1;
  step_b_ = -1;
  if (is_live_ || !before) {
    follow();
  } else {
    const int same = grids_.lastAtOrBefore(grids_.indicesOf(before->stage, kindOf(*before)), before->step);
    showEntry(same >= 0 ? same : grids_.newest(), false);
  }
  requestRedraw();
}

void SampleGridPane::addEntry(SampleGridEntry entry) {
  store_->retryFailed();
  absorb(std::move(entry));
  if (is_live_ || shown_ < 0) follow();
  requestRedraw();
}

const SampleGridEntry* SampleGridPane::shown() const { return shown_ < 0 ? nullptr : &grids_.at(shown_); }

const SampleGridEntry* SampleGridPane::shownBeside() const {
  const int index = besideIndex();
  return index < 0 ? nullptr : &grids_.at(index);
}

int SampleGridPane::besideIndex() const {
  const SampleGridEntry* a = shown();
  if (!a || compare_ == Compare::kOff) return -1;
  if (compare_ == Compare::kSideBySide) return grids_.besideOf(shown_, kind_b_);
  const std::vector<int> indices = grids_.indicesOf(a->stage, kindOf(*a));
  const bool is_same_kind = std::find(indices.begin(), indices.end(), step_b_) != indices.end();
  return is_same_kind ? step_b_ : indices.front();
}

void SampleGridPane::follow() {
  if (grids_.empty()) return showEntry(-1, false);
  const std::string& stage = entries().back().stage;
  const std::vector<int> wanted = grids_.indicesOf(stage, kind_);
  if (!wanted.empty()) return showEntry(wanted.back(), false);
  // This stage has no grid of the kind wanted (a decoder only reconstructs): its newest one.
  showEntry(grids_.newest(), false);
}

void SampleGridPane::showEntry(int index, bool by_person) {
  if (index != shown_) {
    shown_ = index;
    const SampleGridEntry* entry = shown();
    setAccessibleDescription(
        entry ? tr("%1. %2. Rows: %3.").arg(kindText(kindOf(*entry)), entryText(*entry)).arg(entry->rows)
              : tr("Sample grids of the run, one row a class. No grid yet."));
    if (entry && by_person) Q_EMIT stepPicked(QString::fromStdString(entry->stage), entry->step);
  }
  requestRedraw();
}

void SampleGridPane::setStep(const QString& stage, qint64 step) {
  if (grids_.empty()) return;
  const std::string name = stage.toStdString();
  int index = grids_.lastAtOrBefore(grids_.indicesOf(name, kind_), step);
  if (index < 0) {
    for (const Kind& kind : grids_.kindsOf(name))
      index = std::max(index, grids_.lastAtOrBefore(grids_.indicesOf(name, kind), step));
  }
  if (index < 0) return;
  is_live_ = false;
  showEntry(index, false);
}

void SampleGridPane::setLive(bool is_live) {
  if (is_live_ == is_live) return;
  is_live_ = is_live;
  if (is_live_) follow();
  Q_EMIT liveChanged(is_live_);
  requestRedraw();
}

void SampleGridPane::setCompare(Compare compare) {
  compare_ = compare;
  kept_b_.reset();
  requestRedraw();
}

void SampleGridPane::fit() {
  is_fitted_ = true;
  requestRedraw();
}

void SampleGridPane::pick(int index) {
  setLive(false);
  showEntry(index, true);
}

void SampleGridPane::stepBy(int offset) {
  const SampleGridEntry* entry = shown();
  if (!entry) return;
  const std::vector<int> indices = grids_.indicesOf(entry->stage, kindOf(*entry));
  const auto here = std::find(indices.begin(), indices.end(), shown_) - indices.begin();
  const auto last = static_cast<std::ptrdiff_t>(indices.size()) - 1;
  const auto there = std::clamp<std::ptrdiff_t>(here + offset, 0, last);
  if (there != here) pick(indices[static_cast<std::size_t>(there)]);
}

void SampleGridPane::chooseStage(const std::string& stage) {
  const std::vector<int> wanted = grids_.indicesOf(stage, kind_);
  if (!wanted.empty()) return pick(wanted.back());
  for (int i = grids_.newest(); i >= 0; --i) {
    if (grids_.at(i).stage == stage) return pick(i);
  }
}

void SampleGridPane::chooseKind(const Kind& kind) {
  const SampleGridEntry* entry = shown();
  if (!entry) return;
  kind_ = kind;
  showEntry(grids_.lastAtOrBefore(grids_.indicesOf(entry->stage, kind), entry->step), !is_live_);
}

void SampleGridPane::cycle(bool is_stage) {
  const SampleGridEntry* entry = shown();
  if (!entry) return;
  if (is_stage) {
    const auto here = std::find(grids_.stages().begin(), grids_.stages().end(), entry->stage) - grids_.stages().begin();
    return chooseStage(grids_.stages()[static_cast<std::size_t>(here + 1) % grids_.stages().size()]);
  }
  const std::vector<Kind> kinds = grids_.kindsOf(entry->stage);
  const auto here = std::find(kinds.begin(), kinds.end(), kindOf(*entry)) - kinds.begin();
  chooseKind(kinds[static_cast<std::size_t>(here + 1) % kinds.size()]);
}

QSizeF SampleGridPane::imageSize() const { return kept_ ? QSizeF(kept_->width, kept_->height) : QSizeF(); }

double SampleGridPane::fitZoom() const {
  ViewTransform fitted;
  fitted.fit(imageSize(), area_, devicePixelRatioF());
  return fitted.zoom;
}

void SampleGridPane::zoomBy(double factor) {
  if (imageSize().isEmpty() || area_.isEmpty()) return;
  is_fitted_ = false;
  view_.zoomAbout(area_.center(), factor, area_, std::min(fitZoom(), 1.0), kMaxZoom);
  view_.clamp(imageSize(), area_);
}

void SampleGridPane::scrollBy(double rows) {
  const SampleGridEntry* entry = shown();
  if (!entry || imageSize().isEmpty()) return;
  is_fitted_ = false;
  view_.pan.ry() -= rows * view_.zoom * imageSize().height() / std::max(1, entry->rows);
  view_.clamp(imageSize(), area_);
}

void SampleGridPane::draw() {
  if (grids_.empty()) {
    drawNotice(
        remainingArea(), colors(), tr("No sample grid yet"),
        empty_text_.isEmpty()
            ? tr("Start a run from the pipeline panel, or open a run folder. Grids appear here from the first live "
                 "samples on: one row a class, the same noise at every step.")
            : empty_text_);
    return;
  }
  drawTools();
  const double line = ImGui::GetFontSize();
  const double spacing = ImGui::GetStyle().ItemSpacing.y;
  const int num_bars = compare_ == Compare::kWipe ? 2 : 1;
  QRectF area = remainingArea();
  area.setHeight(std::max(24.0, area.height() - num_bars * (ImGui::GetFrameHeight() + spacing) - line - spacing));
  drawPictures(area);
  ImGui::SetCursorScreenPos(toVec2(QPointF(area.left(), area.bottom() + spacing)));
  drawStepBars();
  QString info = entryText(*shown());
  if (kept_) {
    info += QStringLiteral(" \u00b7 ") + tr("%1 \u00d7 %2 px \u00b7 zoom %3 %")
                                             .arg(kept_->width)
                                             .arg(kept_->height)
                                             .arg(std::lround(view_.zoom * devicePixelRatioF() * 100));
  }
  ImGui::PushStyleColor(ImGuiCol_Text, toU32(colors().muted));
  textLine(elided(info, ImGui::GetContentRegionAvail().x));
  ImGui::PopStyleColor();
  noteLastItem(QStringLiteral("info"));
  tooltipForLastItem(info);
}

void SampleGridPane::drawTools() {
  FlowRow row;
  const auto choose = [&](const QString& name, const QString& current, const std::vector<QString>& choices,
                          const QString& tip) {
    const double width = comboWidth(choices);
    row.next(width);
    const int chosen = combo(("##" + name.toUtf8()).constData(), current, choices, width);
    noteLastItem(name);
    tooltipForLastItem(tip);
    return chosen;
  };
  const auto textsOf = [](const std::vector<Kind>& kinds) {
    std::vector<QString> texts;
    for (const Kind& kind : kinds) texts.push_back(kindText(kind));
    return texts;
  };
  std::vector<QString> stages;
  for (const std::string& stage : grids_.stages()) stages.push_back(stageTitle(stage));
  if (const int i = choose(QStringLiteral("stage"), stageTitle(shown()->stage), stages, tr("Stage of the run (S)"));
      i >= 0)
    chooseStage(grids_.stages()[static_cast<std::size_t>(i)]);
  const std::vector<Kind> kinds = grids_.kindsOf(shown()->stage);
  if (const int i =
          choose(QStringLiteral("kind"), kindText(kindOf(*shown())), textsOf(kinds), tr("How the grid was made (K)"));
      i >= 0)
    chooseKind(kinds[static_cast<std::size_t>(i)]);
  const std::vector<QString> ways = {tr("One picture"), tr("Side by side"), tr("Wipe two steps")};
  if (const int i = choose(QStringLiteral("compare"), ways[static_cast<std::size_t>(compare_)], ways,
                           tr("Compare two kinds on the same noise, or two steps under a wipe (C)"));
      i >= 0)
    setCompare(static_cast<Compare>(i));
  if (compare_ == Compare::kSideBySide) {
    const std::vector<Kind> all = grids_.kindsOf({});
    const SampleGridEntry* beside = shownBeside();
    if (const int i = choose(QStringLiteral("kind_b"), beside ? kindText(kindOf(*beside)) : QString(), textsOf(all),
                             tr("The kind at the right"));
        i >= 0)
      kind_b_ = all[static_cast<std::size_t>(i)];
  }
  const QString fit_text = tr("Fit");
  row.next(buttonWidth(fit_text));
  if (ImGui::Button(fit_text.toUtf8().constData())) fit();
  noteLastItem(QStringLiteral("fit"));
  tooltipForLastItem(tr("Show all of it (F or double click); the wheel zooms, dragging moves"));
  row.next(buttonWidth(QStringLiteral("?")));
  drawKeyHelp();
}

void SampleGridPane::drawStepBars() {
  const std::vector<int> indices = grids_.indicesOf(shown()->stage, kindOf(*shown()));
  const auto positionOf = [&](int index) {
    return static_cast<int>(std::find(indices.begin(), indices.end(), index) - indices.begin());
  };
  const auto count = static_cast<int>(indices.size());
  const int position = positionOf(shown_);
  const QString text = tr("step %1  (%2 of %3)").arg(shown()->step).arg(position + 1).arg(count);
  const StepBarAction action =
      drawStepBar(position, count, is_live_, text, [this](const QString& name) { noteLastItem(name); });
  if (action.toggles_live) setLive(!is_live_);
  if (action.position >= 0) pick(indices[static_cast<std::size_t>(action.position)]);
  if (compare_ != Compare::kWipe) return;
  const int beside = besideIndex();
  int slid = positionOf(beside);
  QString format = tr("right of the wipe: step %1").arg(grids_.at(beside).step);
  ImGui::SetNextItemWidth(-1);
  if (ImGui::SliderInt("##step_b", &slid, 0, std::max(1, count - 1), format.toUtf8().constData(),
                       ImGuiSliderFlags_NoInput | ImGuiSliderFlags_AlwaysClamp)) {
    step_b_ = indices[static_cast<std::size_t>(std::min(slid, count - 1))];
  }
  noteLastItem(QStringLiteral("step_b"));
}

void SampleGridPane::drawPictures(const QRectF& area) {
  const SampleGridEntry& a = *shown();
  const SampleGridEntry* b = shownBeside();
  const double line = ImGui::GetFontSize();
  double label_width = 0;
  for (int row = 0; row < std::min(a.rows, 2000); ++row) {
    label_width = std::max(label_width, textSize(rowLabel(a, row)).width());
  }
  label_width = std::min(label_width + 8, 0.3 * area.width());
  const double caption_height = b ? line + 4 : 0;
  const QRectF labels(area.left(), area.top() + caption_height, label_width, area.height() - caption_height);
  QRectF pictures = area.adjusted(label_width, caption_height, 0, 0);

  Picture first{&a, nullptr, pictures, pictures, QStringLiteral("image")};
  Picture second{b, nullptr, pictures, pictures, QStringLiteral("image_b")};
  constexpr double kGap = 8;
  const double split = pictures.left() + wipe_ * pictures.width();
  if (b && compare_ == Compare::kSideBySide) {
    const double half = (pictures.width() - kGap) / 2;
    first.area.setWidth(half);
    second.area.setLeft(second.area.right() - half);
    first.clip = first.area;
    second.clip = second.area;
  } else if (b) {
    first.clip.setRight(split);
    second.clip.setLeft(split);
  }
  area_ = first.area;
  drawPicture(first, kept_);
  if (b) {
    drawPicture(second, kept_b_);
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const auto caption = [&](const SampleGridEntry& entry, double left, double width, Anchor anchor) {
      const QString what = tr("%1, step %2").arg(kindText(kindOf(entry))).arg(entry.step);
      drawText(list, QPointF(anchor.x > 0 ? left + width : left, area.top()), colors().text, elided(what, width),
               anchor);
    };
    const bool is_wipe = compare_ == Compare::kWipe;
    const double half = (pictures.width() - kGap) / 2;
    caption(a, first.area.left(), half, {});
    caption(*b, is_wipe ? pictures.right() - half : second.area.left(), half, {is_wipe ? 1.0 : 0.0, 0});
    if (is_wipe) {
      noteItem(QStringLiteral("wipe"), drawWipeHandle(pictures, wipe_, is_dragging_wipe_, colors()));
      if (is_dragging_wipe_) requestRedraw();
    }
  }
  if (kept_) drawRowLabels(a, labels, view_.zoom * kept_->height / std::max(1, a.rows), view_.pan.y(), colors());
  noteItem(QStringLiteral("labels"), labels);
}

void SampleGridPane::drawPicture(Picture& picture, std::shared_ptr<const base::Image8>& kept) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const SampleGridEntry& entry = *picture.entry;
  QString problem;
  bool is_loading = false;
  if (entry.image) {
    kept = entry.image;
  } else {
    const ImageStore::Lookup found = store_->find(entry.path);
    problem = found.problem;
    is_loading = found.is_loading;
    if (found.image) kept = found.image;
    if (!problem.isEmpty()) kept.reset();
  }
  picture.image = kept;
  noteItem(picture.name, picture.clip);
  list.AddRectFilled(toVec2(picture.clip.topLeft()), toVec2(picture.clip.bottomRight()), toU32(colors().panel));
  if (!problem.isEmpty()) {
    drawNotice(picture.clip, colors(), tr("This grid could not be read"),
               problem + QLatin1Char('\n') + tr("Choose another step, or open the run folder again."));
    return;
  }
  if (!kept) {
    drawNotice(picture.clip, colors(), tr("Reading the grid\u2026"), QString::fromStdString(entry.path));
    return;
  }
  const QSizeF size(kept->width, kept->height);
  if (is_fitted_ && picture.name == QLatin1String("image")) view_.fit(size, picture.area, devicePixelRatioF());
  view_.clamp(size, picture.area);

  bool is_hovered = false;
  ImGui::SetCursorScreenPos(toVec2(picture.clip.topLeft()));
  if (picture.clip.width() >= 1 && picture.clip.height() >= 1) {
    ImGui::InvisibleButton(picture.name.toUtf8().constData(),
                           toVec2(QPointF(picture.clip.width(), picture.clip.height())),
                           ImGuiButtonFlags_MouseButtonLeft | ImGuiButtonFlags_MouseButtonMiddle);
    is_hovered = ImGui::IsItemHovered();
    handleMouse(picture, is_hovered, ImGui::IsItemActive());
  }
  QRectF target(view_.toWidget({0, 0}, picture.area), size * view_.zoom);
  // Texels on whole device pixels, so that a pixel of the picture has the same size everywhere.
  const double scale = devicePixelRatioF();
  target.moveTopLeft({std::round(target.left() * scale) / scale, std::round(target.top() * scale) / scale});
  textures().draw(list, kept, target, picture.clip);
  if (is_loading) {
    drawText(list, picture.clip.topRight() + QPointF(-6, 4), colors().accent, tr("reading\u2026"), {1, 0});
  }
  if (is_hovered && !ImGui::IsAnyMouseDown()) {
    const ImVec2 mouse = ImGui::GetIO().MousePos;
    drawCellHover(*picture.entry, *picture.image, view_, picture.area, picture.clip,
                  view_.toImage(QPointF(mouse.x, mouse.y), picture.area), colors());
  }
}

void SampleGridPane::handleMouse(const Picture& picture, bool is_hovered, bool is_active) {
  const ImGuiIO& io = ImGui::GetIO();
  const QPointF mouse(io.MousePos.x, io.MousePos.y);
  const QSizeF size(picture.image->width, picture.image->height);
  if (is_hovered && io.MouseWheel != 0) {
    is_fitted_ = false;
    ViewTransform fitted;
    fitted.fit(size, picture.area, devicePixelRatioF());
    view_.zoomAbout(mouse, std::pow(kWheelFactor, io.MouseWheel), picture.area, std::min(fitted.zoom, 1.0), kMaxZoom);
    view_.clamp(size, picture.area);
    requestRedraw();
  }
  if (is_active) {
    if (ImGui::IsItemActivated()) has_moved_ = false;
    constexpr float kClickSlop = 4;
    const bool is_drag = ImGui::IsMouseDragging(ImGuiMouseButton_Left, kClickSlop) ||
                         ImGui::IsMouseDragging(ImGuiMouseButton_Middle, kClickSlop);
    if (is_drag && !is_dragging_wipe_) {
      // The slop that made it a drag is caught up with, so that the picture sticks to the cursor.
      const ImVec2 way = ImGui::GetMouseDragDelta(
          ImGui::IsMouseDragging(ImGuiMouseButton_Middle, kClickSlop) ? ImGuiMouseButton_Middle : ImGuiMouseButton_Left,
          0);
      const QPointF delta = has_moved_ ? QPointF(io.MouseDelta.x, io.MouseDelta.y) : QPointF(way.x, way.y);
      has_moved_ = true;
      is_fitted_ = false;
      view_.pan += delta;
      view_.clamp(size, picture.area);
      ImGui::SetMouseCursor(ImGuiMouseCursor_ResizeAll);
      requestRedraw();
    }
  }
  if (is_hovered && isDoubleClicked()) {
    has_moved_ = true;  // not a click on a cell
    return fit();
  }
  if (ImGui::IsItemDeactivated() && is_hovered && !has_moved_ && !is_dragging_wipe_) {
    const QPointF point = view_.toImage(mouse, picture.area);
    const SampleGridEntry& entry = *picture.entry;
    if (QRectF({0, 0}, size).contains(point) && entry.rows > 0 && entry.columns > 0) {
      Q_EMIT cellActivated(static_cast<int>(point.y() * entry.rows / size.height()),
                           static_cast<int>(point.x() * entry.columns / size.width()));
    }
  }
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/sample_grid_pane.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "ui/panes/pane_controls.h"
#include "ui/panes/texture_cache.h"

namespace meanflow::ui {
namespace {

QString compareText(SampleGridPane::Compare compare) {
  switch (compare) {
    case SampleGridPane::Compare::kSideBySide:
      return SampleGridPane::tr("Side by side");
    case SampleGridPane::Compare::kWipe:
      return SampleGridPane::tr("Wipe two steps");
    case SampleGridPane::Compare::kOff:
      break;
  }
  return SampleGridPane::tr("One picture");
}

QString labelOf(const SampleGridEntry& entry, int row) {
  if (entry.row_labels && row < static_cast<int>(entry.row_labels->size())) {
    return QString::fromStdString((*entry.row_labels)[static_cast<std::size_t>(row)]);
  }
  return QString::number(row);
}

}  // namespace

SampleGridEntry sampleGridEntry(const base::SamplesReady& event, const SampleGridEntry* previous) {
  SampleGridEntry entry{event.stage,   event.step, event.what, event.nfe,  event.is_ema, event.rows,
                        event.columns, nullptr,    event.path, event.grid, event.cost_ms};
  if (previous && previous->row_labels && *previous->row_labels == event.row_labels) {
    entry.row_labels = previous->row_labels;
  } else {
    entry.row_labels = std::make_shared<const std::vector<std::string>>(event.row_labels);
  }
  return entry;
}

SampleGridPane::SampleGridPane(ImageLoader loader, QWidget* parent) : ImGuiWidget(parent) {
  setAccessibleName(tr("Live samples"));
  setAccessibleDescription(tr("Sample grids of the run, one row a class. No grid yet."));
  setLoader(std::move(loader));
  bind(Qt::Key_Left, tr("the grid saved before"), [this] { stepBy(-1); });
  bind(Qt::Key_Right, tr("the grid saved after"), [this] { stepBy(1); });
  bind(Qt::Key_Home, tr("the first grid"), [this] { stepBy(-static_cast<int>(entries_.size())); });
  bind(Qt::Key_End, tr("the newest grid"), [this] { stepBy(static_cast<int>(entries_.size())); });
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
  if (std::find(stages_.begin(), stages_.end(), entry.stage) == stages_.end()) stages_.push_back(entry.stage);
  entries_.push_back(std::move(entry));
}

void SampleGridPane::setEntries(std::vector<SampleGridEntry> entries) {
  std::optional<SampleGridEntry> before;
  if (const SampleGridEntry* entry = shown()) before = *entry;
  entries_.clear();
  stages_.clear();
  entries_.reserve(entries.size());
  for (SampleGridEntry& entry : entries) absorb(std::move(entry));
  store_->retryFailed();
  shown_ = -1;
  step_b_ = -1;
  if (is_live_ || !before) {
    follow();
  } else {
    const int same = lastAtOrBefore(indicesOf(before->stage, kindOf(*before)), before->step);
    showEntry(same >= 0 ? same : newestIndex(), false);
  }
  requestRedraw();
}

void SampleGridPane::addEntry(SampleGridEntry entry) {
  store_->retryFailed();
  absorb(std::move(entry));
  if (is_live_ || shown_ < 0) follow();
  requestRedraw();
}

const SampleGridEntry* SampleGridPane::shown() const {
  return shown_ < 0 ? nullptr : &entries_[static_cast<std::size_t>(shown_)];
}

const SampleGridEntry* SampleGridPane::shownBeside() const {
  const int index = besideIndex();
  return index < 0 ? nullptr : &entries_[static_cast<std::size_t>(index)];
}

QString SampleGridPane::kindText(const Kind& kind) const {
  QString text = QString::fromStdString(kind.what);
  if (kind.what == "one_step") text = tr("One step");
  if (kind.what == "two_step") text = tr("Two steps");
  if (kind.what == "teacher") text = tr("Teacher");
  if (kind.what == "reconstruction") return tr("Reconstruction");
  if (kind.what != "one_step" && kind.what != "two_step")
    text = kind.nfe <= 0   ? text
           : kind.nfe == 1 ? tr("%1 (1 call)").arg(text)
                           : tr("%1 (%2 calls)").arg(text).arg(kind.nfe);
  return kind.is_ema ? text : tr("%1, raw weights").arg(text);
}

QString SampleGridPane::entryText(const SampleGridEntry& entry) const {
  QStringList parts = {tr("%1, step %2").arg(QString::fromStdString(entry.stage)).arg(entry.step)};
  if (entry.what != "reconstruction") {
    if (entry.nfe > 0)  // otherwise a program recorded it that does not say
      parts << tr("NFE %1").arg(entry.nfe) << (entry.is_ema ? tr("EMA weights") : tr("raw weights"));
  }
  if (entry.cost_ms > 0) parts << tr("took %1 ms").arg(shortNumber(entry.cost_ms));
  return parts.join(QStringLiteral(" \u00b7 "));
}

std::vector<int> SampleGridPane::indicesOf(const std::string& stage, const Kind& kind) const {
  std::vector<int> indices;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].stage == stage && kindOf(entries_[i]) == kind) indices.push_back(static_cast<int>(i));
  }
  return indices;
}

int SampleGridPane::lastAtOrBefore(const std::vector<int>& indices, std::int64_t step) const {
  int best = -1;
  for (const int index : indices) {
    if (entries_[static_cast<std::size_t>(index)].step <= step) best = index;
  }
  return best >= 0 || indices.empty() ? best : indices.front();
}

std::vector<SampleGridPane::Kind> SampleGridPane::kindsOf(const std::string& stage) const {
  std::vector<Kind> kinds;
  for (const SampleGridEntry& entry : entries_) {
    if (!stage.empty() && entry.stage != stage) continue;
    if (std::find(kinds.begin(), kinds.end(), kindOf(entry)) == kinds.end()) kinds.push_back(kindOf(entry));
  }
  return kinds;
}

int SampleGridPane::newestIndex() const { return static_cast<int>(entries_.size()) - 1; }

int SampleGridPane::besideIndex() const {
  const SampleGridEntry* a = shown();
  if (!a || compare_ == Compare::kOff) return -1;
  if (compare_ == Compare::kWipe) {
    const std::vector<int> indices = indicesOf(a->stage, kindOf(*a));
    const bool is_same_kind = std::find(indices.begin(), indices.end(), step_b_) != indices.end();
    return is_same_kind ? step_b_ : indices.front();
  }
  // The kind asked for at the same step, else the nearest before in this stage, else the last of another stage: the
  // teacher's grid is made once, on the noise that every later stage uses too.
  const std::vector<Kind> kinds = kindsOf({});
  Kind wanted = kindOf(*a);
  if (kind_b_ && std::find(kinds.begin(), kinds.end(), *kind_b_) != kinds.end()) {
    wanted = *kind_b_;
  } else {
    for (const Kind& kind : kinds) {
      if (kind == kindOf(*a)) continue;
      if (wanted == kindOf(*a) || kind.what == "teacher") wanted = kind;
    }
  }
  if (const int same_stage = lastAtOrBefore(indicesOf(a->stage, wanted), a->step); same_stage >= 0) return same_stage;
  int best = -1;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const bool is_before = static_cast<int>(i) < shown_;
    if (kindOf(entries_[i]) == wanted && (best < 0 || is_before)) best = static_cast<int>(i);
  }
  return best;
}

void SampleGridPane::follow() {
  if (entries_.empty()) return showEntry(-1, false);
  const std::string& stage = entries_.back().stage;
  const std::vector<int> wanted = indicesOf(stage, kind_);
  if (!wanted.empty()) return showEntry(wanted.back(), false);
  // This stage has no grid of the kind wanted (a decoder only reconstructs): its newest one.
  showEntry(newestIndex(), false);
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
  if (entries_.empty()) return;
  const std::string name = stage.toStdString();
  int index = lastAtOrBefore(indicesOf(name, kind_), step);
  if (index < 0) {
    for (const Kind& kind : kindsOf(name)) index = std::max(index, lastAtOrBefore(indicesOf(name, kind), step));
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
  const std::vector<int> indices = indicesOf(entry->stage, kindOf(*entry));
  const auto here = std::find(indices.begin(), indices.end(), shown_) - indices.begin();
  const auto last = static_cast<std::ptrdiff_t>(indices.size()) - 1;
  const auto there = std::clamp<std::ptrdiff_t>(here + offset, 0, last);
  if (there != here) pick(indices[static_cast<std::size_t>(there)]);
}

void SampleGridPane::chooseStage(const std::string& stage) {
  const std::vector<int> wanted = indicesOf(stage, kind_);
  if (!wanted.empty()) return pick(wanted.back());
  for (int i = newestIndex(); i >= 0; --i) {
    if (entries_[static_cast<std::size_t>(i)].stage == stage) return pick(i);
  }
}

void SampleGridPane::chooseKind(const Kind& kind) {
  const SampleGridEntry* entry = shown();
  if (!entry) return;
  kind_ = kind;
  showEntry(lastAtOrBefore(indicesOf(entry->stage, kind), entry->step), !is_live_);
}

void SampleGridPane::cycle(bool is_stage) {
  const SampleGridEntry* entry = shown();
  if (!entry) return;
  if (is_stage) {
    const auto here = std::find(stages_.begin(), stages_.end(), entry->stage) - stages_.begin();
    return chooseStage(stages_[static_cast<std::size_t>(here + 1) % stages_.size()]);
  }
  const std::vector<Kind> kinds = kindsOf(entry->stage);
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
  if (entries_.empty()) {
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
  const SampleGridEntry& entry = *shown();
  FlowRow row;
  std::vector<QString> stage_texts;
  for (const std::string& stage : stages_) stage_texts.push_back(QString::fromStdString(stage));
  double width = comboWidth(stage_texts);
  row.next(width);
  if (const int i = combo("##stage", QString::fromStdString(entry.stage), stage_texts, width); i >= 0) {
    chooseStage(stages_[static_cast<std::size_t>(i)]);
  }
  noteLastItem(QStringLiteral("stage"));
  tooltipForLastItem(tr("Stage of the run (S)"));

  const std::vector<Kind> kinds = kindsOf(shown()->stage);
  std::vector<QString> kind_texts;
  for (const Kind& kind : kinds) kind_texts.push_back(kindText(kind));
  width = comboWidth(kind_texts);
  row.next(width);
  if (const int i = combo("##kind", kindText(kindOf(*shown())), kind_texts, width); i >= 0) {
    chooseKind(kinds[static_cast<std::size_t>(i)]);
  }
  noteLastItem(QStringLiteral("kind"));
  tooltipForLastItem(tr("How the grid was made (K)"));

  const std::vector<QString> compare_texts = {compareText(Compare::kOff), compareText(Compare::kSideBySide),
                                              compareText(Compare::kWipe)};
  width = comboWidth(compare_texts);
  row.next(width);
  if (const int i = combo("##compare", compareText(compare_), compare_texts, width); i >= 0) {
    setCompare(static_cast<Compare>(i));
  }
  noteLastItem(QStringLiteral("compare"));
  tooltipForLastItem(tr("Compare two kinds on the same noise, or two steps under a wipe (C)"));

  if (compare_ == Compare::kSideBySide) {
    const std::vector<Kind> all = kindsOf({});
    std::vector<QString> texts;
    for (const Kind& kind : all) texts.push_back(kindText(kind));
    width = comboWidth(texts);
    row.next(width);
    const SampleGridEntry* beside = shownBeside();
    if (const int i = combo("##kind_b", beside ? kindText(kindOf(*beside)) : QString(), texts, width); i >= 0) {
      kind_b_ = all[static_cast<std::size_t>(i)];
    }
    noteLastItem(QStringLiteral("kind_b"));
    tooltipForLastItem(tr("The kind at the right"));
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
  const std::vector<int> indices = indicesOf(shown()->stage, kindOf(*shown()));
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
  QString format = tr("right of the wipe: step %1").arg(entries_[static_cast<std::size_t>(beside)].step);
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
    label_width = std::max(label_width, textSize(labelOf(a, row)).width());
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
    if (is_wipe) drawWipe(pictures);
  }
  if (kept_) drawLabels(a, labels, view_.zoom * kept_->height / std::max(1, a.rows));
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
    drawHover(picture, view_.toImage(QPointF(mouse.x, mouse.y), picture.area));
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

void SampleGridPane::drawWipe(const QRectF& area) {
  const ImGuiIO& io = ImGui::GetIO();
  const double x = area.left() + wipe_ * area.width();
  constexpr double kGrip = 6;
  const bool is_near =
      QRectF(x - kGrip, area.top(), 2 * kGrip, area.height()).contains(QPointF(io.MousePos.x, io.MousePos.y));
  const bool is_pane_hovered = ImGui::IsWindowHovered(ImGuiHoveredFlags_AllowWhenBlockedByActiveItem);
  if (is_near && is_pane_hovered && ImGui::IsMouseClicked(ImGuiMouseButton_Left)) is_dragging_wipe_ = true;
  if (!ImGui::IsMouseDown(ImGuiMouseButton_Left)) is_dragging_wipe_ = false;
  if (is_dragging_wipe_) {
    wipe_ = std::clamp((io.MousePos.x - area.left()) / area.width(), 0.0, 1.0);
    requestRedraw();
  }
  if (is_dragging_wipe_ || (is_near && is_pane_hovered)) ImGui::SetMouseCursor(ImGuiMouseCursor_ResizeEW);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const double line_x = std::round(area.left() + wipe_ * area.width());
  list.AddLine(toVec2({line_x, area.top()}), toVec2({line_x, area.bottom()}), toU32(colors().window), 4);
  list.AddLine(toVec2({line_x, area.top()}), toVec2({line_x, area.bottom()}), toU32(colors().accent), 2);
  const QPointF knob(line_x, area.center().y());
  list.AddCircleFilled(toVec2(knob), 7, toU32(colors().accent));
  list.AddCircle(toVec2(knob), 7, toU32(colors().window));
  noteItem(QStringLiteral("wipe"), QRectF(line_x - kGrip, area.top(), 2 * kGrip, area.height()));
}

void SampleGridPane::drawLabels(const SampleGridEntry& entry, const QRectF& column, double cell_height) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const double line = ImGui::GetFontSize();
  if (entry.rows <= 0 || cell_height <= 0) return;
  const int stride =
      std::max(1, static_cast<int>(std::ceil(line / cell_height)));  // where rows are thinner than a line
  const double top = column.top() + view_.pan.y();
  int first = std::max(0, static_cast<int>(std::floor((column.top() - top) / cell_height)));
  first -= first % stride;
  list.PushClipRect(toVec2(column.topLeft()), toVec2(column.bottomRight()), true);
  for (int row = first; row < entry.rows; row += stride) {
    const double row_top = std::max(top + row * cell_height, column.top());
    const double row_bottom = std::min(top + (row + 1) * cell_height, column.bottom());
    if (top + row * cell_height >= column.bottom()) break;
    if (row_bottom <= row_top) continue;
    const QString text = elided(labelOf(entry, row), column.width() - 6);
    // In the middle of what is seen of the row.
    drawText(list, QPointF(column.right() - 6, (row_top + row_bottom) / 2), colors().text, text, {1, 0.5});
  }
  list.PopClipRect();
}

void SampleGridPane::drawHover(const Picture& picture, const QPointF& point) {
  const base::Image8& image = *picture.image;
  const SampleGridEntry& entry = *picture.entry;
  if (!QRectF(0, 0, image.width, image.height).contains(point) || entry.rows <= 0 || entry.columns <= 0) return;
  const double cell_width = static_cast<double>(image.width) / entry.columns;
  const double cell_height = static_cast<double>(image.height) / entry.rows;
  const int column = std::min(entry.columns - 1, static_cast<int>(point.x() / cell_width));
  const int row = std::min(entry.rows - 1, static_cast<int>(point.y() / cell_height));
  const int x = std::min(image.width - 1, static_cast<int>(point.x()));
  const int y = std::min(image.height - 1, static_cast<int>(point.y()));

  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.PushClipRect(toVec2(picture.clip.topLeft()), toVec2(picture.clip.bottomRight()), true);
  const auto outline = [&](const QRectF& in_image, const QColor& color) {
    const QPointF low = view_.toWidget(in_image.topLeft(), picture.area);
    const QPointF high = view_.toWidget(in_image.bottomRight(), picture.area);
    list.AddRect(toVec2(low), toVec2(high), toU32(color), 0, 0, 1);
  };
  outline({column * cell_width, row * cell_height, cell_width, cell_height}, colors().accent);
  constexpr double kPixelZoom = 8;
  if (view_.zoom >= kPixelZoom) outline(QRectF(x, y, 1, 1), colors().accent);
  list.PopClipRect();

  const std::uint8_t* rgb = image.at(x, y);
  const QColor color(rgb[0], rgb[1], rgb[2]);
  ImGui::BeginTooltip();
  textLine(tr("%1, column %2").arg(labelOf(entry, row)).arg(column));
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float side = ImGui::GetFontSize();
  ImGui::GetWindowDrawList()->AddRectFilled(at, ImVec2(at.x + side, at.y + side), toU32(color));
  ImGui::GetWindowDrawList()->AddRect(at, ImVec2(at.x + side, at.y + side), toU32(colors().border));
  ImGui::Dummy(ImVec2(side, side));
  ImGui::SameLine();
  textLine(tr("pixel (%1, %2)  rgb %3 %4 %5")
               .arg(x - static_cast<int>(column * cell_width))
               .arg(y - static_cast<int>(row * cell_height))
               .arg(color.red())
               .arg(color.green())
               .arg(color.blue()));
  ImGui::EndTooltip();
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/step_timeline.h"

#include <QHBoxLayout>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QLabel>
#include <QMouseEvent>
#include <QPainter>
#include <QPainterPath>
#include <QToolButton>
#include <QToolTip>
#include <algorithm>
#include <cmath>
#include <set>

#include "ui/panels/panel_layout.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr double kMargin = 9;
constexpr double kBarTop = 19, kBarHeight = 12;

}  // namespace

TimelineBar::TimelineBar(const Theme& theme, QWidget* parent) : QAbstractSlider(parent), theme_(theme) {
  setOrientation(Qt::Horizontal);
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Step cursor"));
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  connect(&theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void TimelineBar::setSource(RunSource* source) {
  source_ = source;
  update();
}

double TimelineBar::xOf(double position) const {
  const double span = std::max(1, maximum() - minimum());
  return kMargin + (width() - 2 * kMargin) * (position - minimum()) / span;
}

int TimelineBar::positionAt(double x) const {
  const double share = (x - kMargin) / std::max(1.0, width() - 2 * kMargin);
  return minimum() + static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * (maximum() - minimum())));
}

void TimelineBar::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const auto& colors = theme_.colors();
  const QRectF bar(kMargin, kBarTop, width() - 2 * kMargin, kBarHeight);
  QPainterPath outline;
  outline.addRoundedRect(bar, 4, 4);
  painter.fillPath(outline, colors.raised);

  if (source_ && !source_->axis().spans().empty()) {
    const auto& stages = source_->summary().stages;
    const auto& spans = source_->axis().spans();
    painter.save();
    painter.setClipPath(outline);
    for (std::size_t i = 0; i < spans.size(); ++i) {
      const double begin = xOf(static_cast<double>(spans[i].begin));
      const double done = xOf(static_cast<double>(spans[i].begin + std::min(stages[i].step, spans[i].length)));
      QColor fill = stages[i].state == StageState::kDone                                                ? colors.good
                    : stages[i].state == StageState::kFailed                                            ? colors.bad
                    : stages[i].state == StageState::kPaused || stages[i].state == StageState::kStopped ? colors.warning
                                                                                                        : colors.accent;
      fill.setAlphaF(colors.is_dark ? 0.55F : 0.45F);
      painter.fillRect(QRectF(begin, bar.top(), done - begin, bar.height()), fill);
      if (i > 0) painter.fillRect(QRectF(begin - 1, bar.top(), 2, bar.height()), colors.window);
    }
    QColor tick = colors.text;
    for (const auto& mark : source_->summary().milestones) {
      if (isAlarmMark(mark.kind)) continue;
      const double x = xOf(static_cast<double>(source_->axis().position(mark.stage, mark.step)));
      const bool is_checkpoint = mark.kind == Milestone::Kind::kCheckpoint;
      tick.setAlphaF(is_checkpoint ? 0.75F : 0.25F);
      painter.fillRect(
          QRectF(x - 0.5, is_checkpoint ? bar.top() : bar.bottom() - 4, 1, is_checkpoint ? bar.height() : 4), tick);
    }
    for (const auto& mark : source_->summary().milestones) {
      if (!isAlarmMark(mark.kind)) continue;  // over all others
      const double x = xOf(static_cast<double>(source_->axis().position(mark.stage, mark.step)));
      painter.fillRect(QRectF(x - 1, bar.top(), 2, bar.height()),
                       mark.kind == Milestone::Kind::kWarning ? colors.warning : colors.bad);
    }
    painter.restore();
    painter.setPen(colors.muted);
    for (const auto& span : spans) {
      const QRectF place(xOf(static_cast<double>(span.begin)) + 3, 0,
                         xOf(static_cast<double>(span.begin + span.length)) - xOf(static_cast<double>(span.begin)) - 5,
                         kBarTop - 2);
      const QString title = stageTitle(span.stage);
      if (fontMetrics().horizontalAdvance(title) <= place.width())
        painter.drawText(place, Qt::AlignLeft | Qt::AlignVCenter, title);
    }
    const double x = xOf(sliderPosition());
    painter.setPen(QPen(colors.panel, 1.5));
    painter.setBrush(hasFocus() ? colors.accent : colors.text);
    painter.drawRoundedRect(QRectF(x - 4, kBarTop - 4, 8, kBarHeight + 8), 3, 3);
  }
  if (hasFocus()) {
    painter.setPen(QPen(colors.accent, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRoundedRect(bar.adjusted(-2.5, -2.5, 2.5, 2.5), 5, 5);
  }
}

void TimelineBar::mousePressEvent(QMouseEvent* event) {
  // Its menu is about the step that was pointed at.
  if (event->button() == Qt::RightButton && isEnabled()) Q_EMIT userMoved(positionAt(event->position().x()));
  if (event->button() != Qt::LeftButton || !isEnabled()) return;
  setSliderDown(true);
  Q_EMIT userMoved(positionAt(event->position().x()));
}

void TimelineBar::mouseMoveEvent(QMouseEvent* event) {
  if (isSliderDown()) Q_EMIT userMoved(positionAt(event->position().x()));
}

void TimelineBar::mouseReleaseEvent(QMouseEvent*) { setSliderDown(false); }

void TimelineBar::keyPressEvent(QKeyEvent* event) {
  int target = value();
  switch (event->key()) {
    case Qt::Key_Left:
    case Qt::Key_Down:
      target -= singleStep();
      break;
    case Qt::Key_Right:
    case Qt::Key_Up:
      target += singleStep();
      break;
    case Qt::Key_PageDown:
      target -= pageStep();
      break;
    case Qt::Key_PageUp:
      target += pageStep();
      break;
    case Qt::Key_Home:
      target = minimum();
      break;
    case Qt::Key_End:
      target = maximum();
      break;
    default:
      QAbstractSlider::keyPressEvent(event);
      return;
  }
  Q_EMIT userMoved(std::clamp(target, minimum(), maximum()));
}

void TimelineBar::wheelEvent(QWheelEvent* event) { event->ignore(); }  // scrubbing by accident would be worse

bool TimelineBar::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip && source_) {
    const auto* help = static_cast<QHelpEvent*>(event);
    const auto at = source_->axis().at(positionAt(help->pos().x()));
    if (!at.stage.empty()) {
      QStringList lines = {tr("%1, step %2").arg(stageTitle(at.stage), formatCount(at.step))};
      constexpr double kNear = 4;  // pixels
      for (const auto& mark : source_->summary().milestones) {
        const double x = xOf(static_cast<double>(source_->axis().position(mark.stage, mark.step)));
        if (isAlarmMark(mark.kind) && std::abs(x - help->pos().x()) <= kNear && lines.size() < 5)
          lines << QString::fromStdString(mark.text);
      }
      QToolTip::showText(help->globalPos(), lines.join(QLatin1Char('\n')), this);
    }
    return true;
  }
  return QAbstractSlider::event(event);
}

StepTimeline::StepTimeline(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      bar_(new TimelineBar(theme)),
      previous_(new QToolButton),
      next_(new QToolButton),
      live_(new QToolButton),
      label_(new QLabel) {
  dressIconButton(*previous_, theme, "previous", tr("Previous mark"),
                  tr("To the checkpoint or sample grid before (Alt+Left)"));
  dressIconButton(*next_, theme, "next", tr("Next mark"), tr("To the next checkpoint or sample grid (Alt+Right)"));
  dressIconButton(*live_, theme, "live", tr("Live"), tr("Keep everything at the newest step (Ctrl+L)"));
  live_->setText(tr("Live"));
  live_->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  live_->setCheckable(true);
  live_->setChecked(true);
  bar_->setToolTip(tr("Drag, or use the arrow keys, to look at an earlier step"));
  label_->setMinimumWidth(fontMetrics().horizontalAdvance(QStringLiteral("MeanFlow · 100 000 / 100 000")));
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(8, 4, 8, 4);
  layout->addWidget(live_);
  layout->addWidget(previous_);
  layout->addWidget(bar_, 1);
  layout->addWidget(next_);
  layout->addWidget(label_);
  connect(bar_, &TimelineBar::userMoved, this, &StepTimeline::moveTo);
  connect(previous_, &QToolButton::clicked, this, &StepTimeline::goToPreviousMark);
  connect(next_, &QToolButton::clicked, this, &StepTimeline::goToNextMark);
  connect(live_, &QToolButton::clicked, this, &StepTimeline::setLive);
  refresh();
}

void StepTimeline::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  bar_->setSource(source);
  emitted_ = {};
  if (source_) {
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind == StoreKind::kSummary) refresh();
    });
  }
  is_live_ = true;
  live_->setChecked(true);
  refresh();
}

void StepTimeline::setStepActions(const QList<QAction*>& actions) {
  bar_->addActions(actions);
  bar_->setContextMenuPolicy(Qt::ActionsContextMenu);
}

StepCursor StepTimeline::cursor() const { return source_ ? source_->axis().at(bar_->value()) : StepCursor{}; }

void StepTimeline::refresh() {
  const bool has_steps = source_ && source_->axis().end() > 0 && source_->summary().head().has_value();
  for (QWidget* widget : {static_cast<QWidget*>(bar_), static_cast<QWidget*>(previous_), static_cast<QWidget*>(next_),
                          static_cast<QWidget*>(live_)}) {
    widget->setEnabled(has_steps);
  }
  if (has_steps) {
    // The stages may have grown or shrunk under a cursor that was put by hand: keep its step, not its place.
    const auto kept = emitted_;
    const int end = static_cast<int>(std::min<std::int64_t>(source_->axis().end(), std::numeric_limits<int>::max()));
    bar_->setRange(0, end);
    bar_->setSingleStep(1);
    bar_->setPageStep(std::max(1, end / 20));
    const auto wanted = is_live_ ? *source_->summary().head() : kept;
    if (!wanted.stage.empty()) bar_->setValue(static_cast<int>(source_->axis().position(wanted.stage, wanted.step)));
  }
  showPosition();
  bar_->update();
  if (has_steps && is_live_) emitCursor();
}

void StepTimeline::showPosition() {
  if (!source_ || !source_->summary().head()) {
    label_->setText(tr("no steps yet"));
    label_->setProperty("muted", true);
    return;
  }
  const auto at = is_live_ ? *source_->summary().head() : cursor();
  std::int64_t total = 0;
  for (const auto& span : source_->axis().spans()) {
    if (span.stage == at.stage) total = span.length;
  }
  label_->setText(tr("%1 · %2 / %3").arg(stageTitle(at.stage), formatCount(at.step), formatCount(total)));
}

void StepTimeline::emitCursor() {
  const auto at = is_live_ && source_->summary().head() ? *source_->summary().head() : cursor();
  if (at == emitted_) return;
  emitted_ = at;
  Q_EMIT cursorMoved(QString::fromStdString(at.stage), at.step, is_live_);
}

void StepTimeline::moveTo(int position) {
  if (!source_) return;
  // There is nothing to see beyond what has been trained.
  const auto head = source_->summary().head();
  if (head) position = std::min(position, static_cast<int>(source_->axis().position(head->stage, head->step)));
  setLive(false);
  bar_->setValue(position);
  showPosition();
  bar_->update();
  emitCursor();
}

void StepTimeline::setCursor(const QString& stage, qint64 step) {
  if (source_) moveTo(static_cast<int>(source_->axis().position(stage.toStdString(), step)));
}

void StepTimeline::setLive(bool is_live) {
  live_->setChecked(is_live);
  if (is_live == is_live_) return;
  is_live_ = is_live;
  Q_EMIT liveChanged(is_live_);
  if (is_live_) {
    emitted_ = {};  // readers that were put elsewhere come back even if the run has not moved
    refresh();
  }
}

std::vector<int> StepTimeline::marks() const {
  std::set<int> places;
  if (source_) {
    for (const auto& mark : source_->summary().milestones) {
      places.insert(static_cast<int>(source_->axis().position(mark.stage, mark.step)));
    }
  }
  return {places.begin(), places.end()};
}

void StepTimeline::goToPreviousMark() {
  const auto places = marks();
  const auto it = std::lower_bound(places.begin(), places.end(), bar_->value());
  if (it != places.begin()) moveTo(*std::prev(it));
}

void StepTimeline::goToNextMark() {
  const auto places = marks();
  const auto it = std::upper_bound(places.begin(), places.end(), bar_->value());
  if (it != places.end()) moveTo(*it);
}

}  // namespace meanflow::ui

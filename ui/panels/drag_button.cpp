// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/drag_button.h"

#include <QApplication>
#include <QClipboard>
#include <QDrag>
#include <QImage>
#include <QMimeData>
#include <QMouseEvent>
#include <QPixmap>

#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {
constexpr int kThumbnailSide = 128;
}

DragButton::DragButton(const Theme& theme, MakeData make, QWidget* parent)
    : QToolButton(parent), make_data_(std::move(make)), run_drag_([](QDrag* drag) { drag->exec(Qt::CopyAction); }) {
  setIcon(theme.icon(QStringLiteral("drag")));
  setProperty("framed", true);
  setFocusPolicy(Qt::StrongFocus);
  setCursor(Qt::OpenHandCursor);
  setAccessibleName(tr("Drag the grid out, or copy it"));
  setToolTip(
      tr("Drag the grid from here into a folder or another program; a click copies it. Its settings travel inside "
         "the PNG"));
  connect(this, &QToolButton::clicked, this, &DragButton::copy);
}

void DragButton::mousePressEvent(QMouseEvent* event) {
  pressed_at_ = event->pos();
  QToolButton::mousePressEvent(event);
}

void DragButton::mouseMoveEvent(QMouseEvent* event) {
  const bool is_dragged = (event->buttons() & Qt::LeftButton) &&
                          (event->pos() - pressed_at_).manhattanLength() >= QApplication::startDragDistance();
  if (!is_dragged || !isDown()) return QToolButton::mouseMoveEvent(event);
  setDown(false);
  auto content = make_data_();
  if (!content) return;
  auto* drag = new QDrag(this);  // Qt deletes it when it is over
  const auto picture = qvariant_cast<QImage>(content->imageData());
  if (!picture.isNull())
    drag->setPixmap(QPixmap::fromImage(
        picture.scaled(kThumbnailSide, kThumbnailSide, Qt::KeepAspectRatio, Qt::SmoothTransformation)));
  drag->setMimeData(content.release());
  run_drag_(drag);
}

void DragButton::copy() {
  auto content = make_data_();
  if (!content) return;
  QApplication::clipboard()->setMimeData(content.release());
  Q_EMIT copied();
}

}  // namespace meanflow::ui

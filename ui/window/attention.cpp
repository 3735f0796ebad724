// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/attention.h"

#include <QCoreApplication>
#include <QEvent>

namespace meanflow::ui {

Attention::Attention(QObject* parent, int idle_ms) : QObject(parent) {
  idle_.setSingleShot(true);
  idle_.setInterval(idle_ms);
  connect(&idle_, &QTimer::timeout, this, [this] {
    is_there_ = false;
    Q_EMIT changed(false);
  });
  idle_.start();
  QCoreApplication::instance()->installEventFilter(this);
}

bool Attention::eventFilter(QObject* watched, QEvent* event) {
  switch (event->type()) {
    case QEvent::KeyPress:
    case QEvent::MouseButtonPress:
    case QEvent::MouseMove:
    case QEvent::HoverMove:
    case QEvent::Wheel:
    case QEvent::WindowActivate:
      idle_.start();
      if (!is_there_) {
        is_there_ = true;
        Q_EMIT changed(true);
      }
      break;
    default:
      break;
  }
  return QObject::eventFilter(watched, event);
}

}  // namespace meanflow::ui

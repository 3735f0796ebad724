// SPDX-License-Identifier: Apache-2.0
//
// Made-up grids, trajectories and matrices for the panes' tests, and the events that Qt Test has no function for.
#pragma once
#include <QApplication>
#include <QImage>
#include <QPainter>
#include <QPainterPath>
#include <QPalette>
#include <QTest>
#include <QWheelEvent>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/base/events/training_event.h"
#include "ui/panes/imgui_widget.h"
#include "ui/panes/sample_grid_pane.h"

namespace meanflow::testing {

inline base::Image8 toImage8(const QImage& picture) {
  const QImage rgb = picture.convertToFormat(QImage::Format_RGB888);
  base::Image8 image(rgb.width(), rgb.height());
  for (int y = 0; y < rgb.height(); ++y)
    std::copy_n(rgb.constScanLine(y), std::size_t{3} * rgb.width(), image.at(0, y));
  return image;
}

/// A small drawing of class `label`, in the manner of an emoji, `variant` changing its colours.
inline void drawEmoji(QPainter& painter, const QRectF& cell, int label, int variant) {
  const QColor color = QColor::fromHsv((label * 45 + variant * 9) % 360, 190, 240);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(Qt::NoPen);
  const QRectF body = cell.adjusted(2, 2, -2, -2);
  const QPointF centre = body.center();
  painter.setBrush(color);
  switch (label % 4) {
    case 0:  // a face
      painter.drawEllipse(body);
      painter.setBrush(QColor(40, 30, 20));
      painter.drawEllipse(centre + QPointF(-5, -4), 2, 3);
      painter.drawEllipse(centre + QPointF(5, -4), 2, 3);
      painter.drawChord(QRectF(centre + QPointF(-7, -2), QSizeF(14, 11)), 180 * 16, 180 * 16);
      break;
    case 1: {  // a heart
      QPainterPath heart(centre + QPointF(0, 12));
      heart.cubicTo(centre + QPointF(-22, -4), centre + QPointF(-8, -18), centre + QPointF(0, -6));
      heart.cubicTo(centre + QPointF(8, -18), centre + QPointF(22, -4), centre + QPointF(0, 12));
      painter.drawPath(heart);
      break;
    }
    case 2: {  // a clock
      painter.drawEllipse(body);
      painter.setBrush(Qt::white);
      painter.drawEllipse(body.adjusted(3, 3, -3, -3));
      painter.setPen(QPen(QColor(40, 40, 60), 2));
      const double angle = variant * 0.6;
      painter.drawLine(centre, centre + QPointF(8 * std::sin(angle), -8 * std::cos(angle)));
      painter.drawLine(centre, centre + QPointF(0, -6));
      break;
    }
    default:  // a flag
      painter.drawRect(body.adjusted(0, 4, 0, -4));
      painter.setBrush(QColor::fromHsv((label * 45 + 160 + variant * 25) % 360, 200, 220));
      painter.drawRect(QRectF(body.left(), centre.y() - 3, body.width(), 6));
  }
}

/// A grid of such drawings under noise that goes as `quality` rises from 0 to 1.
inline base::Image8 emojiGrid(int rows, int columns, double quality, int cell = 32) {
  QImage picture(columns * cell, rows * cell, QImage::Format_RGB888);
  picture.fill(Qt::white);
  {
    QPainter painter(&picture);
    painter.scale(cell / 32.0, cell / 32.0);
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < columns; ++column) {
        drawEmoji(painter, QRectF(column * 32, row * 32, 32, 32), row, column);
      }
    }
  }
  base::Image8 image = toImage8(picture);
  std::mt19937 random(5);
  for (std::uint8_t& value : image.pixels) {
    value = static_cast<std::uint8_t>(quality * value + (1 - quality) * static_cast<double>(random() % 256));
  }
  return image;
}

/// A colour of its own for every pixel of a small picture.
inline base::Image8 codedImage(int width, int height, int salt = 0) {
  base::Image8 image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.at(x, y)[0] = static_cast<std::uint8_t>(40 + (x * 37 + salt) % 200);
      image.at(x, y)[1] = static_cast<std::uint8_t>(30 + (y * 53 + salt) % 200);
      image.at(x, y)[2] = static_cast<std::uint8_t>((x * 11 + y * 17 + salt) % 250);
    }
  }
  return image;
}

inline std::shared_ptr<const std::vector<std::string>> emojiNames() {
  return std::make_shared<const std::vector<std::string>>(
      std::vector<std::string>{"face", "heart", "clock", "flag", "person", "ball", "watch", "banner"});
}

inline ui::SampleGridEntry gridEntry(const std::string& stage, std::int64_t step, const std::string& what, int nfe,
                                     base::Image8 image, int rows, int columns) {
  ui::SampleGridEntry entry;
  entry.stage = stage;
  entry.step = step;
  entry.what = what;
  entry.nfe = nfe;
  entry.rows = rows;
  entry.columns = columns;
  entry.row_labels = emojiNames();
  entry.cost_ms = 34.2;
  entry.image = std::make_shared<const base::Image8>(std::move(image));
  return entry;
}

/// A run's worth of grids: teacher, then one and two steps of the CMT and MeanFlow stages.
inline std::vector<ui::SampleGridEntry> emojiRun(int grids_a_stage = 6) {
  std::vector<ui::SampleGridEntry> entries;
  const auto add = [&](const char* stage, int i, const char* what, int nfe, double quality) {
    entries.push_back(gridEntry(stage, 100 * (i + 1), what, nfe, emojiGrid(8, 10, quality), 8, 10));
  };
  for (int i = 0; i < grids_a_stage; ++i) add("teacher", i, "teacher", 50, 0.3 + 0.7 * i / (grids_a_stage - 1));
  for (const char* stage : {"cmt", "mean_flow"}) {
    for (int i = 0; i < grids_a_stage; ++i) {
      const double quality = (*stage == 'c' ? 0.2 : 0.6) + 0.35 * i / (grids_a_stage - 1);
      add(stage, i, "one_step", 1, quality);
      add(stage, i, "two_step", 2, std::min(1.0, quality + 0.1));
    }
  }
  return entries;
}

/// The name of something drawn, as itemRect() takes it.
inline QString item(const char* name) { return QString::fromLatin1(name); }

/// A trajectory of `num_knots` from noise to an emoji along an arc; the student's jumps land `miss` away from its end.
inline base::TrajectoryReady emojiTrajectory(int label, std::int64_t step, int num_knots, double miss) {
  base::TrajectoryReady entry;
  entry.stage = "cmt";
  entry.step = step;
  entry.label = label;
  entry.label_name = (*emojiNames())[static_cast<std::size_t>(label)];
  base::Image8 strip(32 * num_knots, 32);
  for (int i = 0; i < num_knots; ++i) {
    const double t = 1.0 - static_cast<double>(i) / (num_knots - 1);
    const base::Image8 frame = emojiGrid(label + 1, 1, 1 - t);
    for (int y = 0; y < 32; ++y) std::copy_n(frame.at(0, 32 * label + y), 3 * 32, strip.at(32 * i, y));
    const double angle = 1.2 * t;
    entry.times.push_back(static_cast<float>(t));
    entry.pca_x.push_back(static_cast<float>(10 * std::sin(angle)));
    entry.pca_y.push_back(static_cast<float>(6 * (1 - std::cos(angle)) - 2 * t));
    if (i + 1 < num_knots) entry.speed.push_back(static_cast<float>(1.1 - 0.5 * t * (1 - t)));
    entry.jump_error.push_back(static_cast<float>(miss * t));
    entry.jump_x.push_back(static_cast<float>(miss * 4 * t * std::cos(9 * t)));
    entry.jump_y.push_back(static_cast<float>(miss * 4 * t * std::sin(9 * t)));
  }
  entry.frames = std::make_shared<const base::Image8>(std::move(strip));
  return entry;
}

/// Errors that fall with the step and rise with the length of the jump.
inline base::CmtMatrixReady cmtMatrix(std::int64_t step, int n, double level) {
  base::CmtMatrixReady entry;
  entry.stage = "cmt";
  entry.step = step;
  for (int i = 0; i < n; ++i) entry.times.push_back(static_cast<float>(1.0 - static_cast<double>(i) / (n - 1)));
  entry.errors.assign(static_cast<std::size_t>(n) * n, std::numeric_limits<float>::quiet_NaN());
  for (int i = 0; i < n; ++i) {
    for (int j = i + 1; j < n; ++j) {
      const double jump =
          static_cast<double>(entry.times[static_cast<std::size_t>(i)] - entry.times[static_cast<std::size_t>(j)]);
      entry.errors[static_cast<std::size_t>(i) * n + j] =
          static_cast<float>(level * (0.05 + jump * jump) * (1 + 0.3 * std::sin(3.0 * i)));
    }
  }
  return entry;
}

inline QPalette lightPalette() {
  QPalette palette;
  palette.setColor(QPalette::Window, QColor(0xf4, 0xf5, 0xf7));
  palette.setColor(QPalette::WindowText, QColor(0x1c, 0x20, 0x26));
  palette.setColor(QPalette::Base, Qt::white);
  palette.setColor(QPalette::Highlight, QColor(0x2a, 0x66, 0xc8));
  palette.setColor(QPalette::HighlightedText, Qt::white);
  return palette;
}

inline QPalette darkPalette() {
  QPalette palette;
  palette.setColor(QPalette::Window, QColor(0x1e, 0x21, 0x27));
  palette.setColor(QPalette::WindowText, QColor(0xe6, 0xe8, 0xec));
  palette.setColor(QPalette::Base, QColor(0x16, 0x18, 0x1d));
  palette.setColor(QPalette::Highlight, QColor(0x5b, 0x9c, 0xf5));
  palette.setColor(QPalette::HighlightedText, Qt::black);
  return palette;
}

inline void turnWheel(QWidget& widget, const QPointF& at, int notches,
                      Qt::KeyboardModifiers modifiers = Qt::NoModifier) {
  QWheelEvent event(at, widget.mapToGlobal(at), {}, QPoint(0, 120 * notches), Qt::NoButton, modifiers,
                    Qt::NoScrollPhase, false);
  QApplication::sendEvent(&widget, &event);
}

/// Colour of a frame at a point in widget coordinates.
inline QColor colorAt(const QImage& frame, const QWidget& widget, const QPointF& point) {
  const double scale = widget.devicePixelRatioF();
  return frame.pixelColor(static_cast<int>(point.x() * scale), static_cast<int>(point.y() * scale));
}

inline bool isNear(const QColor& a, const QColor& b, int tolerance = 2) {
  return std::abs(a.red() - b.red()) <= tolerance && std::abs(a.green() - b.green()) <= tolerance &&
         std::abs(a.blue() - b.blue()) <= tolerance;
}

inline QString text(const QColor& color) { return color.name(); }

/// Pixels of `area` that differ clearly from `background`.
inline int numDifferent(const QImage& frame, const QWidget& widget, const QRectF& area, const QColor& background) {
  const double scale = widget.devicePixelRatioF();
  int count = 0;
  for (int y = static_cast<int>(area.top() * scale); y < static_cast<int>(area.bottom() * scale); ++y) {
    for (int x = static_cast<int>(area.left() * scale); x < static_cast<int>(area.right() * scale); ++x) {
      if (frame.valid(x, y) && !isNear(frame.pixelColor(x, y), background, 24)) ++count;
    }
  }
  return count;
}

/// Shows a pane of this size and waits for its first frame.
inline void showPane(ui::ImGuiWidget& pane, const QSize& size) {
  pane.setAttribute(Qt::WA_DontShowOnScreen, false);
  pane.resize(size);
  pane.show();
  QVERIFY2(pane.hasOpenGl(), qPrintable(QStringLiteral("needs OpenGL: ") + ui::openGlProblem()));
  QVERIFY(QTest::qWaitForWindowExposed(&pane));
  QTRY_VERIFY(pane.paintCount() > 0);
}

/// Waits until the pane has stopped drawing.
inline void waitIdle(const ui::ImGuiWidget& pane) {
  qint64 before = -1;
  while (pane.paintCount() != before) {
    before = pane.paintCount();
    QTest::qWait(60);
  }
}

}  // namespace meanflow::testing

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QByteArray>
#include <QColor>
#include <QHash>
#include <QImage>
#include <QKeyCombination>
#include <QRectF>
#include <QWidget>
#include <functional>
#include <memory>
#include <vector>

#include "ui/panes/pane_inputs.h"

struct ImGuiContext;

namespace meanflow::ui {

class ImGuiCanvas;
class TextureCache;

/// Colours that drawing code needs beyond ImGui's own style. Derived from the widget's palette.
struct PaneColors {
  bool is_dark = false;
  QColor window, panel, border, text, muted, accent, accent_text, plot, plot_grid, good, warning, bad;
};

/// A key of a pane, what it does in words, and the doing.
struct KeyBinding {
  QKeyCombination key;
  QString help;  ///< Empty for a second key of the binding before it.
  std::function<void()> run;
};

/// Why OpenGL cannot be had on this machine, or empty. Tried once with an off-screen surface, then remembered.
QString openGlProblem();

/// A pane drawn with Dear ImGui. Owns its own ImGui context, font atlas and GL textures; feeds Qt's mouse, wheel,
/// keyboard, focus and scale changes to it; redraws after input or requestRedraw() and then stays still. The look
/// follows the palette. The picture comes from a QOpenGLWidget inside; where OpenGL cannot be had, a message painted by
/// QPainter says so, and everything but the picture still works. UI thread only.
class ImGuiWidget : public QWidget {
  Q_OBJECT
 public:
  explicit ImGuiWidget(QWidget* parent = nullptr);
  ~ImGuiWidget() override;

  bool hasOpenGl() const { return canvas_ != nullptr; }
  /// Draws a frame if OpenGL is there and returns it in device pixels; otherwise the painted message.
  QImage grabFrame();
  qint64 paintCount() const { return paint_count_; }  ///< Frames drawn so far.
  qint64 textureBytes() const;                        ///< GL memory of image textures, mipmaps included.
  void setTextureBudget(qint64 bytes);                ///< What is visible now is kept even beyond it. Default 96 MiB.

  /// Where a named control or drawing was in the last frame, in widget coordinates; empty if it was not drawn.
  /// For scripted walks and tests; each pane's header lists its names.
  QRectF itemRect(const QString& name) const { return items_.value(name); }
  QStringList itemNames() const { return items_.keys(); }
  const std::vector<KeyBinding>& keyBindings() const { return bindings_; }

  QSize minimumSizeHint() const override { return {320, 200}; }
  QSize sizeHint() const override { return {720, 440}; }

 public Q_SLOTS:
  void requestRedraw();  ///< Draws a few frames so that layouts settle.

 protected:
  /// Draws the whole pane: called inside one full-size ImGui window, GL context current.
  virtual void draw() = 0;
  /// Runs `run` when the pane has the focus and the key comes; keys not bound are left to the window (menus, tab
  /// order).
  void bind(QKeyCombination key, const QString& help, std::function<void()> run);
  void drawKeyHelp();                                        ///< A "?" whose tooltip lists the bound keys.
  bool isDoubleClicked() const { return is_double_click_; }  ///< In the frame being drawn.

  void noteItem(const QString& name, const QRectF& rect);
  void noteLastItem(const QString& name);  ///< The rectangle of the ImGui item just submitted.
  const PaneColors& colors() const { return colors_; }
  TextureCache& textures() { return *textures_; }

  bool event(QEvent* event) override;
  void changeEvent(QEvent* event) override;
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void keyReleaseEvent(QKeyEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;

 private:
  friend class ImGuiCanvas;
  void take(bool is_news);  ///< Input came, or nothing that counts.
  const KeyBinding* findBinding(const QKeyEvent& event) const;
  void initializeGl();
  bool layOut();  ///< One frame of ImGui, not drawn yet; true when more input waits for the next.
  void paintGl();
  void releaseGl();
  void readPalette();
  void buildFont();
  void showCursor();

  ImGuiContext* context_ = nullptr;
  std::unique_ptr<TextureCache> textures_;
  ImGuiCanvas* canvas_ = nullptr;  // owned by Qt as a child
  PaneInputs inputs_;
  std::vector<KeyBinding> bindings_;
  QHash<QString, QRectF> items_;
  PaneColors colors_;
  QByteArray clipboard_;  // text lent to ImGui
  QString problem_;       // why there is no picture
  qint64 paint_count_ = 0;
  int frames_to_settle_ = 0;
  double font_scale_ = 0;  // device pixel ratio of the atlas, 0 before the first
  int font_px_ = 0;
  bool is_gl_ready_ = false;
  bool is_double_click_ = false;
  bool wants_text_ = false;
  std::int64_t last_frame_ns_ = 0;
};

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/imgui_widget.h"

#include <imgui.h>
#include <imgui_freetype.h>
#include <imgui_impl_opengl3.h>

#include <QClipboard>
#include <QFile>
#include <QFontInfo>
#include <QGuiApplication>
#include <QKeyEvent>
#include <QKeySequence>
#include <QMouseEvent>
#include <QOffscreenSurface>
#include <QOpenGLContext>
#include <QOpenGLFunctions>
#include <QOpenGLWidget>
#include <QPainter>
#include <QWheelEvent>
#include <algorithm>
#include <chrono>
#include <cmath>

#include "ui/panes/imgui_look.h"
#include "ui/panes/texture_cache.h"

namespace meanflow::ui {
namespace {

constexpr int kSettleFrames = 3;  // after input ImGui opens a popup, measures it unseen, then shows it

QString tryOpenGl() {
  const QString platform = QGuiApplication::platformName();
  for (const char* name : {"offscreen", "minimal", "linuxfb", "vnc"}) {
    if (platform == QLatin1String(name)) {
      return ImGuiWidget::tr("the Qt platform \"%1\" draws without OpenGL").arg(platform);
    }
  }
  QOffscreenSurface surface;
  surface.create();
  QOpenGLContext context;
  if (!context.create() || !context.makeCurrent(&surface)) return ImGuiWidget::tr("no OpenGL driver answers");
  const QSurfaceFormat format = context.format();
  context.doneCurrent();
  if (context.isOpenGLES()) return ImGuiWidget::tr("the driver offers OpenGL ES only");
  if (format.majorVersion() < 3) {
    return ImGuiWidget::tr("the driver offers OpenGL %1.%2").arg(format.majorVersion()).arg(format.minorVersion());
  }
  return {};
}

std::int64_t nowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

const char* readClipboard(void* user_data) {
  QByteArray& text = *static_cast<QByteArray*>(user_data);
  text = QGuiApplication::clipboard()->text().toUtf8();
  return text.constData();
}

void writeClipboard(void* /*user_data*/, const char* text) {
  QGuiApplication::clipboard()->setText(QString::fromUtf8(text));
}

}  // namespace

/// The GL surface inside a pane. It takes no input and no focus; the pane does.
class ImGuiCanvas final : public QOpenGLWidget {
 public:
  explicit ImGuiCanvas(ImGuiWidget* pane) : QOpenGLWidget(pane), pane_(*pane) {
    setAttribute(Qt::WA_TransparentForMouseEvents);
    setFocusPolicy(Qt::NoFocus);
  }

  void release() {
    if (!is_ready_) return;
    is_ready_ = false;
    makeCurrent();
    pane_.releaseGl();
    doneCurrent();
  }

 protected:
  void initializeGL() override {
    // A dock that floats moves to another window, and its context with all GL objects goes.
    connect(context(), &QOpenGLContext::aboutToBeDestroyed, this, &ImGuiCanvas::release, Qt::UniqueConnection);
    is_ready_ = true;
    pane_.initializeGl();
  }
  void paintGL() override { pane_.paintGl(); }

 private:
  ImGuiWidget& pane_;
  bool is_ready_ = false;
};

QString openGlProblem() {
  static const QString problem = tryOpenGl();
  return problem;
}

ImGuiWidget::ImGuiWidget(QWidget* parent) : QWidget(parent), textures_(std::make_unique<TextureCache>()) {
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  context_ = ImGui::CreateContext();
  ImGui::SetCurrentContext(context_);
  ImGuiIO& io = ImGui::GetIO();
  io.IniFilename = nullptr;
  io.LogFilename = nullptr;
  io.BackendPlatformName = "meanflow_qt";
  io.BackendFlags |= ImGuiBackendFlags_HasMouseCursors;
  io.ConfigWindowsMoveFromTitleBarOnly = true;
  io.MousePos = ImVec2(-FLT_MAX, -FLT_MAX);
  for (int key = 0; key < ImGuiKey_COUNT; ++key) io.KeyMap[key] = key;
  io.ClipboardUserData = &clipboard_;
  io.GetClipboardTextFn = readClipboard;
  io.SetClipboardTextFn = writeClipboard;
  readPalette();
  problem_ = openGlProblem();
  if (problem_.isEmpty()) canvas_ = new ImGuiCanvas(this);
}

ImGuiWidget::~ImGuiWidget() {
  if (canvas_) {
    canvas_->release();
    delete std::exchange(canvas_, nullptr);
  }
  ImGui::DestroyContext(context_);
}

qint64 ImGuiWidget::textureBytes() const { return textures_->bytes(); }

void ImGuiWidget::setTextureBudget(qint64 bytes) { textures_->setBudget(bytes); }

QImage ImGuiWidget::grabFrame() {
  if (!canvas_) return grab().toImage();
  frames_to_settle_ = std::max(frames_to_settle_, kSettleFrames);
  QImage image;
  constexpr int kMaxFrames = 64;
  for (int i = 0; i < kMaxFrames && (i == 0 || frames_to_settle_ > 0 || !inputs_.empty()); ++i) {
    image = canvas_->grabFramebuffer();
  }
  return image;
}

void ImGuiWidget::requestRedraw() {
  frames_to_settle_ = std::max(frames_to_settle_, kSettleFrames);
  canvas_ ? canvas_->update() : update();
}

void ImGuiWidget::bind(QKeyCombination key, const QString& help, std::function<void()> run) {
  bindings_.push_back({key, help, std::move(run)});
}

void ImGuiWidget::drawKeyHelp() {
  ImGui::Button("?");
  noteLastItem(QStringLiteral("help"));
  if (!ImGui::IsItemHovered()) return;
  std::vector<std::pair<QByteArray, QByteArray>> lines;  // keys, what they do
  for (const KeyBinding& binding : bindings_) {
    const QByteArray key = QKeySequence(binding.key).toString(QKeySequence::NativeText).toUtf8();
    if (binding.help.isEmpty() && !lines.empty()) {
      lines.back().first += ", " + key;
    } else {
      lines.emplace_back(key, binding.help.toUtf8());
    }
  }
  float width = 0;
  for (const auto& [keys, help] : lines) width = std::max(width, ImGui::CalcTextSize(keys.constData()).x);
  ImGui::BeginTooltip();
  const float left = ImGui::GetCursorPosX();
  for (const auto& [keys, help] : lines) {
    ImGui::TextUnformatted(keys.constData());
    ImGui::SameLine(left + width + ImGui::GetFontSize());
    ImGui::TextUnformatted(help.constData());
  }
  ImGui::EndTooltip();
}

void ImGuiWidget::noteItem(const QString& name, const QRectF& rect) { items_.insert(name, rect); }

void ImGuiWidget::noteLastItem(const QString& name) {
  const ImVec2 low = ImGui::GetItemRectMin();
  const ImVec2 high = ImGui::GetItemRectMax();
  noteItem(name, QRectF(QPointF(low.x, low.y), QPointF(high.x, high.y)));
}

void ImGuiWidget::readPalette() {
  colors_ = paneColors(palette());
  ImGui::SetCurrentContext(context_);
  applyLook(colors_, ImGui::GetStyle());
}

void ImGuiWidget::buildFont() {
  const double scale = devicePixelRatioF();
  const int pixels = std::max(9, QFontInfo(font()).pixelSize());
  if (scale == font_scale_ && pixels == font_px_) return;
  font_scale_ = scale;
  font_px_ = pixels;
  ImGuiIO& io = ImGui::GetIO();
  io.Fonts->Clear();
  io.Fonts->FontBuilderIO = ImGuiFreeType::GetBuilderForFreeType();  // hints small letters well
  io.Fonts->FontBuilderFlags = ImGuiFreeTypeBuilderFlags_LightHinting;
  ImFontConfig config;
  config.PixelSnapH = true;
  const float size =
      static_cast<float>(std::round(pixels * 1.15 * scale));  // ImGui's size is the line's, Qt's the em's
  ImFont* font = nullptr;
  if (const QString file = uiFontFile(); !file.isEmpty()) {
    font = io.Fonts->AddFontFromFileTTF(QFile::encodeName(file).constData(), size, &config, uiGlyphRanges());
  }
  if (!font) {
    config.SizePixels = size;
    io.Fonts->AddFontDefault(&config);
  }
  io.FontGlobalScale = static_cast<float>(1.0 / scale);
  // All objects, not the font's texture alone: NewFrame would make what is missing and bake the atlas a second time,
  // from data that is gone by then.
  ImGui_ImplOpenGL3_DestroyDeviceObjects();
  ImGui_ImplOpenGL3_CreateDeviceObjects();
  io.Fonts->ClearTexData();  // the atlas is in GL now
  io.Fonts->ClearInputData();
}

void ImGuiWidget::initializeGl() {
  ImGui::SetCurrentContext(context_);
  is_gl_ready_ = IMGUI_CHECKVERSION() && ImGui_ImplOpenGL3_Init("#version 130");
  if (is_gl_ready_) {
    font_scale_ = 0;
    return;
  }
  problem_ = tr("the OpenGL functions could not be loaded");
  QMetaObject::invokeMethod(
      this,
      [this] {
        if (canvas_) canvas_->hide();
        update();
      },
      Qt::QueuedConnection);
}

void ImGuiWidget::releaseGl() {
  if (!is_gl_ready_) return;
  is_gl_ready_ = false;
  ImGui::SetCurrentContext(context_);
  textures_->drop();
  ImGui_ImplOpenGL3_Shutdown();
}

bool ImGuiWidget::layOut() {
  ImGuiIO& io = ImGui::GetIO();
  const std::int64_t now = nowNs();
  io.DeltaTime = std::clamp(static_cast<float>((now - last_frame_ns_) * 1e-9), 1e-4F, 1.0F);
  last_frame_ns_ = now;
  if (!inputs_.empty()) frames_to_settle_ = kSettleFrames;
  const bool has_more_input = inputs_.feed(ImGui::GetIO(), is_double_click_);

  ImGui_ImplOpenGL3_NewFrame();
  ImGui::NewFrame();
  items_.clear();
  ImGui::SetNextWindowPos(ImVec2(0, 0));
  ImGui::SetNextWindowSize(io.DisplaySize);
  ImGui::Begin("pane", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                   ImGuiWindowFlags_NoBringToFrontOnFocus | ImGuiWindowFlags_NoScrollWithMouse |
                   ImGuiWindowFlags_NoNav);
  draw();
  if (hasFocus()) {
    ImGui::GetForegroundDrawList()->AddRect(ImVec2(0.5F, 0.5F),
                                            ImVec2(io.DisplaySize.x - 0.5F, io.DisplaySize.y - 0.5F),
                                            ImGui::GetColorU32(ImGuiCol_CheckMark));
  }
  ImGui::End();
  ImGui::Render();
  if (frames_to_settle_ > 0) --frames_to_settle_;
  return has_more_input;
}

void ImGuiWidget::paintGl() {
  if (!is_gl_ready_) return;
  ImGui::SetCurrentContext(context_);
  buildFont();
  const double scale = devicePixelRatioF();
  ImGuiIO& io = ImGui::GetIO();
  io.DisplaySize = ImVec2(static_cast<float>(width()), static_cast<float>(height()));
  io.DisplayFramebufferScale = ImVec2(static_cast<float>(scale), static_cast<float>(scale));
  // What follows input and new data settles here and is drawn once: every picture of a pane makes Qt compose the whole
  // window anew.
  bool has_more_input = layOut();
  for (int i = 1; i < kSettleFrames && !has_more_input && frames_to_settle_ > 0; ++i) has_more_input = layOut();

  QOpenGLFunctions& gl = *QOpenGLContext::currentContext()->functions();
  gl.glViewport(0, 0, static_cast<int>(std::round(width() * scale)), static_cast<int>(std::round(height() * scale)));
  gl.glClearColor(static_cast<float>(colors_.window.redF()), static_cast<float>(colors_.window.greenF()),
                  static_cast<float>(colors_.window.blueF()), 1);
  gl.glClear(GL_COLOR_BUFFER_BIT);
  ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
  textures_->endFrame();
  ++paint_count_;
  wants_text_ = io.WantTextInput;
  showCursor();
  if (has_more_input || frames_to_settle_ > 0) canvas_->update();
}

void ImGuiWidget::showCursor() {
  Qt::CursorShape shape = Qt::ArrowCursor;
  switch (ImGui::GetMouseCursor()) {
    case ImGuiMouseCursor_TextInput:
      shape = Qt::IBeamCursor;
      break;
    case ImGuiMouseCursor_ResizeAll:
      shape = Qt::ClosedHandCursor;
      break;
    case ImGuiMouseCursor_ResizeEW:
      shape = Qt::SplitHCursor;
      break;
    case ImGuiMouseCursor_Hand:
      shape = Qt::PointingHandCursor;
      break;
    default:
      break;
  }
  if (cursor().shape() != shape) setCursor(shape);
}

const KeyBinding* ImGuiWidget::findBinding(const QKeyEvent& event) const {
  const QKeyCombination pressed(event.modifiers() & ~Qt::KeypadModifier, static_cast<Qt::Key>(event.key()));
  const auto found = std::find_if(bindings_.begin(), bindings_.end(),
                                  [&](const KeyBinding& binding) { return binding.key == pressed; });
  return found == bindings_.end() ? nullptr : &*found;
}

bool ImGuiWidget::event(QEvent* event) {
  if (event->type() == QEvent::ShortcutOverride) {
    // The pane with the focus comes before a shortcut of the window on the same key.
    const auto& key = static_cast<const QKeyEvent&>(*event);
    if (wants_text_ || findBinding(key)) {
      event->accept();
      return true;
    }
  }
  return QWidget::event(event);
}

void ImGuiWidget::changeEvent(QEvent* event) {
  switch (event->type()) {
    case QEvent::PaletteChange:
    case QEvent::ApplicationPaletteChange:
    case QEvent::StyleChange:
    case QEvent::FontChange:
    case QEvent::ApplicationFontChange:
    case QEvent::EnabledChange:
      readPalette();
      requestRedraw();
      break;
    default:
      break;
  }
  QWidget::changeEvent(event);
}

void ImGuiWidget::paintEvent(QPaintEvent* /*event*/) {
  if (problem_.isEmpty()) return;  // the canvas covers everything
  QPainter painter(this);
  painter.fillRect(rect(), colors_.window);
  painter.setPen(colors_.text);
  const QString text =
      tr("%1: no picture here, because %2.\n\nEverything else in the studio works. For the picture, use a display with "
         "OpenGL 3: without a graphics card, Mesa's software driver is enough (Debian: libgl1-mesa-dri).")
          .arg(accessibleName().isEmpty() ? tr("Viewer") : accessibleName(), problem_);
  painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap, text);
}

void ImGuiWidget::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  if (canvas_) canvas_->setGeometry(rect());
  requestRedraw();
}

void ImGuiWidget::take(bool is_news) {
  if (!is_news) return;
  if (!canvas_) inputs_.clear();
  requestRedraw();
}

void ImGuiWidget::mousePressEvent(QMouseEvent* event) { take(inputs_.addButton(*event, true, false)); }
void ImGuiWidget::mouseReleaseEvent(QMouseEvent* event) { take(inputs_.addButton(*event, false, false)); }
void ImGuiWidget::mouseDoubleClickEvent(QMouseEvent* event) { take(inputs_.addButton(*event, true, true)); }

void ImGuiWidget::mouseMoveEvent(QMouseEvent* event) {
  inputs_.addMove(event->position(), event->modifiers());
  take(true);
}

void ImGuiWidget::wheelEvent(QWheelEvent* event) {
  inputs_.addWheel(*event);
  take(true);
  event->accept();
}

void ImGuiWidget::leaveEvent(QEvent* event) {
  inputs_.addMove(QPointF(-FLT_MAX, -FLT_MAX), {});
  take(true);
  QWidget::leaveEvent(event);
}

void ImGuiWidget::keyPressEvent(QKeyEvent* event) {
  if (wants_text_) return take(inputs_.addKeyPress(*event));
  if (const KeyBinding* binding = findBinding(*event)) {
    binding->run();
    requestRedraw();
    return;
  }
  QWidget::keyPressEvent(event);
}

void ImGuiWidget::keyReleaseEvent(QKeyEvent* event) {
  take(inputs_.addKeyRelease(*event));
  QWidget::keyReleaseEvent(event);
}

void ImGuiWidget::focusInEvent(QFocusEvent* event) {
  QWidget::focusInEvent(event);
  requestRedraw();
}

void ImGuiWidget::focusOutEvent(QFocusEvent* event) {
  // What is held down now will be let go where we do not see it.
  ImGui::SetCurrentContext(context_);
  ImGuiIO& io = ImGui::GetIO();
  std::fill(std::begin(io.KeysDown), std::end(io.KeysDown), false);
  if (event->reason() != Qt::PopupFocusReason) std::fill(std::begin(io.MouseDown), std::end(io.MouseDown), false);
  QWidget::focusOutEvent(event);
  requestRedraw();
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/theme.h"

#include <QApplication>
#include <QEvent>
#include <QFile>
#include <QIconEngine>
#include <QPainter>
#include <QPalette>
#include <QPointer>
#include <QStyle>
#include <QStyleHints>
#include <QSvgRenderer>
#include <QWindow>

#include "ui/theme/studio_style.h"

static void initIconResources() {
  Q_INIT_RESOURCE(studio_icons);
}  // needed in a static library; not inside a namespace

namespace meanflow::ui {
namespace {

ThemeColors lightColors() {
  ThemeColors c;
  c.window = QColor(0xeef0f4);
  c.panel = QColor(0xffffff);
  c.raised = QColor(0xf6f7fa);
  c.border = QColor(0xd3d8e0);
  c.text = QColor(0x1b2430);
  c.muted = QColor(0x5a6675);
  c.accent = QColor(0x2f62d0);
  c.accent_text = QColor(0xffffff);
  c.good = QColor(0x16804d);
  c.warning = QColor(0xa86400);
  c.bad = QColor(0xc23030);
  c.idle = QColor(0x8792a1);
  c.plot_background = c.panel;
  c.plot_grid = QColor(0xe4e8ee);
  c.plot_axis = QColor(0x5a6675);
  c.series = {QColor(0x0063a8), QColor(0xc75000), QColor(0x00785c), QColor(0xa8397f),
              QColor(0x8a6500), QColor(0x2b87c4), QColor(0x6a4bbd), QColor(0x4a5866)};
  return c;
}

ThemeColors darkColors() {
  ThemeColors c;
  c.is_dark = true;
  c.window = QColor(0x14171c);
  c.panel = QColor(0x1c2128);
  c.raised = QColor(0x262c36);
  c.border = QColor(0x3a4350);
  c.text = QColor(0xe6eaf0);
  c.muted = QColor(0x9daab9);
  c.accent = QColor(0x6f9dff);
  c.accent_text = QColor(0x0c1220);
  c.good = QColor(0x43c98a);
  c.warning = QColor(0xf0b23f);
  c.bad = QColor(0xff7a73);
  c.idle = QColor(0x7d8998);
  c.plot_background = c.panel;
  c.plot_grid = QColor(0x2d3540);
  c.plot_axis = QColor(0x9daab9);
  c.series = {QColor(0x6cb6ff), QColor(0xff9a57), QColor(0x4fd1a5), QColor(0xf08cc9),
              QColor(0xe6c34a), QColor(0x9fd8ff), QColor(0xb79cff), QColor(0xb5c0cc)};
  return c;
}

QPalette toPalette(const ThemeColors& c) {
  QPalette p;
  p.setColor(QPalette::Window, c.window);
  p.setColor(QPalette::WindowText, c.text);
  p.setColor(QPalette::Base, c.panel);
  p.setColor(QPalette::AlternateBase, c.raised);
  p.setColor(QPalette::ToolTipBase, c.raised);
  p.setColor(QPalette::ToolTipText, c.text);
  p.setColor(QPalette::Text, c.text);
  p.setColor(QPalette::PlaceholderText, c.muted);
  p.setColor(QPalette::Button, c.raised);
  p.setColor(QPalette::ButtonText, c.text);
  p.setColor(QPalette::BrightText, c.bad);
  p.setColor(QPalette::Link, c.accent);
  p.setColor(QPalette::LinkVisited, c.accent);
  p.setColor(QPalette::Highlight, c.accent);
  p.setColor(QPalette::HighlightedText, c.accent_text);
  p.setColor(QPalette::Light, c.is_dark ? c.raised.lighter(130) : QColor(Qt::white));
  p.setColor(QPalette::Midlight, c.raised);
  p.setColor(QPalette::Mid, c.border);
  p.setColor(QPalette::Dark, c.is_dark ? QColor(0x0b0d10) : QColor(0x9aa4b1));
  p.setColor(QPalette::Shadow, c.is_dark ? QColor(Qt::black) : QColor(0x6b7683));
  QColor faint = c.muted;
  faint.setAlphaF(0.6F);
  for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText}) {
    p.setColor(QPalette::Disabled, role, faint);
  }
  p.setColor(QPalette::Disabled, QPalette::Highlight, c.border);
  return p;
}

QString css(const QColor& color) { return color.name(QColor::HexRgb); }

QString styleSheet(const ThemeColors& c) {
  QString text = QStringLiteral(R"(
QToolTip { background: @raised; color: @text; border: 1px solid @border; padding: 4px 6px; }
QMainWindow::separator { background: @window; width: 5px; height: 5px; }
QMainWindow::separator:hover { background: @accent; }
QDockWidget { color: @text; font-weight: 600; }
QDockWidget::title { background: @window; padding: 5px 8px; text-align: left; }
QMenuBar { background: @window; border-bottom: 1px solid @border; }
QMenuBar::item { padding: 4px 9px; background: transparent; border-radius: 4px; }
QMenuBar::item:selected { background: @accent; color: @accent_text; }
QMenu { background: @panel; border: 1px solid @border; padding: 4px; }
QMenu::item { padding: 5px 26px 5px 26px; border-radius: 4px; }
QMenu::item:selected { background: @accent; color: @accent_text; }
QMenu::item:disabled { color: @muted; }
QMenu::icon { padding-left: 6px; }
QMenu::separator { height: 1px; background: @border; margin: 4px 8px; }
QStatusBar { background: @window; border-top: 1px solid @border; color: @muted; }
QStatusBar::item { border: none; }
QStatusBar QLabel { color: @muted; padding: 0 6px; }
QTabBar::tab { background: transparent; color: @muted; padding: 5px 12px; border: none; border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: @text; border-bottom: 2px solid @accent; }
QTabBar::tab:hover { color: @text; }
QPushButton, QToolButton[framed="true"] { background: @raised; color: @text; border: 1px solid @border; border-radius: 5px; padding: 5px 11px; }
QPushButton:hover, QToolButton[framed="true"]:hover { border-color: @accent; }
QPushButton:pressed, QToolButton[framed="true"]:pressed { background: @border; }
QPushButton:focus, QToolButton[framed="true"]:focus { border: 1px solid @accent; outline: none; }
QPushButton:disabled, QToolButton[framed="true"]:disabled { color: @faint; border-color: @soft; }
QPushButton[primary="true"] { background: @accent; color: @accent_text; border-color: @accent; font-weight: 600; }
QPushButton[primary="true"]:hover { background: @accent_hover; }
QPushButton[primary="true"]:focus { border: 1px solid @text; }
QPushButton[primary="true"]:disabled { background: @raised; color: @faint; border-color: @soft; }
QPushButton[danger="true"]:enabled { color: @bad; }
QToolButton[framed="true"]:checked { background: @accent; color: @accent_text; border-color: @accent; }
QProgressBar { background: @raised; border: none; border-radius: 4px; min-height: 8px; max-height: 8px; text-align: center; }
QProgressBar::chunk { background: @accent; border-radius: 4px; }
QProgressBar[state="done"]::chunk { background: @good; }
QProgressBar[state="paused"]::chunk { background: @warning; }
QProgressBar[state="failed"]::chunk { background: @bad; }
QProgressBar[state="waiting"]::chunk { background: @idle; }
QFrame[card="true"] { background: @panel; border: 1px solid @border; border-radius: 8px; }
QFrame[card="true"][current="true"] { border: 1px solid @accent; }
QFrame[banner="true"] { background: @panel; border: 1px solid @border; border-left: 4px solid @warning; border-radius: 4px; }
QFrame[banner="true"][level="info"] { border-left: 4px solid @accent; }
QFrame[banner="true"][level="error"] { border-left: 4px solid @bad; }
QLabel[muted="true"] { color: @muted; }
QLabel[heading="true"] { font-weight: 600; }
QLabel[bad="true"] { color: @bad; }
QAbstractScrollArea { border: none; }
QListView, QTreeView, QTableView { background: @panel; border: none; outline: none; }
QLineEdit { background: @panel; border: 1px solid @border; border-radius: 5px; padding: 4px 7px; selection-background-color: @accent; selection-color: @accent_text; }
QLineEdit:focus { border-color: @accent; }
QLineEdit[invalid="true"] { border-color: @bad; }
QPlainTextEdit { background: @panel; border: 1px solid @border; border-radius: 5px; selection-background-color: @accent; selection-color: @accent_text; }
QPlainTextEdit:focus { border-color: @accent; }
QTabWidget::pane { border: none; }
QSplitter::handle { background: @window; }
QSplitter::handle:hover { background: @accent; }
QScrollBar:vertical { background: transparent; width: 11px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 11px; margin: 0; }
QScrollBar::handle { background: @border; border-radius: 4px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: @idle; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QHeaderView::section { background: @panel; color: @muted; border: none; border-bottom: 1px solid @border; padding: 4px 6px; }
)");
  QColor faint = c.is_dark ? c.muted.darker(150) : c.muted.lighter(155);
  QColor soft = c.is_dark ? c.border.darker(125) : c.border.lighter(106);
  const std::pair<const char*, QColor> names[] = {
      {"@accent_hover", c.is_dark ? c.accent.lighter(110) : c.accent.darker(112)},
      {"@accent_text", c.accent_text},
      {"@accent", c.accent},
      {"@window", c.window},
      {"@panel", c.panel},
      {"@raised", c.raised},
      {"@border", c.border},
      {"@text", c.text},
      {"@muted", c.muted},
      {"@good", c.good},
      {"@warning", c.warning},
      {"@bad", c.bad},
      {"@idle", c.idle},
      {"@faint", faint},
      {"@soft", soft}};
  for (const auto& [name, color] : names) text.replace(QLatin1String(name), css(color));
  return text;
}

/// Draws an SVG whose ink is `currentColor`, at the size asked for, in a colour of the theme in force.
class TintedSvgEngine final : public QIconEngine {
 public:
  TintedSvgEngine(QByteArray svg, QPointer<const Theme> theme, QColor ThemeColors::*ink)
      : svg_(std::move(svg)), theme_(std::move(theme)), ink_(ink) {}

  void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State state) override {
    QColor ink = theme_ ? theme_->colors().*ink_ : QColor(Qt::gray);
    if ((mode == QIcon::Selected || state == QIcon::On) && theme_) ink = theme_->colors().accent_text;
    // A button that cannot be pressed is not filled with the accent, on which such an icon is drawn else.
    if (mode == QIcon::Disabled && ink_ == &ThemeColors::accent_text && theme_) ink = theme_->colors().text;
    QByteArray svg = svg_;
    QSvgRenderer renderer(svg.replace("currentColor", ink.name().toLatin1()));
    painter->save();
    if (mode == QIcon::Disabled) painter->setOpacity(0.35);
    renderer.render(painter, rect);
    painter->restore();
  }
  QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override {
    QPixmap pixmap(size);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    paint(&painter, QRect(QPoint(0, 0), size), mode, state);
    return pixmap;
  }
  QPixmap scaledPixmap(const QSize& size, QIcon::Mode mode, QIcon::State state, qreal) override {
    return pixmap(size, mode, state);
  }
  QIconEngine* clone() const override { return new TintedSvgEngine(*this); }

 private:
  QByteArray svg_;
  QPointer<const Theme> theme_;
  QColor ThemeColors::*ink_;
};

QByteArray readIcon(const QString& name) {
  initIconResources();
  QFile file(QStringLiteral(":/studio/icons/%1.svg").arg(name));
  return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

}  // namespace

Theme::Theme(QApplication& app) : app_(app) {
  initIconResources();
  app_.setStyle(new StudioStyle);
  app_.installEventFilter(this);
  setChoice(ThemeChoice::kSystem);
}

void Theme::setChoice(ThemeChoice choice) {
  choice_ = choice;
  apply();
}

void Theme::apply() {
  is_applying_ = true;
  if (choice_ == ThemeChoice::kSystem) {
    app_.setPalette(QPalette());  // an empty palette resolves to the desktop's own
    system_is_dark_ = app_.palette().color(QPalette::Window).lightness() < 128;
  }
  const bool is_dark = choice_ == ThemeChoice::kDark || (choice_ == ThemeChoice::kSystem && system_is_dark_);
  colors_ = is_dark ? darkColors() : lightColors();
  app_.setPalette(toPalette(colors_));
  app_.setStyleSheet(styleSheet(colors_));
  is_applying_ = false;
  Q_EMIT changed();
}

bool Theme::eventFilter(QObject* watched, QEvent* event) {
  // Sent to windows when the desktop's theme changes; our own palette changes do not raise it.
  if (event->type() == QEvent::ThemeChange && !is_applying_ && choice_ == ThemeChoice::kSystem &&
      watched->isWindowType()) {
    QMetaObject::invokeMethod(
        this, [this] { apply(); }, Qt::QueuedConnection);
  }
  return QObject::eventFilter(watched, event);
}

QIcon Theme::icon(const QString& name, QColor ThemeColors::*ink) const {
  return QIcon(new TintedSvgEngine(readIcon(name), this, ink));
}

QIcon Theme::applicationIcon() {
  initIconResources();
  return QIcon(QStringLiteral(":/studio/icons/app.svg"));
}

}  // namespace meanflow::ui

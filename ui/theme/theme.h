// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QColor>
#include <QIcon>
#include <QObject>
#include <QString>

class QApplication;

namespace meanflow::ui {

enum class ThemeChoice { kSystem, kLight, kDark };

/// Colours that mean something; taken from the theme in force, never spelled out in a panel.
struct ThemeColors {
  bool is_dark = false;
  QColor window, panel, raised, border, text, muted, accent, accent_text;
  QColor good, warning, bad, idle;  ///< States: running or done, paused, failed, waiting.
  QColor plot_background, plot_grid, plot_axis;
  QList<QColor> series;  ///< Curves, told apart also by people who see colours differently.
};

/// The look of the whole program: a palette and a style sheet, light or dark, following the system unless told.
/// One object per application, made by main() and handed to whoever draws by itself.
class Theme final : public QObject {
  Q_OBJECT
 public:
  explicit Theme(QApplication& app);

  void setChoice(ThemeChoice choice);
  ThemeChoice choice() const { return choice_; }
  const ThemeColors& colors() const { return colors_; }

  /// A drawing of ui/theme/icons (file name without .svg) in one colour of the theme; it follows theme changes by
  /// itself, is drawn at the resolution it is shown at, and is faint when disabled.
  QIcon icon(const QString& name, QColor ThemeColors::*ink = &ThemeColors::text) const;
  static QIcon applicationIcon();

 Q_SIGNALS:
  void changed();  ///< The colours are others now; whoever paints by itself repaints.

 private:
  bool eventFilter(QObject* watched, QEvent* event) override;
  void apply();

  QApplication& app_;
  ThemeChoice choice_ = ThemeChoice::kSystem;
  bool system_is_dark_ = false;
  bool is_applying_ = false;
  ThemeColors colors_;
};

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>

class QColor;
class QLayout;
class QStackedLayout;
class QToolButton;
class QVBoxLayout;
class QWidget;

namespace meanflow::ui {

class Theme;

/// Banner, tools and the pages of a panel one above the other: `content` first, then what is shown while there is none.
/// Returns the column, for what comes below.
QVBoxLayout* layOutPanel(QWidget& panel, QWidget* banner, QLayout* tools, QStackedLayout& pages, QWidget* content,
                         QWidget* empty);

/// A framed button that is an icon: `name` is what it is called aloud.
void dressIconButton(QToolButton& button, const Theme& theme, const char* icon, const QString& name,
                     const QString& tip);

/// An entry of a legend in rich text: `mark` in its colour and what it stands for.
QString legendItem(const QColor& colour, const QString& mark, const QString& text);

}  // namespace meanflow::ui

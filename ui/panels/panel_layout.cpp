// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/panel_layout.h"

#include <QColor>
#include <QStackedLayout>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/theme/theme.h"

namespace meanflow::ui {

QVBoxLayout* layOutPanel(QWidget& panel, QWidget* banner, QLayout* tools, QStackedLayout& pages, QWidget* content,
                         QWidget* empty) {
  auto* body = new QWidget;
  body->setLayout(&pages);
  pages.addWidget(content);
  pages.addWidget(empty);
  auto* layout = new QVBoxLayout(&panel);
  layout->setContentsMargins(6, 6, 6, 6);
  layout->setSpacing(5);
  layout->addWidget(banner);
  layout->addLayout(tools);
  layout->addWidget(body, 1);
  return layout;
}

void dressIconButton(QToolButton& button, const Theme& theme, const char* icon, const QString& name,
                     const QString& tip) {
  button.setIcon(theme.icon(QLatin1String(icon)));
  button.setProperty("framed", true);
  button.setFocusPolicy(Qt::StrongFocus);
  button.setAccessibleName(name);
  button.setToolTip(tip);
}

QString legendItem(const QColor& colour, const QString& mark, const QString& text) {
  return QStringLiteral("<span style='white-space:nowrap'><span style='color:%1'><b>%2</b></span> %3</span>")
      .arg(colour.name(), mark, text.toHtmlEscaped());
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/empty_state.h"

#include <QHBoxLayout>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/theme/theme.h"

namespace meanflow::ui {

EmptyState::EmptyState(const Theme& theme, const QString& icon_name, QWidget* parent)
    : QWidget(parent), title_(new QLabel), advice_(new QLabel) {
  // A button that takes no clicks draws its icon sharply at every scale and follows the theme; a label's pixmap does
  // not.
  auto* picture = new QToolButton;
  picture->setIcon(theme.icon(icon_name, &ThemeColors::idle));
  picture->setIconSize(QSize(40, 40));
  picture->setAutoRaise(true);
  picture->setFocusPolicy(Qt::NoFocus);
  picture->setAttribute(Qt::WA_TransparentForMouseEvents);
  title_->setProperty("heading", true);
  title_->setAlignment(Qt::AlignCenter);
  title_->setWordWrap(true);
  advice_->setProperty("muted", true);
  advice_->setAlignment(Qt::AlignCenter);
  advice_->setWordWrap(true);
  picture_ = picture;
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(20, 16, 20, 16);
  layout->addStretch(2);
  layout->addWidget(picture, 0, Qt::AlignHCenter);
  layout->addWidget(title_);
  layout->addWidget(advice_);
  layout->addStretch(3);
}

void EmptyState::setText(const QString& title, const QString& advice) {
  title_->setText(title);
  advice_->setText(advice);
  makeRoom();
}

void EmptyState::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  makeRoom();
}

void EmptyState::makeRoom() {
  const auto margins = layout()->contentsMargins();
  const int width = this->width() - margins.left() - margins.right();
  const int words = title_->heightForWidth(width) + advice_->heightForWidth(width) + layout()->spacing();
  const int room = height() - margins.top() - margins.bottom();
  picture_->setVisible(room >= words + layout()->spacing() + picture_->sizeHint().height());
}

Banner::Banner(const Theme& theme, bool can_close, QWidget* parent)
    : QFrame(parent), icon_(new QLabel), text_(new QLabel), theme_(theme) {
  setProperty("banner", true);
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(10, 7, 10, 7);
  layout->addWidget(icon_, 0, Qt::AlignTop);
  layout->addWidget(text_, 1);
  text_->setWordWrap(true);
  text_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  if (can_close) {
    auto* close = new QToolButton;
    close->setIcon(theme.icon(QStringLiteral("close")));
    close->setAutoRaise(true);
    close->setFocusPolicy(Qt::StrongFocus);
    close->setAccessibleName(tr("Close this message"));
    close->setToolTip(tr("Close this message"));
    layout->addWidget(close, 0, Qt::AlignTop);
    connect(close, &QToolButton::clicked, this, &QWidget::hide);
  }
  hide();
}

void Banner::showMessage(const QString& message, bool is_error) {
  text_->setText(message);
  setAccessibleName(message);
  icon_->setPixmap(theme_.icon(QStringLiteral("fail"), is_error ? &ThemeColors::bad : &ThemeColors::warning)
                       .pixmap(QSize(18, 18), devicePixelRatioF()));
  setProperty("level", is_error ? QStringLiteral("error") : QStringLiteral("warning"));
  style()->unpolish(this);
  style()->polish(this);
  setVisible(!message.isEmpty());
}

}  // namespace meanflow::ui

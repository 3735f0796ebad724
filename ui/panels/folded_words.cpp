// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/folded_words.h"

#include <QEvent>
#include <QLabel>
#include <QScrollArea>
#include <QScrollBar>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

namespace meanflow::ui {

FoldedWords::FoldedWords(const QString& name, QWidget* parent)
    : QWidget(parent), name_(name), button_(new QToolButton), words_(new QLabel), scroll_(new QScrollArea) {
  button_->setAccessibleName(name);
  button_->setCheckable(true);
  button_->setAutoRaise(true);
  button_->setArrowType(Qt::RightArrow);
  button_->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  button_->setFocusPolicy(Qt::StrongFocus);
  button_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);  // its text is cut to the room there is
  words_->setWordWrap(true);
  words_->setTextFormat(Qt::PlainText);
  words_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  words_->setContentsMargins(10, 0, 10, 2);
  scroll_->setWidget(words_);
  scroll_->setWidgetResizable(true);
  scroll_->setFrameShape(QFrame::NoFrame);
  scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll_->setAccessibleName(name);
  scroll_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
  scroll_->hide();
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(4, 2, 4, 0);
  column->setSpacing(2);
  column->addWidget(button_);
  column->addWidget(scroll_);
  connect(button_, &QToolButton::toggled, this, [this](bool is_on) {
    button_->setArrowType(is_on ? Qt::DownArrow : Qt::RightArrow);
    scroll_->setVisible(is_on);
    fit();
  });
}

void FoldedWords::setWords(const QString& headline, const QString& words) {
  headline_ = headline;
  words_->setText(words);
  button_->setAccessibleName(headline.isEmpty() ? name_ : QStringLiteral("%1: %2").arg(name_, headline));
  button_->setAccessibleDescription(words);
  // Rich text is what makes a tool tip wrap.
  button_->setToolTip(QStringLiteral("<qt>%1</qt>").arg(words.toHtmlEscaped()));
  fit();
}

QString FoldedWords::words() const { return words_->text(); }

bool FoldedWords::isUnfolded() const { return button_->isChecked(); }

void FoldedWords::fit() {
  constexpr int kArrowAndMargins = 34;
  const int room = std::max(0, contentsRect().width() - 8 - kArrowAndMargins);
  button_->setText(button_->fontMetrics().elidedText(headline_, Qt::ElideRight, room));
  if (!isUnfolded()) return;
  const int bar = scroll_->verticalScrollBar()->sizeHint().width();
  const int whole = words_->heightForWidth(std::max(40, contentsRect().width() - 8 - bar));
  const int most = parentWidget() ? parentWidget()->height() / 3 - button_->sizeHint().height() : whole;
  scroll_->setFixedHeight(std::clamp(whole, 0, std::max(3 * fontMetrics().lineSpacing(), most)));
}

void FoldedWords::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  if (parentWidget()) parentWidget()->installEventFilter(this);  // once more moves it, no more
  fit();
}

bool FoldedWords::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::Resize && watched == parentWidget()) fit();
  return QWidget::eventFilter(watched, event);
}

}  // namespace meanflow::ui

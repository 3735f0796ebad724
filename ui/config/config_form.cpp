// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/config_form.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QResizeEvent>
#include <QScrollArea>
#include <QScrollBar>
#include <QSplitter>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <map>

#include "ui/config/setting_search.h"
#include "ui/panels/empty_state.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr int kPageLeft = 8, kPageRight = 10;  // pixels

QString sectionOf(const std::string& key) {
  const auto dot = key.rfind('.');
  return dot == std::string::npos ? QString() : QString::fromStdString(key.substr(0, dot));
}

QString sectionTitle(const QString& key) {
  if (key.isEmpty()) return ConfigForm::tr("General");
  const QString last = key.section(QLatin1Char('.'), -1);
  if (!key.contains(QLatin1Char('.'))) {
    const QString stage = stageTitle(last.toStdString());
    if (stage != last) return stage;
  }
  QString title = last;
  title.replace(QLatin1Char('_'), QLatin1Char(' '));
  title[0] = title[0].toUpper();
  return title;
}

}  // namespace

ConfigForm::ConfigForm(const Theme& theme, StateOf state, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      state_(std::move(state)),
      docs_(base::schema()),
      sections_(base::schemaSections()),
      search_line_(new QLineEdit),
      tree_(new QTreeWidget),
      scroll_(new QScrollArea) {
  search_line_->setPlaceholderText(tr("Find a setting (Ctrl+Shift+F)"));
  search_line_->setClearButtonEnabled(true);
  search_line_->setAccessibleName(tr("Find a setting by name or help"));
  search_line_->setToolTip(tr("Letters of the name in order, such as \"tea lr\", or words of the help"));
  search_line_->addAction(theme_.icon(QStringLiteral("search"), &ThemeColors::muted), QLineEdit::LeadingPosition);
  tree_->setHeaderHidden(true);
  tree_->setAccessibleName(tr("Sections of the configuration"));
  tree_->setIndentation(14);
  tree_->setMinimumWidth(110);
  tree_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll_->setWidgetResizable(true);
  scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll_->setAccessibleName(tr("Settings of the section"));
  scroll_->setFocusPolicy(Qt::NoFocus);
  scroll_->installEventFilter(this);
  auto* splitter = new QSplitter;
  splitter->addWidget(tree_);
  splitter->addWidget(scroll_);
  splitter->setStretchFactor(1, 1);
  splitter->setSizes({150, 500});
  splitter->setChildrenCollapsible(false);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(6);
  layout->addWidget(search_line_);
  layout->addWidget(splitter, 1);
  buildTree();
  connect(search_line_, &QLineEdit::textChanged, this, &ConfigForm::setSearch);
  connect(tree_, &QTreeWidget::currentItemChanged, this, [this](QTreeWidgetItem* item) {
    if (item) setSection(item->data(0, Qt::UserRole).toString());
  });
  connect(&theme_, &Theme::changed, this, &ConfigForm::rebuild);
  rebuild();
}

void ConfigForm::buildTree() {
  const auto add = [this](QTreeWidgetItem* parent, const QString& key, const QString& help) {
    auto* item = parent ? new QTreeWidgetItem(parent) : new QTreeWidgetItem(tree_);
    item->setText(0, sectionTitle(key));
    item->setToolTip(0, help);
    item->setData(0, Qt::UserRole, key);
    items_.emplace_back(key, item);
  };
  add(nullptr, {}, tr("Seed, device, precision and the list of stages"));
  for (const auto& section : sections_) {
    const QString key = QString::fromStdString(section.key);
    const QString parent = sectionOf(section.key);
    const auto above = std::find_if(items_.begin(), items_.end(),
                                    [&](const auto& each) { return !parent.isEmpty() && each.first == parent; });
    add(above == items_.end() ? nullptr : above->second, key, QString::fromStdString(section.help));
  }
  const QSignalBlocker blocker(tree_);
  tree_->setCurrentItem(items_.front().second);
}

std::vector<const base::FieldDoc*> ConfigForm::wanted() const {
  std::vector<const base::FieldDoc*> found;
  if (search_.trimmed().isEmpty()) {
    for (const auto& doc : docs_) {
      if (sectionOf(doc.key) == section_) found.push_back(&doc);
    }
    return found;
  }
  return findSettings(docs_, search_, kMaxFound);
}

void ConfigForm::rebuild() {
  const bool is_search = !search_.trimmed().isEmpty();
  auto* page = new QWidget;
  auto* column = new QVBoxLayout(page);
  column->setContentsMargins(kPageLeft, 4, kPageRight, 8);
  column->setSpacing(4);
  editors_.clear();
  const auto docs = wanted();
  if (!is_search) {
    auto* title = new QLabel(sectionTitle(section_));
    title->setProperty("heading", true);
    column->addWidget(title);
    const auto section = std::find_if(sections_.begin(), sections_.end(), [this](const auto& each) {
      return QString::fromStdString(each.key) == section_;
    });
    auto* help = new QLabel(section == sections_.end() ? tr("Seed, device, precision and the list of stages")
                                                       : QString::fromStdString(section->help));
    help->setProperty("muted", true);
    help->setWordWrap(true);
    column->addWidget(help);
  } else if (docs.empty()) {
    auto* nothing = new EmptyState(theme_, QStringLiteral("search"));
    nothing->setText(tr("No setting is called that"), tr("Type fewer letters, or clear the search."));
    column->addWidget(nothing, 1);
  }
  for (const auto* doc : docs) {
    auto* editor = new FieldEditor(theme_, *doc, is_search);
    editor->present(state_(*doc));
    const QString key = editor->key();
    connect(editor, &FieldEditor::edited, this, [this, key](const QString& text) { Q_EMIT edited(key, text); });
    connect(editor, &FieldEditor::committed, this, [this, key] { Q_EMIT committed(key); });
    connect(editor, &FieldEditor::resetRequested, this, [this, key] { Q_EMIT resetRequested(key); });
    column->addWidget(editor);
    editors_.push_back(editor);
  }
  if (!is_search && docs.empty()) {
    auto* empty = new QLabel(tr("This section has only sections below it; choose one at the left."));
    empty->setProperty("muted", true);
    empty->setWordWrap(true);
    column->addWidget(empty);
  }
  column->addStretch(docs.empty() && is_search ? 0 : 1);
  // The old page may be in the middle of a signal of one of its editors.
  if (auto* old = scroll_->takeWidget()) old->deleteLater();
  fitEditors();
  scroll_->setWidget(page);
  page_ = page;
  fitTree();
  markTree();
}

void ConfigForm::setSection(const QString& key) {
  if (key == section_ && search_.isEmpty()) return;
  section_ = key;
  if (!search_.isEmpty()) {
    const QSignalBlocker blocker(search_line_);
    search_line_->clear();
    search_.clear();
  }
  const auto at = std::find_if(items_.begin(), items_.end(), [&](const auto& each) { return each.first == key; });
  if (at != items_.end()) {
    const QSignalBlocker blocker(tree_);
    tree_->setCurrentItem(at->second);
  }
  rebuild();
}

void ConfigForm::setSearch(const QString& text) {
  if (text == search_) return;
  search_ = text;
  rebuild();
}

void ConfigForm::showSetting(const QString& key) {
  setSection(sectionOf(key.toStdString()));
  if (auto* editor = editorOf(key)) {
    scroll_->ensureWidgetVisible(editor);
    editor->editor()->setFocus(Qt::ShortcutFocusReason);
  }
}

void ConfigForm::focusSearch() {
  search_line_->setFocus(Qt::ShortcutFocusReason);
  search_line_->selectAll();
}

FieldEditor* ConfigForm::editorOf(const QString& key) const {
  const auto at = std::find_if(editors_.begin(), editors_.end(), [&](const auto* each) { return each->key() == key; });
  return at == editors_.end() ? nullptr : *at;
}

void ConfigForm::refresh() {
  for (auto* editor : editors_) editor->present(state_(editor->doc()));
  markTree();
}

void ConfigForm::refreshField(const QString& key) {
  if (auto* editor = editorOf(key)) editor->present(state_(editor->doc()));
  markTree();
}

void ConfigForm::markTree() {
  // A section is bold when something in it or below it differs, red when something is not valid.
  std::map<QString, std::pair<bool, bool>> marks;
  for (const auto& doc : docs_) {
    const FieldState state = state_(doc);
    if (!state.is_changed && state.problem.isEmpty()) continue;
    QString section = sectionOf(doc.key);
    for (;;) {
      auto& mark = marks[section];
      mark.first = mark.first || state.is_changed;
      mark.second = mark.second || !state.problem.isEmpty();
      if (section.isEmpty() || !section.contains(QLatin1Char('.'))) break;
      section = sectionOf(section.toStdString());
    }
  }
  for (const auto& [key, item] : items_) {
    const auto mark = marks[key];
    QFont font = this->font();
    font.setBold(mark.first || mark.second);
    item->setFont(0, font);
    item->setForeground(0, mark.second ? theme_.colors().bad : theme_.colors().text);
  }
}

void ConfigForm::fitEditors() {
  // Whether there is a scroll bar or not, so that one that comes or goes changes nothing.
  const int around =
      scroll_->verticalScrollBar()->sizeHint().width() + 2 * scroll_->frameWidth() + kPageLeft + kPageRight;
  int wide = 0, narrow = 220 - around;
  for (const auto* editor : editors_) {
    wide = std::max(wide, editor->wideWidth());
    narrow = std::max(narrow, editor->narrowWidth());
  }
  scroll_->setMinimumWidth(narrow + around);
  for (auto* editor : editors_) editor->setNarrow(scroll_->width() - around < wide);
}

void ConfigForm::fitTree() {
  // Where there is no room for both, the tree gives way: the search reaches every setting.
  constexpr int kHandle = 8;
  tree_->setVisible(width() >= std::max(380, tree_->minimumWidth() + kHandle + scroll_->minimumWidth()));
}

bool ConfigForm::eventFilter(QObject* watched, QEvent* event) {
  if (watched == scroll_ && event->type() == QEvent::Resize) fitEditors();
  return QWidget::eventFilter(watched, event);
}

void ConfigForm::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  fitTree();
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/config_yaml_view.h"

#include <QFontDatabase>
#include <QHeaderView>
#include <QLabel>
#include <QPlainTextEdit>
#include <QScrollBar>
#include <QTabWidget>
#include <QTextBlock>
#include <QTreeWidget>
#include <QVBoxLayout>

#include "core/base/config/config_io.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

QPlainTextEdit* readOnlyText(const QString& name) {
  auto* text = new QPlainTextEdit;
  text->setReadOnly(true);
  // With the keyboard too: the text can be walked through and copied.
  text->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  text->setTabChangesFocus(true);
  text->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
  text->setLineWrapMode(QPlainTextEdit::NoWrap);
  text->setAccessibleName(name);
  return text;
}

}  // namespace

QStringList keysOfYamlLines(const QString& yaml) {
  QStringList keys, path;
  for (const auto& line : yaml.split(QLatin1Char('\n'))) {
    const auto name = line.trimmed().section(QLatin1Char(':'), 0, 0);
    if (name.isEmpty()) {
      keys << QString();
      continue;
    }
    int indent = 0;
    while (indent < line.size() && line[indent] == QLatin1Char(' ')) ++indent;
    path = path.mid(0, indent / 2);
    path << name;
    keys << path.join(QLatin1Char('.'));
  }
  return keys;
}

ConfigYamlView::ConfigYamlView(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      tabs_(new QTabWidget),
      yaml_(readOnlyText(tr("The configuration as YAML"))),
      differences_(new QTreeWidget),
      same_(new QLabel),
      report_(readOnlyText(tr("What became of each key of the imported file"))) {
  differences_->setAccessibleName(tr("Differences"));
  differences_->setRootIsDecorated(false);
  differences_->setAlternatingRowColors(true);
  differences_->header()->setStretchLastSection(true);
  differences_->setToolTip(tr("Enter or double click shows the setting in the form"));
  same_->setProperty("muted", true);
  same_->setWordWrap(true);
  same_->setContentsMargins(8, 8, 8, 0);
  auto* difference_page = new QWidget;
  auto* column = new QVBoxLayout(difference_page);
  column->setContentsMargins(0, 0, 0, 0);
  column->addWidget(same_);
  column->addWidget(differences_, 1);
  tabs_->addTab(yaml_, tr("YAML"));
  tabs_->addTab(difference_page, tr("Differences"));
  tabs_->setDocumentMode(true);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(tabs_);
  tabs_->setAccessibleName(tr("YAML, differences and import report"));
  tabs_->setFocusPolicy(Qt::NoFocus);
  if (auto* bar = tabs_->findChild<QWidget*>(QStringLiteral("qt_tabwidget_tabbar")))
    bar->setAccessibleName(tr("YAML, differences and import report"));
  setMinimumWidth(200);
  connect(differences_, &QTreeWidget::itemActivated, this,
          [this](QTreeWidgetItem* item) { Q_EMIT settingPicked(item->text(0)); });
  connect(&theme_, &Theme::changed, this, &ConfigYamlView::mark);
}

void ConfigYamlView::present(const base::RunConfig& config, const base::RunConfig& baseline,
                             const QString& baseline_name) {
  const QString text = QString::fromStdString(base::toYaml(config));
  if (text != yaml_->toPlainText()) {
    const int at = yaml_->verticalScrollBar()->value();
    yaml_->setPlainText(text);
    yaml_->verticalScrollBar()->setValue(at);
    line_keys_ = keysOfYamlLines(text);
  }
  const auto found = base::difference(baseline, config);
  changed_.clear();
  differences_->clear();
  differences_->setHeaderLabels({tr("Setting"), baseline_name, tr("Now")});
  for (const auto& each : found) {
    changed_ << QString::fromStdString(each.key);
    auto* item = new QTreeWidgetItem({changed_.back(), QString::fromStdString(each.a), QString::fromStdString(each.b)});
    for (int c = 0; c < 3; ++c) item->setToolTip(c, item->text(c));
    differences_->addTopLevelItem(item);
  }
  for (int c = 0; c < 2; ++c) differences_->resizeColumnToContents(c);
  same_->setText(found.empty() ? tr("Every setting is as in %1.").arg(baseline_name)
                               : tr("Settings that differ from %1: %2").arg(baseline_name).arg(found.size()));
  differences_->setVisible(!found.empty());
  tabs_->setTabText(1, found.empty() ? tr("Differences") : tr("Differences (%1)").arg(found.size()));
  mark();
}

void ConfigYamlView::mark() {
  QList<QTextEdit::ExtraSelection> selections;
  QColor tint = theme_.colors().accent;
  tint.setAlpha(theme_.colors().is_dark ? 70 : 45);
  for (int i = 0; i < line_keys_.size(); ++i) {
    if (!changed_.contains(line_keys_[i])) continue;
    QTextEdit::ExtraSelection selection;
    selection.cursor = QTextCursor(yaml_->document()->findBlockByNumber(i));
    selection.format.setBackground(tint);
    selection.format.setProperty(QTextFormat::FullWidthSelection, true);
    selections << selection;
  }
  yaml_->setExtraSelections(selections);
}

void ConfigYamlView::showSetting(const QString& key) {
  const auto line = line_keys_.indexOf(key);
  if (line < 0) return;
  const int rows = yaml_->viewport()->height() / std::max(1, yaml_->fontMetrics().lineSpacing());
  yaml_->verticalScrollBar()->setValue(static_cast<int>(line) - rows / 2);
}

void ConfigYamlView::showImportReport(const QString& text) {
  report_->setPlainText(text);
  const int at = tabs_->indexOf(report_);
  if (text.isEmpty() && at >= 0) tabs_->removeTab(at);
  if (!text.isEmpty()) {
    if (at < 0) tabs_->addTab(report_, tr("Import"));
    tabs_->setCurrentWidget(report_);
  }
}

QStringList ConfigYamlView::changedKeys() const { return changed_; }

}  // namespace meanflow::ui

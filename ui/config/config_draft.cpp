// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/config_draft.h"

#include <QJsonDocument>
#include <QJsonObject>
#include <QUndoCommand>

#include "core/base/config/yaml_tree.h"

namespace meanflow::ui {

class EditCommand final : public QUndoCommand {
 public:
  EditCommand(ConfigDraft& draft, QString key, QString before, QString after, int session)
      : QUndoCommand(ConfigDraft::tr("%1").arg(key)),
        draft_(draft),
        key_(std::move(key)),
        before_(std::move(before)),
        after_(std::move(after)),
        session_(session) {}
  int id() const override { return 1; }
  void redo() override { draft_.apply(key_, after_); }
  void undo() override { draft_.apply(key_, before_); }
  bool mergeWith(const QUndoCommand* other) override {
    const auto* next = static_cast<const EditCommand*>(other);
    if (next->key_ != key_ || next->session_ != session_) return false;
    after_ = next->after_;
    setObsolete(after_ == before_);
    return true;
  }

 private:
  ConfigDraft& draft_;
  QString key_, before_, after_;
  int session_;
};

class ReplaceCommand final : public QUndoCommand {
 public:
  ReplaceCommand(ConfigDraft& draft, ConfigDraft::Texts after, const QString& what)
      : QUndoCommand(what), draft_(draft), before_(draft.texts()), after_(std::move(after)) {}
  void redo() override { draft_.applyAll(after_); }
  void undo() override { draft_.applyAll(before_); }

 private:
  ConfigDraft& draft_;
  ConfigDraft::Texts before_, after_;
};

QString settingText(const base::FieldRef& field) {
  if (const auto* text = std::get_if<std::string*>(&field.value)) return QString::fromStdString(**text);
  return QString::fromStdString(base::formatValue(field.value));
}

base::Result<void> assignSetting(const base::FieldRef& field, const QString& text) {
  const std::string typed = text.trimmed().toStdString();
  // Text is taken as it is; a number or a list as YAML would read it.
  if (std::holds_alternative<std::string*>(field.value)) return base::assign(field, {false, {{typed, true}}});
  const bool is_list = std::holds_alternative<std::vector<std::int64_t>*>(field.value) ||
                       std::holds_alternative<std::vector<std::string>*>(field.value);
  if (!is_list) return base::assign(field, {false, {{typed, false}}});
  const auto node = base::parseYaml(typed.starts_with('[') ? typed : "[" + typed + "]", "value");
  if (!node.ok()) return base::Error{"expected a list such as [a, b]", base::ErrorKind::kUsage};
  const auto raw = base::rawValue(*node);
  if (!raw.ok()) return raw.error();
  return base::assign(field, *raw);
}

ConfigDraft::ConfigDraft(QObject* parent)
    : QObject(parent),
      fields_(base::schema()),
      table_(base::fieldTable(config_)),
      baseline_table_(base::fieldTable(baseline_)),
      baseline_name_(tr("the defaults")) {}

QString ConfigDraft::text(const QString& key) const {
  if (const auto broken = broken_.find(key); broken != broken_.end()) return broken->second.text;
  const auto* field = table_.find(key.toStdString());
  return field ? settingText(*field) : QString();
}

QString ConfigDraft::problem(const QString& key) const {
  const auto broken = broken_.find(key);
  return broken == broken_.end() ? QString() : broken->second.problem;
}

QStringList ConfigDraft::problems() const {
  QStringList all;
  for (const auto& field : fields_) {
    const QString key = QString::fromStdString(field.key);
    if (const QString why = problem(key); !why.isEmpty()) all << tr("%1: %2").arg(key, why);
  }
  return all;
}

QString ConfigDraft::baselineText(const QString& key) const {
  const auto* field = baseline_table_.find(key.toStdString());
  return field ? settingText(*field) : QString();
}

bool ConfigDraft::isChanged(const QString& key) const { return text(key) != baselineText(key); }

int ConfigDraft::numChanged() const {
  int count = 0;
  for (std::size_t i = 0; i < table_.fields.size(); ++i) {
    const auto& field = table_.fields[i];
    const bool is_broken = !broken_.empty() && broken_.contains(QString::fromStdString(field.key));
    count += is_broken || base::formatValue(field.value) != base::formatValue(baseline_table_.fields[i].value) ? 1 : 0;
  }
  return count;
}

void ConfigDraft::setBaseline(const base::RunConfig& config, const QString& name) {
  baseline_ = config;  // the table goes on pointing at the members
  baseline_name_ = name;
  Q_EMIT baselineChanged();
}

void ConfigDraft::edit(const QString& key, const QString& text) {
  const QString before = this->text(key);
  if (before == text || !table_.find(key.toStdString())) return;
  undo_.push(new EditCommand(*this, key, before, text, edit_session_));
}

void ConfigDraft::replace(const base::RunConfig& config, const QString& what) {
  base::RunConfig copy = config;
  Texts after;
  for (const auto& field : base::fieldTable(copy).fields)
    after.emplace(QString::fromStdString(field.key), settingText(field));
  if (after == texts()) return;
  undo_.push(new ReplaceCommand(*this, std::move(after), what));
}

ConfigDraft::Texts ConfigDraft::texts() const {
  Texts all;
  for (const auto& field : table_.fields) all.emplace(QString::fromStdString(field.key), settingText(field));
  for (const auto& [key, broken] : broken_) all[key] = broken.text;
  return all;
}

bool ConfigDraft::assign(const QString& key, const QString& text) {
  const auto* field = table_.find(key.toStdString());
  if (!field) return false;
  const auto assigned = assignSetting(*field, text);
  if (assigned.ok()) {
    broken_.erase(key);
    return true;
  }
  broken_[key] = {text, QString::fromStdString(assigned.error().message)};
  return true;
}

void ConfigDraft::apply(const QString& key, const QString& text) {
  if (assign(key, text)) Q_EMIT edited(key);
}

void ConfigDraft::applyAll(const Texts& texts) {
  for (const auto& [key, text] : texts) assign(key, text);
  Q_EMIT replaced();
}

QByteArray ConfigDraft::toJson() const {
  QJsonObject values;
  for (const auto& [key, text] : texts()) values.insert(key, text);
  return QJsonDocument(QJsonObject{{QStringLiteral("version"), 1},
                                   {QStringLiteral("baseline"), baseline_name_},
                                   {QStringLiteral("baseline_yaml"), QString::fromStdString(base::toYaml(baseline_))},
                                   {QStringLiteral("values"), values}})
      .toJson(QJsonDocument::Indented);
}

bool ConfigDraft::fromJson(const QByteArray& json) {
  const auto object = QJsonDocument::fromJson(json).object();
  const auto values = object.value(QStringLiteral("values")).toObject();
  if (object.value(QStringLiteral("version")).toInt() != 1 || values.isEmpty()) return false;
  if (auto baseline =
          base::parseConfig(object.value(QStringLiteral("baseline_yaml")).toString().toStdString(), "draft");
      baseline.ok()) {
    setBaseline(*baseline, object.value(QStringLiteral("baseline")).toString());
  }
  Texts texts;
  for (auto it = values.begin(); it != values.end(); ++it) texts.emplace(it.key(), it.value().toString());
  applyAll(texts);  // settings that this version does not know are left out
  undo_.clear();
  return true;
}

}  // namespace meanflow::ui

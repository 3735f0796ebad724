// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QByteArray>
#include <QObject>
#include <QString>
#include <QUndoStack>
#include <map>
#include <vector>

#include "core/base/config/config_io.h"
#include "core/base/config/field_table.h"

namespace meanflow::ui {

/// The settings of a run that is being prepared: text by key as a person typed it, valid or not, with undo. What is
/// valid is in config() at once; what is not keeps its text and says why. Beside it a baseline, what the draft is
/// compared with and what a reset goes back to.
class ConfigDraft final : public QObject {
  Q_OBJECT
 public:
  using Texts = std::map<QString, QString>;

  explicit ConfigDraft(QObject* parent = nullptr);

  const std::vector<base::FieldDoc>& fields() const { return fields_; }  ///< In the order of the schema.
  const base::RunConfig& config() const { return config_; }
  QString yaml() const { return QString::fromStdString(base::toYaml(config_)); }
  QString text(const QString& key) const;
  QString problem(const QString& key) const;  ///< The schema's own words; empty when the text is fine.
  QStringList problems() const;               ///< "key: why" for every setting that is not valid.
  bool isChanged(const QString& key) const;   ///< From the baseline.
  int numChanged() const;

  const base::RunConfig& baseline() const { return baseline_; }
  const QString& baselineName() const { return baseline_name_; }
  QString baselineText(const QString& key) const;
  /// Not undoable: it changes what is compared, not what is started.
  void setBaseline(const base::RunConfig& config, const QString& name);

  void edit(const QString& key, const QString& text);
  void reset(const QString& key) { edit(key, baselineText(key)); }
  /// The next edit of the same setting is a step of its own for undo.
  void endEdit() { ++edit_session_; }
  /// Takes over all settings at once, as one step for undo; `what` says from where.
  void replace(const base::RunConfig& config, const QString& what);
  QUndoStack& undoStack() { return undo_; }

  /// Everything, baseline and invalid texts included, and back. False when `json` is not a draft.
  QByteArray toJson() const;
  bool fromJson(const QByteArray& json);

 Q_SIGNALS:
  void edited(const QString& key);
  void replaced();  ///< All values may be others.
  void baselineChanged();

 private:
  friend class EditCommand;
  friend class ReplaceCommand;
  Texts texts() const;
  void apply(const QString& key, const QString& text);
  void applyAll(const Texts& texts);
  bool assign(const QString& key, const QString& text);

  std::vector<base::FieldDoc> fields_;
  base::RunConfig config_;
  base::FieldTable table_;  ///< Points into config_.
  base::RunConfig baseline_;
  base::FieldTable baseline_table_;
  QString baseline_name_;
  struct Broken {
    QString text, problem;
  };
  std::map<QString, Broken> broken_;
  QUndoStack undo_;
  int edit_session_ = 0;
};

/// The text of a value as a form shows it: as in YAML, but words without quotes.
QString settingText(const base::FieldRef& field);
/// Checks `text` against the schema and stores it; the error says what was expected and seen, without the key.
base::Result<void> assignSetting(const base::FieldRef& field, const QString& text);

}  // namespace meanflow::ui

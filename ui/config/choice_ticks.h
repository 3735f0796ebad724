// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QStringList>
#include <QWidget>
#include <string>
#include <vector>

class QCheckBox;

namespace meanflow::ui {

/// Editor of a setting that lists some of a fixed set: a tick box each. What is ticked keeps its place in the list;
/// what is added takes the place it has in the set.
class ChoiceTicks final : public QWidget {
  Q_OBJECT
 public:
  /// `name` of the setting, for assistive technology.
  ChoiceTicks(const QString& name, const std::vector<std::string>& choices, QWidget* parent = nullptr);

  /// "[encoder, decoder]", as a configuration file has it. Words that are none of the choices are kept until something
  /// is ticked, so that a form shows nothing else than what is there.
  void setText(const QString& text);
  QString text() const { return text_; }

 Q_SIGNALS:
  void edited(const QString& text);

 private:
  void toggle(const QString& choice, bool is_on);

  QString text_;
  QStringList chosen_;
  QStringList choices_;
  std::vector<QCheckBox*> boxes_;
};

}  // namespace meanflow::ui

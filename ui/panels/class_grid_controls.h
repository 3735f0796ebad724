// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QScrollArea>
#include <QString>
#include <string>
#include <utility>
#include <vector>

#include "ui/models/sample_settings.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QFormLayout;
class QHBoxLayout;
class QLineEdit;
class QListWidget;
class QPushButton;
class QSpinBox;

namespace meanflow::ui {

class Theme;

/// What a grid of images is made from, as controls: classes by search and tick, network, steps, weights, noises.
class ClassGridControls final : public QScrollArea {
  Q_OBJECT
 public:
  explicit ClassGridControls(const Theme& theme, QWidget* parent = nullptr);

  SampleSettings settings() const;
  /// Says nothing. False when the run has no such checkpoint: the newest is taken then.
  bool setSettings(const SampleSettings& settings);
  QString compareWith() const;  ///< Path of the checkpoint to compare with; empty: none.
  /// Chooses the network and checkpoints of a person's choice made elsewhere, also ones that the list does not hold
  /// yet. Says nothing.
  void useCheckpoints(const QString& checkpoint, const QString& compare_with);
  void setClasses(const std::vector<std::string>& names);
  const std::vector<std::string>& classes() const { return class_names_; }
  /// Stage and path, oldest first.
  void setCheckpoints(std::vector<std::pair<QString, QString>> checkpoints);
  void setCan(bool can_make, bool can_save);
  /// A button more in the last row.
  void addButton(QWidget* button);

 Q_SIGNALS:
  void changed();  ///< By a person who wants to see what comes of it.
  void makeRequested();
  void saveRequested();

 private:
  void build(const Theme& theme);
  void buildModel(QFormLayout* form);
  void buildNoises(QFormLayout* form);
  void tell();
  void filterClasses();
  void fillCheckpoints();
  void refreshModel();
  void refreshWay();

  std::vector<std::string> class_names_;
  std::vector<std::pair<QString, QString>> checkpoints_;
  QLineEdit* search_;
  QListWidget* classes_;
  QComboBox* model_;
  QSpinBox* nfe_;
  QComboBox* checkpoint_;
  QComboBox* compare_;
  QComboBox* weights_;
  QDoubleSpinBox* guidance_;
  QDoubleSpinBox* guidance_from_;
  QDoubleSpinBox* guidance_to_;
  QWidget* guidance_row_;
  QSpinBox* seed_;
  QLineEdit* noises_;
  QDoubleSpinBox* truncation_;
  QComboBox* way_;  ///< What the columns are.
  QSpinBox* to_seed_;
  QComboBox* to_class_;
  QSpinBox* between_;
  std::vector<QWidget*> way_rows_[3];  ///< Label and editor of to_seed_, to_class_, between_.
  QCheckBox* shared_;
  QCheckBox* at_once_;
  QPushButton* make_;
  QPushButton* save_;
  QHBoxLayout* buttons_;
};

/// "CMT step 400" for cmt/checkpoints/step_00000400.
QString checkpointTitle(const QString& path);

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QStringList>
#include <QTimer>
#include <QWidget>

class QLabel;
class QLineEdit;
class QListWidget;
class QListWidgetItem;
class QPlainTextEdit;
class QStackedLayout;

namespace meanflow::ui {

class EmptyState;
class RecentRuns;
class RunCatalog;
struct RunCard;
class Theme;

/// A person's runs with what they are doing, a search over names and notes, and the notes of the chosen one. Enter or
/// double click opens a run; a tick lays its curves over those on show.
class RunsPanel final : public QWidget {
  Q_OBJECT
 public:
  /// `is_short`: the list alone, as on the welcome page.
  RunsPanel(const Theme& theme, RunCatalog& catalog, RecentRuns& recent, bool is_short, QWidget* parent = nullptr);

  void setOpenFolder(const QString& folder);  ///< The run on show; empty: none.
  QStringList overlaid() const { return overlaid_; }
  QString currentFolder() const;  ///< Of the chosen row; empty: none.

 public Q_SLOTS:
  void refresh();
  void overlay(const QString& folder);  ///< As if it had been ticked.

 Q_SIGNALS:
  void openRequested(const QString& folder);
  void duplicateRequested(const QString& folder);
  void extendRequested(const QString& folder);
  void overlayChanged(const QStringList& folders);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void buildActions();
  void showNotes();
  void keepNotes();
  void present(QListWidgetItem* item, const RunCard& card, int depth);  ///< `depth`: ancestors above it.

  const Theme& theme_;
  RunCatalog& catalog_;
  RecentRuns& recent_;
  bool is_short_;
  QString open_folder_;
  QStringList overlaid_;
  QLineEdit* search_;
  QListWidget* list_;
  EmptyState* empty_;
  QStackedLayout* stack_;
  QLabel* notes_label_;
  QPlainTextEdit* notes_;
  QString notes_folder_;  ///< Whose notes are in the editor.
  QTimer notes_timer_;
};

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QList>
#include <QString>
#include <optional>

namespace meanflow::ui {

/// How well a text answers to what was typed.
struct FuzzyMatch {
  int score = 0;         ///< Higher is nearer.
  QList<int> positions;  ///< Of the letters that matched, ascending.
};

/// Every letter of `typed` in order somewhere in `text`, whatever its case; spaces are passed over. Letters that follow
/// each other and letters that begin a word count for more. nullopt: a letter is missing. Nothing typed matches all.
std::optional<FuzzyMatch> fuzzyMatch(const QString& typed, const QString& text);

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/fuzzy_match.h"

#include <algorithm>
#include <vector>

namespace meanflow::ui {
namespace {

bool beginsWord(const QString& text, qsizetype i) {
  if (i == 0) return true;
  const QChar before = text[i - 1];
  return !before.isLetterOrNumber() || (before.isLower() && text[i].isUpper());
}

constexpr int kLetter = 1;
constexpr int kWordStart = 8;
constexpr int kNextLetter = 12;  // more than the start of another word
constexpr int kFirst = 4;
constexpr int kNone = -1'000'000;

}  // namespace

std::optional<FuzzyMatch> fuzzyMatch(const QString& typed, const QString& text) {
  QString wanted;
  for (const QChar c : typed) {
    if (!c.isSpace()) wanted += c.toCaseFolded();
  }
  if (wanted.isEmpty()) return FuzzyMatch{};
  const QString folded = text.toCaseFolded();
  const auto n = static_cast<std::size_t>(folded.size());
  const auto m = static_cast<std::size_t>(wanted.size());
  if (folded.size() != text.size() || m > n) return std::nullopt;
  // best[i][j]: the best score of wanted[0..i] with its last letter at text[j].
  std::vector<std::vector<int>> best(m, std::vector<int>(n, kNone));
  std::vector<std::vector<int>> from(m, std::vector<int>(n, -1));
  for (std::size_t i = 0; i < m; ++i) {
    int before = i == 0 ? 0 : kNone;  // best of the row above, left of j
    int before_at = -1;
    for (std::size_t j = i; j < n; ++j) {
      if (i > 0 && j > 0 && best[i - 1][j - 1] > before) {
        before = best[i - 1][j - 1];
        before_at = static_cast<int>(j) - 1;
      }
      if (folded[static_cast<qsizetype>(j)] != wanted[static_cast<qsizetype>(i)]) continue;
      const int own = kLetter + (beginsWord(text, static_cast<qsizetype>(j)) ? kWordStart : 0) + (j == 0 ? kFirst : 0);
      if (before > kNone) best[i][j] = before + own, from[i][j] = before_at;
      if (i > 0 && j > 0 && best[i - 1][j - 1] > kNone && best[i - 1][j - 1] + own + kNextLetter > best[i][j]) {
        best[i][j] = best[i - 1][j - 1] + own + kNextLetter;
        from[i][j] = static_cast<int>(j) - 1;
      }
    }
  }
  const auto end = std::max_element(best.back().begin(), best.back().end());
  if (*end <= kNone) return std::nullopt;
  FuzzyMatch match;
  // Of equal answers the shorter text is the nearer one.
  match.score = 4 * *end - static_cast<int>(std::min<std::size_t>(n, 60)) / 4;
  int at = static_cast<int>(end - best.back().begin());
  for (auto i = static_cast<int>(m) - 1; i >= 0; --i) {
    match.positions.prepend(at);
    at = from[static_cast<std::size_t>(i)][static_cast<std::size_t>(at)];
  }
  return match;
}

}  // namespace meanflow::ui

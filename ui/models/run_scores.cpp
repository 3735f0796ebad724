// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/run_scores.h"

#include <QCoreApplication>
#include <QSet>
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {

struct MeasureWords {
  const char* key;
  const char* title;
  const char* meaning;
  int sense;
};

constexpr MeasureWords kMeasures[] = {
    {"accuracy", QT_TRANSLATE_NOOP("Scores", "Accuracy"),
     QT_TRANSLATE_NOOP("Scores", "Share of images to which the judge gives the class they were asked for"), 1},
    {"frechet_real", QT_TRANSLATE_NOOP("Scores", "To real"),
     QT_TRANSLATE_NOOP("Scores", "Fréchet distance of the judge's features to those of the training images"), -1},
    {"frechet_recon", QT_TRANSLATE_NOOP("Scores", "To recon."),
     QT_TRANSLATE_NOOP("Scores",
                       "Fréchet distance of the judge's features to those of the training images' reconstructions"),
     -1},
    {"frechet_recon_relative", QT_TRANSLATE_NOOP("Scores", "Relative"),
     QT_TRANSLATE_NOOP("Scores",
                       "Distance to reconstructions over the trace of their feature covariance: comparable between "
                       "judges of one recipe"),
     -1},
    {"latent_error", QT_TRANSLATE_NOOP("Scores", "Latent error"),
     QT_TRANSLATE_NOOP("Scores",
                       "Squared distance of the latent to the teacher's fine solution from the same noise, over its "
                       "squared norm"),
     -1},
    {"psnr_test", QT_TRANSLATE_NOOP("Scores", "PSNR"),
     QT_TRANSLATE_NOOP("Scores", "Peak signal-to-noise ratio of reconstructed held-out images, in dB"), 1},
};

QString sayScore(const char* text) { return QCoreApplication::translate("Scores", text); }

const MeasureWords* wordsOf(const QString& measure) {
  const auto at = std::find_if(std::begin(kMeasures), std::end(kMeasures),
                               [&](const MeasureWords& words) { return measure == QLatin1String(words.key); });
  return at == std::end(kMeasures) ? nullptr : at;
}

constexpr std::size_t kMaxEvaluations = 12;  // of a stage: the curves have them all

}  // namespace

const Score* ScoreRow::find(const QString& measure) const {
  const auto at = std::find_if(scores.begin(), scores.end(), [&](const Score& s) { return s.measure == measure; });
  return at == scores.end() ? nullptr : &*at;
}

QString ScoreRow::worstClass() const {
  QString worst;
  double least = std::numeric_limits<double>::infinity();
  for (auto it = accuracy_by_class.begin(); it != accuracy_by_class.end(); ++it)
    if (it.value() < least) least = it.value(), worst = it.key();
  return worst;
}

void addReportedMetrics(RunScores& scores, const std::vector<base::Timed<base::MetricsReady>>& evaluations) {
  std::map<std::string, std::size_t> num_of_stage;
  std::set<std::pair<std::string, std::int64_t>> seen;
  const auto cardOf = [&](const base::MetricsReady& event) {
    return std::vector<ScoreFact>{
        {sayScore("How it was made"), {}, true},
        {sayScore("Said by"),
         sayScore("the run, at step %1 of %2").arg(formatCount(event.step), stageTitle(event.stage)), false}};
  };
  for (auto it = evaluations.rbegin(); it != evaluations.rend(); ++it) {
    const auto& event = it->event;
    const bool is_report = event.stage == "report";
    if (is_report && scores.has_report) continue;
    if (num_of_stage[event.stage] >= (is_report ? 1 : kMaxEvaluations)) continue;
    if (!seen.insert({event.stage, event.step}).second) continue;
    ++num_of_stage[event.stage];
    std::map<QString, ScoreRow> rows;  // "student_1/accuracy" is a number of the row student_1
    for (const auto& metric : event.metrics) {
      const QString name = QString::fromStdString(metric.name).left(120);
      const qsizetype slash = is_report ? name.lastIndexOf(u'/') : -1;
      const bool is_of_row = slash > 0 && !name.startsWith(QStringLiteral("latent_error/"));
      auto& row = rows[is_of_row ? name.left(slash) : QString()];
      row.scores.push_back({is_of_row ? name.mid(slash + 1) : name, metric.value, scores.folder, cardOf(event)});
    }
    for (auto& [key, row] : rows) {
      row.key = key.isEmpty() ? QStringLiteral("%1@%2").arg(QString::fromStdString(event.stage)).arg(event.step) : key;
      row.title = key.isEmpty() ? sayScore("%1, step %2").arg(stageTitle(event.stage), formatCount(event.step)) : key;
      scores.rows.push_back(std::move(row));
    }
  }
}

QString whyNotComparable(const Score& a, const Score& b) {
  if (a.measure != b.measure) return sayScore("they are not of the same measure");
  const auto find = [](const Score& score, const QString& name) -> const ScoreFact* {
    const auto at = std::find_if(score.card.begin(), score.card.end(),
                                 [&](const ScoreFact& fact) { return fact.is_ruler && fact.name == name; });
    return at == score.card.end() ? nullptr : &*at;
  };
  for (const auto& fact : a.card) {
    if (!fact.is_ruler) continue;
    const auto* other = find(b, fact.name);
    if (!other) return sayScore("“%1” is stated for one of the two only").arg(fact.name);
    // What a run does not say of its own numbers is at least the same for all of them.
    if (fact.value.isEmpty() && other->value.isEmpty() && a.run == b.run) continue;
    if (fact.value.isEmpty() || other->value.isEmpty()) return sayScore("“%1” is not known for both").arg(fact.name);
    if (fact.value != other->value) return sayScore("%1: %2 here, %3 there").arg(fact.name, other->value, fact.value);
  }
  for (const auto& fact : b.card)
    if (fact.is_ruler && !find(a, fact.name)) return sayScore("“%1” is stated for one of the two only").arg(fact.name);
  return {};
}

QString measureTitle(const QString& measure) {
  const auto* words = wordsOf(measure);
  return words ? sayScore(words->title) : measure;
}

QString measureMeaning(const QString& measure) {
  const auto* words = wordsOf(measure);
  return words ? sayScore(words->meaning) : QString();
}

int measureSense(const QString& measure) {
  const auto* words = wordsOf(measure);
  return words ? words->sense : 0;
}

QStringList measuresOf(const std::vector<RunScores>& runs) {
  QSet<QString> present;
  for (const auto& run : runs)
    for (const auto& row : run.rows)
      for (const auto& score : row.scores) present.insert(score.measure);
  QStringList names;
  for (const auto& words : kMeasures)
    if (present.remove(QLatin1String(words.key))) names << QLatin1String(words.key);
  QStringList others(present.begin(), present.end());
  others.sort();
  return names + others;
}

QString formatScore(const QString& measure, double value) {
  if (!std::isfinite(value)) return formatNumber(value);
  if (measure == QLatin1String("accuracy")) return QString::number(value, 'f', 3);
  if (measure == QLatin1String("psnr_test")) return QString::number(value, 'f', 2);
  if (measure == QLatin1String("frechet_recon_relative")) return QString::number(value, 'f', 4);
  if (measure == QLatin1String("latent_error")) return QString::number(value, 'f', 3);
  if (wordsOf(measure)) return QString::number(value, 'f', 3);
  return formatNumber(value);
}

}  // namespace meanflow::ui

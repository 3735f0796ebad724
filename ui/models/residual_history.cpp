// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/residual_history.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "core/base/metrics/velocity_residuals.h"
#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {

QString residualWords(const char* text) { return QCoreApplication::translate("ResidualWords", text); }

QString partName(base::ResidualPart part) {
  switch (part) {
    case base::ResidualPart::kSinglePoint:
      return residualWords("the single-point velocity (variance)");
    case base::ResidualPart::kTeacherOracle:
      return residualWords("the teacher's distance from the oracle");
    case base::ResidualPart::kOracleBias:
      break;
  }
  return residualWords("the oracle bias (the network itself)");
}

/// What to do, as base::describe says it.
QString adviceWords(base::ResidualAdvice advice) {
  using enum base::ResidualAdvice;
  switch (advice) {
    case kTrainLonger:
      return residualWords("The proxy velocity is good enough: stay with this η and train longer.");
    case kMoreTeacher:
      return residualWords("Give the teacher more weight.");
    case kTryTeacher:
      return residualWords(
          "A teacher's velocity has no such variance; what its own error would add is not known here.");
    case kAverageMore:
      return residualWords(
          "This teacher is too far off to take its place: a larger batch or a lower rate averages it out.");
    case kLessTeacher:
      return residualWords("Give the teacher less weight.");
    case kImproveTeacher:
      return residualWords(
          "Less of this teacher would cost more in variance: train the teacher longer, or let MeanFlow training "
          "(η = 0) follow, whose error averages out over the steps.");
    case kFollowsTeacher:
      return residualWords(
          "The network follows its teacher: what is left of its distance from the oracle is the teacher's, guidance "
          "included. Train the teacher longer, or let MeanFlow training (η = 0) follow.");
    case kStay:
      return residualWords("Nothing stands out: stay with this η.");
    case kUnknown:
    case kNone:
      break;
  }
  return {};
}

QString shortPartName(base::ResidualPart part) {
  switch (part) {
    case base::ResidualPart::kSinglePoint:
      return residualWords("variance");
    case base::ResidualPart::kTeacherOracle:
      return residualWords("teacher's distance");
    case base::ResidualPart::kOracleBias:
      break;
  }
  return residualWords("network's bias");
}

QString shortAdvice(base::ResidualAdvice advice) {
  using enum base::ResidualAdvice;
  switch (advice) {
    case kTrainLonger:
      return residualWords("Stay with this η, train longer");
    case kMoreTeacher:
      return residualWords("Give the teacher more weight");
    case kTryTeacher:
      return residualWords("Try a teacher's velocity");
    case kAverageMore:
      return residualWords("Larger batch or lower rate");
    case kLessTeacher:
      return residualWords("Give the teacher less weight");
    case kImproveTeacher:
    case kFollowsTeacher:
      return residualWords("Train the teacher longer, or go on with η = 0");
    case kStay:
      return residualWords("Stay with this η");
    case kNone:
      return residualWords("The squared residual is zero");
    case kUnknown:
      break;
  }
  return residualWords("Nothing can be said: a residual is not known");
}

QString percent(double share) { return QStringLiteral("%1 %").arg(100 * share, 0, 'f', 0); }

/// "2.3 times the one in use", "as large as the one in use".
QString comparedWith(double total, double in_use) {
  const double ratio = total / in_use;
  if (ratio > 0.995 && ratio < 1.005) return residualWords("as large as now");
  return residualWords("%1 times what it is now").arg(ratio, 0, 'g', ratio < 10 ? 2 : 3);
}

}  // namespace

QString etaText(double eta) { return QStringLiteral("η = %1").arg(eta, 0, 'g', 3); }

QString residualHeadline(const base::VelocityResidualsReady& report) {
  const auto found = base::assessResiduals(report.overall, report.eta);
  const QString step = residualWords("step %1").arg(formatCount(report.step));
  QStringList texts = {shortAdvice(found.advice)};
  if (found.advice != base::ResidualAdvice::kUnknown && found.advice != base::ResidualAdvice::kNone)
    texts << residualWords("%1 %2").arg(shortPartName(found.parts[0].first), percent(found.parts[0].second));
  return (texts << step).join(QStringLiteral(" · "));
}

QString residualWords(const base::VelocityResidualsReady& report) {
  const auto found = base::assessResiduals(report.overall, report.eta);
  const QString where = residualWords("%1, step %2, %3 in use:")
                            .arg(stageTitle(report.stage), formatCount(report.step), etaText(report.eta));
  if (found.advice == base::ResidualAdvice::kUnknown)
    return residualWords("%1 a residual is not finite or not known, so that nothing can be said of what dominates.")
        .arg(where);
  if (found.advice == base::ResidualAdvice::kNone) return residualWords("%1 the squared residual is zero.").arg(where);
  const auto& parts = found.parts;
  QString text =
      residualWords("%1 %2 dominates with %3 of the squared residuals %4; then come %5 (%6) and %7 (%8)")
          .arg(where, partName(parts[0].first), percent(parts[0].second), formatNumber(found.sum),
               partName(parts[1].first), percent(parts[1].second), partName(parts[2].first), percent(parts[2].second));
  if (std::abs(found.cross) > 0.005)
    text += (found.cross < 0 ? residualWords("; teacher and bias together cancel %1 of that: %2 is left")
                             : residualWords("; teacher and bias together add %1 to that, which makes %2"))
                .arg(percent(std::abs(found.cross)), formatNumber(found.total));
  text += QLatin1Char('.');
  QStringList others;
  for (const double eta : {0.0, 1.0}) {
    if (eta == report.eta) continue;
    const double other = base::sharesAt(report.overall, eta).total();
    if (std::isfinite(other))
      others << residualWords("with %1 the total would be %2").arg(etaText(eta), comparedWith(other, found.total));
  }
  if (std::isfinite(found.best_eta))
    others << residualWords("it is smallest at %1").arg(QStringLiteral("η = %1").arg(found.best_eta, 0, 'f', 2));
  if (!others.isEmpty()) {
    QString more = others.join(QStringLiteral("; "));
    more[0] = more[0].toUpper();
    text += QLatin1Char(' ') + more + QLatin1Char('.');
  }
  return text + QLatin1Char(' ') + adviceWords(found.advice);
}

}  // namespace meanflow::ui

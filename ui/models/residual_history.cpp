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

struct Part {
  QString name;
  double value = 0;
};

QString share(double part, double total) { return QStringLiteral("%1 %").arg(100 * part / total, 0, 'f', 0); }

/// "2.3 times the one in use", "as large as the one in use".
QString comparedWith(double total, double in_use) {
  const double ratio = total / in_use;
  if (ratio > 0.995 && ratio < 1.005) return residualWords("as large as now");
  return residualWords("%1 times what it is now").arg(ratio, 0, 'g', ratio < 10 ? 2 : 3);
}

}  // namespace

QString etaText(double eta) { return QStringLiteral("η = %1").arg(eta, 0, 'g', 3); }

QString residualWords(const base::VelocityResidualsReady& report) {
  const auto shares = base::sharesAt(report.overall, report.eta);
  const double total = shares.total();
  const QString where = residualWords("%1, step %2, %3 in use:")
                            .arg(stageTitle(report.stage), formatCount(report.step), etaText(report.eta));
  if (!std::isfinite(total))
    return residualWords("%1 a residual is not finite or not known, so that nothing can be said of what dominates.")
        .arg(where);
  if (!(total > 0)) return residualWords("%1 the squared residual is zero.").arg(where);
  std::vector<Part> parts = {{residualWords("the single-point velocity (variance)"), shares.single_point},
                             {residualWords("the teacher's distance from the oracle"), shares.teacher_oracle},
                             {residualWords("the oracle bias (the network itself)"), shares.oracle_bias}};
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.value > b.value; });
  QString text = residualWords("%1 %2 dominates with %3 of the squared residual %4; then come %5 (%6) and %7 (%8)")
                     .arg(where, parts[0].name, share(parts[0].value, total), formatNumber(total), parts[1].name,
                          share(parts[1].value, total), parts[2].name, share(parts[2].value, total));
  if (std::abs(shares.cross) > 0.005 * total)
    text += residualWords(", and teacher and bias together add %1").arg(share(shares.cross, total));
  text += QLatin1Char('.');
  QStringList others;
  for (const double eta : {0.0, 1.0}) {
    if (eta == report.eta) continue;
    const double other = base::sharesAt(report.overall, eta).total();
    if (std::isfinite(other))
      others << residualWords("with %1 the total would be %2").arg(etaText(eta), comparedWith(other, total));
  }
  if (const double best = base::bestEta(report.overall); std::isfinite(best))
    others << residualWords("it is smallest at %1").arg(QStringLiteral("η = %1").arg(best, 0, 'f', 2));
  if (!others.isEmpty()) {
    QString more = others.join(QStringLiteral("; "));
    more[0] = more[0].toUpper();
    text += QLatin1Char(' ') + more + QLatin1Char('.');
  }
  return text;
}

}  // namespace meanflow::ui

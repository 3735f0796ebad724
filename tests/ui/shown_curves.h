// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <QString>
#include <QStringList>

#include "ui/models/run_source.h"
#include "ui/panels/curves_panel.h"

namespace meanflow::testing {

/// A curves panel on the screen with a run that is fed by hand.
struct ShownCurves {
  ui::RunSource source{QStringLiteral("/nowhere")};
  ui::CurvesPanel panel;

  explicit ShownCurves(const ui::Theme& theme, double smoothing = 0,
                       const QStringList& scalars = {QStringLiteral("loss")}, QSize size = {700, 400})
      : panel(theme) {
    panel.resize(size);
    panel.show();
    panel.setSource(&source);
    panel.setSmoothing(smoothing);
    panel.setShownScalars(scalars);
  }
};

}  // namespace meanflow::testing

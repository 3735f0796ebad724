// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/curve_lines.h"

#include <algorithm>

#include "ui/models/run_branch.h"

namespace meanflow::ui {
namespace {

double offsetOf(const RunSource& shown, const RunSource& source, const StepScale& scale, const CurveView& view,
                const std::string& stage) {
  if (view.span != CurveSpan::kWholeRun) return 0;
  if (view.axis == CurveAxis::kStep) return static_cast<double>(shown.axis().position(stage, 0));
  double offset = 0;
  std::optional<double> run_start;
  for (const auto& span : source.axis().spans()) {
    if (view.axis == CurveAxis::kWallTime) {
      if (!run_start && scale.length(span.stage) > 0) run_start = scale.startSeconds(span.stage, 0);
      if (span.stage == stage) return run_start ? scale.startSeconds(stage, *run_start) : 0;
    } else {
      if (span.stage == stage) return offset;
      offset += scale.length(span.stage);
    }
  }
  return offset;
}

}  // namespace

std::string currentCurveStage(const RunSource& source, const CurveView& view) {
  if (view.span == CurveSpan::kOneStage) return view.one_stage;
  if (!view.cursor.stage.empty() && !view.is_live) return view.cursor.stage;
  const auto& summary = source.summary();
  const auto head = summary.head();
  if (!head) return {};
  // A stage that trains nothing, such as the report, has no curves: the last one that was trained says more than an
  // empty chart.
  std::string trained;
  for (const auto& stage : summary.stages) {
    if (stage.num_parameters > 0) trained = stage.name;
    if (stage.name == head->stage && (stage.num_parameters > 0 || trained.empty())) return stage.name;
    if (stage.name == head->stage) return trained;
  }
  return head->stage;
}

std::vector<std::string> shownCurveStages(const RunSource& source, const CurveData& data, const CurveView& view) {
  if (view.span == CurveSpan::kCurrentStage || view.span == CurveSpan::kOneStage) {
    const auto stage = currentCurveStage(source, view);
    return stage.empty() ? std::vector<std::string>{} : std::vector<std::string>{stage};
  }
  std::vector<std::string> stages;
  for (const auto& span : source.axis().spans()) {
    if (data.lastStep(span.stage) > 0) stages.push_back(span.stage);
  }
  return stages;
}

std::vector<CurveLine> curveLines(RunSource& source, CurveData& data, const CurveOverlays& overlays,
                                  const CurveView& view) {
  std::vector<CurveLine> lines;
  const auto stages = shownCurveStages(source, data, view);
  const auto& spans = source.axis().spans();
  const auto add = [&](const QString& run, const RunSource& from, CurveData& curves, int colour) {
    const StepScale scale(from.metrics(), view.axis, view.images_an_epoch);
    const QString branch = from.metrics().branch() ? branchLine(*from.metrics().branch()) : QString();
    for (const auto& stage : stages) {
      if (!run.isEmpty() && curves.lastStep(stage) <= 0) continue;
      // A stage keeps its colour whichever stages are on show; a run laid over them has one for all of its stages.
      const auto at = std::find_if(spans.begin(), spans.end(), [&](const auto& span) { return span.stage == stage; });
      const int own = static_cast<int>(at - spans.begin());
      lines.push_back({run, branch, stage, &curves, scale, offsetOf(source, from, scale, view, stage),
                       run.isEmpty() ? own : colour});
    }
  };
  add({}, source, data, 0);
  int colour = static_cast<int>(spans.size());
  for (const auto& run : overlays.runs()) {
    if (run->folder != source.folder()) add(run->name, *run->source, *run->data, colour++);
  }
  return lines;
}

const CurveLine* curveLineAt(const std::vector<CurveLine>& lines, double x) {
  const CurveLine* found = nullptr;
  for (const auto& line : lines) {
    if (line.run.isEmpty() && (!found || line.offset <= x)) found = &line;
  }
  return found;
}

double endOfCurves(const std::vector<CurveLine>& lines) {
  double end = 0;
  for (const auto& line : lines) end = std::max(end, line.toX(line.data->lastStep(line.stage)));
  return end;
}

double beginOfCurves(const std::vector<CurveLine>& lines) {
  double begin = endOfCurves(lines);
  for (const auto& line : lines) {
    if (const double x = line.toX(std::max(1.0, line.data->firstStep(line.stage))); x > 0) begin = std::min(begin, x);
  }
  return begin;
}

}  // namespace meanflow::ui

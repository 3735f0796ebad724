// SPDX-License-Identifier: Apache-2.0
#include "training/diagnostics/diagnosis_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/base/config/config_io.h"
#include "core/base/formats/svg_chart.h"
#include "core/base/run/atomic_file.h"

namespace meanflow::training {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kWorstSamples = 5, kLinesBefore = 6;

std::string numberText(double value) {
  return std::isfinite(value) ? fmt::format("{:.4g}", value) : std::isnan(value) ? "NaN" : "Inf";
}

Json numberJson(double value) { return std::isfinite(value) ? Json(value) : Json(); }

std::string diagnosisJson(const DiagnosisInput& input) {
  const auto& origin = input.finding.origin;
  return Json{{"run", input.run_name},
              {"stage", input.alarm.stage},
              {"kind", input.alarm.kind},
              {"figure", input.alarm.figure},
              {"value", numberJson(input.alarm.value)},
              {"typical", numberJson(input.alarm.typical)},
              {"action", input.alarm.action},
              {"is_found", input.finding.is_found},
              {"step", origin.step},
              {"tensor", origin.tensor},
              {"block", origin.block},
              {"operation", origin.operation},
              {"sample", origin.sample},
              {"rank", origin.rank},
              {"text", input.finding.text}}
             .dump(2) +
         "\n";
}

std::string stepsPicture(const DiagnosisInput& input) {
  base::ChartLine loss{"loss", {}, {}}, norm{"gradient norm", {}, {}};
  for (const auto& step : input.recorder.steps()) {
    loss.x.push_back(static_cast<double>(step.step)), loss.y.push_back(step.loss);
    norm.x.push_back(static_cast<double>(step.step)), norm.y.push_back(step.grad_norm);
  }
  return base::svgLineChart({.title = "Loss and gradient norm before the alarm",
                             .x_label = "step",
                             .is_log_y = true,
                             .marked_x = static_cast<double>(input.alarm.step),
                             .has_mark = true},
                            {loss, norm});
}

std::string blocksPicture(const DiagnosisInput& input) {
  const auto by_step = input.recorder.blockNorms();
  std::vector<std::vector<double>> rows(input.block_names.size());
  for (const auto& norms : by_step)
    for (std::size_t b = 0; b < rows.size() && b < norms.size(); ++b) rows[b].push_back(norms[b]);
  std::vector<std::string> columns;
  for (const auto& step : input.recorder.steps())
    if (step.grad_norms.defined()) columns.push_back("step " + std::to_string(step.step));
  return base::svgHeatMap("Gradient norm of every block (log scale, red = not finite)", input.block_names, columns,
                          rows);
}

std::string traceCsv(const FaultFinding& finding) {
  std::string csv = "index,operation,block,backward_of,largest,largest_in_a_sound_pass\n";
  for (std::size_t i = 0; i < finding.trace.size(); ++i) {
    const auto& op = finding.trace[i];
    const bool has_reference = i < finding.reference.size() && finding.reference[i].name == op.name;
    csv += fmt::format("{},{},{},{},{},{}\n", i, op.name, op.block, op.is_backward ? op.forward_name : "",
                       numberText(op.max_abs), has_reference ? numberText(finding.reference[i].max_abs) : "");
  }
  return csv;
}

std::string traceTable(const FaultFinding& finding) {
  const auto bad = std::find_if(finding.trace.begin(), finding.trace.end(), [&](const auto& op) {
    return op.block == finding.origin.block &&
           (op.name == finding.origin.operation || "backward of " + op.forward_name == finding.origin.operation ||
            !op.isFinite());
  });
  const auto at = static_cast<std::size_t>(bad - finding.trace.begin());
  const auto first = at > kLinesBefore ? at - kLinesBefore : 0;
  std::string table = "| | operation | block | largest value | in a sound pass |\n|---|---|---|---:|---:|\n";
  for (std::size_t i = first; i < std::min(finding.trace.size(), at + 3); ++i) {
    const auto& op = finding.trace[i];
    const bool has_reference = i < finding.reference.size() && finding.reference[i].name == op.name;
    table += fmt::format("| {} | {}{} | {} | {} | {} |\n", i == at ? "**first**" : "",
                         op.is_backward ? "backward: " : "", op.name, op.block, numberText(op.max_abs),
                         has_reference ? numberText(finding.reference[i].max_abs) : "");
  }
  return table;
}

std::string samplesTable(const FaultFinding& finding) {
  std::vector<std::size_t> order(finding.sample_losses.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto rank = [&](std::size_t i) {
    return std::isfinite(finding.sample_losses[i]) ? finding.sample_losses[i] : std::numeric_limits<double>::infinity();
  };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return rank(a) > rank(b); });
  std::string table = "| place in the batch | loss on its own |\n|---:|---:|\n";
  for (std::size_t k = 0; k < std::min(kWorstSamples, order.size()); ++k)
    table += fmt::format("| {} | {} |\n", order[k], numberText(finding.sample_losses[order[k]]));
  return table;
}

std::string report(const DiagnosisInput& input) {
  const auto& alarm = input.alarm;
  const auto& origin = input.finding.origin;
  const auto known = [](const std::string& value) {
    return value.empty() ? std::string("not known") : "`" + value + "`";
  };
  std::string text = fmt::format("# {} at step {} of {}, run {}\n\n",
                                 alarm.kind == "explosion" ? "Explosion"
                                 : alarm.kind == "none"    ? "Looked into"
                                                           : "Not finite",
                                 alarm.step, alarm.stage, input.run_name);
  text += alarm.text + "\n\n";
  text += fmt::format("**What was found.** {}.\n\n", input.finding.text.empty()
                                                         ? "Nothing left its range when the step was evaluated again"
                                                         : input.finding.text);
  text += fmt::format(
      "| | |\n|---|---|\n| step | {} |\n| tensor | {} |\n| block | {} |\n| operation | {} |\n| sample | {} |\n| rank | "
      "{} |\n\n",
      origin.step, known(origin.tensor), known(origin.block), known(origin.operation),
      origin.sample < 0 ? "not one alone" : std::to_string(origin.sample),
      origin.rank < 0 ? "not one alone" : std::to_string(origin.rank));
  text += fmt::format("**What to do.** {}\n\n", adviceFor(alarm, origin));
  text += fmt::format("**The second look.** {}\n\n", input.replay_words);
  text += "![Loss and gradient norm before the alarm](steps.svg)\n\n![Gradient norm of every block](blocks.svg)\n\n";
  if (!input.finding.trace.empty())
    text +=
        "## Operations around the first bad one\n\n" + traceTable(input.finding) + "\nAll of them: `trace.csv`.\n\n";
  if (!input.finding.sample_losses.empty()) text += "## Samples of the batch\n\n" + samplesTable(input.finding) + "\n";
  text +=
      "`flight_recorder.jsonl` holds samples, labels, noise keys, times, rates and norms of the last steps; "
      "`config.yaml` the settings in force; `diagnosis.json` the finding for programs.\n";
  return text;
}

}  // namespace

std::string adviceFor(const base::AlarmRaised& alarm, const base::FaultOrigin& origin) {
  const std::string training = alarm.stage + ".training";
  if (alarm.kind == "none" && origin.tensor.empty() && origin.sample < 0) return "Nothing: the step is sound.";
  if (origin.operation == "weights" || origin.operation == "optimizer" || origin.operation == "average") {
    if (origin.tensor == "learning_rate")
      return fmt::format("Go back to the last healthy checkpoint with {}.lr as it was before.", training);
    if (alarm.kind == "explosion")
      return fmt::format(
          "The weights had run away before this step: branch from the last healthy checkpoint with a lower {}.lr "
          "or clip_grad.",
          training);
    return "The stored state was damaged before this step: go back to the last healthy checkpoint; it was verified "
           "finite when it was written.";
  }
  if (origin.operation == "data")
    return fmt::format("Look at sample {} in the data panel; data.skip_samples=[{}] leaves it out.", origin.sample,
                       origin.sample);
  if (alarm.stage == "mean_flow" && alarm.kind == "explosion")
    return "Branch from the last healthy checkpoint with a lower mean_flow.training.lr, or train the cmt stage longer; "
           "see that delta_t is not in its rounding half and that label_drop is shared.";
  if (origin.sample >= 0)
    return fmt::format(
        "Branch from the last healthy checkpoint and leave the step out ({}.skip_steps=[{}]), or lower "
        "{}.lr or clip_grad.",
        training, alarm.step, training);
  return fmt::format("Branch from the last healthy checkpoint with a lower {}.lr or clip_grad, or in precision fp32.",
                     training);
}

base::Result<void> writeDiagnosis(const std::filesystem::path& folder, const DiagnosisInput& input) {
  auto writing = base::AtomicFolder::create(folder);
  if (!writing) return writing.error();
  const std::vector<std::pair<const char*, std::string>> files = {{"report.md", report(input)},
                                                                  {"diagnosis.json", diagnosisJson(input)},
                                                                  {"flight_recorder.jsonl", input.recorder_text},
                                                                  {"trace.csv", traceCsv(input.finding)},
                                                                  {"config.yaml", base::toYaml(input.config)},
                                                                  {"steps.svg", stepsPicture(input)},
                                                                  {"blocks.svg", blocksPicture(input)}};
  for (const auto& [name, content] : files)
    if (auto written = base::writeFileAtomically(writing->path() / name, content); !written) return written.error();
  return writing->commit();
}

}  // namespace meanflow::training

// SPDX-License-Identifier: Apache-2.0
#include "core/base/run/health_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/metrics/velocity_residuals.h"
#include "core/base/run/run_state.h"

namespace meanflow::base {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

/// The last value of a scalar, NaN without one.
double last(const MetricsStore& store, const std::string& stage, const std::string& scalar) {
  const auto* series = store.series(stage, scalar);
  return series && !series->empty() ? series->y(series->size() - 1) : std::numeric_limits<double>::quiet_NaN();
}

/// The block with the largest value of a figure; nullptr where it was not reported.
struct Largest {
  std::string block;
  double value = 0;
};
std::optional<Largest> largest(const BlockFiguresReady& event, const std::string& name) {
  const bool is_in_every_block = name.ends_with("_norm");
  for (const auto& figure : event.figures) {
    if (figure.name != name) continue;
    std::optional<Largest> found;
    for (std::size_t i = 0; i < figure.values.size() && i < event.blocks.size(); ++i) {
      const double value = figure.values[i];
      // A block without a reading, such as attention logits of an embedder, has none either.
      if (!std::isfinite(value) && is_in_every_block) return Largest{event.blocks[i], value};
      if (!std::isfinite(value)) continue;
      if (!found || value > found->value) found = Largest{event.blocks[i], value};
    }
    return found;
  }
  return std::nullopt;
}

/// The jump with the largest error.
struct Jump {
  float from = 0, to = 0, error = -1;
};
Jump worstJump(const CmtMatrixReady& map) {
  Jump worst;
  const auto n = map.times.size();
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j) {
      const float error = map.errors[i * n + j];
      if (error > worst.error) worst = {map.times[i], map.times[j], error};
    }
  return worst;
}

std::string originText(const FaultOrigin& origin) {
  std::string text;
  const auto add = [&](const char* what, const std::string& value) {
    if (!value.empty()) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what, value);
  };
  add("tensor", origin.tensor), add("block", origin.block), add("operation", origin.operation);
  if (origin.sample >= 0) add("sample", std::to_string(origin.sample));
  if (origin.rank >= 0) add("rank", std::to_string(origin.rank));
  return text;
}

Json originJson(const FaultOrigin& origin) {
  return {{"step", origin.step},           {"tensor", origin.tensor}, {"block", origin.block},
          {"operation", origin.operation}, {"sample", origin.sample}, {"rank", origin.rank}};
}

}  // namespace

void HealthReport::apply(const EventRecord& record) {
  store_.apply(record);
  if (const auto* e = std::get_if<BlockFiguresReady>(&record.event)) stages_[e->stage].blocks = *e;
  if (const auto* e = std::get_if<TimeFiguresReady>(&record.event)) stages_[e->stage].over_time = *e;
  if (const auto* e = std::get_if<VelocityResidualsReady>(&record.event)) stages_[e->stage].residuals = *e;
  if (const auto* e = std::get_if<DerivativeHealthReady>(&record.event)) stages_[e->stage].derivative = *e;
  if (const auto* e = std::get_if<CmtMatrixReady>(&record.event); e && e->reference == "fine")
    stages_[e->stage].jumps = *e;
}

std::string HealthReport::stageText(const std::string& name, const Stage& stage) const {
  std::string text = fmt::format("{}: loss {:.4g}, gradient norm {:.4g}, {:.0f} % of the last steps clipped", name,
                                 last(store_, name, "loss"), last(store_, name, "grad_norm"),
                                 100 * last(store_, name, "clipped_share"));
  if (const double skipped = last(store_, name, "skipped_steps"); skipped > 0)
    text += fmt::format(", {:.0f} steps skipped", skipped);
  text += "\n";
  if (stage.blocks) {
    text += fmt::format("  blocks at step {}:", stage.blocks->step);
    for (const auto& [figure, words] : {std::pair{"grad_norm", "largest gradient norm"},
                                        {"update_norm", "largest update"},
                                        {"activation_rms", "largest activation"},
                                        {"attention_logit_max", "largest attention logit"}})
      if (const auto found = largest(*stage.blocks, figure))
        text += fmt::format(" {} {:.3g} in {};", words, found->value, found->block);
    text.back() = '\n';
  }
  if (stage.residuals) {
    const auto& r = *stage.residuals;
    text += fmt::format(
        "  bias and variance at step {} (eta {:.3g}): oracle bias {:.4g}, teacher {:.4g}, single point {:.4g}\n",
        r.step, r.eta, r.overall.oracle_bias, r.overall.teacher_oracle, r.overall.single_point);
    text += "    " + describe(assessResiduals(r.overall, r.eta)) + "\n";
  }
  if (stage.derivative) {
    const auto& d = *stage.derivative;
    text += fmt::format("  finite difference at step {} ({}): delta_t {:.3g} is {}; the smallest error is at {:.3g}\n",
                        d.step, d.precision, d.delta_t,
                        d.verdict == "healthy" ? "healthy" : "in its " + d.verdict + " half", d.suggested_delta_t);
  }
  if (stage.jumps) {
    const auto worst = worstJump(*stage.jumps);
    text +=
        fmt::format("  jumps at step {}: the worst, {:.3g} to {:.3g}, misses the teacher's fine solution by {:.3g}\n",
                    stage.jumps->step, worst.from, worst.to, worst.error);
  }
  return text;
}

std::string HealthReport::text() const {
  std::string text = fmt::format("state: {}{}\n", toString(store_.state()), store_.isDiverged() ? ", diverged" : "");
  if (!store_.failure().empty()) text += store_.failure() + "\n";
  if (const auto& branch = store_.branch())
    text += fmt::format("branch of {} at {} step {}\n", branch->parent, branch->stage, branch->step);
  if (store_.alarms().empty()) text += "no alarms\n";
  for (const auto& alarm : store_.alarms())
    text +=
        fmt::format("[{}] {} step {}: {}\n", alarm.event.action, alarm.event.stage, alarm.event.step, alarm.event.text);
  for (const auto& diagnosis : store_.diagnoses()) {
    text += fmt::format("found at {} step {}: {}\n", diagnosis.event.stage, diagnosis.event.step, diagnosis.event.text);
    if (const auto origin = originText(diagnosis.event.origin); !origin.empty()) text += "  " + origin + "\n";
    if (!diagnosis.event.report.empty()) text += "  report: " + diagnosis.event.report + "/report.md\n";
  }
  for (const auto& stage : store_.stages()) {
    if (!store_.series(stage.name, "loss")) continue;  // the report, or one that has not begun
    const auto known = stages_.find(stage.name);
    text += stageText(stage.name, known == stages_.end() ? Stage() : known->second);
  }
  return text;
}

Json HealthReport::json() const {
  Json root = {{"state", std::string(toString(store_.state()))},
               {"is_diverged", store_.isDiverged()},
               {"failure", store_.failure()},
               {"alarms", Json::array()},
               {"diagnoses", Json::array()},
               {"stages", Json::array()}};
  for (const auto& [time, alarm] : store_.alarms())
    root["alarms"].push_back({{"stage", alarm.stage},
                              {"step", alarm.step},
                              {"kind", alarm.kind},
                              {"figure", alarm.figure},
                              {"value", number(alarm.value)},
                              {"typical", number(alarm.typical)},
                              {"threshold", number(alarm.threshold)},
                              {"action", alarm.action},
                              {"origin", originJson(alarm.origin)},
                              {"text", alarm.text}});
  for (const auto& [time, found] : store_.diagnoses())
    root["diagnoses"].push_back({{"stage", found.stage},
                                 {"step", found.step},
                                 {"kind", found.kind},
                                 {"origin", originJson(found.origin)},
                                 {"text", found.text},
                                 {"report", found.report},
                                 {"replay_error", number(found.replay_error)}});
  for (const auto& stage : store_.stages()) {
    Json entry = {{"stage", stage.name}, {"step", stage.step}};
    for (const char* scalar : {"loss", "grad_norm", "clipped_share", "skipped_steps"})
      entry[scalar] = number(last(store_, stage.name, scalar));
    const auto known = stages_.find(stage.name);
    if (known != stages_.end()) {
      const auto& [blocks, over_time, residuals, derivative, jumps] = known->second;
      if (residuals)
        entry["residuals"] = {{"step", residuals->step},
                              {"eta", residuals->eta},
                              {"oracle_bias", number(residuals->overall.oracle_bias)},
                              {"teacher_oracle", number(residuals->overall.teacher_oracle)},
                              {"single_point", number(residuals->overall.single_point)},
                              {"recommendation", describe(assessResiduals(residuals->overall, residuals->eta))}};
      if (derivative)
        entry["derivative"] = {{"step", derivative->step},
                               {"delta_t", derivative->delta_t},
                               {"verdict", derivative->verdict},
                               {"suggested_delta_t", derivative->suggested_delta_t}};
      if (jumps) {
        const auto worst = worstJump(*jumps);
        entry["worst_jump"] = {
            {"step", jumps->step}, {"from", worst.from}, {"to", worst.to}, {"error", number(worst.error)}};
      }
    }
    root["stages"].push_back(std::move(entry));
  }
  return root;
}

}  // namespace meanflow::base

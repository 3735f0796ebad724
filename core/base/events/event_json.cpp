// SPDX-License-Identifier: Apache-2.0
#include "core/base/events/event_json.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "core/base/events/step_line.h"
#include "core/base/run/run_state.h"

namespace meanflow::base {
namespace {
using Json = nlohmann::ordered_json;

// The members of each event in the order they are written: one list for both directions.
template <class A>
void members(A& a, RunStarted& e) {
  a("run_name", e.run_name), a("seed", e.seed), a("device", e.device), a("num_workers", e.num_workers);
  a("is_resumed", e.is_resumed), a("stages", e.stages), a("stage_steps", e.stage_steps),
      a("class_names", e.class_names);
}
template <class A>
void members(A& a, StateChanged& e) {
  a("state", e.state);
}
template <class A>
void members(A& a, StageStarted& e) {
  a("stage", e.stage), a("step", e.step), a("total_steps", e.total_steps), a("num_parameters", e.num_parameters);
}
template <class A>
void members(A& a, StepCompleted& e) {
  a("stage", e.stage), a("step", e.step), a("images_seen", e.images_seen), a("scalars", e.scalars);
  a("seconds_per_step", e.seconds_per_step), a("images_per_second", e.images_per_second);
  a("eta_seconds", e.eta_seconds), a("is_clipped", e.is_clipped);
}
template <class A>
void members(A& a, SamplesReady& e) {
  a("stage", e.stage), a("step", e.step), a("path", e.path), a("what", e.what), a("nfe", e.nfe), a("is_ema", e.is_ema);
  a("rows", e.rows), a("columns", e.columns), a("row_labels", e.row_labels), a("cost_ms", e.cost_ms);
}
template <class A>
void members(A& a, TrajectoryReady& e) {
  a("stage", e.stage), a("step", e.step), a("path", e.path), a("label", e.label), a("label_name", e.label_name);
  a("times", e.times), a("pca_x", e.pca_x), a("pca_y", e.pca_y), a("speed", e.speed), a("jump_error", e.jump_error);
  a("jump_x", e.jump_x), a("jump_y", e.jump_y);
}
template <class A>
void members(A& a, CmtMatrixReady& e) {
  a("stage", e.stage), a("step", e.step), a("times", e.times), a("errors", e.errors), a("reference", e.reference);
}
template <class A>
void members(A& a, MetricsReady& e) {
  a("stage", e.stage), a("step", e.step), a("metrics", e.metrics);
}
template <class A>
void members(A& a, CheckpointSaved& e) {
  a("stage", e.stage), a("step", e.step), a("path", e.path), a("bytes", e.bytes), a("seconds", e.seconds);
}
template <class A>
void members(A& a, SettingChanged& e) {
  a("stage", e.stage), a("step", e.step), a("key", e.key), a("old_value", e.old_value), a("new_value", e.new_value);
}
template <class A>
void members(A& a, StageFinished& e) {
  a("stage", e.stage), a("step", e.step), a("wall_seconds", e.wall_seconds), a("cpu_seconds", e.cpu_seconds);
}
template <class A>
void members(A& a, WatchingCost& e) {
  a("fraction", e.fraction), a("budget", e.budget);
}
template <class A>
void members(A& a, LogMessage& e) {
  a("level", e.level), a("text", e.text);
}
template <class A>
void members(A& a, Progress& e) {
  a("what", e.what), a("done", e.done), a("total", e.total);
}
template <class A>
void members(A& a, RunFailed& e) {
  a("stage", e.stage), a("step", e.step), a("what", e.what), a("is_diverged", e.is_diverged);
}
template <class A>
void members(A& a, RunFinished& e) {
  a("outcome", e.outcome);
}
template <class A>
void members(A& a, BlockFiguresReady& e) {
  a("stage", e.stage), a("step", e.step), a("blocks", e.blocks), a("figures", e.figures);
}
template <class A>
void members(A& a, ResidualTerms& e) {
  a("single_point", e.single_point), a("teacher_oracle", e.teacher_oracle), a("oracle_bias", e.oracle_bias);
  a("cross", e.cross);
}
template <class A>
void members(A& a, VelocityResidualsReady& e) {
  a("stage", e.stage), a("step", e.step), a("eta", e.eta), a("num_samples", e.num_samples);
  a("overall", e.overall), a("t_edges", e.t_edges), a("by_t", e.by_t);
}

template <class A>
void members(A& a, TimeFiguresReady& e) {
  a("stage", e.stage), a("step", e.step), a("t_edges", e.t_edges), a("by_t", e.by_t);
  a("gap_edges", e.gap_edges), a("by_gap", e.by_gap);
}
template <class A>
void members(A& a, DerivativeHealthReady& e) {
  a("stage", e.stage), a("step", e.step), a("delta_t", e.delta_t), a("suggested_delta_t", e.suggested_delta_t);
  a("precision", e.precision), a("verdict", e.verdict), a("deltas", e.deltas), a("errors", e.errors);
  a("errors_fp64", e.errors_fp64);
}
template <class A>
void members(A& a, FaultOrigin& e) {
  a("step", e.step), a("tensor", e.tensor), a("block", e.block), a("operation", e.operation);
  a("sample", e.sample), a("rank", e.rank);
}
template <class A>
void members(A& a, AlarmRaised& e) {
  a("stage", e.stage), a("step", e.step), a("kind", e.kind), a("figure", e.figure), a("value", e.value);
  a("typical", e.typical), a("threshold", e.threshold), a("action", e.action), a("origin", e.origin);
  a("text", e.text);
}
template <class A>
void members(A& a, DiagnosisReady& e) {
  a("stage", e.stage), a("step", e.step), a("kind", e.kind), a("origin", e.origin), a("text", e.text);
  a("report", e.report), a("replay_error", e.replay_error);
}
template <class A>
void members(A& a, RunBranched& e) {
  a("parent", e.parent), a("stage", e.stage), a("step", e.step), a("changes", e.changes);
}

constexpr std::array<std::string_view, std::variant_size_v<TrainingEvent>> kTypeNames = {
    "run_started",         "state_changed",
    "stage_started",       "step_completed",
    "samples_ready",       "trajectory_ready",
    "cmt_matrix_ready",    "metrics_ready",
    "checkpoint_saved",    "setting_changed",
    "stage_finished",      "watching_cost",
    "log_message",         "progress",
    "run_failed",          "run_finished",
    "block_figures_ready", "velocity_residuals_ready",
    "time_figures_ready",  "derivative_health_ready",
    "alarm_raised",        "diagnosis_ready",
    "run_branched"};

class JsonWriter {
 public:
  explicit JsonWriter(Json& json) : json_(json) {}
  template <class T>
  void operator()(const char* name, const T& value) {
    json_[name] = toJson(value);
  }

 private:
  template <class T>
  static Json toJson(const T& value) {
    if constexpr (std::is_same_v<T, float>) {
      // The shortest text of the float, not the 17 digits of the double it widens to.
      return std::isfinite(value) ? Json(std::stod(fmt::format("{}", value))) : Json(nullptr);
    } else if constexpr (std::is_same_v<T, double>) {
      return std::isfinite(value) ? Json(value) : Json(nullptr);
    } else if constexpr (std::is_same_v<T, RunState>) {
      return std::string(toString(value));
    } else {
      return value;
    }
  }
  template <class T>
  static Json toJson(const std::vector<T>& values) {
    Json list = Json::array();
    for (const auto& value : values) list.push_back(toJson(value));
    return list;
  }
  static Json toJson(const std::vector<Scalar>& scalars) {
    Json object = Json::object();
    for (const auto& scalar : scalars) object[scalar.name] = toJson(scalar.value);
    return object;
  }
  /// Figures by name; five digits are more than a heat map shows, and half the bytes.
  static Json toJson(const std::vector<BlockFigure>& figures) {
    Json object = Json::object();
    for (const auto& figure : figures) {
      Json& list = object[figure.name] = Json::array();
      for (const float value : figure.values)
        list.push_back(std::isfinite(value) ? Json(std::stod(fmt::format("{:.5g}", value))) : Json(nullptr));
    }
    return object;
  }
  static Json toJson(const ResidualTerms& terms) { return nested(terms); }
  static Json toJson(const FaultOrigin& origin) { return nested(origin); }
  template <class T>
  static Json nested(const T& value) {
    Json object = Json::object();
    JsonWriter writer(object);
    members(writer, const_cast<T&>(value));  // the writer takes every member by const reference
    return object;
  }
  Json& json_;
};

class JsonReader {
 public:
  explicit JsonReader(const Json& json) : json_(json) {}
  template <class T>
  void operator()(const char* name, T& value) {
    if (const auto it = json_.find(name); it != json_.end()) {
      name_ = name;
      read(*it, value);
    }
  }

 private:
  void require(bool is_right) const {
    if (!is_right) throw Error{fmt::format("member '{}' has the wrong type", name_)};
  }
  void read(const Json& json, std::string& value) const { require(json.is_string()), value = json.get<std::string>(); }
  void read(const Json& json, bool& value) const { require(json.is_boolean()), value = json.get<bool>(); }
  template <class T>
  void read(const Json& json, T& value) const {
    if constexpr (std::is_floating_point_v<T>) {
      require(json.is_number() || json.is_null());
      value = json.is_null() ? std::numeric_limits<T>::quiet_NaN() : json.get<T>();
    } else if constexpr (std::is_same_v<T, RunState>) {
      require(json.is_string());
      const auto state = runStateFromString(json.get<std::string>());
      require(state.has_value());
      value = *state;
    } else {
      require(json.is_number_integer());
      value = json.get<T>();
    }
  }
  template <class T>
  void read(const Json& json, std::vector<T>& values) const {
    require(json.is_array());
    values.resize(json.size());
    for (std::size_t i = 0; i < json.size(); ++i) read(json[i], values[i]);
  }
  void read(const Json& json, std::vector<Scalar>& scalars) const {
    require(json.is_object());
    scalars.clear();
    for (const auto& [name, number] : json.items()) {
      scalars.push_back({name, 0});
      read(number, scalars.back().value);
    }
  }
  void read(const Json& json, std::vector<BlockFigure>& figures) const {
    require(json.is_object());
    figures.clear();
    for (const auto& [name, values] : json.items()) {
      figures.push_back({name, {}});
      read(values, figures.back().values);
    }
  }
  void read(const Json& json, ResidualTerms& terms) const { readNested(json, terms); }
  void read(const Json& json, FaultOrigin& origin) const { readNested(json, origin); }
  template <class T>
  void readNested(const Json& json, T& value) const {
    require(json.is_object());
    JsonReader reader(json);
    members(reader, value);
  }
  const Json& json_;
  const char* name_ = "";
};

template <std::size_t I = 0>
TrainingEvent defaultEvent(std::size_t index) {
  if constexpr (I + 1 < std::variant_size_v<TrainingEvent>) {
    if (index != I) return defaultEvent<I + 1>(index);
  }
  return TrainingEvent(std::in_place_index<I>);
}

}  // namespace

std::string_view typeName(const TrainingEvent& event) { return kTypeNames[event.index()]; }

std::string toJsonLine(const EventRecord& record) {
  Json json;
  json["seq"] = record.sequence;
  json["time"] = record.unix_seconds;
  json["type"] = std::string(typeName(record.event));
  JsonWriter writer(json);
  std::visit([&](const auto& event) { members(writer, const_cast<std::decay_t<decltype(event)>&>(event)); },
             record.event);  // the writer takes every member by const reference
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::optional<EventRecord>> eventFromJson(std::string_view line) {
  if (auto step = stepFromJsonLine(line)) return std::optional<EventRecord>(std::move(*step));
  const Json json = Json::parse(line, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return Error{fmt::format("not an event: '{}'", line.substr(0, 80))};
  const auto type = json.find("type");
  if (type == json.end() || !type->is_string())
    return Error{fmt::format("event without a type: '{}'", line.substr(0, 80))};
  const auto name = type->get<std::string>();
  std::size_t index = 0;
  while (index < kTypeNames.size() && kTypeNames[index] != name) ++index;
  if (index == kTypeNames.size()) return std::optional<EventRecord>();
  try {
    EventRecord record;
    JsonReader reader(json);
    reader("seq", record.sequence), reader("time", record.unix_seconds);
    record.event = defaultEvent(index);
    std::visit([&](auto& event) { members(reader, event); }, record.event);
    return std::optional<EventRecord>(std::move(record));
  } catch (const Error& error) {
    return Error{fmt::format("event '{}': {}", name, error.message)};
  }
}

}  // namespace meanflow::base

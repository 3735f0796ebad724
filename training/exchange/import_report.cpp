// SPDX-License-Identifier: Apache-2.0
#include "training/exchange/import_report.h"

#include <spdlog/fmt/fmt.h>

#include <nlohmann/json.hpp>

namespace meanflow::training {
namespace {

constexpr std::size_t kMaxShown = 12;

void addList(std::string& text, const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return;
  text += fmt::format("\n  {} ({}): ", what, names.size());
  for (std::size_t i = 0; i < names.size() && i < kMaxShown; ++i) text += (i > 0 ? ", " : "") + names[i];
  if (names.size() > kMaxShown) text += fmt::format(", and {} more", names.size() - kMaxShown);
}

}  // namespace

nlohmann::ordered_json toJson(const ImportReport& report) {
  auto changed = nlohmann::ordered_json::object();
  for (const auto& difference : report.changed) changed[difference.key] = {difference.a, difference.b};
  return {{"source", report.source},
          {"format", report.format},
          {"kind", report.kind},
          {"description", report.description},
          {"stage", report.stage},
          {"target", report.target},
          {"step", report.step},
          {"num_parameters", report.num_parameters},
          {"dtypes", report.dtypes},
          {"model_from", report.raw_from},
          {"ema_from", report.average_from},
          {"num_matched", report.num_matched},
          {"computed", report.computed},
          {"at_initial_value", report.at_initial_value},
          {"left_out", report.left_out},
          {"num_ignored", report.ignored.size()},
          {"optimizer", report.optimizer},
          {"assumed", report.assumed},
          {"notes", report.notes},
          {"config_changes", changed}};
}

std::string toText(const ImportReport& report) {
  auto text = fmt::format("{}\n  is {}\n  -> {}/{} (stage {}, step {})", report.source, report.description,
                          report.run_folder, report.target, report.stage, report.step);
  if (report.num_matched > 0)
    text += fmt::format("\n  {} tensors, {}; weights from {}, average from {}", report.num_matched,
                        fmt::join(report.dtypes, " and "), report.raw_from, report.average_from);
  addList(text, "computed, because the file leaves them out", report.computed);
  addList(text, "AT THEIR INITIAL VALUE", report.at_initial_value);
  addList(text, "LEFT OUT of the file", report.left_out);
  if (!report.ignored.empty())
    text += fmt::format("\n  {} tensors that this network never uses", report.ignored.size());
  if (!report.optimizer.empty()) text += "\n  optimiser state: " + report.optimizer;
  addList(text, "assumed", report.assumed);
  for (const auto& note : report.notes) text += "\n  note: " + note;
  for (const auto& difference : report.changed)
    text += fmt::format("\n  config.yaml: {} = {} (was {})", difference.key, difference.b, difference.a);
  return text;
}

}  // namespace meanflow::training

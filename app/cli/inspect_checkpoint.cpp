// SPDX-License-Identifier: Apache-2.0
#include "app/cli/inspect_checkpoint.h"

#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/run_in_terminal.h"
#include "core/base/formats/hub_cache.h"
#include "core/base/formats/stored_tensor.h"
#include "core/checkpoint/checkpoint_contents.h"
#include "core/checkpoint/tensor_statistics.h"

namespace meanflow::app {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kMaxValuesShown = 24;

/// Totals over the tensors that were looked at.
struct Totals {
  std::int64_t num_values = 0, num_non_finite = 0, num_unreadable = 0;
};

std::string groupText(const core::CheckpointPart& part) {
  const auto name = [](const std::string& group) { return group.empty() ? std::string("the file itself") : group; };
  if (part.average.empty()) return "weights in " + name(part.raw_group);
  if (part.raw.empty()) return "average in " + name(part.average_group);
  return fmt::format("weights in {}, average in {}", name(part.raw_group), name(part.average_group));
}

/// How a part meets a network of its sizes, and for a teacher what a student would lack.
Json partJson(const core::Checkpoint& checkpoint, const core::CheckpointPart& part) {
  Json json = {{"kind", std::string(core::toString(part.model.kind))},
               {"description", part.model.description()},
               {"groups", groupText(part)},
               {"unknown", part.model.unknown},
               {"assumed", part.model.assumed},
               {"num_ignored", part.ignored.size()}};
  const auto mapping = core::mapPart(checkpoint, part, core::WeightSet::kAverage);
  if (!mapping) {
    json["mapping"] = {{"complete", false}, {"why", mapping.error().message}};
    return json;
  }
  json["mapping"] = {{"complete", mapping->isComplete()},
                     {"num_matched", mapping->matched.size()},
                     {"computed", mapping->computed},
                     {"missing", mapping->report.missing},
                     {"unexpected", mapping->report.unexpected},
                     {"mis_shaped", mapping->report.mis_shaped},
                     {"summary", mapping->summary()}};
  if (part.model.kind != core::ModelKind::kDdt || part.model.isStudent()) return json;
  auto student = part;
  std::get<core::DdtOptions>(student.model.sizes).has_r_embedder = true;
  if (const auto as_student = core::mapPart(checkpoint, student, core::WeightSet::kAverage))
    json["missing_for_a_student"] = as_student->report.missing;
  return json;
}

void printPart(const Json& part) {
  std::cout << "model: " << part["description"].get<std::string>() << "\n  " << part["groups"].get<std::string>()
            << "\n  " << part["mapping"].value("summary", part["mapping"].value("why", std::string())) << "\n";
  for (const auto& text : part["assumed"]) std::cout << "  assumed " << text.get<std::string>() << "\n";
  if (part["num_ignored"].get<std::size_t>() > 0)
    std::cout << "  " << part["num_ignored"] << " tensors that it never uses\n";
  if (part.contains("missing_for_a_student"))
    std::cout << "  as the start of a student it leaves out " << part["missing_for_a_student"].size()
              << " tensors (r_embedder.*)\n";
}

Json tensorJson(const core::Checkpoint& checkpoint, std::size_t i, bool with_values, bool is_json, Totals& totals) {
  const auto& entry = checkpoint.tensors()[i];
  Json json = {{"name", entry.name}, {"shape", entry.shape}, {"dtype", entry.dtype}};
  std::int64_t count = 1;
  for (const auto size : entry.shape) count *= size;
  totals.num_values += count;
  auto line = fmt::format("{:<56} {:<20} {:<5}", entry.name, base::shapeText(entry.shape), entry.dtype);
  if (with_values) {
    if (const auto tensor = checkpoint.read(i)) {
      const auto statistics = core::statisticsOf(*tensor);
      totals.num_non_finite += statistics.num_non_finite;
      json["norm"] = statistics.num_non_finite == 0 ? Json(statistics.norm) : Json();
      json["min"] = statistics.min;
      json["max"] = statistics.max;
      json["non_finite"] = statistics.num_non_finite;
      line += fmt::format(" norm {:>12.5g}", statistics.norm);
      if (statistics.num_non_finite > 0) line += fmt::format("  {} NON-FINITE", statistics.num_non_finite);
    } else {
      ++totals.num_unreadable;
      json["error"] = tensor.error().message;
      line += "  UNREADABLE: " + tensor.error().message;
    }
  }
  if (!is_json) std::cout << line << "\n";
  return json;
}

}  // namespace

int inspectCheckpoint(const std::string& path_or_name, bool with_values, bool is_json) {
  const auto path = base::findWeights(path_or_name);
  if (!path) return reportError(path.error());
  const auto checkpoint = core::Checkpoint::open(path->string());
  if (!checkpoint) return reportError(checkpoint.error());
  const auto contents = core::contentsOf(*checkpoint);
  if (!contents) return reportError(contents.error());
  const auto& source = checkpoint->source();

  Json root = {{"file", source.path().string()},
               {"format", source.format()},
               {"description", contents->description()},
               {"groups", checkpoint->groups()},
               {"models", Json::array()},
               {"step", contents->step ? Json(*contents->step) : Json()},
               {"notes", contents->notes}};
  root["values"] = Json::object();
  for (const auto& [key, text] : source.values()) root["values"][key] = text;
  root["unreadable"] = source.unreadable();
  for (const auto& part : contents->parts) root["models"].push_back(partJson(*checkpoint, part));
  if (!is_json) {
    std::cout << source.path().string() << ": " << source.format();
    if (!checkpoint->groups().empty())
      std::cout << ", groups " << fmt::format("{}", fmt::join(checkpoint->groups(), ", "));
    std::cout << "\n";
    if (contents->parts.empty()) std::cout << "model: " << contents->description() << "\n";
    for (const auto& part : root["models"]) printPart(part);
    for (const auto& note : contents->notes) std::cout << "note: " << note << "\n";
    for (std::size_t i = 0; i < source.values().size() && i < kMaxValuesShown; ++i)
      std::cout << "value " << source.values()[i].first << " = " << source.values()[i].second << "\n";
    if (source.values().size() > kMaxValuesShown)
      std::cout << "and " << source.values().size() - kMaxValuesShown << " values more (--json lists all)\n";
    for (const auto& text : source.unreadable()) std::cout << "unreadable: " << text << "\n";
  }
  Totals totals;
  auto tensors = Json::array();
  for (std::size_t i = 0; i < checkpoint->tensors().size(); ++i) {
    auto tensor = tensorJson(*checkpoint, i, with_values, is_json, totals);
    if (is_json) tensors.push_back(std::move(tensor));
  }
  root["tensors"] = std::move(tensors);
  root["num_tensors"] = checkpoint->tensors().size();
  root["num_values"] = totals.num_values;
  if (with_values) root["non_finite"] = totals.num_non_finite;
  if (is_json) {
    std::cout << root.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    std::cout << fmt::format("{} tensors, {} values", checkpoint->tensors().size(), totals.num_values);
    if (with_values) std::cout << fmt::format(", {} of them not finite", totals.num_non_finite);
    std::cout << "\n";
  }
  return totals.num_unreadable > 0 ? kFailed : kDone;
}

}  // namespace meanflow::app

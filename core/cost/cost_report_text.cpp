// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "core/cost/cost_report.h"
#include "core/cost/published.h"

namespace meanflow::core {
namespace {

using Json = nlohmann::ordered_json;

std::string scaled(double value, const char* unit) {
  constexpr const char* kPrefixes[] = {"", "k", "M", "G", "T", "P", "E", "Z", "Y"};
  std::size_t i = 0;
  while (value >= 1000 && i + 1 < std::size(kPrefixes)) value /= 1000, ++i;
  return fmt::format("{:.4g} {}{}", value, kPrefixes[i], unit);
}
std::string gibibytes(double bytes) { return fmt::format("{:.3g}", bytes / (1024.0 * 1024.0 * 1024.0)); }
std::string giga(double macs) { return fmt::format("{:.5g}", macs / 1e9); }

Json costJson(const NetworkCost& cost) {
  return {{"parameters", cost.parameters},
          {"frozen_parameters", cost.frozen},
          {"linear_conv_macs", cost.linear_macs},
          {"attention_macs", cost.attention_macs}};
}
Json samplingJson(const SamplingCost& row) {
  return {{"name", row.name},
          {"network_calls", row.network_calls},
          {"network_gmacs", row.network_macs / 1e9},
          {"decoder_gmacs", row.decoder_macs / 1e9},
          {"total_gmacs", row.macs() / 1e9},
          {"total_gmacs_with_attention", (row.macs() + row.attention_macs) / 1e9}};
}
Json objectiveJson(const ObjectiveCost& cost) {
  return {{"name", cost.name},
          {"formula", cost.formula},
          {"source", cost.source},
          {"flops_a_sample", cost.flops()},
          {"student_forward_macs", cost.student_forward},
          {"student_backward_macs", cost.student_backward},
          {"teacher_macs", cost.teacher_forward},
          {"encoder_macs", cost.encoder}};
}

}  // namespace

std::string toText(const CostReport& report) {
  std::string out =
      "Networks, one image and one call (GFLOPs as the papers count: multiply-accumulates of linear and convolution "
      "layers)\n";
  out += fmt::format("  {:<16} {:>14} {:>10} {:>12}  {}\n", "", "parameters", "GFLOPs", "+ attention", "");
  for (const auto& part : report.parts)
    out += fmt::format("  {:<16} {:>14} {:>10} {:>12}  {}\n", part.role, fmt::format("{:.0f}", part.cost.parameters),
                       giga(part.cost.linear_macs), giga(part.cost.attention_macs), part.description);
  out += "\nSampling, GFLOPs an image\n";
  out += fmt::format("  {:<58} {:>6} {:>10} {:>10} {:>10} {:>12}\n", "", "calls", "network", "decoder", "total",
                     "+ attention");
  const auto rows = [&](const std::vector<SamplingCost>& list) {
    for (const auto& row : list)
      out += fmt::format("  {:<58} {:>6} {:>10} {:>10} {:>10} {:>12}\n", row.name, row.network_calls,
                         giga(row.network_macs), giga(row.decoder_macs), giga(row.macs()), giga(row.attention_macs));
  };
  rows(report.sampling);
  rows(report.compared);
  if (!report.compared.empty() && !report.sampling.empty()) {
    const auto &ours = report.sampling.front(), &other = report.compared.front();
    out += fmt::format(
        "  one step: {:.1f} + {:.1f} = {:.1f} against {:.1f} + {:.1f} = {:.1f} GFLOPs, {:.0f} % {}{}\n",
        ours.network_macs / 1e9, ours.decoder_macs / 1e9, ours.macs() / 1e9, other.network_macs / 1e9,
        other.decoder_macs / 1e9, other.macs() / 1e9, 100 * std::abs(report.saving()),
        report.saving() >= 0 ? "less" : "more",
        !report.is_published_system
            ? std::string()
            : fmt::format(" (MF-RAE: {} + {} = {} against {} + {} = {}, {:.0f} % less)", published::kGeneratorGflops,
                          published::kRaeDecoderGflops, published::kGeneratorGflops + published::kRaeDecoderGflops,
                          published::kSitGflops, published::kSdVaeDecoderGflops,
                          published::kSitGflops + published::kSdVaeDecoderGflops, 100 * published::kSamplingSaving));
  }
  out += fmt::format(
      "\nTraining, every objective with these networks (2 FLOP a multiply-accumulate, attention included; a step has "
      "{} samples)\n",
      report.samples_per_step);
  out += fmt::format("  {:<76} {:>14} {:>14}  {}\n", "", "a sample", "a step",
                     "formula (F student, T teacher, J derivative, E encoder); source");
  for (const auto& cost : report.objectives)
    out += fmt::format("  {:<76} {:>14} {:>14}  {}; {}\n", cost.name, scaled(cost.flops(), "FLOP"),
                       scaled(cost.flops() * report.samples_per_step, "FLOP"), cost.formula, cost.source);
  if (!report.stages.empty()) {
    out += fmt::format(
        "\nThis configuration at {} a GPU, {} GPU{}; memory of one GPU in GiB (activations are an estimate)\n",
        scaled(report.flops_per_second, "FLOP/s"), report.num_gpus, report.num_gpus == 1 ? "" : "s");
    out += fmt::format("  {:<10} {:>11} {:>8} {:>14} {:>14} {:>10} | {:>7} {:>7} {:>6} {:>7} {:>6} {:>7} {:>7}  {}\n",
                       "stage", "steps", "batch", "a step", "in all", "GPU-days", "weights", "frozen", "grads",
                       "moments", "EMA", "activ.", "total", "objective");
    for (const auto& stage : report.stages)
      out += fmt::format(
          "  {:<10} {:>11} {:>8} {:>14} {:>14} {:>10.3g} | {:>7} {:>7} {:>6} {:>7} {:>6} {:>7} {:>7}  {}: {}\n",
          stage.stage, stage.steps, stage.samples_per_step, scaled(stage.flops_per_step, "FLOP"),
          scaled(stage.total_flops, "FLOP"), stage.gpu_days, gibibytes(stage.memory.weights),
          gibibytes(stage.memory.frozen_weights), gibibytes(stage.memory.gradients), gibibytes(stage.memory.moments),
          gibibytes(stage.memory.average), gibibytes(stage.memory.activations), gibibytes(stage.memory.total()),
          stage.objective.name, stage.objective.formula);
    out += fmt::format("  all stages: {:.3g} GPU-days, {:.3g} days on {} GPU{}\n", report.gpuDays(),
                       report.gpuDays() / static_cast<double>(report.num_gpus), report.num_gpus,
                       report.num_gpus == 1 ? "" : "s");
  }
  if (!report.published.empty()) {
    out += "\nBeside the papers (MF-RAE arXiv:2511.13019, RAE arXiv:2510.11690)\n";
    out += fmt::format("  {:<54} {:>10} {:>10}  {}\n", "", "here", "published", "");
    for (const auto& figure : report.published)
      out += fmt::format("  {:<54} {:>10.2f} {:>10} {} ({})\n", figure.what, figure.ours, figure.published, figure.unit,
                         figure.note);
    out += fmt::format(
        "  training of all stages: published under {:.0f} days of one H100 for MF-RAE against over {:.0f} for MeanFlow "
        "on SD-VAE, {:.0f} % less\n",
        published::kMfRaeGpuDays, published::kMeanFlowGpuDays, 100 * published::kTrainingSaving);
  }
  return out;
}

nlohmann::ordered_json toJson(const CostReport& report) {
  Json root;
  root["image_size"] = report.image_size;
  for (const auto& part : report.parts) {
    Json entry = {{"role", part.role}, {"description", part.description}};
    entry.update(costJson(part.cost));
    root["parts"].push_back(entry);
  }
  for (const auto& row : report.sampling) root["sampling"].push_back(samplingJson(row));
  root["compared"] = Json::array();
  for (const auto& row : report.compared) root["compared"].push_back(samplingJson(row));
  root["sampling_saving"] = report.saving();
  root["samples_per_step"] = report.samples_per_step;
  for (const auto& cost : report.objectives) {
    auto entry = objectiveJson(cost);
    entry["flops_a_step"] = cost.flops() * report.samples_per_step;
    root["objectives"].push_back(entry);
  }
  root["flops_per_second"] = report.flops_per_second;
  root["num_gpus"] = report.num_gpus;
  root["stages"] = Json::array();
  for (const auto& stage : report.stages)
    root["stages"].push_back({{"stage", stage.stage},
                              {"steps", stage.steps},
                              {"samples_per_step", stage.samples_per_step},
                              {"objective", objectiveJson(stage.objective)},
                              {"flops_per_step", stage.flops_per_step},
                              {"total_flops", stage.total_flops},
                              {"gpu_days", stage.gpu_days},
                              {"memory_bytes",
                               {{"weights", stage.memory.weights},
                                {"frozen_weights", stage.memory.frozen_weights},
                                {"gradients", stage.memory.gradients},
                                {"moments", stage.memory.moments},
                                {"average", stage.memory.average},
                                {"activations", stage.memory.activations},
                                {"total", stage.memory.total()}}}});
  root["gpu_days"] = report.gpuDays();
  root["published"] = Json::array();
  for (const auto& figure : report.published)
    root["published"].push_back({{"what", figure.what},
                                 {"unit", figure.unit},
                                 {"here", figure.ours},
                                 {"published", figure.published},
                                 {"note", figure.note}});
  root["published_gpu_days"] = {{"mf_rae_less_than", published::kMfRaeGpuDays},
                                {"mean_flow_sd_vae_more_than", published::kMeanFlowGpuDays},
                                {"training_saving", published::kTrainingSaving}};
  return root;
}

}  // namespace meanflow::core

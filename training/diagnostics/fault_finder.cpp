// SPDX-License-Identifier: Apache-2.0
#include "training/diagnostics/fault_finder.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "training/diagnostics/block_groups.h"
#include "training/optim/gradients.h"

namespace meanflow::training {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kLarge = 10;            // times a sound pass: out of the normal range
constexpr double kLargeRate = 5;         // times the usual learning rate
constexpr double kMostOfTheLoss = 0.5;   // a sample with this share of the batch's error is a suspect
constexpr std::size_t kLinesAfter = 12;  // of a trace, behind the first bad operation

/// Puts other weights in for as long as it lives.
class BorrowedWeights {
 public:
  BorrowedWeights(torch::nn::Module& module, const NamedTensors& weights) {
    const torch::NoGradGuard no_grad;
    auto parameters = module.named_parameters();
    for (const auto& [name, tensor] : weights) {
      auto* parameter = parameters.find(name);
      if (!parameter || parameter->sizes() != tensor.sizes()) continue;
      kept_.emplace_back(*parameter, parameter->detach().clone());
      parameter->copy_(tensor);
    }
  }
  ~BorrowedWeights() {
    const torch::NoGradGuard no_grad;
    for (auto& [parameter, value] : kept_) parameter.copy_(value);
  }
  BorrowedWeights(const BorrowedWeights&) = delete;
  BorrowedWeights& operator=(const BorrowedWeights&) = delete;

 private:
  std::vector<std::pair<torch::Tensor, torch::Tensor>> kept_;
};

class Search {
 public:
  explicit Search(const FaultScene& scene)
      : scene_(scene), positions_(scene.worker.positions(scene.task.settings().batch_size)) {
    finding_.origin.step = scene.step + 1;
  }

  FaultFinding run() {
    lookAtSamples();
    if (lookAtStoredTensors() || lookAtChanges()) return finding_;
    const auto suspect = suspectedMember();
    const auto traced = suspect ? *suspect : 0;
    if (positions_.empty()) return finding_;
    finding_.trace = traceOf(traced);
    finding_.reference = referenceFor(traced, suspect.has_value());
    const auto bad = firstBad();
    if (suspect) finding_.origin.sample = members().samples.at(*suspect);
    if (bad) describe(*bad);
    finding_.is_found = bad.has_value() || suspect.has_value();
    if (finding_.is_found && !reason_.empty()) finding_.text += "; " + reason_;
    if (bad) {
      finding_.trace.resize(std::min(finding_.trace.size(), *bad + 1 + kLinesAfter));
      finding_.reference.resize(std::min(finding_.reference.size(), finding_.trace.size()));
    }
    return finding_;
  }

 private:
  const BatchMembers& members() {
    if (!members_) members_ = scene_.task.members(scene_.step, positions_);
    return *members_;
  }

  void resetGradients() {
    for (auto& parameter : scene_.task.module()->parameters()) parameter.mutable_grad().reset();
  }

  /// Loss of every member on its own; on a non-finite step whose losses are all sound, its gradient decides.
  void lookAtSamples() {
    for (const auto position : positions_) {
      const torch::NoGradGuard no_grad;
      const auto terms = scene_.task.loss(scene_.step, {&position, 1});
      double value = terms.loss.item<double>();
      for (const auto& [name, scalar] : terms.scalars)
        if (name == "mse" && std::isfinite(value)) value = scalar.item<double>();
      finding_.sample_losses.push_back(value);
    }
  }

  bool lookAtStoredTensors() {
    const auto name_it = [&](const NamedTensors& tensors, const char* operation, const char* what) {
      const auto bad = firstNonFinite(tensors);
      if (bad.empty()) return false;
      finding_.is_found = true;
      finding_.origin.tensor = bad;
      finding_.origin.block = blockOf(bad);
      finding_.origin.operation = operation;
      finding_.text = fmt::format("the {} {} holds values that are not finite, from before this step", what, bad);
      return true;
    };
    return name_it(namedParameters(scene_.state.module), "weights", "weight") ||
           name_it(scene_.state.optimizer.state(), "optimizer", "optimiser moment") ||
           name_it(scene_.state.ema.averages(), "average", "weight average");
  }

  /// What changed before the step: a learning rate or a weight that is many times what it was. It is the finding where
  /// the numbers merely grew; where one is not finite the operation that made it says more, and this is its reason.
  bool lookAtChanges() {
    const auto change = changeOfRate();
    const auto found = change ? change : growthOfWeights();
    if (!found) return false;
    if (scene_.kind == "non_finite") {
      reason_ = found->text;
      return false;
    }
    finding_.is_found = true;
    finding_.text = found->text;
    finding_.origin.tensor = found->tensor;
    finding_.origin.operation = found->operation;
    if (found->operation == "weights") finding_.origin.block = blockOf(found->tensor);
    return true;
  }

  struct Change {
    std::string tensor, operation, text;
  };
  std::optional<Change> changeOfRate() const {
    if (!(scene_.typical_lr > 0) || scene_.lr < kLargeRate * scene_.typical_lr) return std::nullopt;
    return Change{"learning_rate", "optimizer",
                  fmt::format("the learning rate is {:.3g}, {:.0f} times what it was in the steps before ({:.3g})",
                              scene_.lr, scene_.lr / scene_.typical_lr, scene_.typical_lr)};
  }

  /// The weight that grew most since the last healthy checkpoint.
  std::optional<Change> growthOfWeights() const {
    const torch::NoGradGuard no_grad;
    const auto now = scene_.state.module.named_parameters();
    std::string tensor;
    double largest = kLarge;
    for (const auto& [name, healthy] : scene_.healthy_weights) {
      const auto* weight = now.find(name);
      if (!weight) continue;
      const double before = healthy.norm().item<double>(), growth = weight->norm().item<double>() / before;
      // A weight that starts at zero grows without bound and means nothing by it.
      if (before < 1e-3 * std::sqrt(static_cast<double>(healthy.numel())) || !(growth > largest)) continue;
      largest = growth;
      tensor = name;
    }
    if (tensor.empty()) return std::nullopt;
    return Change{
        tensor, "weights",
        fmt::format("the weight {} is {:.0f} times as large as in the last healthy checkpoint", tensor, largest)};
  }

  bool hasFiniteGradient(std::size_t member) {
    resetGradients();
    scene_.task.loss(scene_.step, {&positions_[member], 1}).loss.backward();
    const bool is_finite = allFinite(gradients(namedParameters(*scene_.task.module()))).item<bool>();
    resetGradients();
    return is_finite;
  }

  /// The member that stands out; none when all do or none does.
  std::optional<std::size_t> suspectedMember() {
    const auto& losses = finding_.sample_losses;
    if (losses.size() < 2) return std::nullopt;
    std::vector<std::size_t> bad;
    if (scene_.kind == "non_finite") {
      for (std::size_t i = 0; i < losses.size(); ++i)
        if (!std::isfinite(losses[i])) bad.push_back(i);
      if (bad.empty())
        for (std::size_t i = 0; i < losses.size(); ++i)
          if (!hasFiniteGradient(i)) bad.push_back(i);
      return bad.empty() || bad.size() == losses.size() ? std::nullopt : std::optional(bad.front());
    }
    const auto largest = std::max_element(losses.begin(), losses.end());
    const double sum = std::accumulate(losses.begin(), losses.end(), 0.0);
    if (!(*largest > kMostOfTheLoss * sum)) return std::nullopt;
    return static_cast<std::size_t>(largest - losses.begin());
  }

  std::vector<TracedOperation> traceOf(std::size_t member) {
    resetGradients();
    std::vector<TracedOperation> operations;
    {
      const OperationTrace trace;
      scene_.task.loss(scene_.step, {&positions_[member], 1}).loss.backward();
      operations = trace.operations();
    }
    resetGradients();
    return operations;
  }

  /// A sound pass to compare with: of another sample when one is at fault, else of healthy weights.
  std::vector<TracedOperation> referenceFor(std::size_t traced, bool is_sample) {
    if (is_sample) {
      std::vector<std::size_t> order;
      for (std::size_t i = 0; i < finding_.sample_losses.size(); ++i)
        if (i != traced && std::isfinite(finding_.sample_losses[i])) order.push_back(i);
      if (order.empty()) return {};
      const auto middle = order.begin() + static_cast<std::ptrdiff_t>(order.size() / 2);
      std::nth_element(order.begin(), middle, order.end(),
                       [&](auto a, auto b) { return finding_.sample_losses[a] < finding_.sample_losses[b]; });
      return traceOf(*middle);
    }
    if (scene_.healthy_weights.empty()) return {};
    const BorrowedWeights healthy(*scene_.task.module(), scene_.healthy_weights);
    return traceOf(traced);
  }

  std::optional<std::size_t> firstBad() const {
    const auto& trace = finding_.trace;
    const auto& reference = finding_.reference;
    // Passes of two samples may differ by operations on rows that only one of them has.
    std::size_t other = 0;
    for (std::size_t i = 0; i < trace.size(); ++i) {
      while (other < reference.size() && reference[other].name != trace[i].name) ++other;
      const bool has_match = other < reference.size() && reference[other].block == trace[i].block;
      // What gave a finite loss may hold infinities on purpose: there only a sound pass tells.
      const bool is_sound_elsewhere = has_match ? reference[other].isFinite() : scene_.kind == "non_finite";
      if (!trace[i].isFinite() && is_sound_elsewhere) return i;
      if (scene_.kind != "non_finite" && has_match && reference[other].max_abs > 0 &&
          trace[i].max_abs > kLarge * reference[other].max_abs)
        return i;
      if (has_match)
        ++other;
      else
        other = std::min(other, i);
    }
    return std::nullopt;
  }

  void describe(std::size_t index) {
    const auto& operation = finding_.trace[index];
    auto& origin = finding_.origin;
    origin.block = operation.block;
    origin.operation = operation.is_backward && !operation.forward_name.empty()
                           ? "backward of " + operation.forward_name
                           : operation.name;
    origin.tensor = operation.is_backward ? "gradient" : "activation";
    const bool is_before_the_network =
        std::none_of(finding_.trace.begin(), finding_.trace.begin() + static_cast<std::ptrdiff_t>(index),
                     [](const auto& earlier) { return !earlier.block.empty(); });
    if (!operation.is_backward && operation.block.empty()) {
      origin.tensor = is_before_the_network ? "latents" : "loss";
      if (is_before_the_network) origin.operation = "data";
    }
    const auto where = origin.block.empty() ? std::string() : " in " + origin.block;
    const auto how =
        operation.isFinite() ? fmt::format("reached {:.3g}", operation.max_abs) : std::string("was not finite");
    const auto whose = origin.sample >= 0 ? fmt::format(" of sample {}", origin.sample) : std::string();
    finding_.text = origin.operation == "data" ? fmt::format("the data{} {} before it reached the network", whose, how)
                                               : fmt::format("the first {}{} outside its range came from {}{} and {}",
                                                             origin.tensor, whose, origin.operation, where, how);
  }

  const FaultScene& scene_;
  std::vector<std::int64_t> positions_;
  std::optional<BatchMembers> members_;
  FaultFinding finding_;
  std::string reason_;
};

Json toJson(const FaultFinding& finding) {
  const auto operations = [](const std::vector<TracedOperation>& list) {
    Json rows = Json::array();
    for (const auto& op : list)
      rows.push_back({op.name, op.block, op.is_backward, op.forward_name,
                      std::isfinite(op.max_abs) ? Json(op.max_abs) : Json(std::isnan(op.max_abs) ? "nan" : "inf")});
    return rows;
  };
  Json losses = Json::array();
  for (const double loss : finding.sample_losses) losses.push_back(std::isfinite(loss) ? Json(loss) : Json());
  const auto& origin = finding.origin;
  return {{"is_found", finding.is_found},
          {"step", origin.step},
          {"tensor", origin.tensor},
          {"block", origin.block},
          {"operation", origin.operation},
          {"sample", origin.sample},
          {"text", finding.text},
          {"trace", operations(finding.trace)},
          {"reference", operations(finding.reference)},
          {"sample_losses", losses}};
}

FaultFinding fromJson(const Json& json) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const auto operations = [](const Json& rows) {
    std::vector<TracedOperation> list;
    for (const auto& row : rows)
      list.push_back({row[0], row[1], row[2], row[3],
                      row[4].is_number() ? row[4].get<double>()
                                         : (row[4] == "nan" ? kNaN : std::numeric_limits<double>::infinity())});
    return list;
  };
  FaultFinding finding;
  finding.is_found = json["is_found"];
  finding.origin = {.step = json["step"],
                    .tensor = json["tensor"],
                    .block = json["block"],
                    .operation = json["operation"],
                    .sample = json["sample"]};
  finding.text = json["text"];
  finding.trace = operations(json["trace"]);
  finding.reference = operations(json["reference"]);
  for (const auto& loss : json["sample_losses"])
    finding.sample_losses.push_back(loss.is_number() ? loss.get<double>() : kNaN);
  return finding;
}

/// Every rank's text, on every rank.
std::vector<std::string> gatherTexts(const Worker& worker, const std::string& own) {
  auto sizes = torch::zeros({worker.size()}, torch::kInt64);
  sizes[worker.rank()] = static_cast<std::int64_t>(own.size());
  worker.allReduceSum(sizes);
  auto bytes = torch::empty({static_cast<std::int64_t>(own.size())}, torch::kUInt8);
  std::copy(own.begin(), own.end(), bytes.data_ptr<std::uint8_t>());
  const auto all = worker.allGatherRows(bytes);
  std::vector<std::string> texts;
  const auto* data = reinterpret_cast<const char*>(all.data_ptr<std::uint8_t>());
  for (int rank = 0; rank < worker.size(); ++rank) {
    const auto size = static_cast<std::size_t>(sizes[rank].item<std::int64_t>());
    texts.emplace_back(data, size);
    data += size;
  }
  return texts;
}

}  // namespace

FaultFinding findFault(const FaultScene& scene) {
  auto own = Search(scene).run();
  if (scene.worker.size() == 1) return own;
  std::vector<FaultFinding> all;
  for (const auto& text : gatherTexts(scene.worker, toJson(own).dump())) all.push_back(fromJson(Json::parse(text)));
  FaultFinding chosen;
  int num_found = 0;
  std::vector<double> losses;
  for (int rank = 0; rank < scene.worker.size(); ++rank) {
    const auto& finding = all[static_cast<std::size_t>(rank)];
    losses.insert(losses.end(), finding.sample_losses.begin(), finding.sample_losses.end());
    if (!finding.is_found) continue;
    // A sample says more than an operation that every sample meets.
    if (num_found++ == 0 || (chosen.origin.sample < 0 && finding.origin.sample >= 0)) {
      chosen = finding;
      chosen.origin.rank = rank;
    }
  }
  if (num_found == 0) chosen = all.front();
  if (num_found != 1) chosen.origin.rank = -1;
  if (num_found == 1) chosen.text += fmt::format("; only rank {} saw it", chosen.origin.rank);
  chosen.sample_losses = std::move(losses);
  return chosen;
}

}  // namespace meanflow::training

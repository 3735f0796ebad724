// SPDX-License-Identifier: Apache-2.0
//
// MeanFlow distillation and training (mfd_loss, mft_loss). Which variants a case holds is read off its tensors' names:
// f32.|f64. then
//   fdDELTA.|jvp.             derivative taken by central difference with that step, or exactly; the official loss
//   fdDELTA.pP. | .alt_pP.    the same with another power of the adaptive weight; alt: not squared
//   etaETA.                   velocity mixed with the student's own
// then what was recorded: dudt, target, loss..., grad.PARAMETER.
#include <cctype>
#include <optional>
#include <set>

#include "core/objectives/mean_flow.h"
#include "training/verify/model_cases.h"
#include "training/verify/objective_cases.h"

namespace meanflow::training {
namespace {

constexpr double kOfficialDelta = 0.005;  // the released code's default, which none of its configurations overrides

/// A variant of the objective, from the first part of a tensor's name.
struct Variant {
  std::string name;  ///< With its final point.
  core::DerivativeKind derivative = core::DerivativeKind::kFiniteDifference;
  double delta_t = kOfficialDelta;
  std::optional<double> adaptive_p;
  bool is_squared = true;
  std::optional<double> eta;
};

/// "0.005.alt_p1.loss" -> the longest run of characters at `from` that make a number, without the point before the next
/// word.
std::string numberAt(const std::string& text, std::size_t from) {
  auto end = from;
  while (end < text.size() &&
         (std::isdigit(static_cast<unsigned char>(text[end])) || text[end] == '-' || text[end] == 'e' ||
          (text[end] == '.' && end + 1 < text.size() && std::isdigit(static_cast<unsigned char>(text[end + 1])))))
    ++end;
  return text.substr(from, end - from);
}

/// Reads the variant off a name without its f32. or f64.; nothing where it belongs to none (z_t, w...).
std::optional<Variant> variantOf(const std::string& name) {
  Variant variant;
  std::size_t at = 0;
  if (name.rfind("jvp.", 0) == 0) {
    variant.derivative = core::DerivativeKind::kJvp;
    at = 4;
  } else if (name.rfind("fd", 0) == 0) {
    const auto delta = numberAt(name, 2);
    variant.delta_t = numberInName(delta, name);
    at = 2 + delta.size() + 1;
  } else if (name.rfind("eta", 0) == 0) {
    const auto eta = numberAt(name, 3);
    variant.eta = numberInName(eta, name);
    at = 3 + eta.size() + 1;
  } else {
    return std::nullopt;
  }
  if (at > name.size()) return std::nullopt;
  const auto rest = name.substr(at);
  for (const auto& [mark, is_squared] : {std::pair{std::string("alt_p"), false}, {std::string("p"), true}}) {
    if (rest.rfind(mark, 0) != 0 || rest.size() == mark.size() ||
        !std::isdigit(static_cast<unsigned char>(rest[mark.size()])))
      continue;
    const auto power = numberAt(rest, mark.size());
    variant.adaptive_p = numberInName(power, name);
    variant.is_squared = is_squared;
    at += mark.size() + power.size() + 1;
    break;
  }
  if (at > name.size()) return std::nullopt;
  variant.name = name.substr(0, at);
  return variant;
}

/// A MeanFlow case in one dtype: networks, inputs and draws.
class MeanFlowCase {
 public:
  MeanFlowCase(const CaseFolder& folder, CaseChecker& checker)
      : folder_(folder),
        checker_(checker),
        is_double_(folder.column == core::Precision::kFp64),
        prefix_(is_double_ ? "f64." : "f32."),
        student_(makeDdt(folder, folder.config().at("model"), "student", /*is_student=*/true)),
        schedule_(core::TimeSchedule::withShift(folder.config().number("shift", 1, 1e6))) {
    const auto dtype = is_double_ ? torch::kFloat64 : torch::kFloat32;
    student_->to(dtype);
    u_ = core::flowMap(student_);
    const auto& options = student_->options();
    x_ = folder.io("z0", {-1, options.in_channels, options.input_size, options.input_size}).to(dtype);
    const auto B = x_.size(0);
    y_ = folder.labels("y", {B}, options.num_classes);
    draws_.label_uniforms = folder.host("drop_u", {B});
    draws_.eps = folder.io("noise", x_.sizes()).to(dtype);
    draws_.time_uniforms = folder.host("u2", {B, 2}).to(dtype);
    draws_.mask_uniforms = folder.host("u_mask", {B});
    if (!folder.hasFile("teacher")) return;
    auto teacher = makeDdt(folder, folder.config().at("model"), "teacher", /*is_student=*/false);
    teacher->to(dtype);
    velocity_ = core::VelocitySource::teacher(core::velocityField(teacher));
  }

  void run() {
    checkInputs();
    for (const auto& variant : variants()) checkVariant(variant);
    if (!is_double_) checkTrainMode();
  }

 private:
  std::vector<Variant> variants() const {
    std::vector<Variant> found;
    std::set<std::string> known;
    for (const char* stem : {"io", "grads"})
      for (const auto& name : folder_.names(stem)) {
        if (name.rfind(prefix_, 0) != 0) continue;
        auto variant = variantOf(name.substr(prefix_.size()));
        if (variant && known.insert(variant->name).second) found.push_back(std::move(*variant));
      }
    return found;
  }

  /// The objective of a variant as the released code has it: squared weight, times not clamped.
  core::MeanFlow objective(const Variant& variant, double network_label_dropout = 0) const {
    const auto config = folder_.config();
    core::MeanFlowOptions options;
    options.num_classes = student_->options().num_classes;
    options.label_dropout = config.numberOr("label_dropout_prob", options.label_dropout, 0, 1);
    options.ratio_r_less_than_t = config.number("ratio_r_not_equal_t", 0, 1);
    options.adaptive_p = variant.adaptive_p.value_or(config.numberOr("adaptive_p", 1));
    options.adaptive_c = config.numberOr("adaptive_c", options.adaptive_c);
    options.adaptive_squared = variant.is_squared;
    options.network_label_dropout = network_label_dropout;
    options.derivative = {.kind = variant.derivative, .delta_t = variant.delta_t, .clamp_times = false};
    return {options, schedule_,
            variant.eta ? core::VelocitySource::mix(*variant.eta, core::VelocitySource::self()) : velocity_};
  }

  void check(const std::string& name, const torch::Tensor& actual) { checker_.checkIfPresent(prefix_ + name, actual); }
  bool has(const std::string& name) const { return folder_.has(prefix_ + name); }

  /// Loss of each sample: the objective on batches of one.
  torch::Tensor lossPerSample(const core::MeanFlow& objective) const {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> losses;
    for (std::int64_t b = 0; b < x_.size(0); ++b) {
      const auto row = [b](const torch::Tensor& tensor) { return tensor.narrow(0, b, 1); };
      core::Draws draws{.label_uniforms = row(draws_.label_uniforms),
                        .eps = row(draws_.eps),
                        .time_uniforms = row(draws_.time_uniforms),
                        .mask_uniforms = row(draws_.mask_uniforms),
                        .pair_indices = {},
                        .network_label_uniforms = {}};
      if (draws_.network_label_uniforms.defined())
        draws.network_label_uniforms = draws_.network_label_uniforms.view({3, -1}).select(1, b);
      losses.push_back(objective.evaluate(u_, row(x_), row(y_), draws).loss);
    }
    return torch::stack(losses);
  }

  void checkInputs() {
    const auto target = objective({}).target(u_, x_, y_, draws_);
    checker_.checkIfPresent("y_effective", target.y);
    checker_.checkIfPresent("shift", torch::tensor(schedule_.shift(), torch::kFloat64));
    check("z_t", target.z_t);
    check("w", target.w);
    check("r", target.r);
    check("t", target.t);
    if (has("v_theta"))
      check("v_theta", core::VelocitySource::self().at(u_, target.z_t, target.t, target.y, x_, draws_.eps));
  }

  void checkVariant(const Variant& variant) {
    const auto mean_flow = objective(variant);
    const auto& name = variant.name;
    const auto target = mean_flow.target(u_, x_, y_, draws_);
    check(name + "w", target.w);
    check(name + "target", target.u_tgt);
    if (has(name + "dudt"))  // of every row, also of those with r = t whose derivative the objective never takes
      check(name + "dudt",
            core::transportDerivative(u_,
                                      {.z_t = target.z_t,
                                       .w = target.w,
                                       .r = target.r,
                                       .t = target.t,
                                       .y = target.y,
                                       .y_plus = {},
                                       .y_minus = {}},
                                      {.kind = variant.derivative, .delta_t = variant.delta_t, .clamp_times = false}));
    if (has(name + "u")) {
      const torch::NoGradGuard no_grad;
      check(name + "u", u_(target.z_t, target.r, target.t, target.y));
    }
    if (has(name + "loss")) check(name + "loss", lossPerSample(mean_flow));
    student_->zero_grad();
    const auto terms = mean_flow.evaluate(u_, x_, y_, draws_);
    check(name + "sq_err_sum", terms.err_sq);
    check(name + "loss_mean", terms.loss);
    check(name + "loss_ref", terms.scalars.front().second);
    terms.loss.backward();
    checker_.checkGradients("grads", *student_, prefix_ + name);
  }

  void checkTrainMode() {
    if (!folder_.has("train_mode.drop_u3")) return;
    draws_.network_label_uniforms = folder_.host("train_mode.drop_u3", {3 * x_.size(0)});
    const auto slip = objective({}, student_->options().class_dropout_prob);
    checker_.checkIfPresent("train_mode.loss", lossPerSample(slip));
    checker_.checkIfPresent("train_mode.loss_ref", slip.evaluate(u_, x_, y_, draws_).scalars.front().second);
    const torch::NoGradGuard no_grad;
    const auto target = slip.target(u_, x_, y_, draws_);
    checker_.checkIfPresent("train_mode.pred", u_(target.z_t, target.r, target.t, target.y));
  }

  const CaseFolder& folder_;
  CaseChecker& checker_;
  bool is_double_;
  std::string prefix_;
  core::DiTwDDTHead student_;
  core::TimeSchedule schedule_;
  core::VelocitySource velocity_ = core::VelocitySource::data();
  core::FlowMap u_;
  torch::Tensor x_, y_;
  core::Draws draws_;
};

}  // namespace

void runMeanFlowLoss(const CaseFolder& folder, CaseChecker& checker) { MeanFlowCase(folder, checker).run(); }

}  // namespace meanflow::training

// SPDX-License-Identifier: Apache-2.0
//
// stage_1, stage_2, transport, sampler, guidance, misc and eval of the reference configurations.
#include "core/base/config/official_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>

namespace meanflow::base {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
std::string lastPart(const std::string& text) {
  const auto end = text.find_last_not_of('/');
  if (end == std::string::npos) return {};
  const auto slash = text.rfind('/', end);
  return text.substr(slash == std::string::npos ? 0 : slash + 1,
                     end - (slash == std::string::npos ? 0 : slash + 1) + 1);
}

struct EncoderClass {
  std::string_view official, kind;
  std::string_view path_key;  ///< Of encoder_params.
};
constexpr EncoderClass kEncoders[] = {{"Dinov2withNorm", "dinov2", "dinov2_path"},
                                      {"MAEwNorm", "mae", "model_name"},
                                      {"SigLIP2wNorm", "siglip2", "model_name"}};

struct WidthByName {
  std::string_view word;
  std::int64_t hidden_size, depth, num_heads;
};
constexpr WidthByName kWidths[] = {
    {"small", 384, 12, 6}, {"base", 768, 12, 12}, {"large", 1024, 24, 16}, {"huge", 1280, 32, 16}};

/// Sizes of a published encoder from its hub name: "...-base-patch16-256".
void readEncoderSizes(OfficialReader& in, const std::string& key, const std::string& name, const std::string& kind) {
  const auto width = std::find_if(std::begin(kWidths), std::end(kWidths),
                                  [&](const WidthByName& entry) { return contains(name, entry.word); });
  if (width == std::end(kWidths))
    return in.fail(key, fmt::format("cannot tell the encoder's size from '{}' (small, base, large or huge)", name));
  std::int64_t patch = kind == "dinov2" ? 14 : 16;
  if (const auto at = name.find("patch"); at != std::string::npos)
    std::from_chars(name.data() + at + 5, name.data() + name.size(), patch);
  const std::string note = "from the encoder's name";
  in.set(key, "encoder.model.patch_size", std::to_string(patch), note);
  in.set(key, "encoder.model.hidden_size", std::to_string(width->hidden_size), note);
  in.set(key, "encoder.model.depth", std::to_string(width->depth), note);
  in.set(key, "encoder.model.num_heads", std::to_string(width->num_heads), note);
  in.set(key, "encoder.model.mlp_ratio", "4", note);
}

struct DecoderSize {
  std::string_view name;
  std::int64_t hidden_size, depth, num_heads, intermediate_size;
};
constexpr DecoderSize kDecoders[] = {
    {"ViTB", 768, 12, 12, 3072}, {"ViTL", 1024, 24, 16, 4096}, {"ViTXL", 1152, 28, 16, 4096}};

/// Sizes of the decoder: from config.json where the folder is at hand, else by the published names.
void readDecoderSizes(OfficialReader& in, const std::string& key, const std::string& path) {
  DecoderSize size{};
  std::string note = "published size " + lastPart(path);
  std::ifstream stream(path + "/config.json");
  if (stream) {
    const auto json = nlohmann::json::parse(stream, nullptr, false);
    const auto number = [&](const char* name) {
      return json.is_object() && json.contains(name) && json[name].is_number_integer() ? json[name].get<std::int64_t>()
                                                                                       : 0;
    };
    size = {"", number("decoder_hidden_size"), number("decoder_num_hidden_layers"),
            number("decoder_num_attention_heads"), number("decoder_intermediate_size")};
    if (size.hidden_size == 0 || size.depth == 0 || size.num_heads == 0 || size.intermediate_size == 0)
      return in.fail(key, path +
                              "/config.json lacks decoder_hidden_size, decoder_num_hidden_layers, "
                              "decoder_num_attention_heads or decoder_intermediate_size");
    note = "from " + path + "/config.json";
  } else {
    const auto name = lastPart(path);
    const auto found = std::find_if(std::begin(kDecoders), std::end(kDecoders),
                                    [&](const DecoderSize& entry) { return entry.name == name; });
    if (found == std::end(kDecoders))
      return in.fail(key, fmt::format("{}/config.json is not here and '{}' is no published decoder (ViTB, ViTL, ViTXL)",
                                      path, name));
    size = *found;
  }
  in.set(key, "decoder.model.hidden_size", std::to_string(size.hidden_size), note);
  in.set(key, "decoder.model.depth", std::to_string(size.depth), note);
  in.set(key, "decoder.model.num_heads", std::to_string(size.num_heads), note);
  in.set(key, "decoder.intermediate_size", std::to_string(size.intermediate_size), note);
}

void requireTrue(OfficialReader& in, const std::string& key, bool wanted, const std::string& what) {
  const auto value = in.boolean(key);
  if (value && *value != wanted) return in.fail(key, what);
  in.ignore(key, wanted ? "always so" : "never so");
}

/// Fields of DiTwDDTHead and LightningDiT below `prefix` ("stage_2.params") into `ours` ("teacher.model").
void readNetworkParams(OfficialReader& in, const std::string& prefix, const std::string& ours, const OfficialPlan& plan,
                       bool is_lightning) {
  const auto key = [&](const char* name) { return prefix + "." + name; };
  for (const char* name : {"patch_size", "mlp_ratio", "use_qknorm", "use_swiglu", "use_rope", "use_rmsnorm"})
    in.copy(key(name), ours + "." + name);
  if (is_lightning)
    in.ignore(key("use_pos_embed"), "LightningDiT always has positions");
  else
    in.copy(key("use_pos_embed"), ours + ".use_pos_embed");
  for (const auto& [name, lightning_default] :
       {std::pair{"hidden_size", "[1152]"}, {"depth", "[28]"}, {"num_heads", "[16]"}}) {
    if (const auto values = in.integers(key(name)))
      in.set(key(name), ours + "." + name, listText(*values));
    else if (is_lightning)
      in.set(key(name), ours + "." + name, lightning_default, "default of the released code");
  }
  requireTrue(in, key("wo_shift"), false, "true is not supported (the released class cannot run it)");
  if (is_lightning) {
    requireTrue(in, key("learn_sigma"), false, "true is not supported for training");
    in.ignore(key("use_gembed"), "the released class does not use it");
  }
  const auto side = in.integer(key("input_size"));
  in.ignore(key("input_size"), fmt::format("follows from the encoder: {}", plan.latent_side));
  if (side && *side != plan.latent_side)
    in.warn(fmt::format("{} {} does not fit the encoder's {}x{} latents; the encoder decides", key("input_size"), *side,
                        plan.latent_side, plan.latent_side));
  const auto channels = in.integer(key("in_channels"));
  in.ignore(key("in_channels"), fmt::format("follows from the encoder: {}", plan.latent_channels));
  if (channels && *channels != plan.latent_channels)
    in.fail(key("in_channels"),
            fmt::format("{} does not fit the encoder's {} channels", *channels, plan.latent_channels));
}

std::string loweredWord(OfficialReader& in, const std::string& key,
                        std::initializer_list<std::pair<const char*, const char*>> words, const std::string& fallback) {
  const auto text = in.text(key);
  if (!text) return fallback;
  std::string known;
  for (const auto& [official, ours] : words) {
    if (*text == official) return ours;
    known += (known.empty() ? "" : ", ") + std::string(official);
  }
  in.fail(key, fmt::format("expected one of {}, got '{}'", known, *text));
  return fallback;
}

}  // namespace

std::string OfficialPlan::trained() const {
  switch (stage) {
    case OfficialStage::kDecoder:
      return "decoder";
    case OfficialStage::kTeacher:
      return "teacher";
    case OfficialStage::kCmt:
      return "cmt";
    case OfficialStage::kMeanFlow:
      return "mean_flow";
    default:
      return {};
  }
}

void readAutoencoder(OfficialReader& in, OfficialPlan& plan) {
  const auto target = in.text("stage_1.target");
  if (target && *target != "stage1.RAE")
    in.fail("stage_1.target", fmt::format("only stage1.RAE is known, got '{}'", *target));
  in.ignore("stage_1.target", "the only autoencoder");
  const std::string class_key = "stage_1.params.encoder_cls";
  const auto cls = in.text(class_key).value_or("Dinov2withNorm");
  const auto entry = std::find_if(std::begin(kEncoders), std::end(kEncoders),
                                  [&](const EncoderClass& e) { return e.official == cls; });
  if (entry == std::end(kEncoders)) {
    in.fail(class_key, fmt::format("expected one of Dinov2withNorm, MAEwNorm, SigLIP2wNorm, got '{}'", cls));
    return;
  }
  const std::string kind(entry->kind);
  in.set(class_key, "encoder.kind", kind);
  const std::string path_key = "stage_1.params.encoder_params." + std::string(entry->path_key);
  const std::string config_key = "stage_1.params.encoder_config_path";
  const auto name = in.text(path_key), config_name = in.text(config_key);
  if (name || config_name) {
    in.set(name ? path_key : config_key, "encoder.weights", name.value_or(config_name.value_or("")));
    readEncoderSizes(in, name ? path_key : config_key, name.value_or(config_name.value_or("")), kind);
    if (name) in.ignore(config_key, "image mean and deviation follow from encoder.kind");
  } else {
    in.fail(path_key, "is missing: which encoder?");
  }
  if (kind == "dinov2")
    requireTrue(in, "stage_1.params.encoder_params.normalize", true,
                "only true is supported: latents are normalised by a LayerNorm");
  in.copy("stage_1.params.encoder_input_size", "encoder.input_size", "224");
  const auto& encoder = in.config().encoder;
  plan.latent_side = std::max<std::int64_t>(1, encoder.input_size / encoder.model.patch_size);
  plan.latent_channels = encoder.model.hidden_size;

  const std::string decoder_key = "stage_1.params.decoder_config_path";
  if (const auto path = in.text(decoder_key))
    readDecoderSizes(in, decoder_key, *path);
  else
    in.fail(decoder_key, "is missing: which decoder?");
  in.copy("stage_1.params.decoder_patch_size", "decoder.model.patch_size", "16");
  in.constant("decoder.output_head", "patch", "the only head of the released decoder");
  in.copy("stage_1.params.noise_tau", "decoder.noise_tau", "0.8");
  requireTrue(in, "stage_1.params.reshape_to_2d", true, "only true is supported: latents are [C, h, w]");
  in.copy("stage_1.params.pretrained_decoder_path", "decoder.weights");
  in.copy("stage_1.params.normalization_stat_path", "decoder.statistics");
  in.copy("stage_1.params.eps", "decoder.statistics_eps");
  if (in.has("stage_1.params.pretrained_decoder_path"))
    in.ignore("stage_1.ckpt", "pretrained_decoder_path gives the decoder");
  else
    in.copy("stage_1.ckpt", "decoder.weights", "", "a whole autoencoder; its decoder is taken");
  in.constant("data.kind", "folder", "ImageFolder; give data.path=FOLDER (official --data-path)");
  in.constant("data.image_size", std::to_string(in.config().decoder.model.patch_size * plan.latent_side),
              "decoder patch size x latent side (official --image-size)");
}

void readNetwork(OfficialReader& in, const OfficialPlan& plan) {
  const auto target = in.text("stage_2.target").value_or("stage2.models.DDT.DiTwDDTHead");
  const auto name = target.substr(target.rfind('.') + 1);
  const bool is_lightning = name == "LightningDiT", is_student = name == "DiTwDDTHead_MF";
  if (!is_lightning && !is_student && name != "DiTwDDTHead")
    in.fail("stage_2.target", fmt::format("expected DiTwDDTHead, DiTwDDTHead_MF or LightningDiT, got '{}'", target));
  if (plan.isStudent()) {
    in.ignore("stage_2.target", "the released CMT and MeanFlow trainers build DiT-DH-XL whatever this section says");
    for (const char* field : {"input_size", "patch_size", "in_channels", "hidden_size", "depth", "num_heads",
                              "mlp_ratio", "class_dropout_prob", "num_classes", "use_qknorm", "use_swiglu", "use_rope",
                              "use_rmsnorm", "wo_shift", "use_pos_embed"})
      in.ignore(std::string("stage_2.params.") + field, "the released trainer builds DiT-DH-XL whatever this says");
    in.ignore("stage_2.ckpt", "the released trainer takes --ckpt_teacher and --ckpt_cmt");
    in.constant("teacher.architecture", "ddt", "hard-coded in the released trainer");
    in.constant("teacher.model.hidden_size", "[1152, 2048]", "hard-coded in the released trainer: DiT-DH-XL");
    in.constant("teacher.model.depth", "[28, 2]", "hard-coded in the released trainer: DiT-DH-XL");
    in.constant("teacher.model.num_heads", "[16, 16]", "hard-coded in the released trainer: DiT-DH-XL");
    return;
  }
  if (!plan.hasNetwork()) return;
  in.set("stage_2.target", "teacher.architecture", is_lightning ? "lightning_dit" : "ddt");
  readNetworkParams(in, "stage_2.params", "teacher.model", plan, is_lightning);
  in.copy("stage_2.params.class_dropout_prob", "teacher.label_dropout", "0.1");
  in.copy("stage_2.params.num_classes", "data.num_classes", "1000");
  if (plan.stage == OfficialStage::kSampleStudent)
    in.copy("stage_2.ckpt", "mean_flow.weights");
  else if (plan.stage == OfficialStage::kSampleTeacher)
    in.copy("stage_2.ckpt", "teacher.weights");
  else if (in.text("stage_2.ckpt"))
    in.fail("stage_2.ckpt", "starting a teacher from a checkpoint is not supported; leave it out");
}

void readTransport(OfficialReader& in, const OfficialPlan& plan) {
  if (!plan.hasNetwork() && !in.has("transport")) return;
  const std::string prefix = "transport.params.";
  const auto path =
      loweredWord(in, prefix + "path_type", {{"Linear", "linear"}, {"GVP", "gvp"}, {"VP", "vp"}}, "linear");
  const auto prediction = loweredWord(in, prefix + "prediction",
                                      {{"velocity", "velocity"}, {"noise", "noise"}, {"score", "score"}}, "velocity");
  const auto weight =
      loweredWord(in, prefix + "loss_weight", {{"velocity", "velocity"}, {"likelihood", "likelihood"}}, "none");
  in.set(prefix + "path_type", "teacher.path", path);
  in.set(prefix + "prediction", "teacher.prediction", prediction);
  in.set(prefix + "loss_weight", "teacher.loss_weight", weight);
  const std::string times_key = prefix + "time_dist_type";
  const auto times = in.text(times_key).value_or("uniform");
  if (times == "uniform") {
    in.set(times_key, "teacher.time.distribution", "uniform");
  } else if (const auto second = times.rfind('_'); times.starts_with("logit-normal_") && second > 12) {
    in.set(times_key, "teacher.time.distribution", "logit_normal");
    in.set(times_key, "teacher.time.mu", times.substr(13, second - 13));
    in.set(times_key, "teacher.time.sigma", times.substr(second + 1));
  } else {
    in.fail(times_key, fmt::format("expected uniform or logit-normal_MU_SIGMA, got '{}'", times));
  }
  in.constant("teacher.time.t_max", "0.999", "hard-coded: times end at 1 - 1/1000 before the shift");
  if (plan.isStudent())
    in.constant("mean_flow.time_distribution", "teacher", "the pairs r, t are drawn from the same distribution");
  for (const char* name : {"train_eps", "sample_eps"}) {
    const auto eps = in.number(prefix + name);
    if (eps && *eps != 0 && (path != "linear" || prediction != "velocity"))
      in.fail(prefix + name, "only 0 is supported for this path and prediction");
    in.ignore(prefix + name, "0 for velocities on the linear path");
  }
  in.ignore(prefix + "time_dist_shift", "the released trainers drop it; misc.time_dist_shift_dim and _base decide");
}

void readSampler(OfficialReader& in, const OfficialPlan& plan) {
  const std::string prefix = "sampler.params.";
  const auto points = in.integer(prefix + "num_steps");
  const auto points_old = in.integer(prefix + "steps");
  const std::string points_key = prefix + (points || !points_old ? "num_steps" : "steps");
  const auto num_points = points ? points : points_old;
  const bool is_used = plan.stage == OfficialStage::kTeacher || plan.stage == OfficialStage::kSampleTeacher;
  if (const auto reverse = in.boolean(prefix + "reverse"); reverse && *reverse)
    in.fail(prefix + "reverse", "only false is supported (true is not usable in the released code)");
  in.ignore(prefix + "reverse", "never reversed");
  if (!is_used) {
    const std::string why = plan.stage == OfficialStage::kCmt
                                ? "the trajectories are Euler's with the settings of cmt"
                                : "the student is sampled in its own few steps (sampling.nfe)";
    if (plan.stage == OfficialStage::kCmt) {
      const auto count = num_points.value_or(50);
      if (count < 2) in.fail(points_key, "needs at least 2 grid points");
      in.set(points_key, "cmt.euler_steps", std::to_string(std::max<std::int64_t>(1, count - 1)),
             fmt::format("num_steps counts the points of the grid: {} points are {} teacher evaluations", count,
                         count - 1));
    }
    for (const char* name : {"num_steps", "steps"})
      if (plan.stage != OfficialStage::kCmt) in.ignore(prefix + name, why);
    for (const char* name : {"sampler.mode", "sampler.params.sampling_method", "sampler.params.atol",
                             "sampler.params.rtol", "sampler.params.diffusion_form", "sampler.params.diffusion_norm",
                             "sampler.params.last_step", "sampler.params.last_step_size"})
      in.ignore(name, why);
    return;
  }
  const auto mode =
      loweredWord(in, "sampler.mode", {{"ODE", "ode"}, {"SDE", "sde"}, {"ode", "ode"}, {"sde", "sde"}}, "ode");
  in.set("sampler.mode", "sampling.mode", mode);
  in.copy(prefix + "sampling_method", "sampling.method", mode == "sde" ? "euler" : "dopri5");
  const auto count = num_points.value_or(50);
  in.set(points_key, "sampling.steps", std::to_string(std::max<std::int64_t>(0, count - 1)),
         fmt::format("num_steps counts the points of the grid: {} points are {} steps", count, count - 1));
  in.copy(prefix + "atol", "sampling.atol", "1e-6");
  in.copy(prefix + "rtol", "sampling.rtol", "1e-3");
  in.set(prefix + "diffusion_form", "sampling.diffusion_form",
         loweredWord(in, prefix + "diffusion_form",
                     {{"constant", "constant"},
                      {"SBDM", "SBDM"},
                      {"sigma", "sigma"},
                      {"linear", "linear"},
                      {"decreasing", "decreasing"},
                      {"inccreasing-decreasing", "increasing-decreasing"}},
                     "SBDM"));
  in.copy(prefix + "diffusion_norm", "sampling.diffusion_norm", "1");
  in.set(prefix + "last_step", "sampling.last_step",
         loweredWord(in, prefix + "last_step", {{"Mean", "mean"}, {"Tweedie", "tweedie"}, {"Euler", "euler"}}, "mean"));
  in.copy(prefix + "last_step_size", "sampling.last_step_size", "0.04");
}

void readGuidance(OfficialReader& in, const OfficialPlan& plan) {
  in.copy("guidance.method", "sampling.guidance.method");
  in.copy("guidance.scale", "sampling.guidance.scale");
  const bool is_dashed = in.has("guidance.t-min") || in.has("guidance.t-max");
  if (in.has("guidance.t_min") && in.has("guidance.t-min"))
    in.fail("guidance.t-min", "is given as t_min too; keep one");
  if (in.has("guidance.t_max") && in.has("guidance.t-max"))
    in.fail("guidance.t-max", "is given as t_max too; keep one");
  for (const auto& [dashed, plain, ours] : {std::tuple{"guidance.t-min", "guidance.t_min", "sampling.guidance.t_min"},
                                            {"guidance.t-max", "guidance.t_max", "sampling.guidance.t_max"}}) {
    in.copy(plain, ours);
    in.copy(dashed, ours);
  }
  if (is_dashed)
    in.warn(
        "guidance.t-min and t-max: the released single-GPU sampler reads only the names with underscores and falls "
        "back to 0 "
        "and 1; the distributed one reads both, and so does this");
  if (in.config().sampling.guidance.t_min > in.config().sampling.guidance.t_max)
    in.fail("guidance.t_min", "must not exceed t_max");
  const auto target = in.text("guidance.guidance_model.target");
  in.ignore("guidance.guidance_model.target", "the guiding network is a DiT-DH");
  if (target && !contains(*target, "DiTwDDTHead"))
    in.fail("guidance.guidance_model.target", fmt::format("only DiTwDDTHead can guide, got '{}'", *target));
  readNetworkParams(in, "guidance.guidance_model.params", "sampling.guidance.model", plan, false);
  in.ignore("guidance.guidance_model.params.class_dropout_prob", "has no effect on sampling");
  in.ignore("guidance.guidance_model.params.num_classes", "as the guided network's");
  in.copy("guidance.guidance_model.ckpt", "sampling.guidance.weights");
  const auto& guidance = in.config().sampling.guidance;
  if (guidance.method == "autoguidance" && guidance.scale > 1 && !in.has("guidance.guidance_model"))
    in.fail("guidance.method", "autoguidance needs guidance_model");
  if (plan.isStudent() && guidance.scale > 1)
    in.warn("guidance.scale: the released CMT and MeanFlow losses use no guidance");
}

void readMisc(OfficialReader& in, const OfficialPlan& plan) {
  const std::vector<std::int64_t> from_encoder = {plan.latent_channels, plan.latent_side, plan.latent_side};
  const auto given = in.integers("misc.latent_size");
  const auto size = given.value_or(std::vector<std::int64_t>{768, 16, 16});
  in.ignore("misc.latent_size", "follows from the encoder: " + listText(from_encoder));
  if (size.size() != 3) return in.fail("misc.latent_size", "expected [C, H, W]");
  if (given && size != from_encoder)
    in.warn(fmt::format("misc.latent_size {} does not fit the encoder's {}; the encoder decides", listText(size),
                        listText(from_encoder)));
  const bool has_network = plan.hasNetwork();
  const bool is_given_by_network = !plan.isStudent() && in.has("stage_2.params.num_classes");
  in.copy("misc.num_classes", "data.num_classes", has_network && !is_given_by_network ? "1000" : "");
  const auto null_label = in.integer("misc.null_label");
  in.ignore("misc.null_label", "the null label is the number of classes, as the released losses have it");
  if (null_label && *null_label != in.config().data.num_classes)
    in.warn(fmt::format("misc.null_label {} is not the number of classes; the released losses do not use it either",
                        *null_label));
  const std::int64_t dim = size[0] * size[1] * size[2];
  in.copy("misc.time_dist_shift_dim", "teacher.time.shift_dim", has_network ? std::to_string(dim) : "");
  in.copy("misc.time_dist_shift_base", "teacher.time.shift_base", has_network ? "4096" : "");
  const std::int64_t encoder_dim = from_encoder[0] * from_encoder[1] * from_encoder[2];
  if (has_network && in.config().teacher.time.shift_dim != encoder_dim)
    in.warn(fmt::format("the time shift is set for {} numbers, the latents have {}", in.config().teacher.time.shift_dim,
                        encoder_dim));
}

void readEvaluation(OfficialReader& in, const OfficialPlan&) {
  in.copy("eval.eval_interval", "evaluation.every", in.has("eval") ? "5000" : "");
  in.copy("eval.eval_model", "evaluation.score_model");
  in.copy("eval.data_path", "evaluation.data_path");
  in.copy("eval.reference_npz_path", "evaluation.reference");
  in.copy("eval.metrics", "evaluation.metrics");
}

}  // namespace meanflow::base

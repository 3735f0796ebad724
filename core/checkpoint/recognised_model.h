// SPDX-License-Identifier: Apache-2.0
//
// Which network a set of weights belongs to, told from names and shapes alone: files are renamed, tensors are not.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "core/checkpoint/tensor_shapes.h"
#include "core/models/ddt.h"
#include "core/models/lightning_dit.h"
#include "core/models/pretrained_encoder.h"
#include "core/models/vit_decoder.h"
#include "core/models/vit_encoder.h"

namespace meanflow::core {

enum class ModelKind {
  kUnknown,
  kDdt,                ///< DiT-DH, teacher or (with r_embedder) MeanFlow student.
  kLightningDit,       ///< LightningDiT of bytetriper/RAE.
  kVitDecoder,         ///< RAE's decoder, or ours with a convolutional head.
  kOwnEncoder,         ///< The encoder this program trains, with the light decoder of its masked pre-training.
  kPretrainedEncoder,  ///< DINOv2 with registers, MAE or SigLIP2.
  kLatentStatistics,   ///< {mean, var}
  kPlainDit,           ///< SiT or DiT: known by name and size, not built here.
};
std::string_view toString(ModelKind kind);  ///< "ddt", "lightning_dit", "vit_decoder", ...

struct OwnEncoderOptions {
  VitEncoderOptions encoder;
  std::int64_t mae_decoder_width = 64, mae_decoder_depth = 2;
};

struct LatentStatisticsOptions {
  std::int64_t channels = 0, height = 0, width = 0;
};

/// SiT and DiT have the same tensors; `family` is "SiT" or "DiT" where the file says which, else "SiT or DiT".
struct PlainDitOptions {
  std::string family = "SiT or DiT";
  std::int64_t hidden_size = 0, depth = 0, patch_size = 0, in_channels = 0, input_size = 0, num_classes = 0;
};

/// A network with its sizes.
struct RecognisedModel {
  ModelKind kind = ModelKind::kUnknown;
  std::variant<std::monostate, DdtOptions, LightningDitOptions, VitDecoderOptions, OwnEncoderOptions,
               PretrainedEncoderOptions, LatentStatisticsOptions, PlainDitOptions>
      sizes = {};
  std::string size_name = {};       ///< "XL" where the sizes are published ones.
  std::int64_t num_parameters = 0;  ///< Values of all parameters, frozen ones included, without buffers.
  /// Sizes that the tensors do not tell and that have to be given: "num_heads", "depth", "input_size".
  std::vector<std::string> unknown = {};
  /// Sizes that were not in the tensors either, with where they come from: "num_heads 16: as published for this width".
  std::vector<std::string> assumed = {};

  bool isStudent() const;
  /// "DiT-DH XL, MeanFlow student, 841 M parameters, latents 768x16x16, 1000 classes".
  std::string description() const;
};

/// What is known beside the tensors: a configuration, an option, a config.json. Empty and 0 mean unknown.
struct KnownSizes {
  std::vector<std::int64_t> num_heads = {};
  std::vector<std::int64_t> depth = {};  ///< Encoder part and head, used when their sum is the number of blocks.
  std::int64_t input_size = 0;           ///< Side of the latent.
  std::int64_t num_classes = 0;          ///< Decides whether the label table's last row is the null label.
  bool use_rope = true;                  ///< For files without rope tables.
  std::string config_json = {};          ///< Beside an encoder's weights.
  std::string model_name = {};           ///< args.model of SiT and DiT: "SiT-XL/2".
};

/// One network among the tensors and where its own are. A dump of RAE's first stage holds two.
struct RecognisedPart {
  RecognisedModel model;
  std::map<std::string, std::string> file_name_of;  ///< By the network's name.
  std::vector<std::string> ignored;  ///< Of the file's tensors: never used by this network (a text tower).
};

/// The networks in `tensors` (names without those of wrappers); nothing when none is known. Decoder before encoder.
std::vector<RecognisedPart> recogniseModels(const TensorShapes& tensors, const KnownSizes& known = {});

/// Builds the network. Inside a MetaScope it takes no memory. The error says which size is unknown or cannot be.
base::Result<std::shared_ptr<torch::nn::Module>> buildNetwork(const RecognisedModel& model);

}  // namespace meanflow::core

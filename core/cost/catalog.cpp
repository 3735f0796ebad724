// SPDX-License-Identifier: Apache-2.0
#include "core/cost/catalog.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace meanflow::core {
namespace {

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// What a name says, in pieces.
struct NameParts {
  std::string text;                   ///< Lower case.
  std::string size = "xl";            ///< s, b, l, xl, h.
  std::optional<std::int64_t> patch;  ///< Behind a slash.
  std::optional<std::int64_t> image;  ///< A number of its own of at least 32.

  bool has(std::string_view word) const { return text.find(word) != std::string::npos; }
};

bool isSize(std::string_view word) { return word == "s" || word == "b" || word == "l" || word == "xl" || word == "h"; }

NameParts partsOf(std::string_view name) {
  NameParts parts{lowered(name), "xl", {}, {}};
  std::string word;
  char before = ' ';  // what stood in front of the word
  const auto flush = [&](char next) {
    std::int64_t number = 0;
    const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), number);
    const bool is_number = !word.empty() && status == std::errc() && end == word.data() + word.size();
    if (is_number && before == '/') parts.patch = number;
    if (is_number && before != '/' && before != '-' && number >= 32) parts.image = number;
    if (isSize(word) && before == '-') parts.size = word;
    word.clear();
    before = next;
  };
  for (const char c : parts.text) {
    if (std::isalnum(static_cast<unsigned char>(c)))
      word += c;
    else
      flush(c);
  }
  flush(' ');
  return parts;
}

struct Size {
  std::string_view letter;
  std::int64_t hidden_size, depth, num_heads;
};
// DiT (arXiv:2212.09748) table 1; the encoder part of DiT-DH and LightningDiT use the same.
constexpr std::array<Size, 4> kDitSizes = {
    {{"s", 384, 12, 6}, {"b", 768, 12, 12}, {"l", 1024, 24, 16}, {"xl", 1152, 28, 16}}};
constexpr std::array<Size, 4> kVitSizes = {
    {{"s", 384, 12, 6}, {"b", 768, 12, 12}, {"l", 1024, 24, 16}, {"h", 1280, 32, 16}}};

template <std::size_t N>
const Size* sizeOf(const std::array<Size, N>& sizes, const std::string& letter) {
  const auto found = std::find_if(sizes.begin(), sizes.end(), [&](const Size& size) { return size.letter == letter; });
  return found == sizes.end() ? nullptr : &*found;
}

std::optional<NetworkShape> namedEncoder(const NameParts& parts, std::string kind, std::int64_t patch,
                                         std::int64_t input) {
  const auto* size = sizeOf(kVitSizes, parts.size == "xl" ? "b" : parts.size);
  if (size == nullptr) return std::nullopt;
  return FrozenEncoderShape{.kind = std::move(kind),
                            .network = {.patch_size = parts.patch.value_or(patch),
                                        .hidden_size = size->hidden_size,
                                        .depth = size->depth,
                                        .num_heads = size->num_heads,
                                        .mlp_ratio = 4},
                            .input_size = parts.image.value_or(input)};
}

std::optional<NetworkShape> namedDecoder(const NameParts& parts) {
  const auto* size = sizeOf(kDitSizes, parts.size);
  if (size == nullptr || parts.size == "s") return std::nullopt;
  const std::int64_t patch = 16;
  return VitDecoderShape{.network = {.patch_size = patch,
                                     .hidden_size = size->hidden_size,
                                     .depth = size->depth,
                                     .num_heads = size->num_heads,
                                     .mlp_ratio = 4},
                         .intermediate_size = parts.size == "xl" ? 4096 : 4 * size->hidden_size,
                         .latent_side = parts.image.value_or(256) / patch,
                         .latent_channels = 768,
                         .output_head = "patch"};
}

}  // namespace

NetworkCost networkCost(const NetworkShape& shape) {
  return std::visit([](const auto& one) { return networkCost(one); }, shape);
}

std::optional<NetworkShape> namedNetwork(std::string_view name) {
  const auto parts = partsOf(name);
  const std::int64_t image = parts.image.value_or(256);
  if (parts.has("sd-vae") || parts.has("sdvae"))
    return SdVaeShape{.is_decoder = !parts.has("encoder"), .image_size = image};
  if (parts.has("decoder")) return namedDecoder(parts);
  if (parts.has("dinov2")) return namedEncoder(parts, "dinov2", 14, 224);
  if (parts.has("siglip2")) return namedEncoder(parts, "siglip2", 16, 256);
  if (parts.has("mae")) return namedEncoder(parts, "mae", 16, 256);
  const auto* size = sizeOf(kDitSizes, parts.size);
  if (size == nullptr) return std::nullopt;
  const bool wants_sigma = parts.has("learn_sigma") && !parts.has("no learn_sigma");
  if (parts.has("lightningdit"))
    return LightningDitShape{.hidden_size = size->hidden_size,
                             .depth = size->depth,
                             .num_heads = size->num_heads,
                             .patch_size = parts.patch.value_or(1),
                             .side = image / 16,
                             .channels = 768,
                             .learn_sigma = wants_sigma};
  if (parts.has("ditdh") || parts.has("dit-dh") || parts.has("ddt")) {
    DdtShape shape;
    // RAE (arXiv:2510.11690): the head is 2 blocks of 2048 with 16 heads at every size.
    shape.network.hidden_size = {size->hidden_size, 2048};
    shape.network.depth = {size->depth, 2};
    shape.network.num_heads = {size->num_heads, 16};
    shape.side = image / 16;
    shape.is_student = parts.has("student");
    return shape;
  }
  const bool is_mean_flow = parts.has("meanflow") || parts.has("mf ") || parts.has("mf-sit");
  if (!parts.has("sit") && !parts.has("dit")) return std::nullopt;
  return DitShape{.hidden_size = size->hidden_size,
                  .depth = size->depth,
                  .patch_size = parts.patch.value_or(2),
                  .side = image / 8,
                  .channels = 4,
                  .learn_sigma = is_mean_flow ? wants_sigma : !parts.has("no learn_sigma") && !parts.has("nosigma"),
                  .num_time_embedders = is_mean_flow ? 2 : 1};
}

}  // namespace meanflow::core

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/base/image.h"
#include "core/base/result.h"

namespace meanflow::base {

/// Text chunks of a PNG: key (1 to 79 ASCII characters) -> UTF-8 text. What made a picture travels inside it.
using PngTexts = std::map<std::string, std::string>;

/// 8-bit RGB PNG. ASCII texts become tEXt chunks, others iTXt. Throws std::invalid_argument when the image is empty or
/// a key is not valid.
std::vector<std::uint8_t> encodePng(const Image8& image, const PngTexts& texts = {});
/// Any PNG as RGB: grey and palettes are expanded, 16 bits reduced to 8, transparency laid over white. At most 2^28
/// pixels. `texts` receives the text chunks when given.
Result<Image8> decodePng(std::span<const std::uint8_t> bytes, PngTexts* texts = nullptr);

/// Writes atomically.
Result<void> writePng(const std::filesystem::path& path, const Image8& image, const PngTexts& texts = {});
Result<Image8> readPng(const std::filesystem::path& path, PngTexts* texts = nullptr);

}  // namespace meanflow::base

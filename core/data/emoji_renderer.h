// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <memory>
#include <span>

#include "core/base/image.h"
#include "core/base/result.h"

namespace meanflow::core {

/// Draws emoji from a colour bitmap font (FreeType for the bitmaps, HarfBuzz to join ZWJ, flag and skin-tone
/// sequences).
class EmojiRenderer {
 public:
  static constexpr int kCanvas = 136;  ///< Width of Noto's bitmap strike; pictures are at most this large.

  /// Fails when the file is no font or has no colour bitmaps (Noto's COLRv1 variant has none).
  static base::Result<EmojiRenderer> open(const std::filesystem::path& font);
  EmojiRenderer(EmojiRenderer&&) noexcept;
  EmojiRenderer& operator=(EmojiRenderer&&) noexcept;
  ~EmojiRenderer();

  /// The picture at the strike's own size: cropped to its visible pixels, centred on white, kCanvas x kCanvas.
  /// Fails when the font has no single picture for the sequence.
  base::Result<base::Image8> draw(std::span<const char32_t> code_points) const;

 private:
  struct Font;
  explicit EmojiRenderer(std::unique_ptr<Font> font);
  std::unique_ptr<Font> font_;
};

}  // namespace meanflow::core

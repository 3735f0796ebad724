// SPDX-License-Identifier: Apache-2.0
#include "core/data/emoji_renderer.h"

#include <hb-ft.h>
#include <hb.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>
#include <vector>

#include <ft2build.h>
#include FT_FREETYPE_H

namespace meanflow::core {

using base::Error;
using base::Image8;

struct EmojiRenderer::Font {
  FT_Library library = nullptr;
  FT_Face face = nullptr;
  hb_font_t* shaper = nullptr;

  Font() = default;
  Font(const Font&) = delete;
  Font& operator=(const Font&) = delete;
  ~Font() {
    if (shaper) hb_font_destroy(shaper);
    if (face) FT_Done_Face(face);
    if (library) FT_Done_FreeType(library);
  }
};

namespace {

std::string hexList(std::span<const char32_t> code_points) {
  std::string text;
  for (const char32_t code : code_points) {
    text += fmt::format("{}U+{:04X}", text.empty() ? "" : " ", static_cast<std::uint32_t>(code));
  }
  return text;
}

/// Glyphs that HarfBuzz joins the sequence into; 0 is the font's "missing" glyph.
std::vector<FT_UInt> shape(hb_font_t* font, std::span<const char32_t> code_points) {
  hb_buffer_t* buffer = hb_buffer_create();
  const std::vector<std::uint32_t> codes(code_points.begin(), code_points.end());
  hb_buffer_add_utf32(buffer, codes.data(), static_cast<int>(codes.size()), 0, static_cast<int>(codes.size()));
  hb_buffer_set_flags(buffer, HB_BUFFER_FLAG_REMOVE_DEFAULT_IGNORABLES);
  hb_buffer_guess_segment_properties(buffer);
  hb_shape(font, buffer, nullptr, 0);
  unsigned count = 0;
  const hb_glyph_info_t* infos = hb_buffer_get_glyph_infos(buffer, &count);
  std::vector<FT_UInt> glyphs;
  for (unsigned i = 0; i < count; ++i) glyphs.push_back(infos[i].codepoint);
  hb_buffer_destroy(buffer);
  return glyphs;
}

struct Box {
  int left = 0, top = 0, right = 0, bottom = 0;  // right and bottom are one past the end
  int width() const { return right - left; }
  int height() const { return bottom - top; }
};

const std::uint8_t* bgra(const FT_Bitmap& bitmap, int x, int y) { return bitmap.buffer + y * bitmap.pitch + 4 * x; }

Box visibleBox(const FT_Bitmap& bitmap) {
  const int width = static_cast<int>(bitmap.width), height = static_cast<int>(bitmap.rows);
  Box box{.left = width, .top = height};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      if (bgra(bitmap, x, y)[3] == 0) continue;
      box.left = std::min(box.left, x);
      box.top = std::min(box.top, y);
      box.right = std::max(box.right, x + 1);
      box.bottom = std::max(box.bottom, y + 1);
    }
  }
  return box;
}

}  // namespace

EmojiRenderer::EmojiRenderer(std::unique_ptr<Font> font) : font_(std::move(font)) {}
EmojiRenderer::EmojiRenderer(EmojiRenderer&&) noexcept = default;
EmojiRenderer& EmojiRenderer::operator=(EmojiRenderer&&) noexcept = default;
EmojiRenderer::~EmojiRenderer() = default;

base::Result<EmojiRenderer> EmojiRenderer::open(const std::filesystem::path& path) {
  auto font = std::make_unique<Font>();
  if (FT_Init_FreeType(&font->library) != 0) return Error{"FreeType could not be started"};
  if (FT_New_Face(font->library, path.c_str(), 0, &font->face) != 0) {
    return Error{fmt::format("{}: not a font that FreeType can read", path.string())};
  }
  if (!FT_HAS_COLOR(font->face) || font->face->num_fixed_sizes < 1 || FT_Select_Size(font->face, 0) != 0) {
    return Error{
        fmt::format("{}: has no colour bitmaps; the demo needs the bitmap (CBDT) font of Debian's package "
                    "fonts-noto-color-emoji",
                    path.string())};
  }
  font->shaper = hb_ft_font_create_referenced(font->face);
  return EmojiRenderer(std::move(font));
}

base::Result<Image8> EmojiRenderer::draw(std::span<const char32_t> code_points) const {
  const auto glyphs = shape(font_->shaper, code_points);
  if (glyphs.size() != 1 || glyphs.front() == 0) {
    return Error{fmt::format("the emoji font has no single picture for {} (it gives {} glyphs)", hexList(code_points),
                             glyphs.size())};
  }
  const FT_GlyphSlot slot = font_->face->glyph;
  if (FT_Load_Glyph(font_->face, glyphs.front(), FT_LOAD_COLOR) != 0 || slot->bitmap.pixel_mode != FT_PIXEL_MODE_BGRA) {
    return Error{fmt::format("the emoji font has no colour bitmap for {}", hexList(code_points))};
  }
  const Box box = visibleBox(slot->bitmap);
  if (box.width() <= 0 || box.width() > kCanvas || box.height() > kCanvas) {
    return Error{fmt::format("the emoji font's picture for {} is {}x{} pixels, expected 1 to {}", hexList(code_points),
                             box.width(), box.height(), kCanvas)};
  }
  Image8 canvas(kCanvas, kCanvas, 255);
  const int left = (kCanvas - box.width()) / 2, top = (kCanvas - box.height()) / 2;
  for (int y = 0; y < box.height(); ++y) {
    for (int x = 0; x < box.width(); ++x) {
      const std::uint8_t* in = bgra(slot->bitmap, box.left + x, box.top + y);
      std::uint8_t* out = canvas.at(left + x, top + y);
      for (int c = 0; c < 3; ++c) {  // FreeType's colours are already multiplied by alpha
        out[c] = static_cast<std::uint8_t>(std::min(255, in[2 - c] + 255 - in[3]));
      }
    }
  }
  return canvas;
}

}  // namespace meanflow::core

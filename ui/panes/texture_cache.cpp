// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/texture_cache.h"

#include <imgui.h>

#include <QOpenGLContext>
#include <QOpenGLFunctions>
#include <algorithm>
#include <cmath>
#include <vector>

namespace meanflow::ui {

bool TextureCache::Key::operator<(const Key& other) const {
  if (image.owner_before(other.image)) return true;
  if (other.image.owner_before(image)) return false;
  return tile < other.tile;
}

TextureCache::~TextureCache() = default;

void TextureCache::draw(ImDrawList& list, const std::shared_ptr<const base::Image8>& image, const QRectF& target,
                        const QRectF& clip) {
  if (!image || image->empty() || target.isEmpty()) return;
  const QRectF visible = target.intersected(clip);
  if (visible.isEmpty()) return;
  const double scale_x = target.width() / image->width;
  const double scale_y = target.height() / image->height;
  const int columns = (image->width + kTilePx - 1) / kTilePx;
  const int rows = (image->height + kTilePx - 1) / kTilePx;
  const auto tileAt = [](double offset, double scale, int count) {
    return std::clamp(static_cast<int>(std::floor(offset / scale / kTilePx)), 0, count - 1);
  };
  const int first_column = tileAt(visible.left() - target.left(), scale_x, columns);
  const int last_column = tileAt(visible.right() - target.left(), scale_x, columns);
  const int first_row = tileAt(visible.top() - target.top(), scale_y, rows);
  const int last_row = tileAt(visible.bottom() - target.top(), scale_y, rows);

  list.PushClipRect(ImVec2(static_cast<float>(clip.left()), static_cast<float>(clip.top())),
                    ImVec2(static_cast<float>(clip.right()), static_cast<float>(clip.bottom())), true);
  for (int row = first_row; row <= last_row; ++row) {
    for (int column = first_column; column <= last_column; ++column) {
      const int x = column * kTilePx;
      const int y = row * kTilePx;
      const int width = std::min(kTilePx, image->width - x);
      const int height = std::min(kTilePx, image->height - y);
      const auto [found, is_new] = tiles_.try_emplace(Key{image, row * columns + column});
      Tile& tile = found->second;
      if (is_new) {
        tile = upload(*image, x, y, width, height);
        bytes_ += tile.bytes;
      }
      tile.last_frame = frame_;
      const auto corner = [&](int px, int py) {
        return ImVec2(static_cast<float>(target.left() + px * scale_x),
                      static_cast<float>(target.top() + py * scale_y));
      };
      list.AddImage(reinterpret_cast<ImTextureID>(static_cast<std::uintptr_t>(tile.texture)), corner(x, y),
                    corner(x + width, y + height));
    }
  }
  list.PopClipRect();
}

TextureCache::Tile TextureCache::upload(const base::Image8& image, int x, int y, int width, int height) const {
  // Four bytes a texel, the layout drivers keep anyway: no row alignment to set, and no conversion on their side.
  std::vector<std::uint8_t> texels(static_cast<std::size_t>(width) * height * 4);
  std::uint8_t* out = texels.data();
  for (int row = 0; row < height; ++row) {
    const std::uint8_t* in = image.at(x, y + row);
    for (int column = 0; column < width; ++column, in += 3, out += 4) {
      out[0] = in[0];
      out[1] = in[1];
      out[2] = in[2];
      out[3] = 255;
    }
  }
  QOpenGLFunctions& gl = *QOpenGLContext::currentContext()->functions();
  Tile tile;
  gl.glGenTextures(1, &tile.texture);
  gl.glBindTexture(GL_TEXTURE_2D, tile.texture);
  gl.glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_NEAREST);
  gl.glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_LINEAR_MIPMAP_LINEAR);
  gl.glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
  gl.glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
  gl.glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, width, height, 0, GL_RGBA, GL_UNSIGNED_BYTE, texels.data());
  gl.glGenerateMipmap(GL_TEXTURE_2D);
  gl.glBindTexture(GL_TEXTURE_2D, 0);
  tile.bytes = static_cast<qint64>(texels.size()) * 4 / 3;
  return tile;
}

void TextureCache::endFrame() {
  while (bytes_ > budget_) {
    const auto oldest = std::min_element(tiles_.begin(), tiles_.end(), [](const auto& a, const auto& b) {
      return a.second.last_frame < b.second.last_frame;
    });
    if (oldest == tiles_.end() || oldest->second.last_frame == frame_) break;
    QOpenGLContext::currentContext()->functions()->glDeleteTextures(1, &oldest->second.texture);
    bytes_ -= oldest->second.bytes;
    tiles_.erase(oldest);
  }
  ++frame_;
}

void TextureCache::drop() {
  for (auto& [key, tile] : tiles_) QOpenGLContext::currentContext()->functions()->glDeleteTextures(1, &tile.texture);
  tiles_.clear();
  bytes_ = 0;
}

}  // namespace meanflow::ui

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QRectF>
#include <QtGlobal>
#include <cstdint>
#include <map>
#include <memory>

#include "core/base/image.h"

struct ImDrawList;

namespace meanflow::ui {

/// Images as GL textures for one context: uploaded when first drawn, in tiles so that grids taller than the GL limit
/// work and only what is visible takes memory; least recently used tiles go beyond the budget. Magnified texels stay
/// sharp squares, minified ones are averaged. Every call needs the context current; drop() and ~TextureCache too.
class TextureCache {
 public:
  static constexpr int kTilePx = 1024;

  ~TextureCache();
  void setBudget(qint64 bytes) { budget_ = bytes; }
  qint64 bytes() const { return bytes_; }

  /// Adds to `list` the part of `image` inside `clip`, the whole image covering `target` (widget coordinates).
  void draw(ImDrawList& list, const std::shared_ptr<const base::Image8>& image, const QRectF& target,
            const QRectF& clip);
  /// After a frame: frees what is over the budget and was not drawn in it.
  void endFrame();
  void drop();  ///< Frees everything.

 private:
  struct Key {
    std::weak_ptr<const base::Image8> image;  // the control block lives as long as the key, so no address comes twice
    int tile = 0;
    bool operator<(const Key& other) const;
  };
  struct Tile {
    unsigned texture = 0;
    qint64 bytes = 0;
    std::uint64_t last_frame = 0;
  };
  Tile upload(const base::Image8& image, int x, int y, int width, int height) const;

  std::map<Key, Tile> tiles_;
  qint64 bytes_ = 0;
  qint64 budget_ = qint64{96} << 20;
  std::uint64_t frame_ = 1;
};

}  // namespace meanflow::ui

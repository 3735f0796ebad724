// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/config/field.h"

namespace meanflow::base {

/// Where images come from and what is done to them before they are encoded.
struct DataConfig {
  std::string kind = "emoji";
  std::string path;
  std::int64_t image_size = 32;
  std::int64_t train_per_class = 1000;
  std::int64_t test_per_class = 200;
  double held_out = 0.15;
  double rotation_degrees = 3;
  double scale_jitter = 0.04;
  double shift_px = 1;
  std::int64_t num_classes = 0;
  std::int64_t num_images = 0;
  std::string crop = "center";
  std::int64_t resize_side = 0;
  bool flip = false;
  std::int64_t loader_threads = 0;
  std::vector<std::int64_t> skip_samples;
};
template <class V>
void describe(V& v, DataConfig& c) {
  v.field("kind", c.kind,
          {.help = "Where images come from: the embedded emoji set, or a folder with one sub-folder per class",
           .choices = {"emoji", "folder"}});
  v.field("path", c.path, {.help = "Image folder (kind: folder)"});
  v.field("image_size", c.image_size,
          {.help = "Side of the square training images", .unit = "px", .min = 8, .max = 4096});
  v.field("train_per_class", c.train_per_class,
          {.help = "Augmented training images drawn per class (kind: emoji)", .min = 1, .max = 1e7});
  v.field("test_per_class", c.test_per_class,
          {.help = "Test images drawn per class from held-out pictures (kind: emoji)", .min = 1, .max = 1e7});
  v.field("held_out", c.held_out,
          {.help = "Share of the pictures of each class held out for testing, at least 2", .min = 0, .max = 0.9});
  v.field("rotation_degrees", c.rotation_degrees,
          {.help = "Augmentation: largest rotation either way", .unit = "degrees", .min = 0, .max = 180});
  v.field("scale_jitter", c.scale_jitter,
          {.help = "Augmentation: largest relative change of size", .min = 0, .max = 0.9});
  v.field("shift_px", c.shift_px,
          {.help = "Augmentation: largest shift, in pixels of the training image", .unit = "px", .min = 0, .max = 64});
  v.field("num_classes", c.num_classes,
          {.help = "Classes, and the number of the null label; 0 = as many as the data has",
           .unit = "classes",
           .min = 0,
           .max = 1e6});
  v.field("num_images", c.num_images,
          {.help = "Training images in one pass over the data, for costs and epochs; 0 = as many as the data has",
           .unit = "images",
           .min = 0,
           .max = 1e12});
  v.field("crop", c.crop,
          {.help = "Square taken from an image: its centre, or a random one after resizing (kind: folder)",
           .choices = {"center", "random"}});
  v.field("resize_side", c.resize_side,
          {.help = "Shorter side before a random crop; 0 = image_size (crop: random)",
           .unit = "px",
           .min = 0,
           .max = 16384});
  v.field("flip", c.flip, {.help = "Mirror half of the training images (kind: folder)"});
  v.field("loader_threads", c.loader_threads,
          {.help = "Threads that read images from disk; 0 = read everything at the start",
           .unit = "threads",
           .min = 0,
           .max = 1024});
  v.field("skip_samples", c.skip_samples,
          {.help = "Training samples that teacher and mean_flow never draw, by their number", .min = 0, .max = 1e12});
}

}  // namespace meanflow::base

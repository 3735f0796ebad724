// SPDX-License-Identifier: Apache-2.0
//
// The embedded demo data: every picture drawn once at twice the training size, then distorted copies of them.
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <map>
#include <string>

#include "core/data/augment.h"
#include "core/data/dataset.h"
#include "core/data/emoji_catalog.h"
#include "core/data/emoji_renderer.h"
#include "core/data/resample.h"

namespace meanflow::core {
namespace {

using base::Image8;

constexpr std::uint64_t kDataSeed = 20250914;  // fixed: everyone trains on the same bytes, whatever the run's seed

struct Picture {
  EmojiPicture emoji;
  Image8 image;  // white background, twice the training size
};

base::Result<std::vector<Picture>> drawPictures(std::int64_t image_size, const std::stop_token& stop) {
  const auto list = findEmojiList();
  if (!list) return list.error();
  const auto font = findEmojiFont();
  if (!font) return font.error();
  auto catalog = readEmojiCatalog(*list);
  if (!catalog) return catalog.error();
  const auto renderer = EmojiRenderer::open(*font);
  if (!renderer) return renderer.error();
  const int side = static_cast<int>(2 * image_size);
  std::vector<Picture> pictures;
  for (auto& emoji : *catalog) {
    if (stop.stop_requested()) return loadingStopped();
    const auto drawn = renderer->draw(emoji.code_points);
    if (drawn) {
      pictures.push_back({std::move(emoji), resample(*drawn, side, side, ResampleFilter::kLanczos)});
    } else {  // a list newer than the font; the checksum shows that the set differs
      spdlog::warn("'{}' is left out of the emoji set: {}", emoji.name, drawn.error().message);
    }
  }
  return pictures;
}

/// Groups that share a picture (many islands fly another country's flag) become one, so that the test part holds no
/// picture that training sees under another name.
void joinGroupsWithEqualPictures(std::vector<Picture>& pictures) {
  std::map<std::string, std::string> group_of_pixels;
  for (auto& picture : pictures) {
    const auto [known, is_new] = group_of_pixels.emplace(
        std::string(picture.image.pixels.begin(), picture.image.pixels.end()), picture.emoji.group);
    if (is_new || known->second == picture.emoji.group) continue;
    const std::string from = picture.emoji.group, to = known->second;
    for (auto& other : pictures) {
      if (other.emoji.group == from) other.emoji.group = to;
    }
    for (auto& [pixels, group] : group_of_pixels) {
      if (group == from) group = to;
    }
  }
}

/// Writes an image as planes [3, H, W].
void storePlanes(const Image8& image, std::uint8_t* out) {
  const std::size_t plane = image.pixels.size() / 3;
  for (std::size_t i = 0; i < plane; ++i) {
    for (std::size_t c = 0; c < 3; ++c) out[c * plane + i] = image.pixels[3 * i + c];
  }
}

struct Part {
  torch::Tensor images, labels, pictures;

  Part(std::int64_t count, std::int64_t size)
      : images(torch::empty({count, 3, size, size}, torch::kUInt8)),
        labels(torch::empty({count}, torch::kInt64)),
        pictures(torch::empty({count}, torch::kInt64)) {}
};

/// Fills the rows of one class: its pictures in turn, each time distorted anew. A stop leaves the rest as it was.
void fillClass(Part& part, const std::vector<Picture>& pictures, const std::vector<std::int64_t>& members,
               std::int64_t label, std::int64_t per_class, std::uint64_t stream, const base::DataConfig& config,
               const std::stop_token& stop) {
  auto* images = part.images.data_ptr<std::uint8_t>();
  const std::int64_t image_bytes = part.images[0].numel();
  const bool may_flip = emojiClasses()[static_cast<std::size_t>(label)].may_flip;
  for (std::int64_t i = 0; i < per_class && !stop.stop_requested(); ++i) {
    const std::int64_t row = label * per_class + i;
    const std::int64_t picture = members[static_cast<std::size_t>(i) % members.size()];
    const CounterRandom random(kDataSeed, stream * 64 + static_cast<std::uint64_t>(label),
                               static_cast<std::uint64_t>(i));
    const auto image =
        distortAndHalve(pictures[static_cast<std::size_t>(picture)].image, drawDistortion(config, may_flip, random));
    storePlanes(image, images + row * image_bytes);
    part.labels.data_ptr<std::int64_t>()[row] = label;
    part.pictures.data_ptr<std::int64_t>()[row] = picture;
  }
}

}  // namespace

base::Result<ImageDataset> buildEmojiDataset(const base::DataConfig& config, const std::stop_token& stop) {
  auto drawn = drawPictures(config.image_size, stop);
  if (!drawn) return drawn.error();
  auto& pictures = *drawn;
  joinGroupsWithEqualPictures(pictures);

  ImageDataset dataset;
  for (const auto& picture : pictures) dataset.picture_ids.push_back(picture.emoji.id);
  const auto num_classes = static_cast<std::int64_t>(emojiClasses().size());
  Part train(num_classes * config.train_per_class, config.image_size);
  Part test(num_classes * config.test_per_class, config.image_size);
  for (std::int64_t label = 0; label < num_classes; ++label) {
    const auto& emoji_class = emojiClasses()[static_cast<std::size_t>(label)];
    dataset.class_names.emplace_back(emoji_class.name);
    dataset.may_flip.push_back(emoji_class.may_flip);
    std::vector<std::int64_t> members;
    std::vector<std::string> groups;
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      if (pictures[i].emoji.class_index != label) continue;
      members.push_back(static_cast<std::int64_t>(i));
      groups.push_back(pictures[i].emoji.group);
    }
    const auto is_held_out = chooseHeldOut(groups, config.held_out, kDataSeed + static_cast<std::uint64_t>(label));
    std::vector<std::int64_t> parts[2];
    for (std::size_t i = 0; i < members.size(); ++i) parts[is_held_out[i]].push_back(members[i]);
    if (parts[0].empty() || parts[1].empty()) {
      return base::Error{fmt::format("emoji class '{}' has {} different pictures, too few to hold some out",
                                     emoji_class.name, members.size())};
    }
    fillClass(train, pictures, parts[0], label, config.train_per_class, 1, config, stop);
    fillClass(test, pictures, parts[1], label, config.test_per_class, 2, config, stop);
    if (stop.stop_requested()) return loadingStopped();
  }
  dataset.train_images = train.images;
  dataset.train_labels = train.labels;
  dataset.train_pictures = train.pictures;
  dataset.test_images = test.images;
  dataset.test_labels = test.labels;
  dataset.test_pictures = test.pictures;
  dataset.checksum = datasetChecksum(dataset);
  return dataset;
}

}  // namespace meanflow::core

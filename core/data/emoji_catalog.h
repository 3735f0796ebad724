// SPDX-License-Identifier: Apache-2.0
//
// Which emoji belong to the embedded demo, read from Unicode's emoji-test.txt.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace meanflow::core {

struct EmojiClass {
  std::string_view name;
  bool may_flip;  ///< A mirrored picture still belongs to the class (not for clocks, flags, buttons).
};

/// The eight classes, in label order: face, person, heart, clock, flag, button, moon, ball.
std::span<const EmojiClass> emojiClasses();

struct EmojiPicture {
  int class_index = 0;
  std::vector<char32_t> code_points;
  std::string name;   ///< As in emoji-test.txt: "man: light skin tone, beard".
  std::string group;  ///< Pictures of one group are held out together; a person's skin tones share one.
  std::string id;     ///< "person/1F9D4-1F3FB-200D-2642-FE0F".
};

/// Label of an emoji by its subgroup and name; nothing for the ones that belong to no class or are left out as messy.
std::optional<int> emojiClassOf(std::string_view subgroup, std::string_view name);

/// The demo's pictures in the order of the file: every fully-qualified line that has a class.
base::Result<std::vector<EmojiPicture>> readEmojiCatalog(const std::filesystem::path& emoji_test_txt);

/// Where emoji-test.txt and NotoColorEmoji.ttf are installed (XDG data folders); the error names the packages to
/// install.
base::Result<std::filesystem::path> findEmojiList();
base::Result<std::filesystem::path> findEmojiFont();

}  // namespace meanflow::core

// SPDX-License-Identifier: Apache-2.0
#include "core/data/emoji_catalog.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace meanflow::core {
namespace {

enum Label { kFace, kPerson, kHeart, kClock, kFlag, kButton, kMoon, kBall };

constexpr std::array<EmojiClass, 8> kClasses = {{{"face", true},
                                                 {"person", true},
                                                 {"heart", true},
                                                 {"clock", false},
                                                 {"flag", false},
                                                 {"button", false},
                                                 {"moon", true},
                                                 {"ball", true}}};

// Members of a class's subgroups that do not look like the class.
constexpr std::string_view kLeftOut[] = {
    "skull", "skull and crossbones",
    // hearts in pairs, broken, or with something else
    "love letter", "heart with arrow", "heart with ribbon", "revolving hearts", "two hearts", "heart decoration",
    "heart exclamation", "broken heart", "heart on fire", "mending heart",
    // round buttons, and symbols without a button around them
    "circled M", "Japanese “bargain” button", "Japanese “acceptable” button", "Japanese “congratulations” button",
    "Japanese “secret” button", "dim button", "bright button", "vibration mode"};

constexpr std::string_view kButtonSubgroups[] = {"alphanum", "arrow", "av-symbol", "keycap"};

// Balls come from several subgroups (sport, game, arts and crafts) among rackets and boards.
constexpr std::string_view kBalls[] = {"soccer ball",  "baseball",          "softball",       "basketball",
                                       "volleyball",   "american football", "rugby football", "pool 8 ball",
                                       "crystal ball", "mirror ball",       "yarn",           "yo-yo"};

template <std::size_t N>
bool contains(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

/// "man: light skin tone, beard" -> "man: beard"; "baby: dark skin tone" -> "baby".
std::string withoutSkinTone(const std::string& name) {
  const auto colon = name.find(": ");
  if (colon == std::string::npos) return name;
  std::string kept;
  std::istringstream parts(name.substr(colon + 2));
  for (std::string part; std::getline(parts, part, ',');) {
    const auto start = part.find_first_not_of(' ');
    part = start == std::string::npos ? "" : part.substr(start);
    if (!part.ends_with("skin tone")) kept += (kept.empty() ? "" : ", ") + part;
  }
  return name.substr(0, colon) + (kept.empty() ? "" : ": " + kept);
}

std::vector<std::filesystem::path> dataFolders() {
  const auto environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  std::vector<std::filesystem::path> folders;
  if (const auto home = environment("XDG_DATA_HOME"); !home.empty()) {
    folders.emplace_back(home);
  } else if (const auto user = environment("HOME"); !user.empty()) {
    folders.push_back(std::filesystem::path(user) / ".local/share");
  }
  std::istringstream shared(environment("XDG_DATA_DIRS"));
  for (std::string folder; std::getline(shared, folder, ':');) {
    if (!folder.empty()) folders.emplace_back(folder);
  }
  for (const char* folder : {"/usr/local/share", "/usr/share"}) folders.emplace_back(folder);
  return folders;
}

base::Result<std::filesystem::path> findDataFile(std::initializer_list<const char*> relative_paths,
                                                 std::string_view what, std::string_view package) {
  std::error_code ignored;
  for (const auto& folder : dataFolders()) {
    for (const char* relative : relative_paths) {
      const auto path = folder / relative;
      if (std::filesystem::is_regular_file(path, ignored)) return path;
    }
  }
  return base::Error{
      fmt::format("the demo's {} was not found (looked for /usr/share/{} and in the other XDG data "
                  "folders); install it: sudo apt install {}",
                  what, *relative_paths.begin(), package)};
}

/// One line of emoji-test.txt: "1F600 ; fully-qualified # <emoji> E1.0 grinning face".
std::optional<EmojiPicture> parseLine(const std::string& line, std::string_view subgroup) {
  const auto semicolon = line.find(';');
  const auto hash = line.find('#', semicolon == std::string::npos ? 0 : semicolon);
  if (semicolon == std::string::npos || hash == std::string::npos) return std::nullopt;
  std::istringstream status(line.substr(semicolon + 1, hash - semicolon - 1));
  std::string word;
  if (!(status >> word) || word != "fully-qualified") return std::nullopt;

  EmojiPicture picture;
  std::istringstream comment(line.substr(hash + 1));
  std::string emoji, version;
  comment >> emoji >> version >> std::ws;
  std::getline(comment, picture.name);
  while (!picture.name.empty() && (picture.name.back() == '\r' || picture.name.back() == ' ')) picture.name.pop_back();
  const auto label = emojiClassOf(subgroup, picture.name);
  if (!label) return std::nullopt;

  picture.class_index = *label;
  picture.id = std::string(kClasses[static_cast<std::size_t>(*label)].name) + "/";
  std::istringstream codes(line.substr(0, semicolon));
  while (codes >> word) {
    picture.id += (picture.code_points.empty() ? "" : "-") + word;
    picture.code_points.push_back(static_cast<char32_t>(std::strtoul(word.c_str(), nullptr, 16)));
  }
  picture.group = *label == kPerson ? withoutSkinTone(picture.name) : picture.id;
  return picture;
}

}  // namespace

std::span<const EmojiClass> emojiClasses() { return kClasses; }

std::optional<int> emojiClassOf(std::string_view subgroup, std::string_view name) {
  if (contains(kLeftOut, name)) return std::nullopt;
  if (subgroup.starts_with("face-") && subgroup != "face-costume") return kFace;
  if (subgroup == "person") return kPerson;
  if (subgroup == "heart") return kHeart;
  if (subgroup == "time" && (name.ends_with("o’clock") || name.ends_with("-thirty"))) return kClock;
  if (subgroup == "country-flag" || subgroup == "subdivision-flag") return kFlag;
  if (contains(kButtonSubgroups, subgroup)) return kButton;
  if (subgroup == "sky & weather" && name.find("moon") != std::string_view::npos) return kMoon;
  if (contains(kBalls, name)) return kBall;
  return std::nullopt;
}

base::Result<std::vector<EmojiPicture>> readEmojiCatalog(const std::filesystem::path& emoji_test_txt) {
  std::ifstream file(emoji_test_txt);
  if (!file) return base::Error{fmt::format("cannot read {}", emoji_test_txt.string())};
  constexpr std::string_view kSubgroup = "# subgroup: ";
  std::vector<EmojiPicture> pictures;
  std::string subgroup;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kSubgroup)) {
      subgroup = line.substr(kSubgroup.size());
    } else if (auto picture = parseLine(line, subgroup)) {
      pictures.push_back(std::move(*picture));
    }
  }
  std::array<int, kClasses.size()> counts{};
  for (const auto& picture : pictures) ++counts[static_cast<std::size_t>(picture.class_index)];
  for (std::size_t label = 0; label < kClasses.size(); ++label) {
    if (counts[label] < 4) {
      return base::Error{
          fmt::format("{}: {} emoji of class '{}', at least 4 are needed; is this Unicode's "
                      "emoji-test.txt (Debian package unicode-data)?",
                      emoji_test_txt.string(), counts[label], kClasses[label].name)};
    }
  }
  return pictures;
}

base::Result<std::filesystem::path> findEmojiList() {
  return findDataFile({"unicode/emoji/emoji-test.txt", "unicode/emoji-test.txt", "emoji-test.txt"},
                      "emoji list (emoji-test.txt)", "unicode-data");
}

base::Result<std::filesystem::path> findEmojiFont() {
  return findDataFile(
      {"fonts/truetype/noto/NotoColorEmoji.ttf", "fonts/noto/NotoColorEmoji.ttf", "fonts/noto-emoji/NotoColorEmoji.ttf",
       "fonts/google-noto-color-emoji-fonts/NotoColorEmoji.ttf", "fonts/google-noto-emoji/NotoColorEmoji.ttf",
       "fonts/truetype/NotoColorEmoji.ttf", "fonts/NotoColorEmoji.ttf"},
      "colour emoji font (NotoColorEmoji.ttf)", "fonts-noto-color-emoji");
}

}  // namespace meanflow::core

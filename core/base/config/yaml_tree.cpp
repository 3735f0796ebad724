// SPDX-License-Identifier: Apache-2.0
#include "core/base/config/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace meanflow::base {
namespace {

Error usage(std::string message) { return {std::move(message), ErrorKind::kUsage}; }

struct Refusal {
  int line;
  std::string why;
};

class TreeBuilder final : public YAML::EventHandler {
 public:
  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++num_documents_ > 1) throw Refusal{mark.line + 1, "expected one YAML document, got a second"};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuseAnchor(mark, anchor);
    refuseAsKey(mark);
    add({.kind = YamlNode::Kind::kNull, .text = {}, .line = mark.line + 1, .items = {}, .keys = {}});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refusal{mark.line + 1, "aliases (*name) are not accepted; write the value out"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuseAnchor(mark, anchor);
    refuseTag(mark, tag);
    if (expectsKey()) {
      open_.back().node.keys.push_back({value, mark.line + 1});
      open_.back().has_key = true;
      return;
    }
    // yaml-cpp tags a plain scalar "?" and a quoted one "!".
    add({.kind = YamlNode::Kind::kScalar,
         .text = value,
         .is_quoted = tag == "!",
         .line = mark.line + 1,
         .items = {},
         .keys = {}});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YamlNode node;
    bool has_key = false;
  };

  bool expectsKey() const { return !open_.empty() && open_.back().node.isMap() && !open_.back().has_key; }

  void refuseAsKey(const YAML::Mark& mark) const {
    if (expectsKey()) throw Refusal{mark.line + 1, "a key must be a single word"};
  }
  void refuseAnchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != 0) throw Refusal{mark.line + 1, "anchors (&name) are not accepted; write the value out"};
  }
  void refuseTag(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!")
      throw Refusal{mark.line + 1, fmt::format("tags ({}) are not accepted", tag.substr(0, 60))};
  }
  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlNode::Kind kind) {
    refuseAnchor(mark, anchor);
    refuseTag(mark, tag);
    if (open_.size() >= static_cast<std::size_t>(kMaxYamlDepth))
      throw Refusal{mark.line + 1, fmt::format("nested deeper than {} levels", kMaxYamlDepth)};
    open_.push_back({{.kind = kind, .text = {}, .line = mark.line + 1, .items = {}, .keys = {}}, false});
  }
  void close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    // Only here: until it is closed, the parser takes every "[" of "[[[[" for the start of a key.
    if (expectsKey()) throw Refusal{node.line, "a key must be a single word"};
    add(std::move(node));
  }
  void add(YamlNode node) {
    if (++num_nodes_ > kMaxYamlNodes) throw Refusal{node.line, fmt::format("more than {} values", kMaxYamlNodes)};
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    open_.back().node.items.push_back(std::move(node));
    open_.back().has_key = false;
  }

  YamlNode root_;
  std::vector<Open> open_;
  std::size_t num_nodes_ = 0;
  int num_documents_ = 0;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (keys[i].text == key) return &items[i];
  return nullptr;
}

Result<YamlNode> parseYaml(std::string_view text, const std::string& source_name) {
  if (text.size() > kMaxYamlBytes)
    return usage(fmt::format("{}: a configuration of {} bytes is refused (at most {})", source_name, text.size(),
                             kMaxYamlBytes));
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder;
    while (parser.HandleNextDocument(builder)) {
    }
    return builder.take();
  } catch (const Refusal& refusal) {
    return usage(fmt::format("{}:{}: {}", source_name, refusal.line, refusal.why));
  } catch (const YAML::Exception& e) {
    return usage(fmt::format("{}:{}: not valid YAML: {}", source_name, e.mark.line + 1, e.msg));
  }
}

Result<std::string> readYamlText(const std::string& path) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code))
    return usage(
        fmt::format("{}: {}", path, std::filesystem::exists(path, code) ? "not a file" : "no such configuration file"));
  if (std::filesystem::file_size(path, code) > kMaxYamlBytes)
    return usage(fmt::format("{}: a configuration of more than {} bytes is refused", path, kMaxYamlBytes));
  std::ifstream stream(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (!stream.good() && !stream.eof()) return usage(fmt::format("{}: cannot be read", path));
  return text;
}

Result<RawValue> rawValue(const YamlNode& node) {
  if (node.isScalar()) return RawValue{false, {{node.text, node.is_quoted}}};
  if (node.isNull()) return usage("expected a value, got nothing (write \"\" for an empty text)");
  if (node.isMap()) return usage("expected a value, got a section");
  RawValue list{true, {}};
  for (const auto& item : node.items) {
    if (!item.isScalar()) return usage("expected a list of single values, got a list within a list");
    list.items.push_back({item.text, item.is_quoted});
  }
  return list;
}

}  // namespace meanflow::base

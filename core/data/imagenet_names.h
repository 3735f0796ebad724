// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

namespace meanflow::core {

/// Class names that people read in place of ImageNet's folder names: "tench" for n01440764. Where any folder is not one
/// of the 1000 synsets of ILSVRC 2012 (resources/imagenet_classes.tsv), all names stay as they are.
std::vector<std::string> readableClassNames(std::vector<std::string> folder_names);

}  // namespace meanflow::core

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

namespace meanflow::core {

/// Class names that people read in place of ImageNet's folder names: "tench" for n01440764. Where any folder is not one
/// of the 1000 synsets of ILSVRC 2012 (resources/imagenet_classes.tsv), all names stay as they are.
std::vector<std::string> readableClassNames(std::vector<std::string> folder_names);

/// The names of all 1000, in the order of their labels; empty where the file is not there or not whole.
std::vector<std::string> imagenetClassNames();

}  // namespace meanflow::core

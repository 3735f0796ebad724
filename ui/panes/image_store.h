// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QString>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/base/image.h"
#include "core/base/result.h"

namespace meanflow::ui {

/// Reads one image of a run, by the path its event gave. Called on a worker thread.
using ImageLoader = std::function<base::Result<base::Image8>(const std::string& path)>;

/// A loader for PNG and JPEG files under `folder` (relative paths are taken from there).
ImageLoader imageLoaderFor(const QString& folder);

/// Images read lazily on one worker thread, the newest request first, least recently used dropped beyond a budget.
class ImageStore final : public QObject {
  Q_OBJECT
 public:
  /// What is known about an image now.
  struct Lookup {
    std::shared_ptr<const base::Image8> image;  ///< Null while loading or when it failed.
    QString problem;                            ///< Why it could not be read.
    bool is_loading = false;
  };

  explicit ImageStore(ImageLoader loader, QObject* parent = nullptr);
  ~ImageStore() override;

  void setBudget(std::size_t bytes);  ///< Default 192 MiB; the four last asked for are always kept.
  std::size_t bytes() const { return bytes_; }

  /// The image if it is here; otherwise asks for it and says so. UI thread.
  Lookup find(const std::string& path);
  /// Puts an image in as if it had been read.
  void insert(const std::string& path, std::shared_ptr<const base::Image8> image);
  /// Forgets failures, so that the next find() tries again.
  void retryFailed();

 Q_SIGNALS:
  void loaded(const QString& path);  ///< Arrived or failed.

 private:
  struct Held {
    std::shared_ptr<const base::Image8> image;
    QString problem;
    std::list<std::string>::iterator age;
  };
  void work(std::stop_token stop);
  void accept(const std::string& path, std::shared_ptr<const base::Image8> image, QString problem);
  void trim();

  ImageLoader loader_;
  std::unordered_map<std::string, Held> held_;
  std::list<std::string> ages_;  // most recently used first
  std::size_t bytes_ = 0;
  std::size_t budget_ = std::size_t{192} << 20;
  std::mutex mutex_;  // guards wanted_ and reading_
  std::condition_variable_any wake_;
  std::vector<std::string> wanted_;  // last is next
  std::string reading_;
  std::jthread worker_;
};

}  // namespace meanflow::ui

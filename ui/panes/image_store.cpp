// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/image_store.h"

#include <QBuffer>
#include <QDir>
#include <QFile>
#include <QImage>
#include <QImageReader>
#include <algorithm>
#include <cstring>
#include <exception>

#include "core/base/run/trace_folder.h"

namespace meanflow::ui {
namespace {
constexpr std::uint64_t kMaxEncodedBytes = std::uint64_t{64} << 20;
}

ImageLoader imageLoaderFor(const QString& folder) {
  return [folder](const std::string& path) -> base::Result<base::Image8> {
    const auto piece = base::piecePath(path);  // a picture inside a TensorBoard event file
    const QString file = QDir(folder).filePath(QString::fromStdString(piece ? piece->file : path));
    QImageReader reader;
    QBuffer encoded;
    if (piece) {
      QFile whole(file);
      if (piece->size > kMaxEncodedBytes || !whole.open(QIODevice::ReadOnly) ||
          !whole.seek(static_cast<qint64>(piece->offset)))
        return base::Error{
            QStringLiteral("%1: %2").arg(QDir::toNativeSeparators(file), whole.errorString()).toStdString()};
      encoded.setData(whole.read(static_cast<qint64>(piece->size)));
      encoded.open(QIODevice::ReadOnly);
      reader.setDevice(&encoded);
      reader.setDecideFormatFromContent(true);
    } else {
      reader.setFileName(file);
    }
    QImage read = reader.read();
    if (read.isNull()) {
      return base::Error{
          QStringLiteral("%1: %2").arg(QDir::toNativeSeparators(file), reader.errorString()).toStdString()};
    }
    read = read.convertToFormat(QImage::Format_RGB888);
    base::Image8 image(read.width(), read.height());
    for (int y = 0; y < read.height(); ++y) {
      std::memcpy(image.at(0, y), read.constScanLine(y), static_cast<std::size_t>(read.width()) * 3);
    }
    return image;
  };
}

ImageStore::ImageStore(ImageLoader loader, QObject* parent) : QObject(parent), loader_(std::move(loader)) {
  if (loader_) worker_ = std::jthread([this](std::stop_token stop) { work(stop); });
}

ImageStore::~ImageStore() {
  worker_.request_stop();
  if (worker_.joinable()) worker_.join();  // before the members it uses go
}

void ImageStore::setBudget(std::size_t bytes) {
  budget_ = bytes;
  trim();
}

ImageStore::Lookup ImageStore::find(const std::string& path) {
  if (const auto held = held_.find(path); held != held_.end()) {
    ages_.splice(ages_.begin(), ages_, held->second.age);
    return {held->second.image, held->second.problem, false};
  }
  if (!loader_) return {nullptr, tr("This picture was not kept, and there is no run folder to read it from."), false};
  {
    const std::lock_guard lock(mutex_);
    if (reading_ != path) {
      std::erase(wanted_, path);
      wanted_.push_back(path);
      constexpr std::size_t kMaxWaiting = 8;  // a scrub over hundreds of grids asks again for the one it stops at
      if (wanted_.size() > kMaxWaiting) wanted_.erase(wanted_.begin());
    }
  }
  wake_.notify_one();
  return {nullptr, {}, true};
}

void ImageStore::insert(const std::string& path, std::shared_ptr<const base::Image8> image) {
  accept(path, std::move(image), {});
}

void ImageStore::retryFailed() {
  for (auto held = held_.begin(); held != held_.end();) {
    if (held->second.image) {
      ++held;
    } else {
      ages_.erase(held->second.age);
      held = held_.erase(held);
    }
  }
}

void ImageStore::work(std::stop_token stop) {
  while (true) {
    std::string path;
    {
      std::unique_lock lock(mutex_);
      if (!wake_.wait(lock, stop, [this] { return !wanted_.empty(); })) return;
      path = std::move(wanted_.back());
      wanted_.pop_back();
      reading_ = path;
    }
    std::shared_ptr<const base::Image8> image;
    QString problem;
    try {
      base::Result<base::Image8> read = loader_(path);
      if (read.ok()) {
        image = std::make_shared<const base::Image8>(std::move(read).value());
      } else {
        problem = QString::fromStdString(read.error().message);
      }
    } catch (const std::exception& error) {
      problem = QString::fromStdString(path) + QStringLiteral(": ") + QString::fromUtf8(error.what());
    }
    QMetaObject::invokeMethod(
        this,
        [this, path, image = std::move(image), problem] {
          {
            const std::lock_guard lock(mutex_);
            if (reading_ == path) reading_.clear();
            std::erase(wanted_, path);
          }
          accept(path, image, problem);
          Q_EMIT loaded(QString::fromStdString(path));
        },
        Qt::QueuedConnection);
  }
}

void ImageStore::accept(const std::string& path, std::shared_ptr<const base::Image8> image, QString problem) {
  if (const auto old = held_.find(path); old != held_.end()) {
    if (old->second.image) bytes_ -= old->second.image->pixels.size();
    ages_.erase(old->second.age);
    held_.erase(old);
  }
  if (image) bytes_ += image->pixels.size();
  ages_.push_front(path);
  held_.emplace(path, Held{std::move(image), std::move(problem), ages_.begin()});
  trim();
}

void ImageStore::trim() {
  constexpr std::size_t kAlwaysKept = 4;  // two pictures side by side must not push each other out
  while (bytes_ > budget_ && ages_.size() > kAlwaysKept) {
    const auto oldest = held_.find(ages_.back());
    if (oldest->second.image) bytes_ -= oldest->second.image->pixels.size();
    held_.erase(oldest);
    ages_.pop_back();
  }
}

}  // namespace meanflow::ui

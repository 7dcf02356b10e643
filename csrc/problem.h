// J of B images, packed for a kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "generator.h"
#include "kernel.h"
#include "objective.h"

namespace inpaint {

// The observed data of B images, as `Objective` of inpaint/search/objective.py holds them. The
// memory is not owned.
template <class Real>
struct ObservedData {
  const Real* target;        // [B, M]
  const Real* weight;        // [B, M], or null for weights of 1
  const Real* num_observed;  // [B]
  std::int64_t num_images;   // B
  std::int32_t num_pixels;   // M
  Real known_noise;          // 0 if unknown
};

// The packed layers and data of one image. Layers may be shared between images.
template <class Real>
class PackedImage {
 public:
  // Args:
  //   pixels: The last layer, packed for the pixels in `observed`.
  //   observed: Pixels of nonzero weight.
  //   target: Target of this image. [M]
  //   weight: Weights of this image, or null for weights of 1. [M]
  PackedImage(const Kernel<Real>& kernel, const std::vector<LayerView<Real>>& hidden,
              const std::vector<LayerView<Real>>& transposed,
              std::shared_ptr<const PackedLayer<Real>> pixels,
              const std::vector<std::int32_t>& observed, const Real* target, const Real* weight,
              Real num_observed, Real known_noise)
      : pixels_(std::move(pixels)),
        target_(static_cast<std::size_t>(pixels_->view().vectors) * kernel.lanes),
        weight_(target_.size()),
        objective_(kernel, append(hidden, pixels_->view()), transposed, target_.data(),
                   weight_.data(), num_observed, known_noise) {
    for (std::size_t m = 0; m < observed.size(); ++m) {
      target_[m] = target[observed[m]];
      weight_[m] = weight == nullptr ? Real(1) : weight[observed[m]];
    }
  }
  PackedImage(const PackedImage&) = delete;
  PackedImage& operator=(const PackedImage&) = delete;

  const Objective<Real>& objective() const { return objective_; }

 private:
  static std::vector<LayerView<Real>> append(std::vector<LayerView<Real>> layers,
                                             const LayerView<Real>& last) {
    layers.push_back(last);
    return layers;
  }

  std::shared_ptr<const PackedLayer<Real>> pixels_;
  AlignedVector<Real> target_;  // padded to whole vectors
  AlignedVector<Real> weight_;
  Objective<Real> objective_;
};

// Without weights all images share one packed last layer. With weights (a mask for each image)
// each image has its own, with the pixels of nonzero weight only. If these take more than
// `pack_limit` bytes in total, every call packs them anew, a part of the images at a time.
template <class Real>
class Problem {
 public:
  using Scalar = Real;

  // The memory behind `layers` and `data` must outlive the problem.
  Problem(std::vector<Dense<Real>> layers, const ObservedData<Real>& data,
          const Kernel<Real>& kernel, std::size_t pack_limit = std::size_t{64} << 20)
      : kernel_(kernel), layers_(std::move(layers)), data_(data), pack_limit_(pack_limit) {
    for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
      hidden_.emplace_back(layers_[i], range(layers_[i].outputs), kernel);
      transposed_.push_back(PackedLayer<Real>::transposed(layers_[i], kernel));
    }
    for (const PackedLayer<Real>& layer : hidden_) hidden_views_.push_back(layer.view());
    for (const PackedLayer<Real>& layer : transposed_) transposed_views_.push_back(layer.view());
    if (data.weight == nullptr) {
      const std::vector<std::int32_t> all = range(data.num_pixels);
      const auto shared = std::make_shared<const PackedLayer<Real>>(layers_.back(), all, kernel);
      for (std::int64_t b = 0; b < num_images(); ++b) packed_.push_back(make_image(b, shared, all));
    } else if (part_end(0) == num_images()) {
      packed_ = pack(0, num_images());
    }
  }
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;

  const char* kernel_name() const { return kernel_.name; }
  std::int32_t max_block() const { return kernel_.max_block; }
  std::int64_t num_images() const { return data_.num_images; }
  std::int32_t latent_size() const { return layers_.front().inputs; }

  // Calls `call(images, first_image)` for each part of the images in turn.
  template <class Call>
  void for_each_part(const Call& call) const {
    if (!packed_.empty()) return call(packed_, std::int64_t{0});
    for (std::int64_t first_image = 0; first_image < num_images();
         first_image = part_end(first_image)) {
      call(pack(first_image, part_end(first_image)), first_image);
    }
  }

 private:
  using Images = std::vector<std::unique_ptr<const PackedImage<Real>>>;

  static std::vector<std::int32_t> range(std::int32_t size) {
    std::vector<std::int32_t> numbers(size);
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
  }

  // The pixels of nonzero weight of image `b`.
  std::vector<std::int32_t> observed(std::int64_t b) const {
    const Real* weight = data_.weight + b * data_.num_pixels;
    std::vector<std::int32_t> pixels;
    for (std::int32_t m = 0; m < data_.num_pixels; ++m) {
      if (weight[m] != 0) pixels.push_back(m);
    }
    return pixels;
  }

  // The end of the part that begins with `first_image`: as many images as the limit allows, but
  // at least one.
  std::int64_t part_end(std::int64_t first_image) const {
    std::size_t bytes = 0;
    std::int64_t end = first_image;
    for (; end < num_images(); ++end) {
      bytes += observed(end).size() * (layers_.back().inputs + 3) * sizeof(Real);
      if (bytes > pack_limit_ && end > first_image) break;
    }
    return end;
  }

  Images pack(std::int64_t first_image, std::int64_t end) const {
    Images images;
    for (std::int64_t b = first_image; b < end; ++b) {
      const std::vector<std::int32_t> pixels = observed(b);
      images.push_back(make_image(
          b, std::make_shared<const PackedLayer<Real>>(layers_.back(), pixels, kernel_), pixels));
    }
    return images;
  }

  std::unique_ptr<const PackedImage<Real>> make_image(
      std::int64_t b, std::shared_ptr<const PackedLayer<Real>> pixels,
      const std::vector<std::int32_t>& observed) const {
    const Real* target = data_.target + b * data_.num_pixels;
    const Real* weight = data_.weight;
    if (weight != nullptr) weight += b * data_.num_pixels;
    return std::make_unique<const PackedImage<Real>>(kernel_, hidden_views_, transposed_views_,
                                                     std::move(pixels), observed, target, weight,
                                                     data_.num_observed[b], data_.known_noise);
  }

  const Kernel<Real>& kernel_;
  std::vector<Dense<Real>> layers_;
  ObservedData<Real> data_;
  std::size_t pack_limit_;
  std::vector<PackedLayer<Real>> hidden_;
  std::vector<PackedLayer<Real>> transposed_;
  std::vector<LayerView<Real>> hidden_views_;
  std::vector<LayerView<Real>> transposed_views_;
  Images packed_;  // empty if the images are packed part by part
};

}  // namespace inpaint

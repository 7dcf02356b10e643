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

// What is known of B images: target [B, M], weight [B, M] or null, count [B]. Not owned.
// `known_noise` is 0 where the noise level is unknown.
template <class Real>
struct Observation {
  const Real* target;
  const Real* weight;
  const Real* count;
  std::int64_t images;
  std::int32_t pixels;
  Real known_noise;
};

// The packed layers and data of one image. Layers may be shared between images.
template <class Real>
class Image {
 public:
  // Args:
  //   observed: Pixels of nonzero weight, which `pixels` was packed for.
  //   target, weight: Of this image, or null for weights of 1. [M]
  Image(const Kernel<Real>& kernel, const std::vector<LayerView<Real>>& hidden,
        const std::vector<LayerView<Real>>& transposed,
        std::shared_ptr<const PackedLayer<Real>> pixels, const std::vector<std::int32_t>& observed,
        const Real* target, const Real* weight, Real count, Real known_noise)
      : pixels_(std::move(pixels)),
        target_(static_cast<std::size_t>(pixels_->view().vectors) * kernel.lanes),
        weight_(target_.size()),
        objective_(kernel, with(hidden, pixels_->view()), transposed, target_.data(),
                   weight_.data(), count, known_noise) {
    for (std::size_t m = 0; m < observed.size(); ++m) {
      target_[m] = target[observed[m]];
      weight_[m] = weight == nullptr ? Real(1) : weight[observed[m]];
    }
  }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  const Objective<Real>& objective() const { return objective_; }

 private:
  static std::vector<LayerView<Real>> with(std::vector<LayerView<Real>> layers,
                                           const LayerView<Real>& last) {
    layers.push_back(last);
    return layers;
  }

  std::shared_ptr<const PackedLayer<Real>> pixels_;
  AlignedVector<Real> target_;  // padded to whole vectors
  AlignedVector<Real> weight_;
  Objective<Real> objective_;
};

// Without weights all images share one packing of the last layer. With weights (a mask for each
// image) each image has its own, of the pixels of nonzero weight only; what exceeds
// `pack_limit` bytes in all is packed anew for every call, a part of the images at a time.
template <class Real>
class Problem {
 public:
  // The memory behind `layers` and `observation` must outlive the problem.
  Problem(std::vector<Dense<Real>> layers, const Observation<Real>& observation,
          const Kernel<Real>& kernel, std::size_t pack_limit = std::size_t{64} << 20)
      : kernel_(kernel),
        layers_(std::move(layers)),
        observation_(observation),
        pack_limit_(pack_limit) {
    for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
      hidden_.emplace_back(layers_[i], range(layers_[i].outputs), kernel);
      transposed_.push_back(PackedLayer<Real>::transposed(layers_[i], kernel));
    }
    for (const PackedLayer<Real>& layer : hidden_) hidden_views_.push_back(layer.view());
    for (const PackedLayer<Real>& layer : transposed_) transposed_views_.push_back(layer.view());
    if (observation.weight == nullptr) {
      const std::vector<std::int32_t> all = range(observation.pixels);
      const auto shared = std::make_shared<const PackedLayer<Real>>(layers_.back(), all, kernel);
      for (std::int64_t b = 0; b < images(); ++b) packed_.push_back(make_image(b, shared, all));
    } else if (part_end(0) == images()) {
      packed_ = pack(0, images());
    }
  }
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;

  const char* kernel_name() const { return kernel_.name; }
  std::int32_t max_block() const { return kernel_.max_block; }
  std::int64_t images() const { return observation_.images; }
  std::int32_t latent_size() const { return layers_.front().inputs; }

  // Calls `call(images, first)` for one part of the images after the other; `first` is the
  // number of its first image.
  template <class Call>
  void for_each_part(const Call& call) const {
    if (!packed_.empty()) return call(packed_, std::int64_t{0});
    for (std::int64_t first = 0; first < images(); first = part_end(first)) {
      call(pack(first, part_end(first)), first);
    }
  }

 private:
  using Images = std::vector<std::unique_ptr<const Image<Real>>>;

  static std::vector<std::int32_t> range(std::int32_t size) {
    std::vector<std::int32_t> numbers(size);
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
  }

  // The pixels of an image with nonzero weight.
  std::vector<std::int32_t> observed(std::int64_t image) const {
    const Real* weight = observation_.weight + image * observation_.pixels;
    std::vector<std::int32_t> numbers;
    for (std::int32_t m = 0; m < observation_.pixels; ++m) {
      if (weight[m] != 0) numbers.push_back(m);
    }
    return numbers;
  }

  // The end of the part that begins with image `first`: as many as the limit allows, one at least.
  std::int64_t part_end(std::int64_t first) const {
    std::size_t bytes = 0;
    std::int64_t end = first;
    for (; end < images(); ++end) {
      bytes += observed(end).size() * (layers_.back().inputs + 3) * sizeof(Real);
      if (bytes > pack_limit_ && end > first) break;
    }
    return end;
  }

  Images pack(std::int64_t first, std::int64_t end) const {
    Images images;
    for (std::int64_t b = first; b < end; ++b) {
      const std::vector<std::int32_t> pixels = observed(b);
      images.push_back(make_image(
          b, std::make_shared<const PackedLayer<Real>>(layers_.back(), pixels, kernel_), pixels));
    }
    return images;
  }

  std::unique_ptr<const Image<Real>> make_image(std::int64_t b,
                                                std::shared_ptr<const PackedLayer<Real>> pixels,
                                                const std::vector<std::int32_t>& observed) const {
    const Real* target = observation_.target + b * observation_.pixels;
    const Real* weight = observation_.weight;
    if (weight != nullptr) weight += b * observation_.pixels;
    return std::make_unique<const Image<Real>>(kernel_, hidden_views_, transposed_views_,
                                               std::move(pixels), observed, target, weight,
                                               observation_.count[b], observation_.known_noise);
  }

  const Kernel<Real>& kernel_;
  std::vector<Dense<Real>> layers_;
  Observation<Real> observation_;
  std::size_t pack_limit_;
  std::vector<PackedLayer<Real>> hidden_;
  std::vector<PackedLayer<Real>> transposed_;
  std::vector<LayerView<Real>> hidden_views_;
  std::vector<LayerView<Real>> transposed_views_;
  Images packed_;  // empty where the images are packed in parts
};

}  // namespace inpaint
